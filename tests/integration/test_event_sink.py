"""The side branch's transaction by itself, with a real group and a real broker."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from random import Random

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from prometheus_client import CollectorRegistry

from connectors.event_sink import EventSink, EventTransaction, Fenced, connect_producer
from connectors.holding import LedgerAnswer
from connectors.items import EventBatch, OutgoingMessage
from connectors.kafka import Membership
from connectors.kafka_access import KafkaAccess
from connectors.metrics import Metrics
from connectors.progress import EventsBroken
from connectors.stopping import Stop
from tests.integration.wiring import Wiring, group_offsets, produce_numbered, read_committed
from tests.pipeline import eventually
from tests.standins.kafka_reader import read_to_end
from tests.standins.traffic import PARTITIONS

SMALL_MESSAGES = {"max.message.bytes": "1000"}
"""What a topic takes."""
HUGE = 2_000_000
"""Bytes of a message that no client sends."""


class EmptyLedger:
    """A warehouse that holds nothing yet."""

    def read_ledger(self, partitions: Collection[int] = ()) -> LedgerAnswer:
        answer: LedgerAnswer = Future()
        answer.set_result({})
        return answer

    def failure(self) -> BaseException | None:
        return None


@dataclass(frozen=True)
class Side:
    """A member of the group and its transaction."""

    membership: Membership
    transaction: EventTransaction

    def poll_until_held(self) -> None:
        """Turn the loop until partition 0 is read."""

        def is_held() -> bool:
            self.membership.poll(0.1)
            return self.membership.holding(0) is not None

        eventually(is_held, 30, "partition 0 is held")

    def batch(self, first: int, next: int, *messages: OutgoingMessage) -> EventBatch:
        holding = self.membership.holding(0)
        assert holding is not None
        return EventBatch(self.membership.topic, 0, holding.assignment, first, next, messages)


@contextmanager
def joined(wiring: Wiring) -> Iterator[Side]:
    access = KafkaAccess(
        wiring.bootstrap, wiring.source, wiring.group, properties={"session.timeout.ms": "6000"}
    )
    metrics = Metrics(CollectorRegistry(), version="0", contract_version="0")
    membership = Membership(
        access,
        ledger=EmptyLedger(),
        paused=lambda: False,
        metrics=metrics,
        now=lambda: datetime.now(UTC),
    )
    producer = connect_producer(access, f"{wiring.group}-side", Stop(), metrics, lambda: None)
    assert producer is not None
    transaction = EventTransaction(
        membership,
        producer,
        metrics,
        interval=3600.0,
        transaction_timeout=15.0,
        drain_seconds=5.0,
        now=lambda: datetime.now(UTC),
        stop=Stop(),
        on_wait=lambda: None,
        on_hang=lambda: pytest.fail("a call hung"),
        on_closed=lambda: None,
    )
    EventSink(membership, transaction)
    membership.subscribe()
    side = Side(membership, transaction)
    side.poll_until_held()
    try:
        yield side
    finally:
        membership.leave()


def message(wiring: Wiring, offset: int, size: int = 1) -> OutgoingMessage:
    return OutgoingMessage(wiring.contacts, b"key", b"x" * size, (), offset)


def test_a_partition_s_beginning_is_committed_before_anything_of_it_is_read(wiring: Wiring) -> None:
    with joined(wiring):
        assert set(group_offsets(wiring).values()) == {0}


def test_messages_and_offsets_appear_together(wiring: Wiring) -> None:
    produce_numbered(wiring, 0, 40)
    with joined(wiring) as side:
        side.transaction.write_batch([side.batch(0, 5, message(wiring, 0), message(wiring, 3))])
        assert not read_to_end(wiring.bootstrap, wiring.contacts)
        assert group_offsets(wiring)[0] == 0
        side.transaction.settle()
        assert len(read_committed(wiring, wiring.contacts)) == 2
        assert group_offsets(wiring)[0] == 5


def test_closing_after_a_failure_commits_nothing_of_a_batch_that_was_half_produced(wiring: Wiring) -> None:
    produce_numbered(wiring, 0, 40)
    with joined(wiring) as side:
        side.transaction.write_batch([side.batch(0, 5, message(wiring, 0))])
        with pytest.raises(KafkaException):
            side.transaction.write_batch([side.batch(5, 9, message(wiring, 5), message(wiring, 6, HUGE))])
        side.transaction.close()
        assert not read_committed(wiring, wiring.contacts)
        assert group_offsets(wiring)[0] == 0


def test_a_batch_that_does_not_continue_what_was_taken_breaks_a_promise(wiring: Wiring) -> None:
    with joined(wiring) as side, pytest.raises(EventsBroken, match="offsets 0 to 4 never reached the sink"):
        side.transaction.write_batch([side.batch(5, 9)])


def test_a_batch_of_an_earlier_assignment_is_dropped(wiring: Wiring) -> None:
    with joined(wiring) as side:
        current = side.batch(0, 5, message(wiring, 0))
        side.transaction.write_batch([replace(current, assignment=0), current])
        side.transaction.settle()
        assert len(read_committed(wiring, wiring.contacts)) == 1
        assert group_offsets(wiring)[0] == 5


def test_a_producer_that_is_fenced_amid_a_batch_ends_the_process(wiring: Wiring) -> None:
    produce_numbered(wiring, 0, 40)
    with joined(wiring) as side:
        side.transaction.write_batch([side.batch(0, 1, message(wiring, 0))])
        other = Producer({"bootstrap.servers": wiring.bootstrap, "transactional.id": f"{wiring.group}-side"})
        other.init_transactions(30)
        offsets = count(1)

        def produces_still() -> bool:
            at = next(offsets)
            side.transaction.write_batch([side.batch(at, at + 1, message(wiring, at))])
            return False

        with pytest.raises(Fenced):
            eventually(produces_still, 30, "the producer hears that it is fenced")
        assert not read_committed(wiring, wiring.contacts)
        assert group_offsets(wiring)[0] == 0


def test_a_transaction_that_a_failed_delivery_has_broken_is_aborted_and_read_again(wiring: Wiring) -> None:
    produce_numbered(wiring, 0, 40)
    small = replace(wiring, contacts=f"{wiring.contacts}-small")
    admin = AdminClient({"bootstrap.servers": wiring.bootstrap})
    (made,) = admin.create_topics([NewTopic(small.contacts, PARTITIONS, 1, config=SMALL_MESSAGES)]).values()
    made.result(30)
    with joined(wiring) as side:
        # Bytes that no compression makes fewer.
        large = replace(message(small, 0), value=Random(1).randbytes(20_000))
        side.transaction.write_batch([side.batch(0, 1, large)])
        offsets = count(1)

        def is_aborted() -> bool:
            at = next(offsets)
            side.transaction.write_batch([side.batch(at, at + 1, message(small, at))])
            return side.membership.holding(0) is None

        eventually(is_aborted, 30, "the transaction takes no more")
        assert not read_committed(wiring, small.contacts)
        assert group_offsets(wiring)[0] == 0

        # librdkafka may ask for one more abort, because of the sequence numbers of what failed.
        def is_committed() -> bool:
            side.poll_until_held()
            side.transaction.write_batch([side.batch(0, 2, message(small, 1))])
            side.transaction.settle()
            return group_offsets(wiring)[0] == 2

        eventually(is_committed, 30, "the next transaction is committed")
        assert len(read_committed(wiring, small.contacts)) == 1


def test_after_an_abort_the_partition_is_read_again_under_another_assignment(wiring: Wiring) -> None:
    produce_numbered(wiring, 0, 40)
    with joined(wiring) as side:
        before = side.membership.holding(0)
        side.transaction.write_batch([side.batch(0, 5, message(wiring, 0))])
        side.transaction.abandon()
        assert side.membership.holding(0) is None
        eventually(
            lambda: side.membership.poll(0.1) is not None and side.membership.holding(0), 30, "held again"
        )
        after = side.membership.holding(0)
        assert before is not None
        assert after is not None
        assert after.assignment > before.assignment
        assert after.events == 0
