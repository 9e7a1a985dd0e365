"""One contract's worth of servers for the program: its environment, and what it left behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import orjson
from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # exported unnamed

from connectors.items import Table
from connectors.redshift_sql import definitions, ledger_name
from dataflow.contract import load
from tests.pipeline import eventually
from tests.standins.kafka_reader import read_to_end
from tests.standins.kafka_real import named_broker
from tests.standins.redshift_client import RedshiftServer, Transactions, connect

PARTITIONS = 4
CREATED_AT = "2026-01-01T00:00:00Z"
HMAC_KEY = "a key that only the tests know of"
SESSION_TIMEOUT_MS = "6000" if named_broker() else "3000"
"""A broker in its default configuration allows no less than 6 s; ours does."""
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # has no annotations


@dataclass(frozen=True, slots=True)
class Wiring:
    """A broker's topics and a database."""

    bootstrap: str
    source: str
    contacts: str
    dead_letters: str
    group: str
    database: RedshiftServer

    def environment(self, **more: str) -> dict[str, str]:
        """What the program needs to run here."""
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_TOPIC": self.source,
            "KAFKA_CONTACTS_TOPIC": self.contacts,
            "KAFKA_DEAD_LETTERS_TOPIC": self.dead_letters,
            "KAFKA_GROUP": self.group,
            "KAFKA_CONFIG_SESSION_TIMEOUT_MS": SESSION_TIMEOUT_MS,
            "KAFKA_CONFIG_HEARTBEAT_INTERVAL_MS": "500",
            "REDSHIFT_HOST": self.database.host,
            "REDSHIFT_PORT": str(self.database.port),
            "REDSHIFT_DATABASE": self.database.database,
            "REDSHIFT_USER": self.database.user,
            "REDSHIFT_PASSWORD": self.database.password,
            "REDSHIFT_SSLMODE": self.database.sslmode,
            "CONTACT_HMAC_KEY": HMAC_KEY,
            "WINDOW": "2s",
            "EXIT_LINGER": "10ms",
            **more,
        }

    def create_tables(self) -> Table:
        """As `ddl --apply` does; the table."""
        table = load().table
        with connect(self.database, Transactions.EACH_STATEMENT) as session:
            for definition in definitions(table):
                session.run(definition.sql)
        return table


def produce_numbered(wiring: Wiring, first: int, next: int, created_at: str = CREATED_AT) -> None:
    """Messages `first` to `next - 1`, each an identity of its own; every tenth gives a phone number away."""
    produce(wiring, numbered(first, next, created_at))


def numbered(first: int, next: int, created_at: str = CREATED_AT) -> Iterator[tuple[int, bytes]]:
    """The messages of `produce_numbered`, as (partition, value)."""
    for number in range(first, next):
        gives_away = number % 10 == 0
        body = {
            "user_id": f"user-{number}",
            "subject_id": "subject",
            "message_text": f"call me on +1 202 555 {100 + number % 100:04d}"
            if gives_away
            else "hello there",
            "status": "unread",
            "created_at": created_at,
            "updated_at": created_at,
        }
        if number % 25 == 7:
            body["status"] = "lost"
        yield number % PARTITIONS, orjson.dumps(body)


def produce(wiring: Wiring, messages: Iterable[tuple[int, bytes]]) -> None:
    """Messages as (partition, value), acknowledged when this returns."""
    producer = Producer(
        {"bootstrap.servers": wiring.bootstrap, "linger.ms": 5, "message.max.bytes": 2_000_000}
    )
    failures: list[KafkaError] = []

    def on_delivery(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            failures.append(error)

    for partition, value in messages:
        producer.produce(wiring.source, value, partition=partition, on_delivery=on_delivery)
        producer.poll(0)
    assert producer.flush(30) == 0
    assert not failures


def expected_rows(next: int) -> Counter[str]:
    """The user ids that `produce_numbered` makes rows of."""
    return Counter(f"user-{number}" for number in range(next) if number % 25 != 7)


def expected_contacts(next: int) -> Counter[str]:
    """The user ids whose message gives a contact away."""
    return Counter(f"user-{number}" for number in range(0, next, 10) if number % 25 != 7)


def expected_dead_letters(next: int) -> Counter[str]:
    """The user ids whose message breaks the contract."""
    return Counter(f"user-{number}" for number in range(next) if number % 25 == 7)


def stored_rows(wiring: Wiring, table: Table) -> Counter[str]:
    """The user ids in the table, with how often each is there."""
    with connect(wiring.database) as session:
        return Counter(row[0] for row in session.rows(f"SELECT user_id FROM {table.qualified}"))


def ledger_rows(wiring: Wiring, table: Table) -> list[tuple[int, int, int]]:
    """(partition, first offset, next offset) of every ledger entry, in order."""
    with connect(wiring.database) as session:
        found = session.rows(
            "SELECT kafka_partition, first_offset, next_offset "
            f"FROM {ledger_name(table)} ORDER BY kafka_partition, first_offset"
        )
    return [(int(partition), int(first), int(next)) for partition, first, next in found]


def read_committed(wiring: Wiring, topic: str) -> list[Message]:
    """Everything a reader of committed messages sees in a topic, to its present end.

    A killed process leaves its last transaction open, which hides what came after it: waits for its timeout.
    """
    eventually(lambda: not open_transactions(wiring, topic), 60, f"no transaction is open on {topic}")
    return read_to_end(wiring.bootstrap, topic)


def open_transactions(wiring: Wiring, topic: str) -> bool:
    """Whether the topic ends in messages whose transaction is undecided."""
    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    asked = {TopicPartition(topic, partition): _LATEST for partition in range(PARTITIONS)}
    ends = [
        [
            (partition.partition, answer.result(10).offset)
            for partition, answer in administration.list_offsets(asked, isolation_level=level).items()
        ]
        for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    ]
    return ends[0] != ends[1]


def users_of(messages: list[Message]) -> Counter[str]:
    """How often each user id occurs in the values."""
    return Counter(json.loads(message.value() or b"{}")["user_id"] for message in messages)


def headers_of(message: Message) -> Mapping[str, str | bytes | None]:
    """A message's headers by name."""
    headers = message.headers()
    return headers if isinstance(headers, dict) else dict(headers or [])


def dead_letters(wiring: Wiring) -> list[Mapping[str, str | bytes | None]]:
    """The headers of every dead letter."""
    return [headers_of(message) for message in read_committed(wiring, wiring.dead_letters)]


def group_offsets(wiring: Wiring) -> dict[int, int]:
    """Progress E, as any lag tool reads it."""
    consumer = Consumer({"bootstrap.servers": wiring.bootstrap, "group.id": wiring.group})
    answers = consumer.committed([TopicPartition(wiring.source, p) for p in range(PARTITIONS)], timeout=10)
    consumer.close()
    return {answer.partition: answer.offset for answer in answers}


def commit_group_offsets(wiring: Wiring, offsets: Mapping[int, int]) -> None:
    """Set progress E by hand, as an operator's tool does while nobody is in the group."""
    consumer = Consumer({"bootstrap.servers": wiring.bootstrap, "group.id": wiring.group})
    consumer.commit(
        offsets=[TopicPartition(wiring.source, partition, offset) for partition, offset in offsets.items()],
        asynchronous=False,
    )
    consumer.close()
