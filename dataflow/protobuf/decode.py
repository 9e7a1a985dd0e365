"""Bytes to Protobuf messages, and a message to named values.

Nothing here raises. The parser of the library (upb, in C) reads the bytes; what it refuses is looked at once
more to say why, with one of these codes:

======================= ================================================================================
`empty_value`           the value holds nothing: a message without any field
`truncated_protobuf`    the value ends inside a field
`malformed_protobuf`    the value is no Protobuf message for another reason
`bad_utf8`              a text is not UTF-8
`too_deep`              groups are nested deeper than the parser goes (a hundred levels)
`wrong_message_type`    it may be a message, but none of its fields is one of the contract's
======================= ================================================================================

What a single field has wrong is left to the validator, which knows the words for it: a number that the
enumeration does not have is a word outside of it, a field of another wire type is of another type,
nanoseconds beyond a second make no timestamp. Of a field sent twice the last one counts, as the Protobuf
specification says.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from dataflow.model import Violation
from dataflow.protobuf.schema import Form, ProtobufField, ProtobufSchema
from dataflow.protobuf.wire import BYTES, Broken, Fault, parts

CODES = frozenset(
    {
        *("empty_value", "truncated_protobuf", "malformed_protobuf"),
        *("bad_utf8", "too_deep", "wrong_message_type"),
    }
)
"""Every code that this step gives."""
MAX_UNKNOWN_TAGS = 20
"""Unknown tags told of one message; what it has more is not told."""

NO_INSTANT = ""
OUT_OF_RANGE = "0000-01-01T00:00:00Z"
"""Texts that the validator refuses as it refuses such instants in JSON."""
_ANOTHER_TYPE = b""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 UTC without a zone, as the table keeps it
_BILLION = 1_000_000_000

Fields = dict[str, Any]
NO_NAMES: Mapping[int, str] = MappingProxyType({})


class ProtobufReader:
    """Reads values of one message type."""

    def __init__(self, schema: ProtobufSchema) -> None:
        """Prepare to read."""
        self._parse = schema.message.FromString
        self._fields = schema.fields
        self._tags = {each.tag: each for each in schema.fields}

    def read(self, value: bytes, names: Mapping[int, str] = NO_NAMES) -> Message | Fields | Violation:
        """The message; or its fields by name, when it has some that the contract does not know; or why not.

        `names` are what the writer's schema calls the tags that the contract does not know; others are told
        as `tag_9`.
        """
        try:
            message = self._parse(value)
        except DecodeError:
            return self._why_not(value)
        unknown = UnknownFieldSet(message)
        if unknown:
            return self._with_unknown(message, unknown, names)
        return message if value else _wrong("empty_value", "the value is empty; send one message")

    def fields_of(self, message: Message) -> Fields:
        """The fields that were sent, by name, as the validator takes them from JSON too."""
        return {
            each.field.name: _told(each, getattr(message, each.field.name))
            for each in self._fields
            if message.HasField(each.field.name)
        }

    def _with_unknown(
        self, message: Message, unknown: UnknownFieldSet, names: Mapping[int, str]
    ) -> Fields | Violation:
        fields = self.fields_of(message)
        if not fields:
            return _wrong(
                "wrong_message_type",
                "no field is one of the contract's, by tag and wire type; send the contract's message",
            )
        tags = {unknown[at].field_number for at in range(min(len(unknown), MAX_UNKNOWN_TAGS))}
        for tag in tags:
            ours = self._tags.get(tag)
            # A known tag is unknown to the parser when its wire type is not the field's.
            name = names.get(tag, f"tag_{tag}") if ours is None else ours.field.name
            fields[name] = _ANOTHER_TYPE
        return fields

    def _why_not(self, value: bytes) -> Violation:
        for part in parts(value):
            if isinstance(part, Broken):
                return _broken(part, "the value")
            ours = self._tags.get(part.tag)
            if ours is None or part.wire_type != BYTES:
                continue
            payload = value[part.start : part.end]
            if ours.form is Form.INSTANT:
                for inner in parts(payload):
                    if isinstance(inner, Broken):
                        return _broken(inner, ours.field.name)
            elif not _is_utf8(payload):
                return _wrong("bad_utf8", f"{ours.field.name} is not UTF-8; encode every text as UTF-8")
        return _wrong("malformed_protobuf", "the value is no Protobuf message")


def _told(field: ProtobufField, value: Any) -> Any:
    if field.form is Form.WORD:
        return field.words.get(value, "")
    return instant(value.seconds, value.nanos) if field.form is Form.INSTANT else value


def instant(seconds: int, nanos: int) -> str:
    """A Timestamp as RFC 3339, cut to microseconds; or a text that the validator refuses. Never raises."""
    if not 0 <= nanos < _BILLION:
        return NO_INSTANT
    try:
        at = _EPOCH + timedelta(seconds=seconds, microseconds=nanos // 1000)
    except OverflowError:
        return OUT_OF_RANGE
    return f"{at.isoformat()}Z"


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _broken(broken: Broken, where: str) -> Violation:
    match broken.fault:
        case Fault.TRUNCATED:
            return _wrong(
                "truncated_protobuf", f"{where} {broken.fault.value} at byte {broken.at}; send it whole"
            )
        case Fault.TOO_DEEP:
            return _wrong("too_deep", f"{where} {broken.fault.value}; the contract's message is flat")
        case Fault.MALFORMED:
            return _wrong("malformed_protobuf", f"{where} {broken.fault.value}, from byte {broken.at} on")


def _wrong(code: str, message: str) -> Violation:
    return Violation("", code, message)
