"""The way of rows into the staging table by S3: objects, a manifest, COPY.

Delivery guarantee: at least once into the bucket; exactly once into the table, by the commit's transaction.
An object is removed only when the warehouse has confirmed the commit that holds its rows. What a process
leaves behind that dies before that is removed by the bucket's lifecycle rule, see docs/s3-staging.md.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from connectors.items import Segment, Table
from connectors.progress import Progress
from connectors.redshift_access import LoadRefused, Session, WarehouseTrouble
from connectors.redshift_copy_sql import (
    FILE_NAME_LENGTH,
    Authorization,
    LoadError,
    TemporaryCredentials,
    copy_staged,
    load_error,
    read_load_errors,
)
from connectors.s3 import Bucket
from connectors.s3_adoption import adopt
from connectors.s3_uploads import StagingObserver, Uploads
from connectors.spans import Take
from connectors.spool import offset_of
from connectors.staged_objects import Place, StagedObject, jsonpaths, manifest
from connectors.staging import Cursor

log = logging.getLogger(__name__)


MOST_OBSOLETE = 10_000
"""Objects that could not be removed and are remembered, to be removed later."""


@dataclass(frozen=True, slots=True)
class _Staged:
    """What of a segment a COPY reads."""

    take: Take
    staged: StagedObject


class S3Staging:
    """Staging by COPY: the warehouse reads the rows itself, in parallel. Used by the committer's thread."""

    def __init__(
        self,
        bucket: Bucket,
        place: Place,
        uploads: Uploads,
        *,
        authorization: Callable[[], Authorization],
        region: str | None,
        session: Callable[[], Session],
        observer: StagingObserver,
    ) -> None:
        """`authorization`: in whose name the warehouse reads the bucket, asked before each COPY. `region`:
        the bucket's, when it is not the warehouse's. `session` opens one more session, to ask it for a
        load's errors."""
        self._bucket = bucket
        self._place = place
        self._uploads = uploads
        self._authorization = authorization
        self._region = region
        self._session = session
        self._observer = observer
        self._obsolete: list[str] = []
        """Keys of what nobody needs once a commit is confirmed: the manifests of its attempts, and what could
        not be removed before."""

    def adopt(self, positions: Mapping[int, Progress]) -> Sequence[Segment]:
        """See `Staging.adopt`. What is adopted was read and verified byte by byte."""
        found = adopt(self._bucket, self._place, self._uploads.fingerprint, positions)
        for segment, staged in found:
            self._uploads.remember(segment, staged)
            span = {"partition": segment.partition, "first": segment.first, "next": segment.next}
            log.info("staged_object_adopted", extra={**span, "rows": segment.rows, "key": staged.key})
        if found:
            self._observer.adopted(len(found), sum(segment.rows for segment, _ in found))
        return [segment for segment, _ in found]

    def prepare(self, segments: Sequence[Segment]) -> None:
        """Upload what is not uploaded yet, before the ledger is locked. See `Staging.prepare`."""
        self._uploads.finish(segments)

    def stage(self, cursor: Cursor, takes: Sequence[Take], table: Table) -> int:
        """See `Staging.stage`. Of a segment that begins below `at`, the rest gets an object of its own."""
        copied = [
            _Staged(take, found)
            for take in takes
            if take.segment.rows and (found := self._uploads.staged(take.segment, take.at)) is not None
        ]
        if not copied:
            return 0
        attempt = f"{self._place.folder}/commits/{secrets.token_hex(16)}"
        files = {
            f"{attempt}.jsonpaths": jsonpaths(table),
            f"{attempt}.manifest": manifest(self._place, [each.staged for each in copied]),
        }
        for key, body in files.items():
            self._obsolete.append(key)
            self._bucket.put(key, body)
        paths, listed = (self._place.uri(key) for key in files)
        authorization = self._authorization()
        try:
            cursor.execute(copy_staged(table, listed, paths, authorization, self._region))
        except LoadRefused as refused:
            self._uploads.doubt()
            raise self._explained(refused, copied) from None
        except WarehouseTrouble as trouble:
            self._uploads.doubt()
            raise without_secrets(trouble, authorization) from None
        return sum(each.staged.rows for each in copied)

    def confirmed(self, segments: Sequence[Segment]) -> None:
        """Remove the objects. See `Staging.confirmed`."""
        self._obsolete += (each.key for each in self._uploads.forget(segments))
        while self._obsolete:
            try:
                self._bucket.delete(self._obsolete[-1])
            except WarehouseTrouble as trouble:
                # Nothing depends on it: tried again after the next commit, and left to the lifecycle rule.
                self._observer.left_behind(len(self._obsolete))
                told = {"objects": len(self._obsolete), "detail": str(trouble)}
                log.warning("staged_objects_left_behind", extra=told)
                del self._obsolete[:-MOST_OBSOLETE]
                return
            self._obsolete.pop()

    def _explained(self, refused: LoadRefused, copied: Sequence[_Staged]) -> LoadRefused:
        """The same, with what the warehouse says about the row; where it can't be asked, as it is."""
        below = self._place.uri(self._place.folder)[:FILE_NAME_LENGTH]
        try:
            with self._session() as session:
                rows = session.rows(read_load_errors(), (str(len(below)), below))
                session.rollback()
        except WarehouseTrouble:
            return refused
        for row in rows:
            error = load_error(*row)
            for each in copied:
                if self._place.uri(each.staged.key)[:FILE_NAME_LENGTH] == error.file:
                    return LoadRefused(refused.reason, self._told(error, each))
        return refused

    def _told(self, error: LoadError, copied: _Staged) -> str:
        segment, at = copied.take.segment, copied.take.at
        kept = (line for line in segment.spool.lines() if offset_of(line) >= at)
        line = next(islice(kept, max(error.line, 1) - 1, None), None)
        where = f"{self._place.topic} partition {segment.partition}"
        where += f" offsets {at} to {segment.next - 1}" if line is None else f" offset {offset_of(line)}"
        return (
            f"COPY does not take the row of {where}: column {error.column or '?'}, error {error.code}, "
            f"{error.message} (line {error.line} of {copied.staged.key})"
        )


def without_secrets(trouble: WarehouseTrouble, authorization: Authorization) -> WarehouseTrouble:
    """The same trouble; should the warehouse have quoted the credentials in the statement, without them."""
    if not isinstance(authorization, TemporaryCredentials):
        return trouble
    held = (
        authorization.access_key_id,
        authorization.secret_access_key,
        authorization.session_token or "",
    )
    if not any(secret and secret in str(trouble) for secret in held):
        return trouble
    return type(trouble)(
        trouble.reason, "the warehouse refused the COPY, quoting its credentials", trouble.fix
    )
