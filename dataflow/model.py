"""The domain's values, and what a batch has become after each step of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder

from connectors.items import Batch, Record

Value = str | int | float | bool | None
"""A column's value in the staging format."""


class MessageFormat(Enum):
    """What the messages of the topic are written in."""

    JSON = "json"
    PROTOBUF = "protobuf"
    AUTO = "auto"
    """Each message is looked at; a registered schema says it."""


class MessageFraming(Enum):
    """Whether the messages bear Confluent's schema ids, see `connectors.framing`."""

    NONE = "none"
    CONFLUENT = "confluent"
    """Every one does."""
    AUTO = "auto"
    """Those that begin like one, or have the header, do."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which a message breaks the contract. Never holds the offending text."""

    field: str
    """Field name, or "" for the message as a whole."""
    code: str
    """Stable, snake_case, from a closed set: it becomes a metric label and a dead letter's header."""
    message: str
    """What is wrong and what would be right, for a person."""


@dataclass(frozen=True, slots=True)
class ContractWarning:
    """Something odd that the contract tolerates: counted, the row is kept."""

    field: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that breaks the contract, with every violation found."""

    record: Record
    violations: tuple[Violation, ...]


Document = tuple[Record, dict[str, Any]]
"""A record that decoded to an object. A plain pair: there is one for every message, and it lives one step."""


class Row(Struct, frozen=True, gc=False):
    """A record that keeps the contract, as its line in the staging format.

    The line is all that most rows are asked for: it is written while the message's values are at hand, and
    they are let go. Made by `dataflow.rows`.

    Not a frozen dataclass, which takes ten times as long to make: there is one for every message. It holds
    nothing that could refer back to it, so that the garbage collector need not look at it.
    """

    offset: int
    text: str | None
    """The text that is scanned for contacts, if the contract has such a field and the message fills it."""
    line: bytes
    """As `RowBatch.lines` describes it."""
    warnings: int = 0
    """A bit for each of `warnings_of_rows`, in its order."""

    @property
    def values(self) -> tuple[Value, ...]:
        """The values of the table's message columns, in the table's order: read back from the line."""
        return tuple(_values(self.line)[1:])


_values: Callable[[bytes], list[Value]] = Decoder(list).decode


KINDS = ("phone", "handle")
"""What a contact is one of."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A phone number or a social handle given away in a text. `value` is personal data."""

    kind: str
    """One of `KINDS`."""
    platform: str | None
    value: str
    """E.164, or the handle in lower case without `@`."""
    start: int
    end: int
    """Span in the text, in code points, half open."""
    rule: str
    """Name of the rule that found it."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A contact and the row whose text gave it away."""

    row: Row
    contact: Contact


@dataclass(frozen=True, slots=True)
class Decoded:
    """After decode: every record of the batch is in exactly one of the four tuples, each in offset order."""

    batch: Batch
    rows: tuple[Row, ...] = ()
    """Records that are surely right, and checked already."""
    documents: tuple[Document, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    messages: tuple[tuple[Record, Any], ...] = ()
    """Records that decoded to a Protobuf message without anything that the contract does not know."""
    forms: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """(format, framing) to the number of records that came in it; the format may be `unknown`."""


@dataclass(frozen=True, slots=True)
class Checked:
    """After validate, enrich and detect, each adding to what the step before found."""

    batch: Batch
    rows: tuple[Row, ...] = ()
    dead_letters: tuple[DeadLetter, ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)
    """Warning code to the number of rows that have it."""
    unknown_fields: Mapping[str, int] = field(default_factory=dict)
    """Field name that the contract does not know to the number of messages that carry it."""
    forms: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """As decode has counted them."""
    sightings: tuple[Sighting, ...] = ()
