"""The whole program where progress and topic do not fit: it says why, and goes on only when told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.items import Table
from connectors.progress import DataLoss, LedgerBroken
from connectors.redshift_sql import ledger_name
from tests.fixtures_kafka import create_topics
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    contacts_of,
    expected_contacts,
    expected_rows,
    ledger_rows,
    produce_numbered,
    read_committed,
    stored_rows,
    wait_until_committed,
)
from tests.pipeline import Pipeline, eventually
from tests.standins.redshift_client import Transactions, connect
from tests.standins.trouble import TroubleProxy


def run_until_stored(wiring: Wiring, table: Table, pipelines: Pipelines, produced: int, **more: str) -> None:
    pipeline = pipelines.start(wiring.environment(WINDOW="1s", **more))
    wait_until_committed(wiring, table, produced)
    assert pipeline.terminate() == 0, pipeline.tail()


def assert_refused(pipeline: Pipeline, promise: type[DataLoss] | type[LedgerBroken]) -> str:
    """It ends with the promise's own exit code; the text that tells why."""
    assert pipeline.process.wait(60) == promise.exit_code, pipeline.tail()
    (ended,) = (event for event in pipeline.events() if event["event"] == "ended")
    assert ended["level"] == "error"
    assert ended["exception"]["type"] == promise.__name__
    return str(ended["exception"]["text"])


def remove_records(wiring: Wiring, before: dict[int, int]) -> None:
    """What retention does: offsets below these are gone."""
    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    asked = [TopicPartition(wiring.source, partition, offset) for partition, offset in before.items()]
    for removed in administration.delete_records(asked).values():
        removed.result(30)


def execute(wiring: Wiring, statement: str) -> None:
    with connect(wiring.database, Transactions.EACH_STATEMENT) as session:
        session.run(statement)


def test_offsets_that_retention_removed_are_refused_until_their_loss_is_accepted_and_recorded(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 400)
    run_until_stored(wiring, table, pipelines, 400)
    produce_numbered(wiring, 400, 800)
    remove_records(wiring, {2: 150})

    text = assert_refused(pipelines.start(wiring.environment()), DataLoss)
    assert f"{wiring.source} partition 2: offsets 100 to 149" in text
    assert "ACCEPT_LOSS=2:100-150" in text
    assert stored_rows(wiring, table) == expected_rows(400)

    pipeline = pipelines.start(wiring.environment(WINDOW="1s", ACCEPT_LOSS="2:100-150"))
    wanted = expected_rows(800, lost={number for number in range(400, 600) if number % PARTITIONS == 2})
    eventually(lambda: stored_rows(wiring, table) == wanted, 60, "the rest is there")
    assert pipeline.terminate() == 0, pipeline.tail()
    recorded = "SELECT first_offset, next_offset, lost_offsets FROM " + ledger_name(table)
    with connect(wiring.database) as session:
        assert [(first, accepted) for first, _next, accepted in session.rows(recorded) if accepted] == [
            (100, 50)
        ]


