"""One contract's worth of servers for the program: its environment, and what it left behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from confluent_kafka import Consumer, IsolationLevel, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # exported unnamed

from connectors.items import Table
from connectors.redshift_ddl import objects
from connectors.redshift_sql import ledger_name
from dataflow.contract import load
from tests.contents import Event, digest, event_digest, event_of, instant, keyed, row_digest, stored
from tests.pipeline import eventually
from tests.standins.kafka_reader import read_to_end
from tests.standins.kafka_real import named_broker
from tests.standins.redshift_client import RedshiftServer, Transactions, connect
from tests.standins.s3 import Bucket

PARTITIONS = 4
SMALL = "4KiB"
"""A segment of some ten messages, so that objects are uploaded while windows are open."""
STATUSES = ("unread", "opened", "archived")
CREATED_AT = datetime(2026, 1, 1, tzinfo=UTC)
RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"
BETWEEN_VERSIONS = 25
"""Offsets from one version of a message to the next."""
VERSIONS = ((0, 1, 2), (0, 2, 1), (1, 0, 1), (2, 1, 0))
"""Seconds from creation to update of a message's three versions, in the order in which they are produced."""
HMAC_KEY = "for-development-only"
"""The one of `k8s/overlays/dev`: what pods send is compared with what is expected by the same key."""
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
    contacts_table: str = "off"
    staging: tuple[tuple[str, str], ...] = ()
    """Settings of the way by S3, when rows take it."""

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
            "CONTACTS_TABLE": self.contacts_table,
            "WINDOW": "2s",
            "EXIT_LINGER": "10ms",
            **dict(self.staging),
            **more,
        }

    def create_tables(self) -> Table:
        """As `ddl --apply` does; the table."""
        contract = load()
        with connect(self.database, Transactions.EACH_STATEMENT) as session:
            for definition in objects(contract.table, contract.contacts):
                session.run(definition.sql)
        return contract.table


