"""Segments on their way to S3: compressed and uploaded by a thread of their own as they fill, the rest by
whoever commits. Never by the graph's thread.

Delivery guarantee: none by itself. An object whose rows no ledger entry covers is as good as not there.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Protocol

from connectors.backoff import Backoff
from connectors.items import Segment, Spool
from connectors.progress import CommitMismatch
from connectors.redshift_access import WarehouseTrouble
from connectors.s3 import SYSTEM, Bucket, ObjectGone
from connectors.spool import offset_of
from connectors.staged_objects import Place, StagedObject, key_of, with_partition
from connectors.warehouse_trouble import tell

log = logging.getLogger(__name__)

GZIP_LEVEL = 6
_GZIP = 31
"""zlib's word for the largest window in gzip's frame."""


class StagingObserver(Protocol):
    """Who hears of what the way by S3 does; called on its threads."""

    def uploaded(self, size: int, seconds: float) -> None:
        """An object of so many bytes is there; how long it took to compress and upload it."""
        ...

    def upload_waits(self, size: int) -> None:
        """So many bytes of full segments are not uploaded yet."""
        ...

    def reached(self, system: str) -> None:
        """`s3` answers."""
        ...

    def retried(self, system: str, reason: str) -> None:
        """`s3` did not do it, for one of `Reason`'s values; there will be another try."""
        ...

    def left_behind(self, objects: int) -> None:
        """So many objects that nobody needs any more could not be removed."""
        ...

    def adopted(self, objects: int, rows: int) -> None:
        """What an earlier process had uploaded is taken up again."""
        ...


@dataclass(frozen=True, slots=True)
class Packed:
    """An object's bytes, and what they hold."""

    body: bytes
    rows: int
    raw_size: int
    sha256: str


def pack(chunks: Iterable[bytes], partition: int, level: int = GZIP_LEVEL) -> Packed:
    """The rows of a spool as an object. Of the rows, no more than a chunk is in memory at a time."""
    gzip = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    parts: list[bytes] = []
    rows = raw_size = 0

    def counted() -> Iterator[bytes]:
        nonlocal rows, raw_size
        for chunk in chunks:
            rows += chunk.count(b"\n")
            raw_size += len(chunk)
            yield chunk

    for chunk in with_partition(counted(), partition):
        parts.append(gzip.compress(chunk))
    parts.append(gzip.flush())
    body = b"".join(parts)
    return Packed(body, rows, raw_size, hashlib.sha256(body).hexdigest())


