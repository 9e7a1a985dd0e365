"""JSON messages to rows in one go: those that are surely right, decoded and checked in C by msgspec.

A type is made of the contract's fields, and a function is written for it and compiled. It answers the row, or
None of a message that is not *surely* right. Such a message goes the long way (`dataflow.decode`,
`dataflow.validate`), which alone decides and has the words for what is wrong. So the function may refuse what
it likes; what it takes, the long way takes too, and makes the same values of it.

Of a name given twice the type's decoder keeps the last, without a word. That is seen by the length: a message
is at least as long as its names and values are when written without spaces. The values stand in the row's
line, and `names` is what a message has besides, less what the line has; a message that is just as long has
room for nothing else. A longer one has its names counted. For a text that accepts integers, an optional text
and a timestamp:

    m = decode(value)
    names = 21
    v0 = m.f0
    if type(v0) is int: v0 = str(v0); names -= 2
    elif len(v0) > 32 and len(v0.encode()) > 128: return None
    v2 = m.f2
    if v2 is UNSET: v2 = None; names -= 4
    else:
        names += 16
        if v2 is not None and len(v2) > 514 and len(v2.encode()) > 2056: return None
    v6 = m.f6
    names += len(v6)
    t = to_utc_text(v6)
    if type(t) is not str: return None
    v6 = t
    names -= len(v6)
    line = encode((offset, v0, v2, v6))
    row = Row(offset, v2, line, 0)
    if (len(value) != len(line) - digits + names or 92 in line) and not once(value, m): return None
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, UnsetType, defstruct
from msgspec.json import Decoder

from connectors.items import Record
from dataflow.checks import field_check
from dataflow.contract import Contract
from dataflow.decode import MAX_VALUE_BYTES, surely_once
from dataflow.fields import (
    BooleanField,
    DateField,
    DecimalField,
    Field,
    IntegerField,
    PresentUnless,
    TextField,
    TimestampField,
)
from dataflow.model import Row
from dataflow.rows import Horizons, row_lines, row_scope
from dataflow.timestamps import is_day, to_utc_text

JsonRow = Callable[[bytes, int, Horizons], Row | None]
"""From a message's value and its offset to the row; None when only the long way can tell. Never raises."""
JsonRows = Callable[[Iterable[Record], Horizons], tuple[list[Row], list[Record]]]
"""From records to the rows of those that are surely right, and the others, in order. Never raises."""


@dataclass(frozen=True, slots=True)
class ShortWay:
    """The same for one message and for many, where a call each would cost a tenth."""

    one: JsonRow
    many: JsonRows


_LEAST, _MOST = -(2**63), 2**63 - 1
"""Integers that every reader reads as integers."""
_NULL = len("null")
_QUOTES = 2
_MOST_BYTES_OF_A_CHARACTER = 4
_BACKSLASH = ord("\\")
_BRACE = ord("{")


def compile_json_rows(contract: Contract) -> ShortWay:
    """The functions; costs some milliseconds."""
    attributes = {f"f{at}": field.name for at, field in enumerate(contract.fields)}
    message = defstruct(
        "Message",
        [_member(attribute, field) for attribute, field in zip(attributes, contract.fields, strict=True)],
        rename=attributes,
        kw_only=True,
        forbid_unknown_fields=True,
        gc=False,
    )
    scope: dict[str, Any] = {
        **row_scope(),
        "decode": Decoder(message).decode,
        "DecodeError": DecodeError,
        "UNSET": UNSET,
        "to_utc_text": to_utc_text,
        "is_day": is_day,
        "once": _once(tuple(attributes)),
        **{
            f"check_v{at}": field_check(field)
            for at, field in enumerate(contract.fields)
            if isinstance(field, DecimalField)
        },
    }
    one = [
        "digits = len(str(offset))",
        *_message_lines(contract, refuse="return None"),
        "return row",
    ]
    # Offsets rise. Should one not, it is taken for longer than it is, and the names are counted.
    many = [
        "rows = []; others = []; digits = shorter = 0",
        "for record in records:",
        "    value = record.value()",
        f"    if not value or value[0] != {_BRACE}: others.append(record); continue",
        "    offset = record.offset()",
        "    if offset >= shorter: digits = len(str(offset)); shorter = 10 ** digits",
        *[f"    {line}" for line in _message_lines(contract, refuse="others.append(record); continue")],
        "    rows.append(row)",
        "return rows, others",
    ]
    for head, body in (("one(value, offset, horizons)", one), ("many(records, horizons)", many)):
        source = "\n    ".join([f"def {head}:", *body])
        exec(compile(source, f"<JSON of contract {contract.name}>", "exec"), scope)
    return ShortWay(scope["one"], scope["many"])


