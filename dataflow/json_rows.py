"""JSON messages to rows in one go: those that are surely right, decoded and checked in C by msgspec.

A type is made of the contract's fields, and a function is written for it and compiled. It answers the row's
values, or None of a message that is not *surely* right. Such a message goes the long way (`dataflow.decode`,
`dataflow.validate`), which alone decides and has the words for what is wrong. So the function may refuse what
it likes; what it takes, the long way takes too, and makes the same values of it.

Of a name given twice the type's decoder keeps the last, without a word. That is seen by the length: a message
is at least as long as its names and values are when written without spaces and escapes, and one that is just
as long has room for nothing else. A longer one has its names counted. For a text that accepts integers, an
optional text and a timestamp:

    m = decode(value)
    left = len(value) - 110
    v0 = m.f0
    if type(v0) is int: v0 = str(v0); left -= len(v0)
    elif v0.isascii(): left -= len(v0) + 2
    else:
        size = len(v0.encode())
        if size > 128: return None
        left -= size + 2
    v2 = m.f2
    if v2 is UNSET: v2 = None
    elif v2 is None: left -= 20
    elif ...
    raw = m.f6
    v6 = to_utc_text(raw)
    if type(v6) is not str: return None
    left -= len(raw)
    if left and not once(value, m): return None
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from msgspec import UNSET, DecodeError, Meta, UnsetType, defstruct
from msgspec.json import Decoder

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
from dataflow.model import Value
from dataflow.timestamps import is_day, to_utc_text

JsonRow = Callable[[bytes], tuple[Value, ...] | None]
"""From a message's value to the row's values; None when only the long way can tell. Never raises."""

_LEAST, _MOST = -(2**63), 2**63 - 1
"""Integers that every reader reads as integers."""
_NULL = len("null")
_QUOTES = 2


def compile_json_rows(contract: Contract) -> JsonRow:
    """The function; costs some milliseconds."""
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
        "decode": Decoder(message).decode,
        "DecodeError": DecodeError,
        "UNSET": UNSET,
        "to_utc_text": to_utc_text,
        "is_day": is_day,
        "once": _once(tuple(attributes)),
    }
    body = [
        f"if len(value) > {MAX_VALUE_BYTES}: return None",
        "try: m = decode(value)",
        "except (DecodeError, UnicodeDecodeError): return None",
        # The braces; and there is a comma less than there are names.
        f"left = len(value) - {sum(_named(each) for each in contract.fields if each.required) + 1}",
        "before = None",
    ]
    for at, field in enumerate(contract.fields):
        value = f"v{at}"
        lines = _lines(value, field, scope)
        if field.required:
            body += [f"{value} = m.f{at}", *lines]
            continue
        body += [
            f"{value} = m.f{at}",
            f"if {value} is UNSET: {value} = None",
            f"elif {value} is None: left -= {_named(field) + _NULL}",
            "else:",
            f"    left -= {_named(field)}",
            *(f"    {line}" for line in lines),
        ]
    for rule in contract.rules:
        if isinstance(rule, PresentUnless):
            others = " and ".join(f"v{contract.position(other)} in (None, '')" for other in rule.fields)
            body.append(f"if not v{contract.position(rule.field)} and {others}: return None")
    values = ", ".join(f"v{at}" for at in range(len(contract.fields)))
    body += ["if left and not once(value, m): return None", f"return ({values},)"]
    source = "\n    ".join(["def json_row(value):", *body])
    exec(compile(source, f"<JSON of contract {contract.name}>", "exec"), scope)
    compiled: JsonRow = scope["json_row"]
    return compiled


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


def _lines(value: str, field: Field, scope: dict[str, Any]) -> list[str]:
    """From a member that is neither unset nor null to the row's value, and its length off `left`."""
    match field:
        case TextField() if field.values:
            size = f"len({value}{'' if all(map(str.isascii, field.values)) else '.encode()'})"
            return [f"left -= {size} + {_QUOTES}"]
        case TextField():
            lines, ascii_if = [], "if"
            if field.takes_integers:
                lines = [f"if type({value}) is int: {value} = str({value}); left -= len({value})"]
                ascii_if = "elif"
            return [
                *lines,
                f"{ascii_if} {value}.isascii(): left -= len({value}) + {_QUOTES}",
                "else:",
                f"    size = len({value}.encode())",
                f"    if size > {field.max_bytes}: return None",
                f"    left -= size + {_QUOTES}",
            ]
        case IntegerField():
            return [f"left -= len(str({value}))"]
        case BooleanField():
            return [f"left -= 4 if {value} else 5"]
        case DateField():
            return [f"if not is_day({value}): return None", f"left -= len({value}) + {_QUOTES}"]
        case TimestampField():
            zone = " + '+00'" if field.zoned else ""
            return [
                f"left -= len({value}) + {_QUOTES}",
                # One that is not updated yet was updated when it was created.
                f"if {value} != before:",
                f"    before = {value}",
                f"    t = to_utc_text({value})",
                "    if type(t) is not str: return None",
                f"{value} = t{zone}",
            ]
        case DecimalField():
            # How long it was in the message is not known any more: its names are counted.
            scope[f"check_{value}"] = field_check(field)
            return [
                "found = []",
                f"{value} = check_{value}({value}, found)",
                "if found: return None",
            ]


def _once(attributes: tuple[str, ...]) -> Callable[[bytes, Any], bool]:
    def once(value: bytes, message: Any) -> bool:
        """Whether no name of a message with spaces or escapes is surely given twice, and no text has NUL."""
        names = sum([getattr(message, attribute) is not UNSET for attribute in attributes])
        return b"\\u0000" not in value and surely_once(value, names)

    return once
