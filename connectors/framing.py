"""Confluent's wire format: where a message says which registered schema it was written with.

No I/O, no client. Four forms, told apart by bytes that neither JSON nor Protobuf can begin with:

=========== ============================================================================================
`none`      the value is the message
`id`        `0x00`, the schema's id in 4 bytes, big endian; then the message
`guid`      `0x01`, the schema's GUID in 16 bytes; then the message
`header`    the same prefix in the header `__value_schema_id`; the value is the message. The header wins
            over what the value begins with
=========== ============================================================================================

For Protobuf a list of message indexes follows id or GUID, wherever these are: the path to the message type
within the schema's file. `__key_schema_id` is not read: a key is passed on as it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

VALUE_HEADER = "__value_schema_id"
MAX_INDEXES = 16
"""Longest path of message indexes that is read: types nested deeper than anyone writes them."""

SchemaReference = int | bytes
"""A schema's id, or its GUID of 16 bytes."""
Headers = Sequence[tuple[str, bytes | None]] | None


class Framing(Enum):
    """The form of a frame."""

    NONE = "none"
    ID = "id"
    GUID = "guid"
    HEADER = "header"


class Frame(NamedTuple):
    """What a framed message says of its schema. A tuple: there may be one for every message."""

    framing: Framing
    reference: SchemaReference
    body: bytes
    """What follows the reference in the value."""
    indexes: bytes | None
    """The message indexes, when they are in the header; None: `body` begins with them, if it is Protobuf."""


class BrokenFrame(Enum):
    """Why there is no frame to read where one begins."""

    CUT = "ends before the schema's id does"
    HEADER = f"has a header {VALUE_HEADER} that holds neither id nor GUID"


_ID_END, _GUID_END = 5, 17


def read_frame(value: bytes, headers: Headers) -> Frame | BrokenFrame | None:
    """The frame of a message; None when it has none. Never raises."""
    if headers:
        for name, told in headers:
            if name == VALUE_HEADER and told is not None:
                prefix = _reference(told)
                if prefix is None:
                    return BrokenFrame.HEADER
                reference, end = prefix
                return Frame(Framing.HEADER, reference, value, told[end:])
    if value[:1] not in (b"\x00", b"\x01"):
        return None
    prefix = _reference(value)
    if prefix is None:
        return BrokenFrame.CUT
    reference, end = prefix
    return Frame(Framing.ID if end == _ID_END else Framing.GUID, reference, value[end:], None)


def _reference(data: bytes) -> tuple[SchemaReference, int] | None:
    if data[:1] == b"\x00" and len(data) >= _ID_END:
        return int.from_bytes(data[1:_ID_END], "big"), _ID_END
    if data[:1] == b"\x01" and len(data) >= _GUID_END:
        return data[1:_GUID_END], _GUID_END
    return None


@dataclass(frozen=True, slots=True)
class Indexes:
    """The path to a message type in its file: `(0,)` is the first one, `(2, 0)` the first in the third."""

    path: tuple[int, ...]
    end: int
    """Bytes that the list takes."""


FIRST = Indexes((0,), 1)
"""The list that is written as a single 0."""


def read_indexes(data: bytes) -> Indexes | None:
    """The list of message indexes that `data` begins with; None when it begins with none. Never raises.

    Zig-zag varints: the number of indexes, then each of them. The list of one 0 is shortened to one 0.
    """
    if data[:1] == b"\x00":
        return FIRST
    read = _zig_zag(data, 0)
    if read is None or not 0 < read[0] <= MAX_INDEXES:
        return None
    count, at = read
    path: list[int] = []
    for _ in range(count):
        read = _zig_zag(data, at)
        if read is None or read[0] < 0:
            return None
        index, at = read
        path.append(index)
    return Indexes(tuple(path), at)


_LONGEST_INDEX = 5
"""Bytes of a varint of 32 bits."""


def _zig_zag(data: bytes, at: int) -> tuple[int, int] | None:
    value = 0
    for length, byte in enumerate(data[at : at + _LONGEST_INDEX]):
        value |= (byte & 0x7F) << 7 * length
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), at + length + 1
    return None
