"""What the demo finds in the warehouse and on the side topics after the program has stopped."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Message

from connectors.items import ContactsTable, Table
from connectors.redshift_sql import ledger_name
from tests.contents import Event, event_of, instant, row_digest, stored
from tests.standins.kafka_reader import read_to_end
from tests.standins.redshift_client import Connection, RedshiftServer, connect
from tests.standins.traffic import Identity


class Place(NamedTuple):
    """Where a message is in the topic."""

    partition: int
    offset: int


class Version(NamedTuple):
    """A row's changing part."""

    updated_at: str
    content: str
    """Digest of every column that the message fills."""


class Letter(NamedTuple):
    """A dead letter: where its message is, why, and what was carried over."""

    place: Place
    codes: tuple[str, ...]
    key: bytes | None
    value: bytes | None
    cut: str | None
    """SHA-256 of the whole value, where only its beginning was carried over."""


def sha256(value: bytes) -> str:
    """As `dead_letter.cut` tells it."""
    return hashlib.sha256(value).hexdigest()


@dataclass(frozen=True, slots=True)
class Span:
    """One ledger entry: a partition's offsets `[first, next)`, committed with `rows` rows."""

    process_id: str
    partition: int
    first: int
    next: int
    rows: int
    window_start: datetime
    window_end: datetime


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that was written."""

    rows: Mapping[Identity, Sequence[Version]]
    """More than one version of an identity would be a duplicate."""
    spans: Sequence[Span]
    contacts: Counter[tuple[Place, Event]]
    """Contact events by their message's place and all that they say."""
    event_ids: int
    """Different `ce_id`s."""
    kept_contacts: Counter[Event]
    """The contacts' table: a row is the same as an event says."""
    dead_letters: Sequence[Letter]
    warnings: Counter[str]
    """What the program's metrics told of warnings, by code."""


def collect(
    database: RedshiftServer,
    table: Table,
    kept: ContactsTable | None,
    bootstrap: str,
    contacts: str,
    letters: str,
    warnings: Counter[str],
) -> Evidence:
    """Read it all; `warnings` were read while the program ran."""
    rows: dict[Identity, list[Version]] = defaultdict(list)
    with connect(database) as session:
        for row in stored(session, table):
            identity = Identity(row["user_id"], row["subject_id"], instant(row["created_at"]))
            rows[identity].append(Version(instant(row["updated_at"]), row_digest(row)))
        spans = [
            Span(*found)
            for found in session.rows(
                "SELECT process_id, kafka_partition, first_offset, next_offset, row_count, window_start, "
                f"window_end FROM {ledger_name(table)} ORDER BY kafka_partition, first_offset"
            )
        ]
        kept_contacts = Counter(_kept(session, kept))
    events = read_to_end(bootstrap, contacts)
    return Evidence(
        rows,
        spans,
        Counter(_contact(event) for event in events),
        len({_headers(event)["ce_id"] for event in events}),
        kept_contacts,
        [_dead_letter(message) for message in read_to_end(bootstrap, letters)],
        warnings,
    )


def _kept(session: Connection, kept: ContactsTable | None) -> Iterator[Event]:
    if kept is None:
        return
    columns = "kind, platform, span_start, span_end, value_hmac, user_id, subject_id, created_at"
    for row in session.rows(f"SELECT {columns} FROM {kept.qualified}"):
        yield Event._make((*row[:-1], instant(row[-1])))


def _headers(message: Message) -> Mapping[str, Any]:
    headers = message.headers()
    return headers if isinstance(headers, dict) else dict(headers or [])


def _contact(event: Message) -> tuple[Place, Event]:
    origin = orjson.loads(event.value() or b"")["origin"]
    return Place(origin["partition"], origin["offset"]), event_of(event.value())


def _dead_letter(message: Message) -> Letter:
    headers = _headers(message)
    place = Place(int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"]))
    violations = orjson.loads(headers["dead_letter.violations"])
    codes = tuple(sorted(violation["code"] for violation in violations))
    cut = orjson.loads(headers["dead_letter.cut"])["value_sha256"] if "dead_letter.cut" in headers else None
    key = message.key()
    return Letter(place, codes, key.encode() if isinstance(key, str) else key, message.value(), cut)
