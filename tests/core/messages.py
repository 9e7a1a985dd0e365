"""Messages and batches for the tests of the pure core."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.items import Batch, StoredRecord

CASES = Path(__file__).parent / "cases"
READ_AT = datetime(2024, 6, 1, tzinfo=UTC)
EXAMPLE: Mapping[str, Any] = {
    "user_id": 1234,
    "subject_id": 5678,
    "message_text": "Please date me",
    "status": "opened",
    "cloudinary_url": "https://someCdnUrlGoesHereWhereTheVoiceTextIsStored.com",
    "length_seconds": 30,
    "created_at": "2023-10-31T03:58:22Z",
    "updated_at": "2024-01-01T04:21:08Z",
}


def cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file, one a line."""
    with (CASES / name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def batch_of(values: Iterable[bytes | None], first: int = 0, topic: str = "interactions.messages") -> Batch:
    """A batch whose records have these values, from the offset `first` on."""
    records = tuple(StoredRecord(first + at, value) for at, value in enumerate(values))
    return Batch(topic, 2, 1, first, first + len(records), READ_AT, first, records)
