"""Why bytes are no Protobuf message, for the parser says only that they are none. Reads the wire format
itself.

Bounded: at most `MAX_FIELDS` fields are looked at, whatever the value holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

MAX_FIELDS = 10_000
MAX_DEPTH = 100
"""Groups nested deeper are refused by the parser too."""

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)
_FIXED = {FIXED64: 8, FIXED32: 4}
_LONGEST_VARINT = 10
_LAST_TAG = 2**29 - 1


class Fault(Enum):
    """What is wrong with the wire format."""

    TRUNCATED = "ends inside a field"
    MALFORMED = "holds bytes that are no field"
    TOO_DEEP = "nests groups too deep"


@dataclass(frozen=True, slots=True)
class Broken:
    """The first fault, and the byte at which the field begins that has it."""

    fault: Fault
    at: int


@dataclass(frozen=True, slots=True)
class Part:
    """A field outside of groups: its tag, its wire type, and where its payload lies."""

    tag: int
    wire_type: int
    start: int
    end: int


def parts(value: bytes) -> Iterator[Part | Broken]:
    """The fields of a message, the first fault last. Never raises."""
    at = 0
    open_groups: list[int] = []
    for _ in range(MAX_FIELDS):
        if at >= len(value):
            break
        began = at
        key = _varint(value, at)
        if isinstance(key, Fault):
            yield Broken(key, began)
            return
        number, at = key
        tag, wire_type = number >> 3, number & 7
        if not 0 < tag <= _LAST_TAG or wire_type > FIXED32:
            yield Broken(Fault.MALFORMED, began)
            return
        if wire_type == GROUP:
            if len(open_groups) == MAX_DEPTH:
                yield Broken(Fault.TOO_DEEP, began)
                return
            open_groups.append(tag)
            continue
        if wire_type == GROUP_END:
            if not open_groups or open_groups.pop() != tag:
                yield Broken(Fault.MALFORMED, began)
                return
            continue
        end = _end(value, at, wire_type)
        if isinstance(end, Fault):
            yield Broken(end, began)
            return
        start, at = end
        if not open_groups:
            yield Part(tag, wire_type, start, at)
    else:
        return
    if open_groups:
        yield Broken(Fault.TRUNCATED, len(value))


def _end(value: bytes, at: int, wire_type: int) -> tuple[int, int] | Fault:
    """Where the payload of a field begins and ends."""
    if wire_type == VARINT:
        read = _varint(value, at)
        return read if isinstance(read, Fault) else (at, read[1])
    if wire_type == BYTES:
        read = _varint(value, at)
        if isinstance(read, Fault):
            return read
        length, at = read
    else:
        length = _FIXED[wire_type]
    return Fault.TRUNCATED if at + length > len(value) else (at, at + length)


def _varint(value: bytes, at: int) -> tuple[int, int] | Fault:
    number = 0
    piece = value[at : at + _LONGEST_VARINT]
    for length, byte in enumerate(piece):
        number |= (byte & 0x7F) << 7 * length
        if not byte & 0x80:
            return number, at + length + 1
    return Fault.MALFORMED if len(piece) == _LONGEST_VARINT else Fault.TRUNCATED
