"""The values that cross the doors between the connectors and the domain.

A *position* is the offset of the next message to read. A span of a partition is always half open,
`[first, next)`, in positions: transaction markers and compaction leave holes between message offsets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from connectors.framing import SchemaReference


class Record(Protocol):
    """One Kafka message as it was read. `confluent_kafka.Message` is one; so is `StoredRecord`."""

    def offset(self) -> int:
        """Offset in its partition."""
        ...

    def timestamp(self) -> tuple[int, int]:
        """(timestamp type, milliseconds since the epoch); type 0 means there is none."""
        ...

    def key(self) -> bytes | None:
        """Key, byte-exact."""
        ...

    def value(self) -> bytes | None:
        """Value, byte-exact; None is a tombstone."""
        ...

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Headers in order, names may repeat."""
        ...


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A `Record` held as plain values: for messages that did not come from a consumer."""

    at: int
    body: bytes | None
    record_key: bytes | None = None
    record_headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0

    def offset(self) -> int:
        """Offset in its partition."""
        return self.at

    def timestamp(self) -> tuple[int, int]:
        """(1, milliseconds since the epoch), or (0, 0) when unknown."""
        return (1, self.timestamp_ms) if self.timestamp_ms else (0, 0)

    def key(self) -> bytes | None:
        """Key, byte-exact."""
        return self.record_key

    def value(self) -> bytes | None:
        """Value, byte-exact; None is a tombstone."""
        return self.body

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        """Headers in order; None when there are none, as a consumer answers."""
        return list(self.record_headers) or None


def arrival_of(record: Record) -> float | None:
    """When a record reached the topic, Unix time, as its timestamp tells; None when it has none.

    Under `message.timestamp.type=CreateTime`, Kafka's default, this is the producer's clock.
    """
    kind, milliseconds = record.timestamp()
    return milliseconds / 1000 if kind else None


@dataclass(frozen=True, slots=True)
class WriterSchema:
    """A schema as the registry keeps it: what a message was written with."""

    kind: str
    """`JSON`, `PROTOBUF` or `AVRO`."""
    text: str
    """JSON: the JSON Schema. Protobuf: the serialized FileDescriptorProto in base64."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one poll brought for one partition: `[first, next)` and the records in it, oldest first.

    An idle source emits batches with `first == next`: time arrives as data.
    """

    topic: str
    partition: int
    assignment: int
    """Number of the assignment under which it was read; a later one makes this batch stale."""
    first: int
    next: int
    polled_at: datetime
    """Wall clock at the poll, aware, UTC."""
    rows_from: int | None
    """Progress W when the assignment began: rows below are in the warehouse. None: unknown, stage nothing."""
    records: Sequence[Record] = ()
    lost: int = 0
    """Offsets in this span that retention removed and an operator accepted as lost."""
    last: bool = False
    """End of input: nothing of this partition follows in this process."""
    topic_id: str | None = None
    """The topic's incarnation: a topic that is deleted and created anew gets another. None: not told."""
    schemas: Mapping[SchemaReference, WriterSchema | None] | None = None
    """The schemas that the records name, None for one that the registry does not know; without a registry,
    None altogether."""

    def arrival(self, offset: int) -> float | None:
        """When the record at an offset reached the topic, see `arrival_of`; None when it is not here."""
        at = bisect_left(self.records, offset, key=lambda record: record.offset())
        return arrival_of(self.records[at]) if at < len(self.records) else None


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """A message to produce to the side topic or the dead letters."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    source_offset: int
    """Offset of the record it came from: what the sink's progress covers is not produced again."""
    arrived_at: float | None = None
    """When that record reached the topic, Unix time; None: not known."""


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The side branch of one `Batch`: what to produce before `next` may be committed to the group."""

    topic: str
    partition: int
    assignment: int
    first: int
    next: int
    messages: tuple[OutgoingMessage, ...] = ()
    last: bool = False
    topic_id: str | None = None


@dataclass(frozen=True, slots=True)
class RowBatch:
    """The main branch of one `Batch`: rows in the staging format, ready for a spool.

    Each of `lines` is one JSON array without a newline: the offset, then the values of the table's
    message columns in the table's order. Timestamps are text, `YYYY-MM-DD HH:MM:SS[.ffffff]`, UTC. Behind the
    values of a message that gave contacts away stands one element more: an array of arrays, for each contact
    the values of the contacts' table's contact columns in its order.
    """

    partition: int
    first: int
    next: int
    lines: tuple[bytes, ...] = ()
    lost: int = 0
    topic_id: str | None = None


class Spool(Protocol):
    """Where the rows of a segment lie until they are committed."""

    @property
    def size(self) -> int:
        """Bytes held."""
        ...

    def append(self, lines: Sequence[bytes]) -> None:
        """Add rows, in the staging format."""
        ...

    def lines(self) -> Iterator[bytes]:
        """Every row, in the order it was appended; may be called again."""
        ...

    def chunks(self) -> Iterator[bytes]:
        """The same, each row with its line feed, in pieces that are cut anywhere."""
        ...

    def discard(self) -> None:
        """Give the space back. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True)
