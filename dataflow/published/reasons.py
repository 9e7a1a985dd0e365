"""Why a JSON message becomes a dead letter: the codes that a contract can give, in words for people."""

from __future__ import annotations

from dataflow.contract import Contract
from dataflow.fields import (
    DateField,
    DecimalField,
    Field,
    IntegerField,
    PresentUnless,
    TextField,
    TimestampField,
)

OF_THE_VALUE = {
    "tombstone": "has no value: the contract has no deletions",
    "empty_value": "is empty, or nothing but white space",
    "too_large": "has more than 1 MiB",
    "bad_utf8": "is not UTF-8",
    "truncated_json": "ends in the middle",
    "malformed_json": "is no JSON",
    "nan_or_infinity": "holds a number that JSON does not have",
    "too_deep": "is nested deeper than a reader goes",
    "not_an_object": "is no JSON object",
    "duplicate_key": "names a field twice",
}
OF_A_FIELD: dict[str, tuple[str, tuple[type[Field], ...]]] = {
    "missing": ("lacks a required field", ()),
    "null": ("has null for a required field", ()),
    "empty": ("has an empty text where there must be one", (TextField,)),
    "wrong_type": ("has a value of another type", ()),
    "too_long": ("has a text of more bytes than its column holds", (TextField,)),
    "nul_character": ("has U+0000 in a text", (TextField,)),
    "lone_surrogate": ("has half of a surrogate pair in a text", (TextField,)),
    "not_in_enumeration": ("has another word than those listed", (TextField,)),
    "not_a_timestamp": ("has no RFC 3339 time, or one that does not exist", (TimestampField,)),
    "not_a_date": ("has no day that exists", (DateField,)),
    "not_a_number": ("has a text that is no decimal number", (DecimalField,)),
    "too_precise": ("has more digits after the point than the column", (DecimalField,)),
    "out_of_range": (
        "has a number or a time beyond its limits",
        (IntegerField, DecimalField, TimestampField),
    ),
    "number_too_large": ("has a number beyond 64 bits", ()),
}


def reasons(contract: Contract) -> dict[str, str]:
    """Codes and words, the value's first, then the fields'. A rule across fields adds its own words."""
    found = dict(OF_THE_VALUE)
    for code, (text, kinds) in OF_A_FIELD.items():
        if not kinds or any(isinstance(field, kinds) for field in contract.fields):
            found[code] = text
    if not any(isinstance(field, TextField) and field.values for field in contract.fields):
        del found["not_in_enumeration"]
    for rule in contract.rules:
        if isinstance(rule, PresentUnless):
            told = f"; or lacks {rule.field}, unless it has {' or '.join(rule.fields)}"
            found["missing"] += told
    return found
