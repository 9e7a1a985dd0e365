"""A complete subscriber of the contact events: each event counts once, whatever dies.

    python docs/subscriber.py --bootstrap broker-1:9092 --database contacts.db

It keeps, in a local SQLite database, how often each sender gave a contact away, and prints nothing personal.
To make it yours, change `Store.take`: whatever it writes belongs in the same database transaction.

Why it is exactly once:

* `isolation.level=read_committed`: what the pipeline aborted is never seen;
* an event's effect, its id and the position after it are one database transaction, so that a crash leaves all
  of them or none. The group's offsets in Kafka play no part;
* `ce_id` is the same when a message comes again (a status update, a rerun): its table is the memory of what
  was seen. It may forget what is older than the source can repeat.

One process for one database. To share the work, give each process partitions of its own and a database of its
own: events are keyed by sender, so that all of one sender's are in one partition.

Needs Python 3.11 and confluent-kafka.
"""

from __future__ import annotations

import argparse
import json
import signal
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

SUPPORTED = "interactions.messages.contact.v1"
"""Within a major version events only gain fields. Of another one nothing is assumed."""
BATCH = 500
TABLES = """
CREATE TABLE IF NOT EXISTS positions (
  topic TEXT, partition INTEGER, next_offset INTEGER NOT NULL, PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seen (event_id TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS given_away (
  user_id TEXT, kind TEXT, platform TEXT, times INTEGER NOT NULL, PRIMARY KEY (user_id, kind, platform)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """One event, as far as this subscriber reads it. Fields that it does not know are left alone."""

    event_id: str
    time: str
    user_id: str
    kind: str
    platform: str

    @classmethod
    def of(cls, message: Message) -> ContactEvent | None:
        """The event that a message carries; None for a type that this program is too old for."""
        headers = dict(message.headers() or ())
        if _text(headers, "ce_type") != SUPPORTED:
            return None
        data = json.loads(message.value() or b"{}")
        return cls(
            _text(headers, "ce_id"),
            _text(headers, "ce_time"),
            data["user_id"],
            data["kind"],
            data.get("platform") or "",
        )


def _text(headers: Mapping[str, str | bytes | None], name: str) -> str:
    value = headers.get(name) or b""
    return value.decode() if isinstance(value, bytes) else value


class Store:
    """What was made of the events so far, and how far that is. Each `take` is one transaction."""

    def __init__(self, file: Path) -> None:
        """Opens the database, or creates it."""
        self._database = sqlite3.connect(file, isolation_level=None)
        # A crash of the machine, too, must not undo what was committed.
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(TABLES)

    def positions(self, topic: str) -> dict[int, int]:
        """The next offset of every partition that has been read."""
        found = self._database.execute(
            "SELECT partition, next_offset FROM positions WHERE topic = ?", (topic,)
        )
        return dict(found.fetchall())

    def take(self, messages: Iterable[Message]) -> int:
        """The messages' effects, their ids and the positions after them; how many events were new."""
        new = 0
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for message in messages:
                event = ContactEvent.of(message)
                if event is not None and self._is_new(event):
                    self._apply(event)
                    new += 1
                self._move(message)
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")
        return new

    def _is_new(self, event: ContactEvent) -> bool:
        added = self._database.execute(
            "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING", (event.event_id, event.time)
        )
        return added.rowcount == 1

    def _apply(self, event: ContactEvent) -> None:
        self._database.execute(
            "INSERT INTO given_away VALUES (?, ?, ?, 1) "
            "ON CONFLICT (user_id, kind, platform) DO UPDATE SET times = times + 1",
            (event.user_id, event.kind, event.platform),
        )

    def _move(self, message: Message) -> None:
        self._database.execute(
            "INSERT INTO positions VALUES (?, ?, ?) "
            "ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset",
            # The position is that of the next message to read.
            (message.topic(), message.partition(), (message.offset() or 0) + 1),
        )


def subscribe(bootstrap: str, topic: str, store: Store, stop: Event) -> None:
    """Take events until `stop` is set. Raises KafkaException for what does not pass by itself.

    A position that the topic no longer holds is such an error: retention took events that were not read.
    """
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "contact-subscriber",  # needed by the client; nothing is ever committed to it
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
        }
    )
    try:
        partitions = consumer.list_topics(topic, 30).topics[topic].partitions
        positions = store.positions(topic)
        consumer.assign(
            [TopicPartition(topic, each, positions.get(each, OFFSET_BEGINNING)) for each in partitions]
        )
        while not stop.is_set():
            messages = consumer.consume(BATCH, 0.5)
            for message in messages:
                error = message.error()
                if error is not None and not _passes(error):
                    raise KafkaException(error)
            taken = [message for message in messages if message.error() is None]
            if taken:
                print(f"{store.take(taken)} new of {len(taken)} events", flush=True)
    finally:
        consumer.close()


def _passes(error: KafkaError) -> bool:
    return error.retriable() or error.code() in (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN)


def main() -> int:
    """Run until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bootstrap", required=True, help="brokers, host:port with commas")
    parser.add_argument("--topic", default="interactions.messages.contacts", help="the contact events")
    parser.add_argument("--database", type=Path, default=Path("contacts.db"), help="file of the database")
    options = parser.parse_args()
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    subscribe(options.bootstrap, options.topic, Store(options.database), stop)
    return 0


if __name__ == "__main__":
    sys.exit(main())