def _message_lines(contract: Contract, refuse: str) -> list[str]:
    """From `value`, `offset`, how many `digits` that has and `horizons` to `row`, or to what refuses it."""
    # The line has brackets and a comma for each value; a message has braces and a comma less than names.
    always = sum(_named(field) for field in contract.fields if field.required) - len(contract.fields) - 1
    body = [
        f"if len(value) > {MAX_VALUE_BYTES}: {refuse}",
        "try: m = decode(value)",
        f"except (DecodeError, UnicodeDecodeError): {refuse}",
        f"names = {always}",
        "before = None",
    ]
    for at, field in enumerate(contract.fields):
        value = f"v{at}"
        lines = _lines(value, field, refuse)
        body.append(f"{value} = m.f{at}")
        if field.required:
            body += lines
            continue
        body += [
            f"if {value} is UNSET: {value} = None; names -= {_NULL}",
            "else:",
            f"    names += {_named(field)}",
        ]
        if lines:
            body += [f"    if {value} is not None:", *(f"        {line}" for line in lines)]
    for rule in contract.rules:
        if isinstance(rule, PresentUnless):
            others = " and ".join(f"v{contract.position(other)} in (None, '')" for other in rule.fields)
            body.append(f"if not v{contract.position(rule.field)} and {others}: {refuse}")
    body += row_lines(contract)
    if any(isinstance(field, DecimalField) for field in contract.fields):
        # How a number was written is not known any more: the names are counted.
        return [*body, f"if not once(value, m): {refuse}"]
    longer = f"len(value) != len(line) - digits + names or {_BACKSLASH} in line"
    return [*body, f"if ({longer}) and not once(value, m): {refuse}"]


def _named(field: Field) -> int:
    """Bytes of a field's name with its quotes, its colon and a comma."""
    return len(f'"{field.name}":,')


def _member(attribute: str, field: Field) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _type(field)
    # Absent and null are the same to an optional field, but not the same length.
    return (attribute, kind) if field.required else (attribute, kind | None | UnsetType, UNSET)


def _type(field: Field) -> Any:
    """A type that takes no more than the field does; but for the bytes of a text, and what a text means."""
    match field:
        case TextField():
            if field.values:
                return Literal[field.values]
            text = Annotated[str, Meta(min_length=field.min_bytes, max_length=field.max_bytes)]
            return text | _INTEGER if field.takes_integers else text
        case IntegerField():
            return Annotated[int, Meta(ge=field.minimum, le=field.maximum)]
        case DecimalField():
            kinds: Any = None
            for kind in field.kinds:
                kinds = (kinds | _NUMBERS[kind]) if kinds else _NUMBERS[kind]
            return kinds
        case BooleanField():
            return bool
        case DateField() | TimestampField():
            return str


_INTEGER: Any = Annotated[int, Meta(ge=_LEAST, le=_MOST)]
_NUMBERS: dict[type, Any] = {int: _INTEGER, float: float, str: str}


def _lines(value: str, field: Field, refuse: str) -> list[str]:
    """From a member that is neither unset nor null to the row's value; off `names` what the line has more."""
    match field:
        case TextField() if field.values:
            return []
        case TextField():
            long = (
                f"len({value}) > {field.max_bytes // _MOST_BYTES_OF_A_CHARACTER} "
                f"and len({value}.encode()) > {field.max_bytes}"
            )
            if field.takes_integers:
                as_text = f"if type({value}) is int: {value} = str({value}); names -= {_QUOTES}"
                return [as_text, f"elif {long}: {refuse}"]
            return [f"if {long}: {refuse}"]
        case IntegerField() | BooleanField():
            return []
        case DateField():
            return [f"if not is_day({value}): {refuse}"]
        case TimestampField():
            zone = " + '+00'" if field.zoned else ""
            return [
                f"names += len({value})",
                # One that is not updated yet was updated when it was created.
                f"if {value} != before:",
                f"    before = {value}",
                f"    t = to_utc_text({value})",
                f"    if type(t) is not str: {refuse}",
                f"{value} = t{zone}",
                f"names -= len({value})",
            ]
        case DecimalField():
            return [
                "found = []",
                f"{value} = check_{value}({value}, found)",
                f"if found: {refuse}",
            ]


def _once(attributes: tuple[str, ...]) -> Callable[[bytes, Any], bool]:
    def once(value: bytes, message: Any) -> bool:
        """Whether no name of a message with spaces or escapes is surely given twice, and no text has NUL."""
        names = sum([getattr(message, attribute) is not UNSET for attribute in attributes])
        return b"\\u0000" not in value and surely_once(value, names)

    return once
