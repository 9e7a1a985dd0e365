"""This process's membership in the consumer group.

Unit of parallelism: the partition; the group spreads them over processes.
Delivery guarantee: at least once to the graph. Every batch says which span of which assignment it is, so
that each branch drops what its own progress covers; see `connectors.progress`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.holding import Holding, Ledger, OpenTransaction
from connectors.items import Batch
from connectors.kafka_access import KafkaAccess, committed_offsets, patiently, watermarks
from connectors.metrics import Metrics
from connectors.progress import (
    AcceptedLoss,
    BeyondEnd,
    BrokenPromise,
    DataLoss,
    RetentionLoss,
    Start,
    StartPolicy,
    Wait,
    decide_start,
)

log = logging.getLogger(__name__)

TICK_INTERVAL = 1.0
"""Seconds between measurements of lag, and between the empty batches of an idle source."""
MAX_POLL_MESSAGES = 1000


class Membership:
    """The subscribed consumer, the partitions it holds, and where each one stands.

    Lives on one thread: librdkafka calls the rebalance callbacks from within `poll`.
    """

    def __init__(
        self,
        access: KafkaAccess,
        *,
        ledger: Ledger,
        paused: Callable[[], bool],
        metrics: Metrics,
        now: Callable[[], datetime],
        start: StartPolicy = StartPolicy.EARLIEST,
        accepted: Sequence[AcceptedLoss] = (),
        ledger_patience: float = 5.0,
    ) -> None:
        """Creates the consumer without connecting.

        `paused` says whether what waits for the warehouse has reached its limit. `ledger_patience` is how
        many seconds an assignment waits for progress W before the side branch starts alone.
        """
        self._access = access
        self._ledger = ledger
        self._paused = paused
        self._metrics = metrics
        self._now = now
        self._start = start
        self._accepted = tuple(accepted)
        self._ledger_patience = ledger_patience
        self._consumer = Consumer(access.consumer_config(), logger=logging.getLogger("librdkafka"))
        self._holdings: dict[int, Holding] = {}
        self._assignments = 0
        self._ledger_answers: dict[int, Future[Mapping[int, int]]] = {}
        self._to_seek: set[int] = set()
        self._pausing_since: float | None = None
        self._ticked_at = 0.0
        self._ended = False
        self._failure: BaseException | None = None
        self.transaction: OpenTransaction | None = None
        """Set by the side branch's sink."""

    @property
    def topic(self) -> str:
        """The topic that is read."""
        return self._access.topic

    @property
    def ended(self) -> bool:
        """True once the end of input was sent down the graph: only then may closing commit."""
        return self._ended

    @property
    def joined(self) -> bool:
        """True while the consumer is a member of the group, with or without partitions."""
        return bool(self._consumer.memberid())

    def holding(self, partition: int) -> Holding | None:
        """Where a partition stands; None when it is not ours."""
        return self._holdings.get(partition)

    def group_metadata(self) -> object:
        """What `send_offsets_to_transaction` needs for the broker to fence stale generations."""
        return self._consumer.consumer_group_metadata()

    def subscribe(self) -> None:
        """Join the group; returns at once."""
        self._consumer.subscribe(
            [self._access.topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def leave(self) -> None:
        """Leave the group and close the consumer. Nothing is committed here."""
        self._consumer.close()
        self._holdings.clear()

    def poll(self, timeout: float) -> list[Batch]:
        """One batch per partition that had records; empty batches about once a second when none had.

        Blocks at most `timeout` seconds, plus the broker's answers during a rebalance. Raises BrokenPromise.
        """
        self._raise_failure()
        self._take_ledger_answers()
        self._seek()
        self._throttle()
        messages = self._consumer.consume(MAX_POLL_MESSAGES, timeout)
        self._raise_failure()
        batches = self._tell_losses()
        batches += self._batches(messages)
        clock = time.monotonic()
        if clock - self._ticked_at >= TICK_INTERVAL:
            self._ticked_at = clock
            self._measure_lag()
            batches = batches or self._empty_batches()
        return batches

    def end(self) -> list[Batch]:
        """The end of input: a last, empty batch of every partition held."""
        self._ended = True
        return [replace(batch, last=True) for batch in self._empty_batches()]

    def events_committed(self, partition: int, assignment: int, position: int) -> None:
        """The broker has taken `position` as progress E."""
        holding = self._holdings.get(partition)
        if holding is not None and holding.assignment == assignment:
            self._holdings[partition] = replace(holding, events=position)
        self._metrics.events_position(partition, position)

    def rewind(self, partitions: Iterable[int]) -> None:
        """Go back to E under a new assignment number: what was in flight of these partitions is stale."""
        for partition in partitions:
            holding = self._holdings.get(partition)
            if holding is not None:
                self._restart(partition, replace(holding, position=min(holding.position, holding.events)))

    def _restart(self, partition: int, holding: Holding) -> None:
        self._holdings[partition] = replace(holding, assignment=self._next_assignment())
        self._to_seek.add(partition)
        log.info(
            "partition_rewound",
            extra={"partition": partition, "position": holding.position, "events": holding.events},
        )

    def _next_assignment(self) -> int:
        self._assignments += 1
        return self._assignments

    def _raise_failure(self) -> None:
        failure = self._failure or self._ledger.failure()
        if failure is not None:
            raise failure

    # -- rebalance ---------------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._assign(consumer, [item.partition for item in partitions])
        except (BrokenPromise, KafkaException) as failure:
            # librdkafka swallows what a callback raises in some paths; poll raises it for certain.
            self._failure = failure

    def _assign(self, consumer: Consumer, partitions: list[int]) -> None:
        if not partitions:
            log.info("partitions_assigned", extra={"partitions": []})
            return
        events = committed_offsets(consumer, self.topic, partitions, self._metrics)
        answer = self._ledger.positions(frozenset(partitions))
        try:
            rows: Mapping[int, int] | None = answer.result(timeout=self._ledger_patience)
        except TimeoutError:
            rows = None
        positions: list[TopicPartition] = []
        unread: list[TopicPartition] = []
        for partition in partitions:
            start = self._decide_start(consumer, partition, events.get(partition), rows)
            if rows is None:
                self._ledger_answers[partition] = answer
            where = TopicPartition(self.topic, partition)
            if isinstance(start, Wait):
                where.offset = OFFSET_END
                unread.append(where)
            else:
                self._take_up(consumer, partition, start, established=partition in events)
                where.offset = start.offset + start.lost
            positions.append(where)
        consumer.incremental_assign(positions)
        if self._pausing_since is not None:
            consumer.pause(positions)
        elif unread:
            consumer.pause(unread)
        log.info(
            "partitions_assigned",
            extra={
                "partitions": partitions,
                "positions": {p.partition: p.offset for p in positions if p not in unread},
            },
        )

    def _take_up(self, consumer: Consumer, partition: int, start: Start, *, established: bool) -> None:
        """Hold a partition from `start` on; unless E is `established` it is committed first."""
        if not established:
            # See decide_start: before anything is read, the group must know where its events begin.
            where = TopicPartition(self.topic, partition, start.events_from)
            patiently(lambda: consumer.commit(offsets=[where], asynchronous=False), self._metrics)
        self._holdings[partition] = Holding(
            self._next_assignment(), start.offset, start.events_from, start.rows_from, start.lost
        )
        self._to_seek.discard(partition)
        self._metrics.assigned(partition, start.events_from, start.rows_from)

    def _decide_start(
        self, consumer: Consumer, partition: int, events: int | None, rows: Mapping[int, int] | None
    ) -> Start | Wait:
        oldest, end = watermarks(consumer, self.topic, partition, self._metrics)
        decision = decide_start(
            partition=partition,
            events=events,
            rows=None if rows is None else rows.get(partition),
            rows_known=rows is not None,
            oldest=oldest,
            end=end,
            policy=self._start,
            accepted=self._accepted,
        )
        match decision:
            case Start() | Wait():
                return decision
            case RetentionLoss() | BeyondEnd():
                raise DataLoss(decision.told_of(self.topic, partition))

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions_revoked", extra={"partitions": [item.partition for item in partitions]})
        try:
            if self.transaction is not None:
                self.transaction.settle()
        except (BrokenPromise, KafkaException) as failure:
            self._failure = failure
        self._give_up(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("partitions_lost", extra={"partitions": [item.partition for item in partitions]})
        for item in partitions:
            self._holdings.pop(item.partition, None)
        try:
            if self.transaction is not None:
                self.transaction.abandon()
        except (BrokenPromise, KafkaException) as failure:
            self._failure = failure
        self._give_up(consumer, partitions)

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for item in partitions:
            self._holdings.pop(item.partition, None)
            self._ledger_answers.pop(item.partition, None)
            self._to_seek.discard(item.partition)
            self._metrics.unassigned(item.partition)
        if partitions:
            consumer.incremental_unassign(partitions)

    # -- between polls -----------------------------------------------------------------------------

    def _take_ledger_answers(self) -> None:
        """Partitions that started without W go back to min(E, W) once the warehouse has told it."""
        for partition, answer in list(self._ledger_answers.items()):
            if not answer.done():
                continue
            del self._ledger_answers[partition]
            holding = self._holdings.get(partition)
            events = None if holding is None else holding.events
            start = self._decide_start(self._consumer, partition, events, answer.result())
            assert isinstance(start, Start)
            if holding is None:
                self._take_up(self._consumer, partition, start, established=False)
                if self._pausing_since is None:
                    self._consumer.resume([TopicPartition(self.topic, partition)])
                self._to_seek.add(partition)
                continue
            position = min(start.offset, holding.position)
            self._restart(
                partition, replace(holding, position=position, rows=start.rows_from, lost=start.lost)
            )
            self._metrics.assigned(partition, holding.events, start.rows_from)

    def _seek(self) -> None:
        while self._to_seek:
            partition = self._to_seek.pop()
            holding = self._holdings.get(partition)
            if holding is not None:
                target = TopicPartition(self._access.topic, partition, holding.position + holding.lost)
                self._consumer.seek(target)

    def _throttle(self) -> None:
        """Pause every partition while the backlog is full; polling goes on, so the group keeps them."""
        full = self._paused()
        clock = time.monotonic()
        if self._pausing_since is not None:
            self._metrics.paused(clock - self._pausing_since)
            self._pausing_since = clock
        if full and self._pausing_since is None:
            self._consumer.pause(self._consumer.assignment())
            self._pausing_since = clock
            log.warning("source_paused", extra={"reason": "what waits for the warehouse reached SPOOL_LIMIT"})
        elif not full and self._pausing_since is not None:
            self._consumer.resume(self._consumer.assignment())
            self._pausing_since = None
            log.info("source_resumed")

    # -- batches -----------------------------------------------------------------------------------

    def _tell_losses(self) -> list[Batch]:
        batches: list[Batch] = []
        for partition, holding in self._holdings.items():
            if holding.lost:
                reached = holding.position + holding.lost
                batches.append(replace(self._batch(partition, holding, reached, ()), lost=holding.lost))
                self._holdings[partition] = replace(holding, position=reached, lost=0)
        return batches

    def _batches(self, messages: list[Message]) -> list[Batch]:
        by_partition: dict[int, list[Message]] = {}
        for message in messages:
            if (error := message.error()) is not None:
                self._on_error(error, message.partition())
                continue
            partition = message.partition()
            assert partition is not None
            by_partition.setdefault(partition, []).append(message)
        batches: list[Batch] = []
        for partition, records in by_partition.items():
            holding = self._holdings.get(partition)
            if holding is None or partition in self._to_seek:
                continue
            last = records[-1].offset()
            assert last is not None
            # A position is the offset after the last record: the one place where it is made.
            reached = last + 1
            batches.append(self._batch(partition, holding, reached, records))
            self._holdings[partition] = replace(holding, position=reached)
            self._metrics.read(partition, len(records))
        return batches

    def _batch(self, partition: int, holding: Holding, reached: int, records: Sequence[Message]) -> Batch:
        return Batch(
            topic=self._access.topic,
            partition=partition,
            assignment=holding.assignment,
            first=holding.position,
            next=reached,
            polled_at=self._now(),
            rows_from=holding.rows,
            records=records,  # type: ignore[arg-type]  # confluent's stub says offset() may be None: not for a record
        )

    def _empty_batches(self) -> list[Batch]:
        return [self._batch(p, holding, holding.position, ()) for p, holding in self._holdings.items()]

    def _measure_lag(self) -> None:
        for partition in self._holdings:
            where = TopicPartition(self._access.topic, partition)
            bounds = self._consumer.get_watermark_offsets(where, cached=True)
            if bounds is not None and bounds[1] >= 0:
                self._metrics.end_offset(partition, bounds[1])

    def _on_error(self, error: KafkaError, partition: int | None) -> None:
        if error.fatal():
            raise BrokenPromise(f"Kafka consumer: {error.str()}")
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            holding = None if partition is None else self._holdings.get(partition)
            if partition is None or holding is None:
                return
            oldest, end = watermarks(self._consumer, self.topic, partition, self._metrics)
            raise DataLoss(
                f"{self.topic} partition {partition}: position {holding.position} is out of range, the topic "
                f"holds {oldest} to {end}. A restart says which offsets are lost and how to accept that"
            )
        self._metrics.retried("kafka", error.name())
        log.warning("kafka_error", extra={"code": error.name(), "partition": partition})
