"""Each way in which a generated message breaks the contract, with the codes that it must get."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

BrokenFields = tuple[tuple[Mapping[str, Any], tuple[str, ...]], ...]
BrokenValues = tuple[tuple[Callable[[bytes], bytes | None], tuple[str, ...]], ...]

_HUGE_SUBJECT = b'"subject_id":36893488147419103232,"x":'
_HALF_SUBJECT = b'"subject_id":"\\ud800","x":'

BROKEN_FIELDS: BrokenFields = (
    ({"user_id": ...}, ("missing",)),
    ({"user_id": None}, ("null",)),
    ({"subject_id": ""}, ("empty",)),
    ({"status": "lost"}, ("not_in_enumeration",)),
    ({"status": 7}, ("wrong_type",)),
    ({"message_text": "é" * 1029}, ("too_long",)),
    ({"message_text": ["hi"]}, ("wrong_type",)),
    ({"message_text": "a\0b"}, ("nul_character",)),
    ({"message_text": ..., "cloudinary_url": ..., "length_seconds": ...}, ("missing",)),
    ({"created_at": "yesterday"}, ("not_a_timestamp",)),
    ({"created_at": "2026-02-30T12:00:00Z"}, ("not_a_timestamp",)),
    ({"updated_at": 1_700_000_000}, ("wrong_type",)),
    ({"length_seconds": -1}, ("out_of_range",)),
    ({"length_seconds": "30"}, ("wrong_type",)),
    (
        {"user_id": ..., "status": "lost", "updated_at": "soon"},
        ("missing", "not_in_enumeration", "not_a_timestamp"),
    ),
)
"""Changes of fields; `...` leaves the field out."""

BROKEN_VALUES: BrokenValues = (
    (lambda _: None, ("tombstone",)),
    (lambda _: b"", ("empty_value",)),
    (lambda value: value[: value.index(b"created_at")], ("truncated_json",)),
    (lambda value: b"[" + value + b"]", ("not_an_object",)),
    (lambda value: value.replace(b'"status"', b'"\xff"', 1), ("bad_utf8",)),
    (lambda value: value[:-1] + b',"status":"unread"}', ("duplicate_key",)),
    (lambda value: value[:-1] + b',"x":NaN}', ("nan_or_infinity",)),
    (lambda _: b"<xml/>", ("malformed_json",)),
    (lambda value: value[:-1] + b',"x":' + b"[" * 2000 + b"]" * 2000 + b"}", ("too_deep",)),
    (lambda value: value[:-1] + b',"x":1e999}', ("number_too_large",)),
    # What was the subject goes on under a name that the contract does not know.
    (lambda value: value.replace(b'"subject_id":', _HUGE_SUBJECT, 1), ("number_too_large",)),
    (lambda value: value.replace(b'"subject_id":', _HALF_SUBJECT, 1), ("lone_surrogate",)),
)
"""Changes of the bytes."""


def oversized(value: bytes) -> bytes:
    """The same with so much white space that it is `too_large`. It compresses well."""
    return value + b" " * (1 << 20)
