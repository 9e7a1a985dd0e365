"""The messages that every benchmark reads: contract traffic from a seed, 97% of it benign."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from connectors.items import Batch, StoredRecord
from tests.standins.traffic import DeadLetterOutcome, Planned, Traffic, generate

SEED = 1
DAY = datetime(2026, 1, 1, tzinfo=UTC)
BENIGN = 0.97
"""Share of the messages that keep the contract and give no contact away."""
LARGEST = 100_000
"""Bytes of value: the day's one larger message would outweigh thousands, and is more than some peers take."""
BATCH = 1000
"""Messages of a batch: about what a poll brings of each of four partitions with a backlog."""
_SPARE = 1.05
"""The generated day has more of the others than wanted: so many more messages are generated."""


@cache
def contract_traffic(messages: int) -> Traffic:
    """So many messages over four partitions: texts, voice, updates, duplicates, contacts, broken ones."""
    kept: list[Planned] = []
    others = 0
    for message in generate(int(messages * _SPARE) + 100, SEED, DAY).messages:
        if len(message.value or b"") > LARGEST:
            continue
        if not is_benign(message):
            if others + 1 > (1 - BENIGN) * (len(kept) + 1):
                continue
            others += 1
        kept.append(message)
        if len(kept) == messages:
            break
    return Traffic(tuple(kept))


def gives_a_contact(message: Planned) -> bool:
    """Whether a contact event must come of it."""
    return not isinstance(message.outcome, DeadLetterOutcome) and bool(message.outcome.contacts)


def is_benign(message: Planned) -> bool:
    """Whether nothing leaves on the side."""
    return not isinstance(message.outcome, DeadLetterOutcome) and not message.outcome.contacts


def described(traffic: Traffic) -> str:
    """The workload in words, counted."""
    messages = traffic.messages
    benign = sum(map(is_benign, messages)) / len(messages)
    size = sum(len(message.value or b"") for message in messages) / len(messages)
    return (
        f"{len(messages):,} messages of contract traffic ({benign:.1%} benign, {size:.0f} bytes of JSON each)"
    )


def stored_batches(traffic: Traffic, polled_at: datetime) -> list[Batch]:
    """The traffic as batches of one partition, as a poll brings them, without a broker."""
    batches: list[Batch] = []
    for first in range(0, len(traffic.messages), BATCH):
        records = tuple(
            StoredRecord(at, message.value, message.key)
            for at, message in enumerate(traffic.messages[first : first + BATCH], start=first)
        )
        batches.append(Batch("messages", 0, 1, first, first + len(records), polled_at, 0, records))
    return batches
