"""The vocabulary of a contract: the kinds of field a message may have, and the rules across fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TextField:
    """A field of text. Lengths are bytes of UTF-8."""

    name: str
    required: bool
    max_bytes: int
    min_bytes: int = 0
    values: tuple[str, ...] = ()
    """The enumeration, in the file's order; empty: any text."""
    accepts: frozenset[str] = frozenset({"string"})
    """JSON types accepted: `string`, and `integer` where a number stands for its decimal text."""
    classification: str = ""

    @property
    def takes_integers(self) -> bool:
        """Whether any integer that a parser gives may stand for its decimal text."""
        return "integer" in self.accepts and not self.values and self.max_bytes >= LONGEST_INTEGER


LONGEST_INTEGER = len(str(-(2**63)))
"""Characters of an integer that the parser gives; longer ones arrive as floats."""


@dataclass(frozen=True, slots=True)
class IntegerField:
    """A field of whole numbers, `minimum` and `maximum` included."""

    name: str
    required: bool
    minimum: int
    maximum: int
    classification: str = ""


@dataclass(frozen=True, slots=True)
class DecimalField:
    """A field of exact numbers: at most `precision` digits, `scale` of them after the point."""

    name: str
    required: bool
    precision: int
    scale: int
    minimum: Decimal
    maximum: Decimal
    accepts: frozenset[str] = frozenset({"number"})
    """JSON types accepted: `number` (with a fraction only up to `EXACT_DIGITS` digits), `string`."""
    classification: str = ""

    @property
    def kinds(self) -> tuple[type, ...]:
        """What the parser makes of the JSON types that are accepted."""
        numbers = (int, float) if self.precision <= EXACT_DIGITS else (int,)
        return (
            *(numbers if "number" in self.accepts else ()),
            *((str,) if "string" in self.accepts else ()),
        )


EXACT_DIGITS = 15
"""A JSON number with a fraction is read as a 64-bit float, which tells decimals of so many digits apart."""


@dataclass(frozen=True, slots=True)
class BooleanField:
    """A field of true and false."""

    name: str
    required: bool
    classification: str = ""


@dataclass(frozen=True, slots=True)
class DateField:
    """A field of days: `2023-10-31`, in the message as in the row."""

    name: str
    required: bool
    classification: str = ""


@dataclass(frozen=True, slots=True)
class TimestampField:
    """A field of instants: RFC 3339 in the message, UTC in the row."""

    name: str
    required: bool
    classification: str = ""
    zoned: bool = False
    """Whether the row says `+00` behind it: the column is a timestamptz."""


Field = TextField | IntegerField | DecimalField | BooleanField | DateField | TimestampField


@dataclass(frozen=True, slots=True)
class PresentUnless:
    """`field` must be present unless one of `fields` is. Breaking it is a violation."""

    code: str
    field: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """All of `fields` are present or none is. Breaking it is a warning."""

    code: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotBefore:
    """Timestamp `field` is not before timestamp `reference`. Breaking it is a warning."""

    code: str
    field: str
    reference: str


@dataclass(frozen=True, slots=True)
class NotInFuture:
    """No timestamp of `fields` is later than the reading plus `tolerance`. Breaking it is a warning."""

    code: str
    fields: tuple[str, ...]
    tolerance: timedelta


Rule = PresentUnless | Together | NotBefore | NotInFuture
"""A rule across fields, or one that needs the time.

A field counts as present unless it is absent, null or empty.
"""
