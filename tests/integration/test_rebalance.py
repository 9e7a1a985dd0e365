"""The whole program while partitions change hands and windows are open."""

from __future__ import annotations

from collections import Counter

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from connectors.items import Table
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import (
    PARTITIONS,
    Numbered,
    Wiring,
    contact_line,
    contacts_of,
    expected_contacts,
    expected_rows,
    group_offsets,
    produce,
    produce_numbered,
    read_committed,
    stored_rows,
    wait_until_committed,
)
from tests.pipeline import Pipeline, eventually


def held(processes: list[Pipeline]) -> float:
    return sum(process.metric("dataflow_partition_held") for process in processes)


def test_a_rolling_restart_of_three_processes_with_open_windows_repeats_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    """Windows of an hour: only leaving commits rows, each process those of the partitions it had."""
    environment = wiring.environment(WINDOW="1h")
    processes = [pipelines.start(environment) for _ in range(3)]
    eventually(lambda: held(processes) == PARTITIONS, 60, "all partitions are held")
    produced = 0
    for place in range(3):
        produce_numbered(wiring, produced, produced + 300)
        produced += 300
        assert processes[place].terminate(within=15) == 0, processes[place].tail()
        processes[place] = pipelines.start(environment)
        eventually(lambda: held(processes) == PARTITIONS, 60, "all partitions are held again")
    produce_numbered(wiring, produced, produced + 300)
    produced += 300
    eventually(lambda: sum(group_offsets(wiring).values()) == produced, 60, "all events are committed")
    for process in processes:
        assert process.terminate(within=15) == 0, process.tail()
    assert_exactly_once(wiring, table, produced)


def test_a_process_that_crashes_with_open_windows_leaves_its_rows_to_the_others(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    environment = wiring.environment(WINDOW="1h", TRANSACTION_TIMEOUT="3s")
    processes = [pipelines.start(environment) for _ in range(2)]
    eventually(lambda: held(processes) == PARTITIONS, 60, "all partitions are held")
    produce_numbered(wiring, 0, 400)
    eventually(lambda: sum(group_offsets(wiring).values()) == 400, 60, "all events are committed")
    processes[0].kill()
    eventually(lambda: held(processes[1:]) == PARTITIONS, 60, "the other takes over")
    produce_numbered(wiring, 400, 500)
    eventually(lambda: sum(group_offsets(wiring).values()) == 500, 60, "all events are committed")
    assert processes[1].terminate(within=15) == 0, processes[1].tail()
    assert_exactly_once(wiring, table, 500)


def test_of_more_processes_than_partitions_one_stands_by_ready_and_takes_over(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    environment = wiring.environment(TRANSACTION_TIMEOUT="3s")
    processes = [pipelines.start(environment) for _ in range(PARTITIONS + 1)]
    for process in processes:
        process.wait_until_ready(60)
    eventually(lambda: held(processes) == PARTITIONS, 60, "all partitions are held")
    idle = [process for process in processes if not process.metric("dataflow_partition_held")]
    assert len(idle) == 1
    produce_numbered(wiring, 0, 400)
    busy = next(process for process in processes if process not in idle)
    busy.kill()
    idle[0].wait_until_holding(1)
    produce_numbered(wiring, 400, 600)
    wait_until_committed(wiring, table, 600)
    for process in processes:
        if process is not busy:
            assert process.terminate(within=15) == 0, process.tail()
    assert_exactly_once(wiring, table, 600)


def test_partitions_added_while_it_runs_are_read_from_their_beginning(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    """Even with START=latest: what is in them before they are noticed is new, all of it."""
    pipeline = pipelines.start(
        wiring.environment(
            START="latest", WINDOW="1s", KAFKA_CONFIG_TOPIC_METADATA_REFRESH_INTERVAL_MS="2000"
        )
    )
    pipeline.wait_until_holding(PARTITIONS)
    produce_numbered(wiring, 0, 100)
    wait_until_committed(wiring, table, 100)
    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    administration.create_partitions([NewPartitions(wiring.source, PARTITIONS + 2)])[wiring.source].result(30)
    added = list(map(Numbered, range(1000, 1040)))
    produce(wiring, [(PARTITIONS + message.number % 2, message.body) for message in added])
    pipeline.wait_until_holding(PARTITIONS + 2)
    wait_until_committed(wiring, table, 140)
    assert pipeline.terminate(within=15) == 0, pipeline.tail()
    assert stored_rows(wiring, table) == expected_rows(100) + expected_rows(1040, first=1000)
    contacts = [
        contact_line(PARTITIONS + message.number % 2, (message.number - 1000) // 2, message.event)
        for message in added
        if message.event
    ]
    assert contacts_of(read_committed(wiring, wiring.contacts)) == expected_contacts(100) + Counter(contacts)
