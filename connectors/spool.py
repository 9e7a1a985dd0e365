"""Where rows wait for the warehouse.

A window of one partition is a list of segments; the rows of a segment lie in a spool, as text, never as
objects: memory first, then disk. What waits in all spools together is counted by one `Backlog`.
"""

from __future__ import annotations

import logging
import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from errno import errorcode
from io import BytesIO, FileIO
from pathlib import Path
from threading import Lock
from typing import Self
from weakref import WeakSet

from connectors.items import RowBatch, Segment, Spool
from connectors.progress import BrokenPromise
from connectors.spans import Covered, Extends, Opens, place

log = logging.getLogger(__name__)

SEGMENT_BYTES = 4 << 20
"""A segment that has reached this is continued by another, so that a commit can be had in portions."""
MEMORY_PER_SPOOL = 1 << 20
"""Bytes a spool keeps in memory before it moves to disk."""
REFILL = 0.8
"""A full backlog counts as full until it has shrunk to this share of its limit."""
_CHUNK = 1 << 20


class SpoolLost(BrokenPromise):
    """Rows that were spooled cannot be read back. They are still in the topic: a restart reads them again."""

    exit_code = 15


class Backlog:
    """Bytes that wait for the warehouse, in open windows and closed ones. Safe to share between threads.

    A disk that refuses rows counts as a full backlog: what it refused stays in memory, the source pauses, and
    the disk is asked again until it takes them.
    """

    def __init__(self, limit: int, on_refused: Callable[[str], None] | None = None) -> None:
        """`limit` in bytes: full from there on, until what waits has shrunk below 80% of it.

        `on_refused` hears the name of the error (`ENOSPC`) whenever the disk begins to refuse rows.
        """
        self._limit = limit
        self._on_refused = on_refused
        self._held = 0
        self._full = False
        self._refused: list[FileSpool] = []
        self._lock = Lock()

    @property
    def held(self) -> int:
        """Bytes that wait."""
        return self._held

    def is_full(self) -> bool:
        """True when the source should pause. Ask once in a while: it asks the disk again."""
        if self._refused:
            with self._lock:
                self._refused = [spool for spool in self._refused if not spool.settle()]
        return self._full or bool(self._refused)

    def add(self, size: int) -> None:
        """`size` more bytes wait."""
        with self._lock:
            self._held += size
            if self._held >= self._limit:
                self._full = True

    def subtract(self, size: int) -> None:
        """`size` bytes wait no longer."""
        with self._lock:
            self._held -= size
            if self._held < self._limit * REFILL:
                self._full = False

    def refuse(self, spool: FileSpool, fault: OSError) -> None:
        """The disk does not take a spool's rows."""
        with self._lock:
            self._refused.append(spool)
        code = errorcode.get(fault.errno or 0, "OTHER")
        log.warning("spool_refused", extra={"code": code})
        if self._on_refused is not None:
            self._on_refused(code)


