"""Why a message becomes a dead letter: the codes that a contract can give, in words for people."""

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
OF_A_VALUE_IN_PROTOBUF = {
    "tombstone": OF_THE_VALUE["tombstone"],
    "empty_value": "is empty: no field was set",
    "too_large": OF_THE_VALUE["too_large"],
    "bad_utf8": "has a text that is not UTF-8",
    "truncated_protobuf": "ends in the middle of a field",
    "malformed_protobuf": "is no Protobuf",
    "too_deep": OF_THE_VALUE["too_deep"],
    "wrong_message_type": "has none of the message's fields: it is of another type",
}
NEVER_IN_PROTOBUF = frozenset({"null", "lone_surrogate", "number_too_large"})
"""What Protobuf has no way to say."""
_IN_PROTOBUF = {
    "missing": "lacks a required field: it was not set",
    "wrong_type": "has a tag with another wire type",
    "not_in_enumeration": "has another value than those listed, or the unspecified one",
    "not_a_timestamp": "has nanoseconds below 0 or beyond a second",
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
    in_protobuf = contract.terms.kafka.format == "protobuf"
    found = dict(OF_A_VALUE_IN_PROTOBUF if in_protobuf else OF_THE_VALUE)
    for code, (text, kinds) in OF_A_FIELD.items():
        if in_protobuf and code in NEVER_IN_PROTOBUF:
            continue
        if not kinds or any(isinstance(field, kinds) for field in contract.fields):
            found[code] = _IN_PROTOBUF.get(code, text) if in_protobuf else text
    if not any(isinstance(field, TextField) and field.values for field in contract.fields):
        del found["not_in_enumeration"]
    for rule in contract.rules:
        if isinstance(rule, PresentUnless):
            told = f"; or lacks {rule.field}, unless it has {' or '.join(rule.fields)}"
            found["missing"] += told
    return found
