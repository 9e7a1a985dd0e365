"""Offsets without a record: real ones are believed, those that a client makes are not."""

from __future__ import annotations

from confluent_kafka import Producer, TopicPartition

from connectors.items import Table
from tests.integration.conftest import Pipelines
from tests.integration.test_event_sink import joined
from tests.integration.wiring import (
    Wiring,
    expected_rows,
    ledger_rows,
    numbered,
    produce_numbered,
    stored_rows,
    wait_until_committed,
)
from tests.pipeline import eventually


def produce_in_transactions(wiring: Wiring, first: int, next: int) -> None:
    """As `produce_numbered`, with an aborted transaction of twice the size before it."""
    producer = Producer({"bootstrap.servers": wiring.bootstrap, "transactional.id": wiring.group})
    producer.init_transactions(10)
    for repeat in (2, 1):
        producer.begin_transaction()
        for partition, value in numbered(first, next):
            for _ in range(repeat):
                producer.produce(wiring.source, value, partition=partition)
        producer.flush(10)
        if repeat == 1:
            producer.commit_transaction(10)
        else:
            producer.abort_transaction(10)


def test_what_an_aborted_transaction_leaves_out_is_read_twice_and_then_believed(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 100)
    produce_in_transactions(wiring, 100, 200)
    produce_in_transactions(wiring, 200, 300)
    pipeline = pipelines.start(wiring.environment())
    # 100 messages, 2 times 3 times 25 of a partition in transactions, and their markers but for the last.
    end = 25 + 2 * 3 * 25 + 3
    wait_until_committed(wiring, table, 4 * end)
    assert pipeline.metric("dataflow_retries_total", system="kafka", reason="hole") == 8
    assert pipeline.terminate() == 0, pipeline.tail()
    assert stored_rows(wiring, table) == expected_rows(300)
    assert {next for _, _, next in ledger_rows(wiring, table)} >= {end}


def test_records_that_the_client_skips_are_read_after_all(wiring: Wiring) -> None:
    """A client that loses its place, as one that is made to seek without the source's knowledge."""
    with joined(wiring) as side:
        produce_numbered(wiring, 0, 400)
        side.membership._consumer.seek(TopicPartition(wiring.source, 0, 60))
        read: list[int] = []

        def all_read() -> bool:
            for batch in side.membership.poll(0.1):
                if batch.partition == 0:
                    read.extend(record.offset() for record in batch.records)
            return bool(read) and read[-1] == 99

        eventually(all_read, 30, "the partition is read to its end")
    assert read == list(range(100))
