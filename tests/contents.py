"""What a row, an event and a dead letter hold, as values that can be compared and told: never a text.

What is expected is worked out here from the message as it was written, by none of the program's own code.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from connectors.items import Table
from tests.standins.redshift_client import Connection

COLUMNS = (
    *("user_id", "subject_id", "message_text", "status"),
    *("cloudinary_url", "length_seconds", "created_at", "updated_at"),
)
"""What a message says: the table's columns without the metafields."""
_DIGEST_BYTES = 8


def digest(value: bytes | None) -> str:
    """Of bytes; `null` when there are none."""
    return "null" if value is None else hashlib.blake2b(value, digest_size=_DIGEST_BYTES).hexdigest()


def instant(value: datetime) -> str:
    """As text of six decimals, whose order is that of time."""
    return value.strftime("%Y-%m-%d %H:%M:%S.%f")


def row_digest(values: Mapping[str, object]) -> str:
    """Of all that a message says. Instants as `datetime` or as `instant` writes them, absent ones None."""
    told = [values.get(name) for name in COLUMNS]
    return digest(orjson.dumps([instant(each) if isinstance(each, datetime) else each for each in told]))


def stored(session: Connection, table: Table, which: str = "TRUE") -> Iterator[dict[str, Any]]:
    """Every row of the table that a condition in SQL chooses, by column."""
    for row in session.rows(f"SELECT {', '.join(COLUMNS)} FROM {table.qualified} WHERE {which}"):
        yield dict(zip(COLUMNS, row, strict=True))


class Event(NamedTuple):
    """What a contact event says of a contact and of its message."""

    kind: str
    platform: str | None
    start: int
    end: int
    value_hmac: str
    user_id: str
    subject_id: str
    created_at: str
    """As `instant` writes it."""


def event_digest(event: Event) -> str:
    """Of all that an event says of a contact and its message."""
    return digest(orjson.dumps(list(event)))


def keyed(key: str, value: str) -> str:
    """The HMAC-SHA256 of a contact's value, hex."""
    return hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()


def event_of(value: bytes | None) -> Event:
    """What an event of the contacts topic says."""
    told = orjson.loads(value or b"")
    start, end = told["span"]
    created = datetime.fromisoformat(told["created_at"])
    return Event(
        told["kind"],
        told["platform"],
        start,
        end,
        told["value_hmac"],
        told["user_id"],
        told["subject_id"],
        instant(created),
    )
