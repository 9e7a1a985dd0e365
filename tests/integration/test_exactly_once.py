"""The whole program on a real Kafka broker and the Redshift stand-in, ended in every way a process ends."""

from __future__ import annotations

import random
import signal
import threading
from dataclasses import replace

import pytest

from connectors.items import Table
from connectors.progress import DataLoss
from tests.integration.conftest import Pipelines
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    commit_group_offsets,
    contacts_of,
    expected_contacts,
    expected_dead_letters,
    expected_kept,
    expected_rows,
    group_offsets,
    headers_of,
    kept_contacts,
    ledger_rows,
    letters_of,
    produce_numbered,
    read_committed,
    stored_rows,
    wait_until_committed,
)
from tests.pipeline import eventually


@pytest.fixture
def wiring(wiring: Wiring) -> Wiring:
    return replace(wiring, contacts_table="on")


def assert_exactly_once(wiring: Wiring, table: Table, produced: int) -> None:
    assert stored_rows(wiring, table) == expected_rows(produced)
    if wiring.contacts_table == "on":
        assert kept_contacts(wiring) == expected_kept(produced)
    assert contacts_of(read_committed(wiring, wiring.contacts)) == expected_contacts(produced)
    assert letters_of(read_committed(wiring, wiring.dead_letters)) == expected_dead_letters(produced)
    position = dict.fromkeys(range(PARTITIONS), 0)
    for partition, first, next in ledger_rows(wiring, table):
        assert first == position[partition]
        position[partition] = next
    assert sum(position.values()) == produced
    assert group_offsets(wiring) == position


def assert_exactly_once_in_the_end(
    wiring: Wiring, table: Table, pipelines: Pipelines, produced: int, **more: str
) -> None:
    """After a last life, which does what a fenced process that was told to end could not do any more."""
    last = pipelines.start(wiring.environment(**more))
    last.wait_until_ready()
    eventually(lambda: sum(group_offsets(wiring).values()) == produced, 60, "all events are committed")
    assert last.terminate() == 0, last.tail()
    assert_exactly_once(wiring, table, produced)


def test_every_message_becomes_one_row_or_one_dead_letter_and_every_contact_one_event(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 2000)
    pipeline = pipelines.start(wiring.environment())
    pipeline.wait_until_ready()
    wait_until_committed(wiring, table, 2000)
    assert pipeline.terminate() == 0, pipeline.tail()
    assert_exactly_once(wiring, table, 2000)


def test_the_groups_newer_protocol_keeps_the_same_promises(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    environment = wiring.environment(KAFKA_GROUP_PROTOCOL="consumer")
    # Under this protocol the broker decides both.
    del environment["KAFKA_CONFIG_SESSION_TIMEOUT_MS"], environment["KAFKA_CONFIG_HEARTBEAT_INTERVAL_MS"]
    produce_numbered(wiring, 0, 500)
    first, second = (pipelines.start(environment) for _ in range(2))
    for joined in (first, second):
        joined.wait_until_holding(1)
    produce_numbered(wiring, 500, 1000)
    wait_until_committed(wiring, table, 500)
    assert first.terminate(within=10) == 0, first.tail()
    produce_numbered(wiring, 1000, 1500)
    wait_until_committed(wiring, table, 1500)
    assert second.terminate(within=10) == 0, second.tail()
    assert_exactly_once(wiring, table, 1500)


def test_a_contact_event_is_keyed_by_the_sender_and_names_its_origin(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 11)
    pipeline = pipelines.start(wiring.environment())
    wait_until_committed(wiring, table, 11)
    assert pipeline.terminate() == 0
    events = {message.key(): message for message in read_committed(wiring, wiring.contacts)}
    event = events[b"user-10"]
    assert headers_of(event)["ce_specversion"] == b"1.0"
    value = (event.value() or b"").decode()
    assert '"partition":2' in value
    assert "2025550110" not in value
    assert "2025550110" not in pipeline.tail(10_000)


def test_sigterm_drains_with_exit_code_0_and_a_restart_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 500)
    for part in range(3):
        pipeline = pipelines.start(wiring.environment(WINDOW="1h"))
        produced = 500 * (part + 1)
        pipeline.wait_until_read(500)
        assert pipeline.terminate(within=10) == 0, pipeline.tail()
        assert_exactly_once(wiring, table, produced)
        produce_numbered(wiring, produced, produced + 500)


@pytest.mark.timeout(240)
def test_kill_9_at_ten_random_moments_loses_and_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    moments = random.Random(20260101)
    produced = 0
    pipeline = pipelines.start(wiring.environment(WINDOW="1s"))
    pipeline.wait_until_ready()
    for _ in range(10):
        killer = threading.Timer(moments.uniform(0.2, 3.0), pipeline.process.kill)
        killer.start()
        while pipeline.process.poll() is None:
            produce_numbered(wiring, produced, produced + 50)
            produced += 50
        killer.join()
        pipeline = pipelines.start(wiring.environment(WINDOW="1s"))
        pipeline.wait_until_read(1)
    wait_until_committed(wiring, table, produced)
    assert pipeline.terminate() == 0, pipeline.tail()
    assert_exactly_once(wiring, table, produced)


def test_three_processes_share_the_partitions_and_one_may_leave_or_die(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    first = pipelines.start(wiring.environment())
    first.wait_until_ready()
    produce_numbered(wiring, 0, 400)
    second, third = (pipelines.start(wiring.environment()) for _ in range(2))
    for joined in (second, third):
        joined.wait_until_holding(1)
    produce_numbered(wiring, 400, 800)
    assert first.terminate() == 0, first.tail()
    produce_numbered(wiring, 800, 1200)
    second.kill()
    produce_numbered(wiring, 1200, 1600)
    wait_until_committed(wiring, table, 1600)
    assert third.terminate() == 0, third.tail()
    assert_exactly_once(wiring, table, 1600)


def test_a_process_that_slept_past_its_session_disturbs_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    sleeper = pipelines.start(wiring.environment(WINDOW="3s"))
    sleeper.wait_until_ready()
    produce_numbered(wiring, 0, 400)
    sleeper.wait_until_read(400)
    sleeper.process.send_signal(signal.SIGSTOP)
    produce_numbered(wiring, 400, 800)
    heir = pipelines.start(wiring.environment(WINDOW="3s"))
    wait_until_committed(wiring, table, 800)
    sleeper.process.send_signal(signal.SIGCONT)
    produce_numbered(wiring, 800, 1000)
    wait_until_committed(wiring, table, 1000)
    heir.terminate()
    sleeper.terminate()
    assert_exactly_once_in_the_end(wiring, table, pipelines, 1000, WINDOW="3s")


def test_progress_beyond_the_topics_end_is_refused_loudly_and_writes_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 40)
    commit_group_offsets(wiring, dict.fromkeys(range(PARTITIONS), 5000))
    pipeline = pipelines.start(wiring.environment(EXIT_LINGER="20s"))
    eventually(
        lambda: pipeline.metric("dataflow_broken_promises_total", promise="DataLoss") == 1, 30, "it is told"
    )
    assert pipeline.process.wait(30) == DataLoss.exit_code
    (ended,) = (event for event in pipeline.events() if event["event"] == "ended")
    assert ended["level"] == "error"
    assert f"{wiring.source} partition" in ended["exception"]["text"]
    assert "5000" in ended["exception"]["text"]
    assert not stored_rows(wiring, table)
    assert not read_committed(wiring, wiring.dead_letters)
