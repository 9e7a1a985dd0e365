"""What the demo finds in the warehouse and on the side topics after the program has stopped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Message

from connectors.items import Table
from connectors.redshift_sql import ledger_name
from tests.standins.kafka_reader import read_to_end
from tests.standins.redshift_client import RedshiftServer, connect
from tests.standins.traffic import Identity


class Place(NamedTuple):
    """Where a message is in the topic."""

    partition: int
    offset: int


class Version(NamedTuple):
    """A row's changing part."""

    updated_at: str
    status: str


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
    contacts: Counter[tuple[Place, str, str | None]]
    """Contact events by their message's place, kind and platform."""
    event_ids: int
    """Different `ce_id`s."""
    dead_letters: Counter[tuple[Place, tuple[str, ...]]]
    """Dead letters by their message's place and codes."""


def collect(database: RedshiftServer, table: Table, bootstrap: str, contacts: str, letters: str) -> Evidence:
    """Read it all."""
    rows: dict[Identity, list[Version]] = defaultdict(list)
    with connect(database) as session:
        for user, subject, created, updated, status in session.rows(
            f"SELECT user_id, subject_id, created_at, updated_at, status FROM {table.qualified}"
        ):
            rows[Identity(user, subject, _six(created))].append(Version(_six(updated), status))
        spans = [
            Span(*found)
            for found in session.rows(
                "SELECT process_id, kafka_partition, first_offset, next_offset, row_count, window_start, "
                f"window_end FROM {ledger_name(table)} ORDER BY kafka_partition, first_offset"
            )
        ]
    events = read_to_end(bootstrap, contacts)
    return Evidence(
        rows,
        spans,
        Counter(_contact(event) for event in events),
        len({_headers(event)["ce_id"] for event in events}),
        Counter(_dead_letter(message) for message in read_to_end(bootstrap, letters)),
    )


def _six(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f")


def _headers(message: Message) -> Mapping[str, Any]:
    headers = message.headers()
    return headers if isinstance(headers, dict) else dict(headers or [])


def _contact(event: Message) -> tuple[Place, str, str | None]:
    told = orjson.loads(event.value() or b"")
    return Place(told["origin"]["partition"], told["origin"]["offset"]), told["kind"], told["platform"]


def _dead_letter(message: Message) -> tuple[Place, tuple[str, ...]]:
    headers = _headers(message)
    place = Place(int(headers["__connect.errors.partition"]), int(headers["__connect.errors.offset"]))
    violations = orjson.loads(headers["dead_letter.violations"])
    return place, tuple(sorted(violation["code"] for violation in violations))
