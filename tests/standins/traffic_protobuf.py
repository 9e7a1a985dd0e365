"""The generated messages in Protobuf, as a producer's compiled code writes them, and ways of breaking it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from dataflow.contracts.messages_pb2 import Message, Status
from tests.standins.traffic_faults import BrokenFields, BrokenValues

UNKNOWN_TAG = 100
"""Tag under which a producer already sends a field that the contract does not have yet."""
NO_SUCH_STATUS = 9
_TEXTS = ("user_id", "subject_id", "message_text", "cloudinary_url")


def encode(fields: Mapping[str, Any]) -> bytes:
    """One message. An instant may be given as (seconds, nanoseconds)."""
    message = Message()
    for name in _TEXTS:
        if name in fields:
            setattr(message, name, str(fields[name]))
    if "status" in fields:
        numbers = dict(Status.items())
        message.status = numbers.get(f"STATUS_{fields['status'].upper()}", NO_SUCH_STATUS)  # type: ignore[assignment]
    if "length_seconds" in fields:
        message.length_seconds = fields["length_seconds"]
    for name in ("created_at", "updated_at"):
        if name in fields:
            getattr(message, name).CopyFrom(_timestamp(fields[name]))
    value = message.SerializeToString()
    if "client_version" in fields:
        value += _text(UNKNOWN_TAG, fields["client_version"])
    return value


def _timestamp(instant: Any) -> Timestamp:
    if isinstance(instant, tuple):
        return Timestamp(seconds=instant[0], nanos=instant[1])
    timestamp = Timestamp()
    timestamp.FromDatetime(datetime.fromisoformat(instant))
    return timestamp


def _text(tag: int, text: str) -> bytes:
    """A field of text that no compiled code knows: tags of two bytes, lengths of one."""
    key = tag << 3 | 2
    return bytes([key & 0x7F | 0x80, key >> 7, len(text)]) + text.encode()


BROKEN_FIELDS: BrokenFields = (
    ({"user_id": ...}, ("missing",)),
    ({"subject_id": ""}, ("empty",)),
    ({"status": "lost"}, ("not_in_enumeration",)),
    ({"status": "unspecified"}, ("not_in_enumeration",)),
    ({"status": ...}, ("missing",)),
    ({"message_text": "é" * 1029}, ("too_long",)),
    ({"message_text": "a\0b"}, ("nul_character",)),
    ({"message_text": ..., "cloudinary_url": ..., "length_seconds": ...}, ("missing",)),
    ({"message_text": "", "cloudinary_url": ..., "length_seconds": ...}, ("empty",)),
    ({"created_at": (0, -1)}, ("not_a_timestamp",)),
    ({"created_at": (0, 1_000_000_000)}, ("not_a_timestamp",)),
    ({"updated_at": (253_402_300_800, 0)}, ("out_of_range",)),
    ({"updated_at": ...}, ("missing",)),
    ({"length_seconds": -1}, ("out_of_range",)),
    (
        {"user_id": ..., "status": "lost", "updated_at": (0, -1)},
        ("missing", "not_in_enumeration", "not_a_timestamp"),
    ),
)
"""Changes of fields; `...` leaves the field out."""

BROKEN_VALUES: BrokenValues = (
    (lambda _: None, ("tombstone",)),
    (lambda _: b"", ("empty_value",)),
    (lambda value: value[:-1], ("truncated_protobuf",)),
    (lambda value: value + b"\x0f", ("malformed_protobuf",)),
    (lambda value: value + b"\x0a\x01\xff", ("bad_utf8",)),
    (lambda value: value + b"\x7b" * 200 + b"\x7c" * 200, ("too_deep",)),
    (lambda value: value + b"\x22\x06opened", ("wrong_type",)),
    (lambda value: value + b"\x32\x0230", ("wrong_type",)),
    (lambda _: _text(UNKNOWN_TAG, "another type"), ("wrong_message_type",)),
)
"""Changes of the bytes."""