class Uploads:
    """The objects of this process's segments. Safe to share between threads."""

    def __init__(
        self, bucket: Bucket, place: Place, fingerprint: str, backoff: Backoff, observer: StagingObserver
    ) -> None:
        """`fingerprint` is kept with each object: what its rows were made by. Call `start` once."""
        self._bucket = bucket
        self._place = place
        self.fingerprint = fingerprint
        self._own = secrets.token_bytes(16)
        self._backoff = backoff
        self._observer = observer
        self._changed = Condition()
        self._queue: deque[Segment] = deque()
        self._busy: set[Spool] = set()
        self._objects: dict[Spool, dict[int, StagedObject]] = {}
        """By spool, and by the offset below which its rows were left out."""
        self._doubted = False
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="uploads", daemon=True)

    # -- for the graph's thread --------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def add(self, segment: Segment) -> None:
        """A segment that is full. Returns at once."""
        with self._changed:
            self._queue.append(segment)
            self._changed.notify_all()
            self._tell_waiting()

    def stop(self) -> None:
        """End the thread; an upload that runs is not waited for."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    # -- for the committer's thread ----------------------------------------------------------------

    def finish(self, segments: Sequence[Segment]) -> None:
        """See that the rows of all these segments are uploaded. Blocks.

        Raises WarehouseTrouble, of S3: what is uploaded stays so. Raises SpoolLost, CommitMismatch.
        """
        if self._failure is not None:
            raise self._failure
        if self._doubted:
            self._look_again(segments)
            self._doubted = False
        for segment in segments:
            if segment.rows:
                self.staged(segment, segment.first)

    def staged(self, segment: Segment, at: int) -> StagedObject | None:
        """The object of a segment's rows at or above an offset, uploaded now if need be; None: there are no
        such rows. Raises as `finish` does."""
        with self._changed:
            self._changed.wait_for(lambda: segment.spool not in self._busy)
            found = self._objects.get(segment.spool, {}).get(at)
            if found is not None:
                return found
            self._busy.add(segment.spool)
        return self._upload(segment, at)

    def doubt(self) -> None:
        """A COPY failed: it may be that an object is gone. `finish` looks before the next."""
        self._doubted = True

    def remember(self, segment: Segment, there: StagedObject) -> None:
        """The object of a segment is there already."""
        with self._changed:
            self._objects.setdefault(segment.spool, {})[segment.first] = there

    def forget(self, segments: Sequence[Segment]) -> list[StagedObject]:
        """The segments' objects, which nobody needs any more."""
        spools = {segment.spool for segment in segments}
        with self._changed:
            self._queue = deque(segment for segment in self._queue if segment.spool not in spools)
            self._tell_waiting()
            return [each for spool in spools for each in self._objects.pop(spool, {}).values()]

    def _look_again(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            for at, known in list(self._objects.get(segment.spool, {}).items()):
                try:
                    there = self._bucket.head(known.key).size == known.size
                except ObjectGone:
                    there = False
                if not there:
                    log.warning("staged_object_gone", extra={"key": known.key})
                    with self._changed:
                        del self._objects[segment.spool][at]

    # -- uploading ---------------------------------------------------------------------------------

    def _upload(self, segment: Segment, at: int) -> StagedObject | None:
        """Upload what was claimed by an entry in `_busy`."""
        try:
            began = time.monotonic()
            packed = pack(_chunks(segment, at), segment.partition)
            if at == segment.first and packed.rows != segment.rows:
                raise CommitMismatch(f"{segment.rows} rows were spooled but {packed.rows} can be read back")
            if not packed.rows:
                return None
            uploaded = self._put(segment, at, packed)
            self._observer.uploaded(uploaded.size, time.monotonic() - began)
            self._observer.reached(SYSTEM)
            with self._changed:
                self._objects.setdefault(segment.spool, {})[at] = uploaded
            return uploaded
        finally:
            with self._changed:
                self._busy.discard(segment.spool)
                self._changed.notify_all()

    def _put(self, segment: Segment, at: int, packed: Packed) -> StagedObject:
        span = (segment.partition, at, segment.next)
        # The same rows get the same name: an upload whose answer was lost leaves nothing behind but this.
        unique = hashlib.sha256(self._own + packed.sha256.encode()).hexdigest()[:16]
        uploaded = StagedObject(
            key_of(self._place, segment.topic_id, *span, unique),
            *span,
            segment.topic_id,
            packed.rows,
            segment.lost if at == segment.first else 0,
            len(packed.body),
            packed.raw_size,
            packed.sha256,
            self.fingerprint,
        )
        self._bucket.put(uploaded.key, packed.body, uploaded.metadata())
        return uploaded

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._until_done(lambda: self._bucket.answers(f"{self._place.folder}/"))
            self._observer.reached(SYSTEM)
            while self._has_work():
                self._until_done(self._upload_first)
        except BaseException as failure:  # whatever ends this thread must end the process
            log.error("staging_impossible", exc_info=failure)
            self._failure = failure

    def _has_work(self) -> bool:
        with self._changed:
            self._tell_waiting()
            self._changed.wait_for(lambda: self._stopping or self._queue)
            return not self._stopping

    def _upload_first(self) -> None:
        with self._changed:
            if not self._queue:
                return
            segment = self._queue[0]
            # Whoever is at it is the committer, who does not leave off before it is done.
            taken = segment.spool in self._busy or segment.spool in self._objects
            if not taken:
                self._busy.add(segment.spool)
        if not taken:
            self._upload(segment, segment.first)
        with self._changed:
            if self._queue and self._queue[0] is segment:
                self._queue.popleft()

    def _until_done(self, deed: Callable[[], object]) -> None:
        attempt = 0
        while not self._stopping:
            try:
                deed()
            except WarehouseTrouble as trouble:
                attempt += 1
                wait = self._backoff.wait(attempt)
                tell(trouble, attempt, wait, self._observer)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, wait)
            else:
                return

    def _tell_waiting(self) -> None:
        self._observer.upload_waits(sum(segment.spool.size for segment in self._queue))


def _chunks(segment: Segment, at: int) -> Iterator[bytes]:
    if at <= segment.first:
        return segment.spool.chunks()
    return (line + b"\n" for line in segment.spool.lines() if offset_of(line) >= at)
