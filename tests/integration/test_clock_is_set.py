"""The whole program while the wall clock is set under it."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import pytest

from connectors.items import Table
from tests.faults.set_clock import NoCompiler, SetClock
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import Wiring, produce_numbered, wait_until_committed
from tests.pipeline import Pipeline

HOUR = 3600
ALMOST_AN_HOUR = 3540
"""A broker refuses messages that lie an hour or more ahead of its own clock."""


@pytest.fixture
def clock(tmp_path: Path) -> SetClock:
    try:
        return SetClock(tmp_path)
    except NoCompiler as reason:
        pytest.skip(f"the clock of a process can't be set: {reason}")


def told_ahead(pipeline: Pipeline) -> float:
    """How far the time of the log's last line lies ahead of the machine's clock, in seconds."""
    return datetime.fromisoformat(pipeline.events()[-1]["ts"]).timestamp() - time.time()


@pytest.mark.parametrize("by", [-HOUR, ALMOST_AN_HOUR], ids=["back", "forth"])
def test_a_clock_set_by_an_hour_under_a_running_process_holds_nothing_up_and_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines, clock: SetClock, by: int
) -> None:
    pipeline = pipelines.start(wiring.environment(WINDOW="2s", **clock.environment))
    produce_numbered(wiring, 0, 400)
    wait_until_committed(wiring, table, 400)
    clock.set_by(by)
    produce_numbered(wiring, 400, 800)
    wait_until_committed(wiring, table, 800)
    assert abs(told_ahead(pipeline) - by) < 60
    clock.set_by(0)
    produce_numbered(wiring, 800, 1000)
    wait_until_committed(wiring, table, 1000)
    assert pipeline.terminate(within=10) == 0, pipeline.tail()
    assert_exactly_once(wiring, table, 1000)