class FileSpool:
    """A spool in memory that moves to an unnamed file when it grows: nothing is left behind by a crash.

    One thread appends, another may read later or at the same time; a reader sees whole appends.
    """

    def __init__(
        self, backlog: Backlog, directory: Path | None = None, memory: int = MEMORY_PER_SPOOL
    ) -> None:
        """`directory` None: the system's place for temporary files. `memory` in bytes."""
        self._backlog = backlog
        self._directory = directory
        self._memory = memory
        self._store: BytesIO | FileIO = BytesIO()
        self._stored = 0
        self._refused = b""
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._stored + len(self._refused)

    @property
    def on_disk(self) -> bool:
        """True once it has grown beyond its memory."""
        return not isinstance(self._store, BytesIO)

    def append(self, lines: Sequence[bytes]) -> None:
        """Add rows, one line each. What the disk refuses stays in memory, and the backlog counts as full."""
        if not lines:
            return
        data = b"\n".join(lines) + b"\n"
        fault: OSError | None = None
        with self._lock:
            if self._refused:
                self._refused += data
            elif (fault := self._store_away(data)) is not None:
                self._refused = data
        if fault is not None:
            self._backlog.refuse(self, fault)
        self._backlog.add(len(data))

    def settle(self) -> bool:
        """Ask the disk again to take what it refused; whether nothing is left of that."""
        with self._lock:
            if self._refused and not self._store.closed and self._store_away(self._refused) is None:
                self._refused = b""
            return not self._refused

    def _store_away(self, data: bytes) -> OSError | None:
        try:
            if isinstance(self._store, BytesIO) and self._stored + len(data) > self._memory:
                self._store = self._to_disk(self._store)
            _write(self._store, self._stored, data)
        except OSError as fault:
            return fault
        self._stored += len(data)
        return None

    def _to_disk(self, memory: BytesIO) -> FileIO:
        # Unbuffered: a full disk shows in this very call, not in a later one.
        file: FileIO = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 closed by discard
        try:
            _write(file, 0, memory.getbuffer()[: self._stored])
        except OSError:
            file.close()
            raise
        return file

    def lines(self) -> Iterator[bytes]:
        """Every row, in the order it was appended; may be called again. Raises SpoolLost."""
        return lines_of(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """The same, in pieces that are cut anywhere. Raises SpoolLost."""
        at = 0
        while at < self.size:
            chunk = self._read(at)
            if not chunk:
                raise SpoolLost(f"spooled rows end at byte {at} of {self.size}")
            at += len(chunk)
            yield chunk

    def _read(self, at: int) -> bytes:
        with self._lock:
            if at >= self._stored:
                return self._refused[at - self._stored :]
            try:
                self._store.seek(at)
                return self._store.read(min(_CHUNK, self._stored - at)) or b""
            except (OSError, ValueError) as fault:
                raise SpoolLost(f"spooled rows cannot be read back: {fault}") from fault

    def discard(self) -> None:
        """Give the space back. Safe to call twice."""
        with self._lock:
            freed, self._stored, self._refused = self.size, 0, b""
            self._store.close()
        self._backlog.subtract(freed)


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines, without their line feeds, of pieces that are cut anywhere."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def _write(store: BytesIO | FileIO, at: int, data: bytes | memoryview) -> None:
    store.seek(at)
    rest = memoryview(data)
    while rest:
        # An unbuffered file may take a part only.
        rest = rest[store.write(rest) or 0 :]


class WindowSegments:
    """What a window has gathered of one partition: the accumulator of a Bytewax window.

    Bytewax copies accumulators deeply each time it takes a snapshot. There is no recovery store and the
    rows lie in spools, so a copy is the accumulator itself.
    """

    def __init__(
        self,
        spools: Callable[[], Spool],
        *,
        full: int = SEGMENT_BYTES,
        on_full: Callable[[Segment], None] | None = None,
    ) -> None:
        """`spools` makes an empty spool for each segment. `full`: bytes from which on a segment is continued
        by another; `on_full` hears of it, at once, and must not wait for anything."""
        self._spools = spools
        self._full = full
        self._on_full = on_full
        self._segments: list[Segment] = []

    def __deepcopy__(self, memo: object) -> Self:
        """The accumulator itself."""
        return self

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, in the order they were opened."""
        return tuple(self._segments)

    def add(self, batch: RowBatch) -> Self:
        """Take what of the batch is new here, by the segment rule."""
        tail = self._segments[-1] if self._segments else None
        if tail is not None and tail.topic_id != batch.topic_id:
            tail = None
        match place(tail.next if tail is not None else None, batch.first, batch.next):
            case Covered():
                pass
            case Extends(at) if tail is not None and tail.spool.size < self._full:
                lines = _from_offset(batch.lines, at)
                tail.spool.append(lines)
                self._segments[-1] = replace(
                    tail,
                    next=batch.next,
                    rows=tail.rows + len(lines),
                    lost=tail.lost + (batch.lost if at == batch.first else 0),
                )
                self._tell_when_full()
            case Opens(at) | Extends(at):
                lines = _from_offset(batch.lines, at)
                lost = batch.lost if at == batch.first else 0
                spool = self._spools()
                spool.append(lines)
                self._segments.append(
                    Segment(batch.partition, at, batch.next, len(lines), spool, lost, batch.topic_id)
                )
                self._tell_when_full()
        return self

    def _tell_when_full(self) -> None:
        segment = self._segments[-1]
        if self._on_full is not None and segment.spool.size >= self._full:
            self._on_full(segment)

    def merge(self, other: WindowSegments) -> Self:
        """Take over the segments of another window of the same partition."""
        self._segments.extend(other.segments)
        return self

    def hand_over(self) -> Sequence[Segment]:
        """The segments; they are this window's no longer."""
        handed, self._segments = self._segments, []
        return handed


class OpenWindows:
    """Makes the accumulators of windows, and knows those that are open. Lives on the graph's thread."""

    def __init__(
        self,
        spools: Callable[[], Spool],
        *,
        full: int = SEGMENT_BYTES,
        on_full: Callable[[Segment], None] | None = None,
    ) -> None:
        """See `WindowSegments`."""
        self._spools = spools
        self._full = full
        self._on_full = on_full
        self._open: WeakSet[WindowSegments] = WeakSet()

    def new(self) -> WindowSegments:
        """An empty window of one partition."""
        window = WindowSegments(self._spools, full=self._full, on_full=self._on_full)
        self._open.add(window)
        return window

    def hand_over(self) -> tuple[Segment, ...]:
        """What all open windows hold, to be committed before they close; what follows goes on from there."""
        return tuple(segment for window in list(self._open) for segment in window.hand_over())


def offset_of(line: bytes) -> int:
    """The offset at the head of a staged row."""
    # A row of the offset alone has no comma; find answers -1, which cuts the closing bracket.
    return int(line[1 : line.find(b",")])


def _from_offset(lines: Sequence[bytes], at: int) -> Sequence[bytes]:
    return lines[bisect_left(lines, at, key=offset_of) :]
