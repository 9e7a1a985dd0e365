"""The whole program while a system that it needs is away: it says so, it waits, and nothing is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fixtures_kafka import Topics, create_topics
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    dead_letters,
    expected_contacts,
    expected_rows,
    produce,
    produce_numbered,
    read_committed,
    stored_rows,
    users_of,
)
from tests.pipeline import Pipeline, eventually
from tests.standins.kafka_real import RealKafka
from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_process import RedshiftProcess

LARGEST_MESSAGE = 1_048_000
"""Bytes of value that still fit into a broker's default `message.max.bytes`."""


@pytest.fixture
def own_redshift(tmp_path: Path) -> Iterator[RedshiftProcess]:
    """A stand-in for one test, which may kill and start it; what was committed survives."""
    with RedshiftProcess(tmp_path / "redshift") as process:
        yield process


def assert_waiting_for(pipeline: Pipeline, system: str) -> None:
    """Alive, not ready, and naming what it waits for."""

    def told() -> bool:
        status, body = pipeline.get("/readyz")
        return status == 503 and f'"{system}": "ok"' not in body and f'"{system}": "connecting"' not in body

    eventually(told, 30, f"/readyz names {system}")
    assert pipeline.get("/livez")[0] == 200


def test_redshift_away_at_the_first_start_delays_everything_and_loses_nothing(
    wiring: Wiring, own_redshift: RedshiftProcess, pipelines: Pipelines
) -> None:
    away = replace(wiring, database=own_redshift.server)
    table = away.create_tables()
    own_redshift.kill()
    produce_numbered(away, 0, 400)
    pipeline = pipelines.start(away.environment())
    assert_waiting_for(pipeline, "redshift")
    eventually(lambda: pipeline.metric("dataflow_retries_total", system="redshift") >= 2, 30, "it retries")
    own_redshift.start()
    pipeline.wait_until_ready(60)
    eventually(lambda: stored_rows(away, table).total() >= expected_rows(400).total(), 60, "rows are there")
    assert pipeline.terminate(within=10) == 0, pipeline.tail()
    assert_exactly_once(away, table, 400)


def test_while_redshift_is_away_contacts_flow_and_rows_wait(
    wiring: Wiring, own_redshift: RedshiftProcess, pipelines: Pipelines
) -> None:
    away = replace(wiring, database=own_redshift.server)
    table = away.create_tables()
    produce_numbered(away, 0, 400)
    pipeline = pipelines.start(away.environment())
    eventually(lambda: stored_rows(away, table).total() >= expected_rows(400).total(), 60, "rows are there")
    own_redshift.kill()
    produce_numbered(away, 400, 800)
    eventually(
        lambda: users_of(read_committed(away, away.contacts)) == expected_contacts(800), 60, "contacts flow"
    )
    assert_waiting_for(pipeline, "redshift")
    # What was read and never committed must be read again after a restart, however long the outage.
    assert pipeline.terminate(within=15) == 0, pipeline.tail()
    pipeline = pipelines.start(away.environment())
    assert_waiting_for(pipeline, "redshift")
    produce_numbered(away, 800, 1000)
    eventually(
        lambda: users_of(read_committed(away, away.contacts)) == expected_contacts(1000), 60, "contacts flow"
    )
    own_redshift.start()
    eventually(lambda: stored_rows(away, table).total() >= expected_rows(1000).total(), 60, "rows follow")
    assert pipeline.terminate(within=10) == 0, pipeline.tail()
    assert_exactly_once(away, table, 1000)


@pytest.mark.usefixtures("table")
def test_a_record_as_large_as_the_topic_takes_is_a_dead_letter_that_the_topic_takes(
    wiring: Wiring, pipelines: Pipelines
) -> None:
    produce(wiring, [(0, os.urandom(LARGEST_MESSAGE)), (0, b"{}")])
    pipeline = pipelines.start(wiring.environment())
    found = eventually(
        lambda: found if len(found := dead_letters(wiring)) == 2 else None, 60, "two dead letters"
    )
    (large,) = (letter for letter in found if letter["__connect.errors.offset"] == b"0")
    assert b"value_bytes" in (large["dead_letter.cut"] or b"")
    assert large["dead_letter.codes"] in (b"bad_utf8", b"malformed_json")
    assert pipeline.terminate(within=10) == 0, pipeline.tail()


@pytest.mark.skipif(
    bool(os.environ.get("TEST_KAFKA_BOOTSTRAP")), reason="needs a broker that it may stop and start"
)
def test_kafka_away_at_start_and_later_is_waited_for(
    own_kafka: RealKafka, redshift_database: RedshiftServer, pipelines: Pipelines
) -> None:
    topics = Topics("messages", "contacts", "dead-letters", "group")
    names = (topics.source, topics.contacts, topics.dead_letters)
    own_kafka.start()
    create_topics(own_kafka.bootstrap, dict.fromkeys(names, PARTITIONS))
    wiring = Wiring(own_kafka.bootstrap, *names, topics.group, redshift_database)
    table = wiring.create_tables()
    produce_numbered(wiring, 0, 200)
    own_kafka.stop()

    waiting = pipelines.start(wiring.environment())
    assert_waiting_for(waiting, "kafka")
    assert waiting.terminate(within=10) == 0, waiting.tail()

    pipeline = pipelines.start(wiring.environment())
    assert_waiting_for(pipeline, "kafka")
    own_kafka.start()
    eventually(lambda: stored_rows(wiring, table).total() >= expected_rows(200).total(), 60, "rows are there")
    own_kafka.restart(signal.SIGKILL)
    produce_numbered(wiring, 200, 400)
    eventually(lambda: stored_rows(wiring, table).total() >= expected_rows(400).total(), 60, "rows are there")
    assert pipeline.terminate(within=15) == 0, pipeline.tail()
    assert_exactly_once(wiring, table, 400)


@pytest.mark.skipif(
    bool(os.environ.get("TEST_KAFKA_BOOTSTRAP")), reason="needs a broker that it may stop and start"
)
def test_a_broker_that_goes_away_in_a_quiet_night_leaves_every_partition_unheld(
    own_kafka: RealKafka, redshift_database: RedshiftServer, pipelines: Pipelines
) -> None:
    names = ("messages", "contacts", "dead-letters")
    own_kafka.start()
    create_topics(own_kafka.bootstrap, dict.fromkeys(names, PARTITIONS))
    wiring = Wiring(own_kafka.bootstrap, *names, "group", redshift_database)
    wiring.create_tables()
    pipeline = pipelines.start(wiring.environment())
    pipeline.wait_until_holding(PARTITIONS)
    own_kafka.stop()
    eventually(lambda: pipeline.metric("dataflow_partition_held") == 0, 60, "nobody holds a partition")
    assert pipeline.get("/livez")[0] == 200
    assert pipeline.terminate(within=20) == 0, pipeline.tail()