class Segment:
    """A contiguous span of one partition whose rows lie in a spool."""

    partition: int
    first: int
    next: int
    rows: int
    spool: Spool
    lost: int = 0
    topic_id: str | None = None


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """A window that will get no more rows of one partition: `[opens, closes)`, aware, UTC."""

    opens: datetime
    closes: datetime
    segments: tuple[Segment, ...]


class Fill(Enum):
    """Where a column's value comes from."""

    MESSAGE = "message"
    COMMIT_TIME = "commit time"
    COMMIT_ID = "commit id"
    SOURCE_NAME = "source name"
    VALID_FROM = "valid from"
    """The row's version: since when it says what the message was."""
    VALID_TO = "valid to"
    """The next version of the same message; null while there is none."""
    IS_CURRENT = "is current"
    """Whether there is no next version."""


HISTORY_FILLS = (Fill.VALID_FROM, Fill.VALID_TO, Fill.IS_CURRENT)
"""What a table of type 2 has besides: filled by the merge, and filled anew when a version comes between."""
HISTORY_NAMES = ("valid_from", "valid_to", "is_current")
"""How a contract's columns with these are named, in the same order."""
CURRENT = "_current"
"""What the name of the view of current rows has behind the table's."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the table. `sql_type` is Redshift's, e.g. `varchar(128)`, `integer`, `timestamp`."""

    name: str
    sql_type: str
    required: bool
    fill: Fill = Fill.MESSAGE


@dataclass(frozen=True, slots=True)
class Table:
    """The warehouse table, as the contract states it. Names are plain lower-case SQL identifiers."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    """Columns that identify a message (not enforced by Redshift)."""
    version: str
    """Column whose highest value wins among versions of one message."""
    distribution_key: str
    sort_key: str

    @property
    def keeps_history(self) -> bool:
        """Whether it has a row for each version of a message (type 2), or for the latest only (type 1)."""
        return any(column.fill in HISTORY_FILLS for column in self.columns)

    @property
    def row_key(self) -> tuple[str, ...]:
        """Columns whose values no two rows share: the key, and with a history the version too."""
        return (*self.key, self.version) if self.keeps_history else self.key

    @property
    def current_view(self) -> str:
        """The name of the view of current rows, which lies beside a table that keeps a history."""
        return f"{self.name}{CURRENT}"

    def filled_with(self, fill: Fill) -> str:
        """The name of the column with a fill. Raises ValueError when there is none."""
        for column in self.columns:
            if column.fill is fill:
                return column.name
        raise ValueError(f"{self.qualified} has no column that is filled with {fill.value}")

    @property
    def message_columns(self) -> tuple[Column, ...]:
        """The columns that a message fills, in order: the layout of a staged row after its offset."""
        return tuple(column for column in self.columns if column.fill is Fill.MESSAGE)

    @property
    def qualified(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"


class ContactPart(Enum):
    """What of a contact fills a column of the contacts' table."""

    EVENT_ID = "contact event id"
    """The id of its event on the side topic."""
    KIND = "contact kind"
    PLATFORM = "contact platform"
    HMAC = "contact hmac"
    KEY_ID = "contact key id"
    """Which key the HMAC was made with."""
    MASKED = "contact mask"
    START = "contact start"
    END = "contact end"
    """The span in the text, half open."""
    RULE = "contact rule"
    DETECTOR_VERSION = "detector version"


@dataclass(frozen=True, slots=True)
class ContactColumn(Column):
    """One column of the contacts' table. With neither a part nor another fill it holds what the message's
    column of the same name does."""

    part: ContactPart | None = None


@dataclass(frozen=True, slots=True)
class ExchangesView:
    """A view of the contacts' table: a row for each two users of whom one gave the other a contact."""

    name: str
    sender: str
    recipient: str
    given_at: str
    """Columns of the contacts' table: who gave, to whom, when."""
    kind: str
    kinds: tuple[str, ...]
    """The words that the column `kind` may hold."""


@dataclass(frozen=True, slots=True)
class ContactsTable:
    """The table of contacts that texts of `Table`'s messages gave away: a row for each contact of a message's
    current version. It is in the same schema, and bears the message's key in columns of the same names."""

    schema: str
    name: str
    columns: tuple[ContactColumn, ...]
    distribution_key: str
    sort_key: str
    view: ExchangesView | None = None

    @property
    def contact_columns(self) -> tuple[ContactColumn, ...]:
        """The columns that a contact fills, in order: the layout of a staged contact."""
        return tuple(column for column in self.columns if column.part is not None)

    @property
    def commit_column(self) -> str:
        """The column of the commit that wrote the message's row. Raises ValueError when there is none."""
        for column in self.columns:
            if column.fill is Fill.COMMIT_ID:
                return column.name
        raise ValueError(f"{self.qualified} has no column for the commit's id")

    @property
    def qualified(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class ToldContact:
    """A contact event: which message of the source gave it away, and the event's id."""

    partition: int
    offset: int
    event_id: str


class Verdict(Enum):
    """What `check` says of one subject."""

    RIGHT = "ok"
    WRONG = "WRONG"
    UNKNOWN = "unknown"
    """It could not be looked at; the detail says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `check`: the subject, the verdict, and the detail a person acts on."""

    subject: str
    verdict: Verdict
    detail: str
