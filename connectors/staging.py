"""How rows get from their spools into the warehouse's staging table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import orjson

from connectors.items import Segment, Table
from connectors.progress import Progress
from connectors.redshift_sql import insert_staged, statement_rows
from connectors.spans import Take


class Cursor(Protocol):
    """What staging needs of a database session."""

    def execute(self, statement: str, parameters: Sequence[str | None] | None = None) -> int:
        """Run one statement; the number of rows it affected, -1 when the server does not say."""
        ...


class Staging(Protocol):
    """A way to get the rows of segments into the staging table, inside the caller's transaction."""

    def adopt(self, positions: Mapping[int, Progress]) -> Sequence[Segment]:
        """Segments that an earlier process staged and did not commit, and that continue progress W of these
        partitions without a gap: they are committed as they are, and not read from the topic again."""
        ...

    def prepare(self, segments: Sequence[Segment]) -> None:
        """What can be done for these segments before the transaction begins. Called before each attempt.

        Raises WarehouseTrouble, SpoolLost.
        """
        ...

    def stage(self, cursor: Cursor, takes: Sequence[Take], table: Table) -> int:
        """Fill the staging table, which exists and is empty; the number of rows sent.

        Every row of a take's segment at or above `take.at` is staged with its partition and its offset,
        any other is not. Raises SpoolLost, and what the cursor raises.
        """
        ...

    def confirmed(self, segments: Sequence[Segment]) -> None:
        """The warehouse has confirmed that it holds these segments' rows: what was kept for them may go.

        Raises nothing: what can't be removed is told and left.
        """
        ...


class InsertStaging:
    """Staging by multi-row INSERT with parameters: needs nothing but the connection.

    Two statement texts are used for a commit, one of full size and one for the rest: the driver and the
    server keep every text they have seen.
    """

    def adopt(self, positions: Mapping[int, Progress]) -> Sequence[Segment]:
        """None: a process takes its spools with it."""
        return ()

    def prepare(self, segments: Sequence[Segment]) -> None:
        """Nothing: the rows lie in their spools."""

    def confirmed(self, segments: Sequence[Segment]) -> None:
        """Nothing: the spools are their owner's to discard."""

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
    """The rows to stage as text: the message columns in order, then partition and offset; no contacts."""
    for take in takes:
        partition = str(take.segment.partition)
        trim = take.at > take.segment.first
        for line in take.segment.spool.lines():
            offset, *values = orjson.loads(line)
            if trim and offset < take.at:
                continue
            if bears_contacts(line):
                values.pop()
            row = [value if value is None or type(value) is str else _text(value) for value in values]
            row += (partition, str(offset))
            yield row


def bears_contacts(line: bytes) -> bool:
    """Whether the message of a staged row gave contacts away."""
    # Every other value is a scalar: none of them ends in a bracket.
    return line.endswith(b"]]]")


def _text(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def text(value: object) -> str | None:
    """A staged value as a parameter."""
    return value if value is None or isinstance(value, str) else _text(value)
