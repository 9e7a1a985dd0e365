"""Steady traffic for fault runs: new rows, other versions of old ones, contacts, broken messages."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import orjson
from confluent_kafka import KafkaError, Message, Producer

from tests.contents import Event, digest, event_digest, instant, keyed, row_digest
from tests.faults.verdict import Identity, Place, Sent, Version
from tests.integration.wiring import HMAC_KEY, PARTITIONS

STATUSES = ("unread", "opened", "archived")
BORN = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL = 0.05
"""Seconds between two bursts."""
REMEMBERED = 500
"""Identities of which another version may still come."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A message before the broker has given it a place."""

    partition: int
    body: bytes
    identity: Identity | None
    version: Version
    contacts: tuple[str, ...]

    def sent(self, offset: int) -> Sent:
        """With the place that the broker gave it."""
        return Sent(Place(self.partition, offset), self.identity, self.version, self.contacts)


class Writer:
    """Draws messages from a seed. The same seed writes the same messages."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._number = 0
        self._known: list[tuple[Identity, int]] = []

    def next(self) -> Draft:
        """One more message."""
        self._number += 1
        dice = self._dice
        again = bool(self._known) and dice.random() < 0.25
        if again:
            identity, number = dice.choice(self._known)
        else:
            number = self._number
            identity = Identity(f"user-{number}", f"subject-{dice.randrange(1000)}", instant(BORN))
            self._known = [*self._known[-REMEMBERED:], (identity, number)]
        # Earlier, equal and later than what came before: messages overtake each other.
        updated = BORN + timedelta(seconds=dice.randrange(1, 6))
        gives_away = dice.random() < 0.2
        # No two messages say the same: a row that holds another's text is seen.
        text = f"hello there, {self._number} times"
        contacts: tuple[str, ...] = ()
        if gives_away:
            text, contacts = _giving_away(100 + self._number % 100, identity)
        broken = dice.random() < 0.04
        body = {
            "user_id": identity.user,
            "subject_id": identity.subject,
            "message_text": text,
            "status": "lost" if broken else dice.choice(STATUSES),
        }
        value = orjson.dumps({**body, "created_at": _rfc(BORN), "updated_at": _rfc(updated)})
        if broken:
            return Draft(number % PARTITIONS, value, None, Version(instant(updated), digest(value)), ())
        content = row_digest({**body, "created_at": BORN, "updated_at": updated})
        return Draft(number % PARTITIONS, value, identity, Version(instant(updated), content), contacts)


class SteadyTraffic:
    """A thread that produces bursts of messages until it is stopped; what the broker took is in `sent`.

    The producer is idempotent and waits as long as it takes: a message is there once, or the run has failed.
    """

    def __init__(self, writer: Writer, bootstrap: str, topic: str, burst: int) -> None:
        """`burst` messages every `INTERVAL` seconds."""
        self._writer = writer
        self._topic = topic
        self._burst = burst
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic")
        self._failures: list[KafkaError] = []
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.timeout.ms": 0,
                "log_level": 0,
            }
        )
        self.sent: list[Sent] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Produce no more; returns when the broker has taken everything. Raises AssertionError."""
        self._stop.set()
        self._thread.join()
        assert self._producer.flush(120) == 0, "the broker has not taken all messages"
        assert not self._failures, self._failures

    def _run(self) -> None:
        while not self._stop.wait(INTERVAL):
            for _ in range(self._burst):
                draft = self._writer.next()
                self._producer.produce(
                    self._topic, draft.body, partition=draft.partition, on_delivery=self._delivery(draft)
                )
            self._producer.poll(0)

    def _delivery(self, draft: Draft) -> Callable[[KafkaError | None, Message], None]:
        def on_delivery(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            if error is not None or offset is None:
                self._failures.extend([error] if error else [])
            else:
                self.sent.append(draft.sent(offset))

        return on_delivery


def _giving_away(line: int, identity: Identity) -> tuple[str, tuple[str, ...]]:
    """A text with a number of a range kept for fiction, and the digest of the event that must come of it."""
    before, number = "call me: ", f"+1 202 555 {line:04d}"
    value = keyed(HMAC_KEY, number.replace(" ", ""))
    span = len(before), len(before + number)
    return before + number, (event_digest(Event("phone", None, *span, value, *identity)),)


def _rfc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
