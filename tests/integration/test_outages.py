"""The whole program while a system that it needs is away: it says so, it waits, and nothing is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from confluent_kafka.admin import AdminClient

from connectors.event_sink import Fenced
from dataflow.commands.run import HUNG
from tests.fixtures_kafka import Topics, child_kafka, create_topics
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    committed,
    contacts_of,
    dead_letters,
    expected_contacts,
    open_transactions,
    produce,
    produce_numbered,
    read_committed,
    wait_until_committed,
)
from tests.pipeline import Pipeline, eventually
from tests.standins.kafka_real import RealKafka
from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.trouble import TroubleProxy

LARGEST_MESSAGE = 1_048_000
"""Bytes of value that still fit into a broker's default `message.max.bytes`."""
AWAY = 12.0
"""Seconds for which the broker stays out of reach when session and transaction, 3 s each, are over."""


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
    wait_until_committed(away, table, 400)
    assert pipeline.terminate(within=10) == 0, pipeline.tail()
    assert_exactly_once(away, table, 400)


def test_while_redshift_is_away_contacts_flow_and_rows_wait(
    wiring: Wiring, own_redshift: RedshiftProcess, pipelines: Pipelines
) -> None:
    away = replace(wiring, database=own_redshift.server)
    table = away.create_tables()
    produce_numbered(away, 0, 400)
    pipeline = pipelines.start(away.environment())
    wait_until_committed(away, table, 400)
    own_redshift.kill()
    produce_numbered(away, 400, 800)
    eventually(
        lambda: contacts_of(read_committed(away, away.contacts)) == expected_contacts(800),
        60,
        "contacts flow",
    )
    assert_waiting_for(pipeline, "redshift")
    # What was read and never committed must be read again after a restart, however long the outage.
    assert pipeline.terminate(within=15) == 0, pipeline.tail()
    pipeline = pipelines.start(away.environment())
    assert_waiting_for(pipeline, "redshift")
    produce_numbered(away, 800, 1000)
    eventually(
        lambda: contacts_of(read_committed(away, away.contacts)) == expected_contacts(1000),
        60,
        "contacts flow",
    )
    own_redshift.start()
    wait_until_committed(away, table, 1000)
    assert pipeline.terminate(within=10) == 0, pipeline.tail()
    assert_exactly_once(away, table, 1000)


@pytest.mark.usefixtures("table")
def test_a_record_as_large_as_the_topic_takes_is_a_dead_letter_that_the_topic_takes(
    wiring: Wiring, pipelines: Pipelines
) -> None:
    produce(wiring, [(0, b"\xff" + os.urandom(LARGEST_MESSAGE - 1)), (0, b"{}")])
    pipeline = pipelines.start(wiring.environment())
    found = eventually(
        lambda: found if len(found := dead_letters(wiring)) == 2 else None, 60, "two dead letters"
    )
    (large,) = (letter for letter in found if letter["__connect.errors.offset"] == b"0")
    assert b"value_bytes" in (large["dead_letter.cut"] or b"")
    assert large["dead_letter.codes"] == b"malformed_protobuf"
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
    wait_until_committed(wiring, table, 200)
    own_kafka.restart(signal.SIGKILL)
    produce_numbered(wiring, 200, 400)
    wait_until_committed(wiring, table, 400)
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


@pytest.mark.skipif(
    bool(os.environ.get("TEST_KAFKA_BOOTSTRAP")), reason="needs a broker with a second door, for the proxy"
)
@pytest.mark.parametrize("trouble", [TroubleProxy.refuse, TroubleProxy.stall], ids=["refused", "stalled"])
def test_a_broker_out_of_reach_for_longer_than_transaction_and_session_is_waited_for_and_nothing_repeated(
    tmp_path_factory: pytest.TempPathFactory,
    redshift_database: RedshiftServer,
    pipelines: Pipelines,
    trouble: Callable[[TroubleProxy], None],
) -> None:
    """As minutes are to the defaults: everything that has a timeout times out, on both sides."""
    fronted = child_kafka(tmp_path_factory)
    with TroubleProxy(("127.0.0.1", fronted.fronted_port)) as proxy, fronted_by(proxy, fronted) as broker:
        names = ("messages", "contacts", "dead-letters")
        create_topics(broker.bootstrap, dict.fromkeys(names, PARTITIONS))
        wiring = Wiring(broker.bootstrap, *names, "group", redshift_database)
        table = wiring.create_tables()
        environment = replace(wiring, bootstrap=proxy.address).environment(
            WINDOW="1s",
            TRANSACTION_TIMEOUT="3s",
            EVENT_COMMIT_INTERVAL="300ms",
            KAFKA_CONFIG_SOCKET_TIMEOUT_MS="3000",
        )
        pipeline = pipelines.start(environment)
        produce_numbered(wiring, 0, 400)
        wait_until_committed(wiring, table, 400)
        produce_numbered(wiring, 400, 800)
        trouble(proxy)
        produce_numbered(wiring, 800, 1000)
        assert_waiting_for(pipeline, "kafka")
        eventually(lambda: not members_of(wiring), 30, "the session is over")
        Event().wait(AWAY)
        assert not open_transactions(wiring, wiring.contacts)
        proxy.flow()
        eventually(lambda: pipeline.process.poll() or committed(wiring, table) >= 1000, 60, "it goes on")
        if pipeline.process.poll() is not None:
            # The broker had ended its transaction: what an orchestrator does then.
            assert pipeline.process.returncode in (Fenced.exit_code, HUNG), pipeline.tail()
            pipeline = pipelines.start(environment)
        wait_until_committed(wiring, table, 1000)
        assert pipeline.terminate(within=15) == 0, pipeline.tail()
        assert_exactly_once(wiring, table, 1000)


def fronted_by(proxy: TroubleProxy, broker: RealKafka) -> RealKafka:
    """The broker, not yet started, with a proxy before its second door."""
    broker.front_port = proxy.port
    return broker


def members_of(wiring: Wiring) -> int:
    """How many the group's coordinator counts."""
    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    described = administration.describe_consumer_groups([wiring.group])[wiring.group].result(10)
    return len(described.members)
