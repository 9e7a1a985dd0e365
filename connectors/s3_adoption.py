"""What an earlier process had uploaded and not committed is taken up again, instead of read from Kafka again.

Delivery guarantee: none by itself; what is adopted is committed like every other segment. Which objects are
adopted is decided in `staged_objects.longest_chain`; here they are found, and looked at byte by byte.
"""

from __future__ import annotations

import hashlib
import io
import logging
import zlib
from collections.abc import Iterator, Mapping, Sequence

from connectors.items import Segment
from connectors.progress import Progress
from connectors.redshift_access import WarehouseTrouble
from connectors.s3 import Bucket, ObjectGone
from connectors.spool import SpoolLost, lines_of, offset_of
from connectors.staged_objects import (
    Place,
    StagedObject,
    described,
    longest_chain,
    span_of,
    without_partition,
)

log = logging.getLogger(__name__)

_GZIP = 31
_PIECE = 1 << 16


class StagedSpool:
    """The rows of an object, as a spool that holds nothing itself: each reading downloads them."""

    def __init__(self, bucket: Bucket, staged: StagedObject) -> None:
        """Downloads nothing yet."""
        self._bucket = bucket
        self._staged = staged

    @property
    def size(self) -> int:
        """Bytes of the rows, as they lay in a spool."""
        return self._staged.raw_size

    def append(self, lines: Sequence[bytes]) -> None:
        """Raises UnsupportedOperation: an object is complete."""
        raise io.UnsupportedOperation

    def lines(self) -> Iterator[bytes]:
        """Every row. Raises SpoolLost when the object is gone or is not what was uploaded, and
        WarehouseTrouble."""
        try:
            body = self._bucket.get(self._staged.key)
        except ObjectGone:
            raise SpoolLost(f"the staged object {self._staged.key} is gone") from None
        if len(body) != self._staged.size or hashlib.sha256(body).hexdigest() != self._staged.sha256:
            raise SpoolLost(f"the staged object {self._staged.key} is not what was uploaded")
        return map(without_partition, lines_of(_inflated(body)))

    def chunks(self) -> Iterator[bytes]:
        """The same, each with its line feed."""
        return (line + b"\n" for line in self.lines())

    def discard(self) -> None:
        """Nothing: whoever staged the object removes it."""


def _inflated(body: bytes) -> Iterator[bytes]:
    gzip = zlib.decompressobj(_GZIP)
    for at in range(0, len(body), _PIECE):
        yield gzip.decompress(body[at : at + _PIECE])
    yield gzip.flush()


def find(
    bucket: Bucket, place: Place, partition: int, rows: Progress, fingerprint: str
) -> list[tuple[Segment, StagedObject]]:
    """The objects that continue progress W of a partition, each as a segment, verified.

    The first one that is not whole ends the chain: what lies behind it is read from Kafka. Raises
    WarehouseTrouble.
    """
    if rows.topic_id is None:
        return []
    there: list[StagedObject] = []
    for key in bucket.keys(place.partition_folder(rows.topic_id, partition)):
        span = span_of(key)
        if span is None or span[1] <= rows.position:
            continue
        try:
            head = bucket.head(key)
        except ObjectGone:
            continue
        staged = described(key, head.size, head.metadata)
        if staged is not None and staged.partition == partition:
            there.append(staged)
    found: list[tuple[Segment, StagedObject]] = []
    for staged in longest_chain(rows.position, there, topic_id=rows.topic_id, fingerprint=fingerprint):
        spool = StagedSpool(bucket, staged)
        if not _is_whole(spool, staged):
            log.warning("staged_object_not_adopted", extra={"key": staged.key})
            break
        segment = Segment(
            partition, staged.first, staged.next, staged.rows, spool, staged.lost, staged.topic_id
        )
        found.append((segment, staged))
    return found


def _is_whole(spool: StagedSpool, staged: StagedObject) -> bool:
    """Whether the bytes are those that were uploaded, and as many rows, of this span, in order."""
    rows, position = 0, staged.first
    try:
        for line in spool.lines():
            offset = offset_of(line)
            if not position <= offset < staged.next:
                return False
            rows, position = rows + 1, offset + 1
    except (SpoolLost, zlib.error, ValueError):
        return False
    return rows == staged.rows


def adopt(
    bucket: Bucket, place: Place, fingerprint: str, positions: Mapping[int, Progress]
) -> list[tuple[Segment, StagedObject]]:
    """What continues each of these progresses W. S3 being away is no trouble: then nothing is adopted."""
    try:
        return [
            each
            for partition, rows in sorted(positions.items())
            for each in find(bucket, place, partition, rows, fingerprint)
        ]
    except WarehouseTrouble as trouble:
        log.warning("nothing_adopted", extra={"reason": trouble.reason.value, "detail": str(trouble)})
        return []
