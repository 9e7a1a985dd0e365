"""The whole program, killed or asked to stop at every point of the protocol."""

from __future__ import annotations

import signal

import pytest

from connectors.event_sink import Fenced
from connectors.items import Table
from tests.faults.struck import AFTER_SIGUSR1, BY_S3_ONLY, STRUCK, Point
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once, assert_exactly_once_in_the_end
from tests.integration.wiring import (
    Wiring,
    group_offsets,
    open_transactions,
    produce_numbered,
    wait_until_committed,
)
from tests.pipeline import Pipeline, eventually

BEFORE, MIDDLE, AFTER = 400, 600, 700
FIRST = "1"
BY_INSERT = [point for point in Point if point not in BY_S3_ONLY]
ANYWHERE = [point for point in BY_INSERT if point is not Point.IN_DRAIN]
IN_STEADY_STATE = [
    *(Point.AFTER_PRODUCE, Point.BEFORE_OFFSETS, Point.BEFORE_EVENT_COMMIT, Point.AFTER_EVENT_COMMIT),
    *(Point.AFTER_STAGING, Point.BEFORE_LEDGER, Point.BEFORE_ROW_COMMIT, Point.BEFORE_COMMIT_ANSWER),
    Point.AFTER_ROW_COMMIT,
]
"""Where it matters that there is something already: a ledger, rows to be updated, a transaction before."""
START = 90.0
"""Seconds that a process may take to come to its point: the profiler makes a start slow."""
DRAIN = 10.0
"""Seconds from SIGTERM to the exit that are promised."""


def environment(wiring: Wiring) -> dict[str, str]:
    return wiring.environment(WINDOW="1s", TRANSACTION_TIMEOUT="3s", EVENT_COMMIT_INTERVAL="300ms")


def program_struck(point: Point, how: signal.Signals, when: str = FIRST) -> tuple[str, ...]:
    return "-m", "tests.faults.struck", point.value, how.name, when


def start_struck(
    pipelines: Pipelines, wiring: Wiring, point: Point, how: signal.Signals, when: str = FIRST
) -> Pipeline:
    return pipelines.start(environment(wiring), program_struck(point, how, when))


def wait_until_struck(struck: Pipeline) -> None:
    def told() -> bool:
        return any(event["event"] == STRUCK for event in struck.events())

    eventually(told, START, "it is struck")


def bring_to_steady_state(struck: Pipeline, wiring: Wiring, table: Table) -> None:
    """Rows, events and both progresses are there, and what comes next are mostly versions of these rows."""
    produce_numbered(wiring, 0, BEFORE)
    wait_until_committed(wiring, table, BEFORE)
    eventually(lambda: sum(group_offsets(wiring).values()) == BEFORE, 40, "all events are committed")
    struck.process.send_signal(signal.SIGUSR1)
    produce_numbered(wiring, BEFORE, MIDDLE)


def finish(wiring: Wiring, table: Table, pipelines: Pipelines, produced: int = BEFORE) -> None:
    """Another process does the rest, and every message is accounted for."""
    produce_numbered(wiring, produced, AFTER)
    heir = pipelines.start(environment(wiring))
    wait_until_committed(wiring, table, AFTER)
    assert heir.terminate(within=10) == 0, heir.tail()
    assert_exactly_once(wiring, table, AFTER)


@pytest.mark.parametrize("point", BY_INSERT, ids=lambda point: point.value)
def test_kill_9_at_every_point_loses_and_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines, point: Point
) -> None:
    produce_numbered(wiring, 0, BEFORE)
    struck = start_struck(pipelines, wiring, point, signal.SIGKILL)
    if point is Point.IN_DRAIN:
        struck.wait_until_read(BEFORE)
        struck.process.send_signal(signal.SIGTERM)
    assert struck.process.wait(START) == -signal.SIGKILL, struck.tail()
    finish(wiring, table, pipelines)


@pytest.mark.parametrize("point", ANYWHERE, ids=lambda point: point.value)
def test_sigterm_at_every_point_drains_with_exit_code_0_and_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines, point: Point
) -> None:
    produce_numbered(wiring, 0, BEFORE)
    struck = start_struck(pipelines, wiring, point, signal.SIGTERM)
    wait_until_struck(struck)
    assert struck.process.wait(DRAIN) == 0, struck.tail()
    assert any(event["event"] == "drained" for event in struck.events())
    finish(wiring, table, pipelines)


@pytest.mark.parametrize("point", IN_STEADY_STATE, ids=lambda point: point.value)
def test_kill_9_in_steady_state_loses_and_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines, point: Point
) -> None:
    struck = start_struck(pipelines, wiring, point, signal.SIGKILL, AFTER_SIGUSR1)
    bring_to_steady_state(struck, wiring, table)
    assert struck.process.wait(START) == -signal.SIGKILL, struck.tail()
    finish(wiring, table, pipelines, MIDDLE)


@pytest.mark.parametrize("point", IN_STEADY_STATE, ids=lambda point: point.value)
def test_sigterm_in_steady_state_drains_with_exit_code_0_and_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines, point: Point
) -> None:
    struck = start_struck(pipelines, wiring, point, signal.SIGTERM, AFTER_SIGUSR1)
    bring_to_steady_state(struck, wiring, table)
    wait_until_struck(struck)
    assert struck.process.wait(DRAIN) == 0, struck.tail()
    finish(wiring, table, pipelines, MIDDLE)


def test_a_second_sigterm_in_the_drain_changes_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, BEFORE)
    struck = start_struck(pipelines, wiring, Point.IN_DRAIN, signal.SIGTERM)
    struck.wait_until_read(BEFORE)
    assert struck.terminate(within=10) == 0, struck.tail()
    finish(wiring, table, pipelines)


def test_a_zombie_with_an_open_window_and_an_open_transaction_disturbs_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, BEFORE)
    zombie = start_struck(pipelines, wiring, Point.AFTER_PRODUCE, signal.SIGSTOP)
    eventually(lambda: zombie.is_stopped(), START, "it is frozen in its transaction")
    heir = pipelines.start(environment(wiring))
    wait_until_committed(wiring, table, BEFORE)
    zombie.process.send_signal(signal.SIGCONT)
    produce_numbered(wiring, BEFORE, AFTER)
    wait_until_committed(wiring, table, AFTER)
    heir.terminate()
    zombie.terminate()
    assert_exactly_once_in_the_end(wiring, table, pipelines, AFTER)


def test_a_transaction_that_times_out_while_its_process_sleeps_is_repeated_by_the_next(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    """The session outlasts the transaction: the group still counts on the sleeper when the broker aborts."""
    produce_numbered(wiring, 0, BEFORE)
    patient = environment(wiring) | {
        "TRANSACTION_TIMEOUT": "1s",
        "KAFKA_CONFIG_SESSION_TIMEOUT_MS": "30000",
    }
    sleeper = pipelines.start(patient, program_struck(Point.BEFORE_OFFSETS, signal.SIGSTOP))
    eventually(lambda: sleeper.is_stopped(), START, "it is frozen in its transaction")
    side_topics = (wiring.contacts, wiring.dead_letters)
    eventually(
        lambda: not any(open_transactions(wiring, topic) for topic in side_topics), 40, "it is timed out"
    )
    sleeper.process.send_signal(signal.SIGCONT)
    assert sleeper.process.wait(40) == Fenced.exit_code, sleeper.tail()
    finish(wiring, table, pipelines)
