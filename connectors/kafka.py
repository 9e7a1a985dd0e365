"""This process's membership in the consumer group.

Unit of parallelism: the partition; the group spreads them over processes.
Delivery guarantee: at least once to the graph. Every batch says which span of which assignment it is, so
that each branch drops what its own progress covers; see `connectors.progress`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.backoff import Backoff
from connectors.framing import SchemaReference
from connectors.holding import Holding, Ledger, OpenTransaction
from connectors.items import Batch, WriterSchema
from connectors.kafka_access import KafkaAccess, KafkaRefused
from connectors.kafka_start import Beginning, Beginnings, BrokerQuestions, TopicWatch
from connectors.metrics import Metrics
from connectors.progress import AcceptedLoss, Assumed, BrokenPromise, DataLoss, StartPolicy, find_hole
from connectors.schema_gate import SchemaGate

log = logging.getLogger(__name__)

TICK_INTERVAL = 1.0
"""Seconds between measurements of lag, and between the empty batches of an idle source."""
MAX_POLL_MESSAGES = 2500
"""What one poll brings at most. What a batch costs by itself is shared by its messages: the whole job takes
0.87 of the time that it takes with 1,000. More gives nothing, and this many are read in 50 ms."""
ASK_BACKOFF = Backoff(0.1, 2.0)
_WORTH_A_LOOK = (Assumed.EVENTS_DONE_TO_ROWS, Assumed.ROWS_FROM_OLDEST)


class Membership:
    """The subscribed consumer, the partitions it holds, and where each one stands.

    A partition that the group assigns is read only once its progress is known: it is pending until broker
    and ledger have told theirs, and every turn of the loop asks again. Lives on one thread: librdkafka calls
    the rebalance callbacks from within `poll`.
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
        backoff: Backoff = ASK_BACKOFF,
        gate: SchemaGate | None = None,
    ) -> None:
        """Creates the consumer without connecting.

        `paused` says whether what waits for the warehouse has reached its limit. `ledger_patience` is how
        many seconds an assignment waits for progress W before the side branch starts alone. `backoff` is
        for questions that the broker does not answer yet. `gate` holds records back whose schema is not
        known yet.
        """
        self._access = access
        self._ledger = ledger
        self._paused = paused
        self._metrics = metrics
        self._now = now
        self._gate = gate
        self._kept: dict[int, list[Message]] = {}
        self._consumer = Consumer(access.consumer_config(), logger=logging.getLogger("librdkafka"))
        questions = BrokerQuestions(access, self._consumer)
        self._watch = TopicWatch(questions)
        self._beginnings = Beginnings(
            questions,
            access.topic,
            metrics,
            policy=start,
            accepted=accepted,
            ledger_patience=ledger_patience,
            backoff=backoff,
        )
        self._holdings: dict[int, Holding] = {}
        self._fetched: set[int] = set()
        self._doubted: dict[int, int] = {}
        self._assignments = 0
        self._pausing_since: float | None = None
        self._ticked_at = 0.0
        self._ended = False
        self._told = False
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
        """True while the group has said which partitions are ours, none of them maybe."""
        return self._told and bool(self._consumer.memberid())

    @property
    def partitions(self) -> Sequence[int]:
        """Partitions that are read."""
        return sorted(self._holdings)

    @property
    def waiting(self) -> Sequence[int]:
        """Partitions that are ours and not read yet."""
        return self._beginnings.waiting

    def holding(self, partition: int) -> Holding | None:
        """Where a partition stands; None when it is not ours, or not read yet."""
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
        """Leave the group and close the consumer. Nothing is committed here.

        A broker that has stopped answering is not told: the group learns it when the session ends.
        """
        if self.transaction is None or not self.transaction.gave_up:
            self._consumer.close()
        self._holdings.clear()

    def poll(self, timeout: float) -> list[Batch]:
        """One batch per partition that had records; empty batches about once a second when none had.

        Blocks at most `timeout` seconds, plus the broker's answers while partitions begin or leave. Raises
        BrokenPromise.
        """
        self._raise_failure()
        self._hear_late_ledgers()
        self._begin()
        self._throttle()
        messages = self._consumer.consume(MAX_POLL_MESSAGES, timeout)
        self._raise_failure()
        batches = self._tell_losses()
        batches += self._batches(messages)
        clock = time.monotonic()
        if clock - self._ticked_at >= TICK_INTERVAL:
            self._ticked_at = clock
            self._measure_lag()
            self._refuse_another_topic()
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
        """Go back to E, as the broker tells it: what was in flight of these partitions is stale."""
        for partition in partitions:
            holding = self._holdings.pop(partition, None)
            self._kept.pop(partition, None)
            if holding is not None:
                self._beginnings.rewind(partition, holding)
                self._consumer.pause([TopicPartition(self.topic, partition)])

    def _raise_failure(self) -> None:
        failure = self._failure or self._ledger.failure()
        if failure is not None:
            raise failure

    # -- rebalance ---------------------------------------------------------------------------------

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        numbers = [item.partition for item in partitions]
        log.info("partitions_assigned", extra={"partitions": sorted(numbers)})
        self._told = True
        if not numbers:
            consumer.incremental_assign([])
            return
        # What librdkafka is to fetch is told partition by partition, once it is known from where. To assign
        # OFFSET_END now and to seek later would skip messages in silence: a slow answer to the question for
        # the end counts as outdated after the seek, is asked again, and then moves the position to the end.
        consumer.incremental_assign([])
        ledger = self._ledger.read_ledger(numbers)
        for partition in numbers:
            self._beginnings.expect(partition, ledger)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.info("partitions_revoked", extra={"partitions": sorted(item.partition for item in partitions)})
        self._end_transaction(lambda transaction: transaction.settle())
        self._give_up(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        log.warning("partitions_lost", extra={"partitions": sorted(item.partition for item in partitions)})
        self._told = False
        for item in partitions:
            self._holdings.pop(item.partition, None)
        self._end_transaction(lambda transaction: transaction.abandon())
        self._give_up(consumer, partitions)

    def _end_transaction(self, how: Callable[[OpenTransaction], None]) -> None:
        try:
            if self.transaction is not None:
                how(self.transaction)
        except (BrokenPromise, KafkaException) as failure:
            # librdkafka swallows what a callback raises in some paths; poll raises it for certain.
            self._failure = failure

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for item in partitions:
            self._holdings.pop(item.partition, None)
            self._kept.pop(item.partition, None)
            self._doubted.pop(item.partition, None)
            self._beginnings.forget(item.partition)
            self._metrics.unassigned(item.partition)
        consumer.incremental_unassign([item for item in partitions if item.partition in self._fetched])
        self._fetched -= {item.partition for item in partitions}

    # -- between polls -----------------------------------------------------------------------------

    def _hear_late_ledgers(self) -> None:
        """Partitions that began without W go back to min(E, W) once the warehouse has told it."""
        told = self._beginnings.late_ledgers()
        if not told:
            return
        self._end_transaction(lambda transaction: transaction.settle())
        self._raise_failure()
        self.rewind(told)
        for partition, ledger in told.items():
            self._beginnings.expect(partition, ledger)

    def _begin(self) -> None:
        for beginning in self._beginnings.known():
            try:
                self._read_from(beginning)
            except KafkaException as trouble:
                self._beginnings.not_yet(trouble)

    def _read_from(self, beginning: Beginning) -> None:
        start, where = beginning.start, TopicPartition(self.topic, beginning.partition)
        where.offset = start.offset + start.lost
        if beginning.partition in self._fetched:
            self._consumer.seek(where)
            self._consumer.resume([where])
        else:
            self._consumer.incremental_assign([where])
            self._fetched.add(beginning.partition)
        if self._pausing_since is not None:
            self._consumer.pause([where])
        self._beginnings.begun(beginning)
        self._assignments += 1
        self._holdings[beginning.partition] = Holding(
            self._assignments,
            beginning.topic_id,
            start.offset,
            start.events_from,
            start.rows_from,
            start.lost,
        )
        self._metrics.assigned(beginning.partition, start.events_from, start.rows_from)
        log.log(
            logging.WARNING if start.assumed in _WORTH_A_LOOK else logging.INFO,
            "partition_begins",
            extra={
                "partition": beginning.partition,
                "position": start.offset,
                "events": start.events_from,
                "rows": start.rows_from,
                "lost": start.lost,
                "progress": start.assumed.value,
            },
        )

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
            log.warning("source_paused", extra={"reason": "what waits for the warehouse reached its limit"})
        elif not full and self._pausing_since is not None:
            going_on = self._holdings.keys() - self._kept.keys()
            self._consumer.resume([TopicPartition(self.topic, partition) for partition in going_on])
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
        # What the gate kept back comes before what was read since.
        by_partition: dict[int, list[Message]] = {partition: [] for partition in self._kept}
        of_last: int | None = None
        for message in messages:
            if (error := message.error()) is not None:
                self._on_error(error, message.partition())
                continue
            # The client hands out runs of one partition.
            if (partition := message.partition()) != of_last:
                assert partition is not None
                of_last, append = partition, by_partition.setdefault(partition, []).append
            append(message)
        batches: list[Batch] = []
        for partition, records in by_partition.items():
            holding = self._holdings.get(partition)
            if holding is None:
                continue
            kept = self._kept.get(partition, [])
            position = _after(kept) if kept else holding.position
            records = [*kept, *self._without_doubt(partition, position, records)]
            records, schemas = self._with_schemas(partition, records)
            if not records:
                continue
            reached = _after(records)
            batches.append(replace(self._batch(partition, holding, reached, records), schemas=schemas))
            self._holdings[partition] = replace(holding, position=reached)
            self._metrics.read(partition, len(records))
        return batches

    def _with_schemas(
        self, partition: int, records: list[Message]
    ) -> tuple[list[Message], Mapping[SchemaReference, WriterSchema | None] | None]:
        """The records up to the first whose schema is not known yet; the partition rests until it is.

        The position stays before what is kept, so that a rebalance or the end of input leaves it to the next.
        """
        if self._gate is None:
            return records, None
        admitted = self._gate.admit(records)  # type: ignore[arg-type]  # as in _batch
        where = [TopicPartition(self.topic, partition)]
        if admitted.records < len(records):
            self._kept[partition] = records[admitted.records :]
            self._consumer.pause(where)
        elif self._kept.pop(partition, None) and self._pausing_since is None:
            self._consumer.resume(where)
        return records[: admitted.records], admitted.schemas

    def _without_doubt(self, partition: int, position: int, records: list[Message]) -> list[Message]:
        """The records up to a hole that is seen for the first time; it is then read once more.

        Aborted transactions and compaction leave holes. A client that loses its place leaves one too.
        """
        if not records or _offset_of(records[-1]) - position < len(records):
            return records
        offsets = [_offset_of(record) for record in records]
        hole = find_hole(position, offsets, self._doubted.get(partition))
        if hole is None:
            return records
        self._doubted[partition] = hole.first
        self._consumer.seek(TopicPartition(self.topic, partition, hole.first))
        self._metrics.retried("kafka", "hole")
        log.warning("hole_doubted", extra={"partition": partition, "first": hole.first, "next": hole.next})
        return records[: hole.index]

    def _batch(self, partition: int, holding: Holding, reached: int, records: Sequence[Message]) -> Batch:
        return Batch(
            topic=self._access.topic,
            topic_id=holding.topic_id,
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
                # The oldest offset came with a fetch, as the end did: nobody is asked.
                start = bounds[0] if bounds[0] >= 0 else None
                self._metrics.bounds(partition, start, bounds[1])

    def _refuse_another_topic(self) -> None:
        for partition, holding in list(self._holdings.items())[:1]:
            if (replaced := self._watch.replaced(holding.topic_id)) is not None:
                raise DataLoss(replaced.told_of(self.topic, partition))

    def _on_error(self, error: KafkaError, partition: int | None) -> None:
        if error.fatal():
            raise BrokenPromise(f"Kafka consumer: {error.str()}")
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            holding = None if partition is None else self._holdings.get(partition)
            if holding is not None:
                raise DataLoss(
                    f"{self.topic} partition {partition}: position {holding.position} is out of the range "
                    "that the topic holds. A restart says which offsets are lost and how to accept that"
                )
            return
        if KafkaRefused.is_about(error):
            raise KafkaRefused(error)
        self._metrics.retried("kafka", error.name())
        log.warning("kafka_error", extra={"code": error.name(), "partition": partition})


def _after(records: Sequence[Message]) -> int:
    """The position behind records: the offset after the last one. The one place where it is made."""
    return _offset_of(records[-1]) + 1


def _offset_of(message: Message) -> int:
    offset = message.offset()
    assert offset is not None
    return offset