def by_s3(bucket: Bucket, endpoint: str | None = None) -> tuple[tuple[str, str], ...]:
    """The settings of the way by S3, in small segments; `endpoint`: in front of the bucket's."""
    server = bucket.server
    return (
        ("STAGING", f"s3://{bucket.name}/stage"),
        ("STAGING_SEGMENT", SMALL),
        ("S3_REGION", server.region),
        ("S3_ENDPOINT", endpoint or server.endpoint),
        ("AWS_ACCESS_KEY_ID", server.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", server.secret_access_key),
    )


@dataclass(frozen=True, slots=True)
class Numbered:
    """The message with a number: all that it says, and what must come of it.

    Most are versions of an earlier one, 100 or 200 numbers before: later, earlier or as late as that one.
    Every tenth gives a phone number away, every 25th breaks the contract; no two texts are the same.
    """

    number: int

    @property
    def partition(self) -> int:
        """Where it is produced to."""
        return self.number % PARTITIONS

    @property
    def offset(self) -> int:
        """Where it is, in a topic that was empty before and got all numbers before it."""
        return self.number // PARTITIONS

    @property
    def _turn(self) -> int:
        turn = self.offset % len(VERSIONS[0])
        return turn if self.offset >= turn * BETWEEN_VERSIONS else 0

    @property
    def origin(self) -> int:
        """The number of the first version; itself, if it is the first."""
        return self.number - PARTITIONS * self._turn * BETWEEN_VERSIONS

    @property
    def user(self) -> str:
        """Whose message it is."""
        return f"user-{self.origin}"

    @property
    def updated_at(self) -> datetime:
        """When it was updated: versions come in another order than they were made."""
        order = VERSIONS[self.origin // PARTITIONS // len(VERSIONS[0]) % len(VERSIONS)]
        return CREATED_AT + timedelta(seconds=order[self._turn])

    @property
    def contact(self) -> str | None:
        """The phone number in its text, as it is written; of a range kept for fiction."""
        return f"+1 202 555 {100 + self.number % 100:04d}" if self.number % 10 == 0 else None

    @property
    def breaks_the_contract(self) -> bool:
        """Whether it must become a dead letter."""
        return self.number % 25 == 7

    @property
    def values(self) -> dict[str, object]:
        """What it says, as columns of the table."""
        said = f"call me on {self.contact}" if self.contact else "hello there"
        return {
            "user_id": self.user,
            "subject_id": "subject",
            "message_text": f"{said} for the {self.number}th time",
            "status": "lost" if self.breaks_the_contract else STATUSES[self.number % len(STATUSES)],
            "created_at": CREATED_AT,
            "updated_at": self.updated_at,
        }

    @property
    def body(self) -> bytes:
        """The message's value."""
        told = self.values.items()
        return orjson.dumps({k: f"{v:{RFC_3339}}" if isinstance(v, datetime) else v for k, v in told})

    @property
    def event(self) -> Event | None:
        """What the event of its contact says."""
        if self.contact is None or self.breaks_the_contract:
            return None
        start = len("call me on ")
        value = keyed(HMAC_KEY, self.contact.replace(" ", ""))
        place = (start, start + len(self.contact))
        return Event("phone", None, *place, value, self.user, "subject", instant(CREATED_AT))


def produce_numbered(wiring: Wiring, first: int, next: int) -> None:
    """Messages `first` to `next - 1`, see `Numbered`."""
    produce(wiring, numbered(first, next))


def numbered(first: int, next: int) -> Iterator[tuple[int, bytes]]:
    """The messages of `produce_numbered`, as (partition, value)."""
    for message in map(Numbered, range(first, next)):
        yield message.partition, message.body


def produce(wiring: Wiring, messages: Iterable[tuple[int, bytes]]) -> None:
    """Messages as (partition, value), acknowledged when this returns."""
    producer = Producer(
        {
            "bootstrap.servers": wiring.bootstrap,
            "linger.ms": 5,
            "message.max.bytes": 2_000_000,
            # A broker that is killed meanwhile must not get a message twice, nor two in another order.
            "enable.idempotence": True,
        }
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


def expected_rows(next: int, first: int = 0, lost: Container[int] = ()) -> Counter[str]:
    """The rows that `produce_numbered` makes, as `stored_rows` tells them; without the numbers `lost`."""
    return Counter(row_line(message.values) for message in _latest(range(first, next), lost))


def _latest(numbers: Iterable[int], lost: Container[int] = ()) -> Iterable[Numbered]:
    rows: dict[str, Numbered] = {}
    for message in map(Numbered, numbers):
        if message.breaks_the_contract or message.number in lost:
            continue
        stored = rows.get(message.user)
        if stored is None or message.updated_at >= stored.updated_at:
            rows[message.user] = message
    return rows.values()


def expected_kept(next: int) -> Counter[Event]:
    """What the contacts' table must hold of the numbers below `next`: the contacts of the rows."""
    return Counter(message.event for message in _latest(range(next)) if message.event)


def kept_contacts(wiring: Wiring) -> Counter[Event]:
    """The contacts' table, a row as its event says it."""
    contacts = load().contacts
    assert contacts is not None
    columns = "kind, platform, span_start, span_end, value_hmac, user_id, subject_id, created_at"
    with connect(wiring.database) as session:
        rows = session.rows(f"SELECT {columns} FROM {contacts.qualified}")
    return Counter(Event._make((*row[:-1], instant(row[-1]))) for row in rows)


def expected_contacts(next: int) -> Counter[str]:
    """The contact events that must come of the numbers below `next`, as `contacts_of` tells them."""
    return Counter(
        contact_line(message.partition, message.offset, message.event)
        for message in map(Numbered, range(next))
        if message.event
    )


def expected_dead_letters(next: int) -> Counter[str]:
    """The dead letters that must come of the numbers below `next`, as `letters_of` tells them."""
    return Counter(
        letter_line(message.partition, message.offset, "not_in_enumeration", message.body)
        for message in map(Numbered, range(next))
        if message.breaks_the_contract
    )


def row_line(values: Mapping[str, object]) -> str:
    """A row in one line: whose it is, its version, the digest of all that it says."""
    return f"{values['user_id']} {values['updated_at']:%H:%M:%S} {row_digest(values)}"


def contact_line(partition: int, offset: int, event: Event) -> str:
    """A contact event in one line: whose it is, where its message is, the digest of all that it says."""
    return f"{event.user_id} {partition}:{offset} {event_digest(event)}"


def letter_line(partition: int, offset: int, codes: str, value: bytes | None) -> str:
    """A dead letter in one line: where its message is, why, the digest of its bytes."""
    return f"{partition}:{offset} {codes} {digest(value)}"


def stored_rows(wiring: Wiring, table: Table) -> Counter[str]:
    """The rows in the table, a line each, with how often each is there."""
    with connect(wiring.database) as session:
        return Counter(row_line(row) for row in stored(session, table))


def committed(wiring: Wiring, table: Table) -> int:
    """How many offsets the ledger covers, all partitions together."""
    ends: dict[int, int] = {}
    for partition, _first, next in ledger_rows(wiring, table):
        ends[partition] = max(next, ends.get(partition, 0))
    return sum(ends.values())


def wait_until_committed(wiring: Wiring, table: Table, messages: int, within: float = 60.0) -> None:
    """Until the ledger covers so many offsets."""
    eventually(lambda: committed(wiring, table) >= messages, within, f"{messages} messages are committed")


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


def contacts_of(messages: list[Message]) -> Counter[str]:
    """Contact events, a line each, with how often each is there."""
    found: Counter[str] = Counter()
    for message in messages:
        origin = json.loads(message.value() or b"{}")["origin"]
        found[contact_line(origin["partition"], origin["offset"], event_of(message.value()))] += 1
    return found


def letters_of(messages: list[Message]) -> Counter[str]:
    """Dead letters, a line each, with how often each is there."""
    found: Counter[str] = Counter()
    for message in messages:
        headers = headers_of(message)
        partition, offset = (
            int(headers[f"__connect.errors.{name}"] or -1) for name in ("partition", "offset")
        )
        codes = headers["dead_letter.codes"] or b""
        assert isinstance(codes, bytes)
        found[letter_line(partition, offset, codes.decode(), message.value())] += 1
    return found


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
