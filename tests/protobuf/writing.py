"""Protobuf messages and frames for the tests, written as a producer writes them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from connectors.framing import VALUE_HEADER, SchemaReference
from connectors.items import Batch, StoredRecord, WriterSchema
from dataflow.contract import load
from dataflow.decoder import Decoder
from dataflow.model import Checked, MessageFormat, MessageFraming
from dataflow.protobuf import schema
from dataflow.validate import Validator
from tests.core.messages import READ_AT
from tests.standins.traffic_protobuf import encode

CONTRACT = load()
SCHEMA = schema.load(CONTRACT, None)
GUID = UUID("89791762-2336-4186-9674-299b90a802e2")
SENT: dict[str, Any] = {
    "user_id": "1234",
    "subject_id": "5678",
    "message_text": "Please date me",
    "status": "opened",
    "cloudinary_url": "https://someCdnUrlGoesHereWhereTheVoiceTextIsStored.com",
    "length_seconds": 30,
    "created_at": "2023-10-31T03:58:22Z",
    "updated_at": "2024-01-01T04:21:08Z",
}
"""The contract's example."""


def sent(**changes: Any) -> bytes:
    """The example with changes; `...` leaves a field out."""
    return encode({name: value for name, value in {**SENT, **changes}.items() if value is not ...})


def by_id(value: bytes, number: int = 7, indexes: bytes = b"\0") -> bytes:
    """A value in the frame with an id."""
    return b"\0" + number.to_bytes(4, "big") + indexes + value


def by_guid(value: bytes, indexes: bytes = b"\0") -> bytes:
    """A value in the frame with a GUID."""
    return b"\1" + GUID.bytes + indexes + value


def in_header(prefix: bytes) -> tuple[tuple[str, bytes | None], ...]:
    """The headers of a message whose frame is in one."""
    return ("trace", b"x"), (VALUE_HEADER, prefix)


def batch_of(
    *values: bytes | None,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    schemas: dict[SchemaReference, WriterSchema | None] | None = None,
) -> Batch:
    """One batch, each record with the same headers."""
    records = tuple(StoredRecord(at, value, None, headers) for at, value in enumerate(values))
    return Batch("messages", 0, 1, 0, len(records), READ_AT, 0, records, schemas=schemas)


def checked(
    batch: Batch,
    message_format: MessageFormat = MessageFormat.PROTOBUF,
    framing: MessageFraming = MessageFraming.AUTO,
) -> Checked:
    """The batch after decode and validate."""
    decoder = Decoder(CONTRACT, SCHEMA, message_format, framing)
    return Validator(CONTRACT, decoder.message_rows).validate(decoder.decode(batch))


def codes(judged: Checked) -> list[tuple[str, str]]:
    """Field and code of every violation."""
    return [(each.field, each.code) for letter in judged.dead_letters for each in letter.violations]


def row(judged: Checked) -> dict[str, Any]:
    """The only row, by field name. Raises ValueError when there is another number."""
    (only,) = judged.rows
    return dict(zip((field.name for field in CONTRACT.fields), only.values, strict=True))
