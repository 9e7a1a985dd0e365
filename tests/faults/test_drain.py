"""SIGTERM while nobody answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.world import World
from tests.fixtures_kafka import child_kafka
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import PARTITIONS, produce_numbered
from tests.pipeline import Pipeline, eventually

MESSAGES = 400


def go_on(world: World) -> None:
    """The next process does the rest, and every message is accounted for."""
    world.heal()
    heir = world.start()
    eventually(lambda: world.rows_position() == MESSAGES, 90, "all rows are committed")
    world.remove(heir)
    assert_exactly_once(world.direct, world.table, MESSAGES)


def in_a_transaction(world: World) -> Pipeline:
    """A process with an open window and an open transaction, neither of which is over by itself."""
    pipeline = world.start(
        WINDOW="1h",
        EVENT_COMMIT_INTERVAL="20s",
        TRANSACTION_TIMEOUT="25s",
        KAFKA_CONFIG_SESSION_TIMEOUT_MS="6000",
    )
    pipeline.wait_until_holding(PARTITIONS)
    produce_numbered(world.direct, 0, MESSAGES)
    pipeline.wait_until_read(MESSAGES)
    return pipeline


@pytest.mark.timeout(300)
def test_a_drain_that_nobody_answers_ends_in_time_and_the_next_process_goes_on(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    child_kafka(tmp_path_factory)
    with World(tmp_path) as world:
        pipeline = in_a_transaction(world)
        world.kafka_proxy.stall()
        world.redshift_proxy.stall()
        assert pipeline.terminate(within=10) == 0, pipeline.tail()
        told = [event["waited_for"] for event in pipeline.events() if event["event"] == "drain_incomplete"]
        assert sorted(told) == ["kafka", "redshift"]
        go_on(world)
