"""The side topic's page shows what the program sends, and its subscriber counts each event once."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Producer

from dataflow.encode import Hashed, Omitted, Raw
from tests.integration.wiring import PARTITIONS, Wiring
from tests.operate.golden import EXAMPLES, KEY, KEY_ID, events_of
from tests.pipeline import ROOT, eventually

PAGE = (ROOT / "docs" / "side-topic.md").read_text(encoding="utf-8")


Header = tuple[str, str | bytes | None]


def golden() -> list[dict[str, object]]:
    return [json.loads(line) for line in (EXAMPLES / "events.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_example_events_are_what_the_program_sends() -> None:
    assert list(events_of(Hashed(KEY, KEY_ID))) == golden()


def test_a_message_that_comes_again_has_events_of_the_same_ids() -> None:
    ids = [event["headers"]["ce_id"] for event in events_of(Hashed(KEY, KEY_ID))]
    assert (len(ids), len(set(ids))) == (6, 4)


def test_without_values_nothing_of_them_is_sent_and_raw_adds_one_field() -> None:
    omitted = {name for event in events_of(Omitted()) for name in event["value"]}
    hashed = {name for event in events_of(Hashed(KEY, KEY_ID)) for name in event["value"]}
    raw = {name for event in events_of(Raw(KEY, KEY_ID)) for name in event["value"]}
    assert hashed - omitted == {"value_hmac", "key_id", "masked"}
    assert raw - hashed == {"value"}


def test_the_page_shows_the_first_example_and_describes_every_header_and_field() -> None:
    (first, *_) = golden()
    (shown,) = re.findall(r"```json\n(\{.*?\})\n```", PAGE, re.DOTALL)
    assert json.loads(shown) == first["value"]
    for event in events_of(Raw(KEY, KEY_ID)):
        for name in (*event["headers"], *event["value"], *event["value"]["origin"]):
            assert f"`{name}`" in PAGE


def test_who_knows_a_number_can_tell_its_hash_as_the_page_says() -> None:
    (first, *_) = golden()
    assert isinstance(first["value"], dict)
    digest = hmac.new(KEY, b"+12025550143", hashlib.sha256).hexdigest()
    assert first["value"]["value_hmac"] == digest
    assert KEY.decode() in PAGE
    assert digest in PAGE


# -- the subscriber ----------------------------------------------------------------------------------


def event(number: int, kind: str = "phone") -> tuple[bytes, bytes, list[Header]]:
    """Key, value, headers of an event; the same number is the same event."""
    user = f"user-{number % 50}"
    headers: list[Header] = [
        ("ce_type", b"interactions.messages.contact.v1"),
        ("ce_id", f"{number:032x}".encode()),
        ("ce_time", b"2026-01-31T08:00:00Z"),
    ]
    return user.encode(), json.dumps({"user_id": user, "kind": kind, "platform": None}).encode(), headers


def send(producer: Producer, topic: str, numbers: range, ends: str) -> None:
    """Events in one transaction, which ends so."""
    producer.begin_transaction()
    for number in numbers:
        key, value, headers = event(number)
        producer.produce(topic, value, key, partition=number % PARTITIONS, headers=headers)
    producer.flush(30)
    if ends == "commit":
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


class Subscriber:
    """`docs/subscriber.py` as processes over one database."""

    def __init__(self, wiring: Wiring, directory: Path) -> None:
        self._database = directory / "contacts.db"
        self._log = directory / "log"
        self._command = [
            sys.executable,
            str(ROOT / "docs" / "subscriber.py"),
            "--bootstrap",
            wiring.bootstrap,
        ]
        self._command += ["--topic", wiring.contacts, "--database", str(self._database)]

    def start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(self._command, stdout=output, stderr=output)

    def rows(self, query: str) -> list[tuple[str, int]]:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            try:
                return database.execute(query).fetchall()
            except sqlite3.OperationalError:
                return []

    def seen(self) -> int:
        return len(self.rows("SELECT event_id FROM seen"))

    def counts(self) -> Counter[str]:
        return Counter(dict(self.rows("SELECT user_id, times FROM given_away")))


@pytest.fixture
def subscriber(wiring: Wiring, tmp_path: Path) -> Subscriber:
    return Subscriber(wiring, tmp_path)


@pytest.mark.timeout(600)
def test_the_subscriber_counts_each_committed_event_once_though_it_is_killed_again_and_again(
    wiring: Wiring, subscriber: Subscriber
) -> None:
    producer = Producer({"bootstrap.servers": wiring.bootstrap, "transactional.id": f"{wiring.group}-events"})
    producer.init_transactions(30)
    sent = 0
    for _ in range(5):
        process = subscriber.start()
        send(producer, wiring.contacts, range(sent, sent + 200), "commit")
        sent += 200
        # Some of what was told before comes again, and some is never committed.
        send(producer, wiring.contacts, range(max(0, sent - 300), sent - 150), "commit")
        send(producer, wiring.contacts, range(10_000, 10_050), "abort")
        eventually(lambda: subscriber.seen() > 0, 120, "it has begun")
        process.kill()
        process.wait(10)
    foreign: list[Header] = [
        ("ce_type", b"interactions.messages.contact.v2"),
        ("ce_id", b"x"),
        ("ce_time", b"t"),
    ]
    producer.begin_transaction()
    producer.produce(wiring.contacts, b"{}", b"user-0", headers=foreign)
    producer.commit_transaction(30)
    process = subscriber.start()
    eventually(lambda: subscriber.seen() >= sent, 120, "all are counted")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert subscriber.seen() == sent
    assert subscriber.counts() == Counter(f"user-{number % 50}" for number in range(sent))