@pytest.mark.usefixtures("table")
def test_retention_that_overtakes_a_process_while_the_warehouse_is_away_ends_it(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    with TroubleProxy((wiring.database.host, wiring.database.port)) as proxy:
        away = replace(wiring, database=replace(wiring.database, host="127.0.0.1", port=proxy.port))
        pipeline = pipelines.start(away.environment(WINDOW="1s", SPOOL_LIMIT="10KiB"))
        pipeline.wait_until_holding(PARTITIONS)
        proxy.refuse()
        # Many times what it polls at once, so that it is paused amid them.
        produce_numbered(wiring, 0, 40_000)
        eventually(lambda: pipeline.metric("dataflow_paused_seconds_total") > 0, 60, "it is paused")
        remove_records(wiring, dict.fromkeys(range(PARTITIONS), 9990))
        proxy.flow()

        def hole_committed() -> bool:
            return any(first < 9990 < next for _, first, next in ledger_rows(wiring, table))

        eventually(lambda: pipeline.process.poll() is not None or hole_committed(), 60, "it ends, or goes on")
        assert not hole_committed()
        text = assert_refused(pipeline, DataLoss)
    assert "out of the range" in text
    assert "retention removed them" in assert_refused(pipelines.start(wiring.environment()), DataLoss)


@pytest.mark.parametrize("messages", [40, 2000], ids=["shorter than before", "longer than before"])
def test_a_topic_that_was_deleted_and_created_anew_is_refused_however_long_it_is(
    wiring: Wiring, table: Table, pipelines: Pipelines, messages: int
) -> None:
    produce_numbered(wiring, 0, 400)
    run_until_stored(wiring, table, pipelines, 400)
    create_anew(wiring)
    produce_numbered(wiring, 1000, 1000 + messages)
    text = assert_refused(pipelines.start(wiring.environment()), DataLoss)
    assert "deleted and created anew" in text
    assert stored_rows(wiring, table) == expected_rows(400)

    other = wiring.environment(WINDOW="1s", PIPELINE="second", KAFKA_GROUP=f"{wiring.group}-2")
    stranger = pipelines.start(other)
    assert "ACCEPT_PIPELINE=second" in assert_refused(stranger, LedgerBroken)
    successor = pipelines.start(other | {"ACCEPT_PIPELINE": "second"})
    wanted = expected_rows(400) + expected_rows(1000 + messages, first=1000)
    eventually(lambda: stored_rows(wiring, table) == wanted, 60, "the new topic's rows are there")
    assert successor.terminate() == 0, successor.tail()


def create_anew(wiring: Wiring) -> None:
    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    administration.delete_topics([wiring.source])[wiring.source].result(30)
    eventually(
        lambda: wiring.source not in administration.list_topics(timeout=10).topics, 30, "the topic is gone"
    )
    create_topics(wiring.bootstrap, {wiring.source: PARTITIONS})


def test_a_topic_created_anew_under_a_running_process_ends_it_before_anything_is_mixed(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    pipeline = pipelines.start(
        wiring.environment(WINDOW="1s", KAFKA_CONFIG_TOPIC_METADATA_REFRESH_INTERVAL_MS="2000")
    )
    produce_numbered(wiring, 0, 400)
    wait_until_committed(wiring, table, 400)
    create_anew(wiring)
    produce_numbered(wiring, 1000, 1400)
    assert_refused(pipeline, DataLoss)
    assert stored_rows(wiring, table) == expected_rows(400)


def test_a_ledger_emptied_under_a_running_process_ends_it(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    pipeline = pipelines.start(wiring.environment(WINDOW="1s"))
    produce_numbered(wiring, 0, 400)
    wait_until_committed(wiring, table, 400)
    execute(wiring, f"DELETE FROM {ledger_name(table)}")
    produce_numbered(wiring, 400, 500)
    text = assert_refused(pipeline, LedgerBroken)
    assert "entries were removed" in text
    assert stored_rows(wiring, table) == expected_rows(400)


def test_a_ledger_emptied_before_a_start_is_told_and_refilled_from_what_the_topic_holds(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 400)
    run_until_stored(wiring, table, pipelines, 400)
    execute(wiring, f"DELETE FROM {ledger_name(table)}")
    pipeline = pipelines.start(wiring.environment(WINDOW="1s"))
    eventually(lambda: sum(next for _, _, next in ledger_rows(wiring, table)) == 400, 60, "it is refilled")
    assert pipeline.terminate() == 0, pipeline.tail()
    told = [event for event in pipeline.events() if event["event"] == "partition_begins"]
    assert {event["level"] for event in told} == {"warning"}
    assert_exactly_once(wiring, table, 400)


def test_of_two_pipelines_that_go_by_one_name_in_two_groups_one_is_refused(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 400)
    first = pipelines.start(wiring.environment(WINDOW="1s"))
    wait_until_committed(wiring, table, 400)
    other = {**wiring.environment(WINDOW="1s"), "KAFKA_GROUP": f"{wiring.group}-2"}
    text = assert_refused(pipelines.start(other), LedgerBroken)
    assert f"ACCEPT_GROUP={wiring.group}" in text
    produce_numbered(wiring, 400, 500)
    wait_until_committed(wiring, table, 500)
    assert first.terminate() == 0, first.tail()
    assert_exactly_once(wiring, table, 500)


def test_a_group_that_takes_another_s_place_on_purpose_goes_on_where_the_rows_end(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 400)
    run_until_stored(wiring, table, pipelines, 400)
    produce_numbered(wiring, 400, 500)
    renamed = Wiring(
        wiring.bootstrap,
        wiring.source,
        wiring.contacts,
        wiring.dead_letters,
        f"{wiring.group}-2",
        wiring.database,
    )
    run_until_stored(renamed, table, pipelines, 500, ACCEPT_GROUP=wiring.group)
    assert stored_rows(wiring, table) == expected_rows(500)
    assert contacts_of(read_committed(wiring, wiring.contacts)) == expected_contacts(500)
