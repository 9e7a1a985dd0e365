"""The whole program on a real Kafka broker and the Redshift stand-in, ended in every way a process ends."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.items import Table
from tests.fixtures_kafka import Topics
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    expected_contacts,
    expected_dead_letters,
    expected_rows,
    group_offsets,
    headers_of,
    ledger_rows,
    produce_numbered,
    read_committed,
    stored_rows,
    users_of,
)
from tests.pipeline import Pipeline, eventually
from tests.standins.kafka_real import KafkaBroker
from tests.standins.redshift_client import RedshiftServer


@pytest.fixture
def wiring(real_kafka: KafkaBroker, topics: Topics, redshift_database: RedshiftServer) -> Wiring:
    return Wiring(
        real_kafka.bootstrap,
        topics.source,
        topics.contacts,
        topics.dead_letters,
        topics.group,
        redshift_database,
    )


@pytest.fixture
def table(wiring: Wiring) -> Table:
    return wiring.create_tables()


@pytest.fixture
def pipelines(wiring: Wiring, table: Table, tmp_path: Path) -> Iterator[list[Pipeline]]:
    """Running processes, for the test to fill; all are gone after it."""
    running: list[Pipeline] = []
    yield running
    for pipeline in running:
        pipeline.kill()


def assert_exactly_once(wiring: Wiring, table: Table, produced: int) -> None:
    assert stored_rows(wiring, table) == expected_rows(produced)
    assert users_of(read_committed(wiring, wiring.contacts)) == expected_contacts(produced)
    assert users_of(read_committed(wiring, wiring.dead_letters)) == expected_dead_letters(produced)
    position = dict.fromkeys(range(PARTITIONS), 0)
    for partition, first, next in ledger_rows(wiring, table):
        assert first == position[partition]
        position[partition] = next
    assert sum(position.values()) == produced
    assert group_offsets(wiring) == position


def test_every_message_becomes_one_row_or_one_dead_letter_and_every_contact_one_event(
    wiring: Wiring, table: Table, pipelines: list[Pipeline], tmp_path: Path
) -> None:
    produce_numbered(wiring, 0, 2000)
    pipelines.append(Pipeline.start(wiring.environment(), tmp_path / "log"))
    pipelines[0].wait_until_ready()
    eventually(
        lambda: stored_rows(wiring, table).total() == expected_rows(2000).total(), 30, "rows are committed"
    )
    assert pipelines[0].terminate() == 0, pipelines[0].tail()
    assert_exactly_once(wiring, table, 2000)


def test_a_contact_event_is_keyed_by_the_sender_and_names_its_origin(
    wiring: Wiring, table: Table, pipelines: list[Pipeline], tmp_path: Path
) -> None:
    produce_numbered(wiring, 0, 11)
    pipelines.append(Pipeline.start(wiring.environment(), tmp_path / "log"))
    eventually(lambda: stored_rows(wiring, table).total() == 10, 30, "rows are committed")
    assert pipelines[0].terminate() == 0
    events = {message.key(): message for message in read_committed(wiring, wiring.contacts)}
    event = events[b"user-10"]
    assert headers_of(event)["ce_specversion"] == b"1.0"
    value = (event.value() or b"").decode()
    assert '"partition":2' in value
    assert "2025550110" not in value
    assert "2025550110" not in pipelines[0].tail(10_000)


def test_sigterm_drains_with_exit_code_0_and_a_restart_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: list[Pipeline], tmp_path: Path
) -> None:
    produce_numbered(wiring, 0, 500)
    for part in range(3):
        pipeline = Pipeline.start(wiring.environment(WINDOW="1h"), tmp_path / "log")
        pipelines.append(pipeline)
        produced = 500 * (part + 1)
        pipeline.wait_until_read(500)
        assert pipeline.terminate(within=15) == 0, pipeline.tail()
        assert_exactly_once(wiring, table, produced)
        produce_numbered(wiring, produced, produced + 500)


@pytest.mark.timeout(240)
def test_kill_9_at_ten_random_moments_loses_and_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: list[Pipeline], tmp_path: Path
) -> None:
    moments = random.Random(20260101)
    produced = 0
    pipeline = Pipeline.start(wiring.environment(WINDOW="1s"), tmp_path / "log")
    pipelines.append(pipeline)
    pipeline.wait_until_ready()
    for _ in range(10):
        killer = threading.Timer(moments.uniform(0.2, 3.0), pipeline.process.kill)
        killer.start()
        while pipeline.process.poll() is None:
            produce_numbered(wiring, produced, produced + 50)
            produced += 50
        killer.join()
        pipeline = Pipeline.start(wiring.environment(WINDOW="1s"), tmp_path / "log")
        pipelines.append(pipeline)
        pipeline.wait_until_read(1)
    total = expected_rows(produced).total()
    eventually(lambda: stored_rows(wiring, table).total() >= total, 60, "all rows are committed")
    assert pipeline.terminate() == 0, pipeline.tail()
    assert_exactly_once(wiring, table, produced)
