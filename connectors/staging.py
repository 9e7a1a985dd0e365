"""Where rows wait for the warehouse, and how they get into its staging table.

A window of one partition is a list of segments; the rows of a segment lie in a spool, as text, never as
objects: memory first, then disk. What waits in all spools together is counted by one `Backlog`.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO, FileIO
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Protocol, Self

import orjson

from connectors.items import RowBatch, Segment, Spool, Table
from connectors.progress import BrokenPromise, Covered, Extends, Opens, Take, place
from connectors.redshift_sql import insert_staged, statement_rows

MEMORY_PER_SPOOL = 4 << 20
"""Bytes a spool keeps in memory before it moves to disk."""
REFILL = 0.8
"""A full backlog counts as full until it has shrunk to this share of its limit."""
_CHUNK = 1 << 20


class SpoolLost(BrokenPromise):
    """Rows that were spooled cannot be read back. They are still in the topic: a restart reads them again."""


class Backlog:
    """Bytes that wait for the warehouse, in open windows and closed ones. Safe to share between threads."""

    def __init__(self, limit: int) -> None:
        """`limit` in bytes: `full` from there on, until what waits has shrunk below 80% of it."""
        self._limit = limit
        self._held = 0
        self._full = False
        self._lock = Lock()

    @property
    def held(self) -> int:
        """Bytes that wait."""
        return self._held

    @property
    def full(self) -> bool:
        """True when the source should pause."""
        return self._full

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
        self._size = 0
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    @property
    def on_disk(self) -> bool:
        """True once it has grown beyond its memory."""
        return not isinstance(self._store, BytesIO)

    def append(self, lines: Sequence[bytes]) -> None:
        """Add rows, one line each. Raises OSError when the disk is full, holding what it held before."""
        if not lines:
            return
        data = b"\n".join(lines) + b"\n"
        with self._lock:
            if isinstance(self._store, BytesIO) and self._size + len(data) > self._memory:
                self._store = self._to_disk(self._store)
            _write(self._store, self._size, data)
            self._size += len(data)
        self._backlog.add(len(data))

    def _to_disk(self, memory: BytesIO) -> FileIO:
        # Unbuffered: a full disk shows in this very call, not in a later one.
        file: FileIO = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115 closed by discard
        try:
            _write(file, 0, memory.getbuffer()[: self._size])
        except OSError:
            file.close()
            raise
        return file

    def lines(self) -> Iterator[bytes]:
        """Every row, in the order it was appended; may be called again. Raises SpoolLost."""
        at, rest = 0, b""
        while at < self._size:
            try:
                with self._lock:
                    self._store.seek(at)
                    chunk = self._store.read(min(_CHUNK, self._size - at))
            except (OSError, ValueError) as fault:
                raise SpoolLost(f"spooled rows cannot be read back: {fault}") from fault
            if not chunk:
                raise SpoolLost(f"spooled rows end at byte {at} of {self._size}")
            at += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole

    def discard(self) -> None:
        """Give the space back. Safe to call twice."""
        with self._lock:
            freed, self._size = self._size, 0
            self._store.close()
        self._backlog.subtract(freed)


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

    def __init__(self, spools: Callable[[], Spool]) -> None:
        """`spools` makes an empty spool for each segment."""
        self._spools = spools
        self._segments: list[Segment] = []

    def __deepcopy__(self, memo: object) -> Self:
        """The accumulator itself."""
        return self

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The segments, in the order they were opened."""
        return tuple(self._segments)

    def add(self, batch: RowBatch) -> Self:
        """Take what of the batch is new here, by the segment rule. Raises OSError when the disk is full."""
        tail = self._segments[-1] if self._segments else None
        match place(tail.next if tail is not None else None, batch.first, batch.next):
            case Covered():
                pass
            case Extends(at) if tail is not None:
                lines = _from_offset(batch.lines, at)
                tail.spool.append(lines)
                self._segments[-1] = replace(
                    tail,
                    next=batch.next,
                    rows=tail.rows + len(lines),
                    lost=tail.lost + (batch.lost if at == batch.first else 0),
                )
            case Opens() | Extends():
                spool = self._spools()
                spool.append(batch.lines)
                self._segments.append(
                    Segment(batch.partition, batch.first, batch.next, len(batch.lines), spool, batch.lost)
                )
        return self

    def merge(self, other: WindowSegments) -> Self:
        """Take over the segments of another window of the same partition."""
        self._segments.extend(other.segments)
        return self


def offset_of(line: bytes) -> int:
    """The offset at the head of a staged row."""
    # A row of the offset alone has no comma; find answers -1, which cuts the closing bracket.
    return int(line[1 : line.find(b",")])


def _from_offset(lines: Sequence[bytes], at: int) -> Sequence[bytes]:
    return lines[bisect_left(lines, at, key=offset_of) :]


class Cursor(Protocol):
    """What staging needs of a database session."""

    def execute(self, statement: str, parameters: Sequence[str | None] | None = None) -> int:
        """Run one statement; the number of rows it affected, -1 when the server does not say."""
        ...


class Staging(Protocol):
    """A way to get the rows of segments into the staging table, inside the caller's transaction."""

    def stage(self, cursor: Cursor, takes: Sequence[Take], table: Table) -> int:
        """Fill the staging table, which exists and is empty; the number of rows sent.

        Every row of a take's segment at or above `take.at` is staged with its partition and its offset,
        any other is not. Raises SpoolLost, and what the cursor raises.
        """
        ...


class InsertStaging:
    """Staging by multi-row INSERT with parameters: needs nothing but the connection.

    Two statement texts are used for a commit, one of full size and one for the rest: the driver and the
    server keep every text they have seen.
    """

    def stage(self, cursor: Cursor, takes: Sequence[Take], table: Table) -> int:
        """See `Staging.stage`."""
        size = statement_rows(table)
        rows = staged_rows(takes)
        sent = 0
        while batch := list(islice(rows, size)):
            cursor.execute(insert_staged(table, len(batch)), [value for row in batch for value in row])
            sent += len(batch)
        return sent


def staged_rows(takes: Sequence[Take]) -> Iterator[list[str | None]]:
    """The rows to stage as text: the message columns in order, then partition and offset."""
    for take in takes:
        partition = str(take.segment.partition)
        trim = take.at > take.segment.first
        for line in take.segment.spool.lines():
            offset, *values = orjson.loads(line)
            if trim and offset < take.at:
                continue
            row = [value if value is None or type(value) is str else _text(value) for value in values]
            row += (partition, str(offset))
            yield row


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
