"""The whole program while what waits for the warehouse grows: it stays bounded, and nothing is lost."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from connectors.items import Table
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.test_outages import assert_waiting_for
from tests.integration.wiring import (
    Wiring,
    expected_rows,
    group_offsets,
    produce_numbered,
    stored_rows,
    wait_until_committed,
)
from tests.pipeline import eventually
from tests.standins.trouble import TroubleProxy


@pytest.fixture
def proxy(wiring: Wiring) -> Iterator[TroubleProxy]:
    """Between program and database."""
    with TroubleProxy((wiring.database.host, wiring.database.port)) as between:
        yield between


def through(wiring: Wiring, proxy: TroubleProxy) -> Wiring:
    return replace(wiring, database=replace(wiring.database, host="127.0.0.1", port=proxy.port))


def test_a_warehouse_away_for_several_windows_pauses_the_source_at_the_limit_and_the_group_keeps_it(
    wiring: Wiring, table: Table, pipelines: Pipelines, proxy: TroubleProxy
) -> None:
    pipeline = pipelines.start(through(wiring, proxy).environment(WINDOW="1s", SPOOL_LIMIT="64KiB"))
    pipeline.wait_until_holding(4)
    proxy.refuse()
    produce_numbered(wiring, 0, 5000)
    eventually(lambda: pipeline.metric("dataflow_paused_seconds_total") > 1, 60, "the source is paused")
    paused_at = pipeline.metric("dataflow_messages_total")
    assert paused_at < 5000
    assert pipeline.metric("dataflow_backlog_bytes") < 64 * 1024 + 1000 * 300
    eventually(lambda: pipeline.metric("dataflow_paused_seconds_total") > 8, 60, "longer than a session")
    assert pipeline.metric("dataflow_messages_total") == paused_at
    assert pipeline.metric("dataflow_partition_held") == 4
    assert_waiting_for(pipeline, "redshift")
    proxy.flow()
    wait_until_committed(wiring, table, 5000, within=90)
    assert pipeline.terminate(within=15) == 0, pipeline.tail()
    assert not any(event["event"] == "partitions_lost" for event in pipeline.events())
    assert_exactly_once(wiring, table, 5000)


def test_windows_that_hold_more_than_the_limit_are_committed_before_they_close(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    """The warehouse is there: to wait for the hour's end would only hold up the reader."""
    pipeline = pipelines.start(wiring.environment(WINDOW="1h", SPOOL_LIMIT="200KiB"))
    produce_numbered(wiring, 0, 8000)
    eventually(lambda: sum(group_offsets(wiring).values()) == 8000, 90, "everything is read")
    assert stored_rows(wiring, table).total() > expected_rows(8000).total() / 2
    assert pipeline.terminate(within=15) == 0, pipeline.tail()
    assert_exactly_once(wiring, table, 8000)


def test_a_full_disk_pauses_the_source_and_nothing_is_lost_when_there_is_room_again(
    wiring: Wiring, table: Table, pipelines: Pipelines, proxy: TroubleProxy, tmp_path: Path
) -> None:
    """No file may be longer than 1.1 MB, which is more than a spool keeps in memory, and than the log has."""
    pipeline = pipelines.start(through(wiring, proxy).environment(WINDOW="1h", SPOOL_DIR=str(tmp_path)))
    pipeline.wait_until_holding(4)
    proxy.refuse()
    process = psutil.Process(pipeline.process.pid)
    most = resource.RLIM_INFINITY
    process.rlimit(psutil.RLIMIT_FSIZE, (1_100_000, most))
    produce_numbered(wiring, 0, 60_000)
    eventually(lambda: pipeline.metric("dataflow_retries_total", system="spool") > 0, 60, "the disk refuses")
    eventually(lambda: pipeline.metric("dataflow_paused_seconds_total") > 1, 60, "the source is paused")
    assert pipeline.metric("dataflow_messages_total") < 60_000
    process.rlimit(psutil.RLIMIT_FSIZE, (most, most))
    eventually(lambda: sum(group_offsets(wiring).values()) == 60_000, 60, "everything is read")
    proxy.flow()
    assert pipeline.terminate(within=30) == 0, pipeline.tail()
    assert_exactly_once(wiring, table, 60_000)


def test_a_hung_database_call_is_given_up_at_its_deadline_and_made_again_without_a_restart(
    wiring: Wiring, table: Table, pipelines: Pipelines, proxy: TroubleProxy
) -> None:
    behind = through(wiring, proxy)
    pipeline = pipelines.start(behind.environment(WINDOW="1s", REDSHIFT_STATEMENT_TIMEOUT="1s"))
    produce_numbered(wiring, 0, 100)
    wait_until_committed(wiring, table, 100)
    proxy.stall()
    produce_numbered(wiring, 100, 200)
    eventually(lambda: pipeline.metric("dataflow_retries_total", reason="timeout") > 0, 60, "it is noticed")
    assert pipeline.get("/livez")[0] == 200
    assert pipeline.get("/readyz")[0] == 503
    proxy.flow()
    wait_until_committed(wiring, table, 200)
    assert pipeline.terminate(within=15) == 0, pipeline.tail()
    assert_exactly_once(wiring, table, 200)
