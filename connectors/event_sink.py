"""The side branch's sink: contacts and dead letters, in one Kafka transaction with the group's offsets.

Unit of parallelism: one transactional producer per process.
Delivery guarantee: exactly once for read_committed readers. A message and the offset that it came from
become visible together or not at all, and the broker refuses the transaction of a stale group generation.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from threading import Timer

from bytewax.outputs import DynamicSink, StatelessSinkPartition
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from connectors.backoff import Backoff
from connectors.items import EventBatch, OutgoingMessage
from connectors.kafka import Membership
from connectors.kafka_access import KafkaAccess, KafkaRefused, position_of
from connectors.kafka_complaints import NO_TOKEN, Complaint, Complaints
from connectors.metrics import Metrics
from connectors.progress import BrokenPromise, EventsBroken
from connectors.spans import Covered, EventGap, Produce, Stale, decide_events
from connectors.stopping import Stop

log = logging.getLogger(__name__)

MAX_TRANSACTION_MESSAGES = 10_000
MAX_TRANSACTION_BYTES = 32 << 20
"""An open transaction with more messages or bytes is committed before its interval is over."""
CALL_TIMEOUT = 2.0
"""Seconds one call of the transaction protocol may take before it is made again. No signal is heard in it."""
LEAST_TIMEOUT = 0.1
CALL_BACKOFF = Backoff(0.1, 1.0)
"""Waits before such a call is made again. Most of the waiting is done in the call."""
CONNECT_BACKOFF = Backoff(0.5, 30.0)
HANG_TIMEOUT = 10.0
"""Seconds beyond the transaction's own timeout after which such a call counts as hung.

librdkafka's send_offsets_to_transaction ignores its timeout when the coordinator's connection is lost at the
wrong moment, while the group still takes the process for alive (librdkafka issue 5456).
"""


class Fenced(BrokenPromise):
    """The broker has ended this producer for good."""

    exit_code = 16


class _TakesNoMore(Exception):
    """The transaction is in an error that only its abort ends: a delivery has failed."""


_STATE = "_STATE"
"""What librdkafka calls a message for such a transaction."""


def connect_producer(
    access: KafkaAccess, transactional_id: str, stop: Stop, metrics: Metrics, on_wait: Callable[[], None]
) -> Producer | None:
    """A producer that the broker has accepted; None when `stop` was set before one was.

    An unreachable broker, a login that it does not take, and a token that is not to be had are tried again
    with growing waits; `on_wait` is called before each.
    Raises KafkaRefused (no permission to write transactionally, for one).
    """
    client_log = logging.getLogger("librdkafka")
    complaints = Complaints(access.properties)
    client_log.addHandler(complaints)
    producer: Producer | None = None
    attempt = 0
    try:
        while not stop.is_set():
            try:
                if producer is None:
                    producer = Producer(access.producer_config(transactional_id), logger=client_log)
                producer.init_transactions(CALL_TIMEOUT)
                return producer
            except KafkaException as trouble:
                error: KafkaError = trouble.args[0]
                no_token = producer is None and error.code() == KafkaError.SASL_AUTHENTICATION_FAILED
                if not no_token and (error.fatal() or not error.retriable()):
                    raise KafkaRefused(error) from trouble
                if producer is not None:
                    # Log lines come with a poll.
                    producer.poll(0)
                attempt += 1
                wait = CONNECT_BACKOFF.wait(attempt)
                metrics.retried("kafka", error.name())
                _tell_unreachable(error, Complaint("", NO_TOKEN) if no_token else complaints.last, wait)
                on_wait()
                stop.wait(wait)
        return None
    finally:
        client_log.removeHandler(complaints)


def _tell_unreachable(error: KafkaError, complaint: Complaint | None, wait: float) -> None:
    told: dict[str, object] = {"code": error.name(), "next_try_seconds": round(wait, 2)}
    if complaint is not None:
        told["detail"] = complaint.text
    if complaint is not None and complaint.fix is not None:
        # It does not pass by itself.
        log.error("kafka_unreachable", extra={**told, "fix": complaint.fix})
    else:
        log.warning("kafka_unreachable", extra=told)


@dataclass(frozen=True, slots=True)
class _Reached:
    """How far the open transaction covers a partition, under which assignment."""

    assignment: int
    next: int
    topic_id: str | None


class EventTransaction(StatelessSinkPartition[EventBatch]):
    """The open transaction, if any, and how far it covers each partition."""

    def __init__(
        self,
        membership: Membership,
        producer: Producer,
        metrics: Metrics,
        *,
        interval: float,
        transaction_timeout: float,
        drain_seconds: float,
        now: Callable[[], datetime],
        stop: Stop,
        on_wait: Callable[[], None],
        on_hang: Callable[[], None],
        on_closed: Callable[[], None],
    ) -> None:
        """Commits every `interval` seconds. `drain_seconds`: how long after `stop` a process tries to.

        `on_wait` is called while a call to the broker is repeated, `on_closed` when the graph closes.
        `on_hang` is called, on another thread, when a call has not come back at all: it must end the process.
        """
        self._membership = membership
        self._producer = producer
        self._metrics = metrics
        self._interval = interval
        self._transaction_timeout = transaction_timeout
        self._drain_seconds = drain_seconds
        self._now = now
        self._stop = stop
        self._on_wait = on_wait
        self._on_hang = on_hang
        self._on_closed = on_closed
        self._reached: dict[int, _Reached] = {}
        self._arrivals: dict[str, list[float | None]] = {}
        self._bytes = 0
        self._failed: Counter[tuple[str, str]] = Counter()
        self._opened_at: float | None = None
        self._gave_up = False
        self._refused: KafkaError | None = None

    @property
    def gave_up(self) -> bool:
        """The broker did not answer while the process was stopping: nothing more is asked of it."""
        return self._gave_up

    def write_batch(self, items: list[EventBatch]) -> None:
        """Produce what is new, and commit when the interval is over, or the input."""
        if self._gave_up:
            return
        for batch in items:
            self._take(batch)
        self._producer.poll(0)
        if self._opened_at is None:
            return
        due = time.monotonic() - self._opened_at >= self._interval
        large = (
            sum(map(len, self._arrivals.values())) >= MAX_TRANSACTION_MESSAGES
            or self._bytes >= MAX_TRANSACTION_BYTES
        )
        if due or large or any(batch.last for batch in items):
            self.settle()

    def close(self) -> None:
        """Abort what is open: at the end of input, `write_batch` has committed already. Raises nothing."""
        try:
            self.abandon()
        except BrokenPromise as failure:
            # Raised while Bytewax unwinds from another failure, it would abort the process before the first
            # one is told. The broker ends the transaction itself after its timeout.
            log.warning("transaction_left_open", exc_info=failure)
        finally:
            self._on_closed()

    def settle(self) -> None:
        """Commit the open transaction with the offsets that it covers. Raises BrokenPromise.

        A transaction that the broker refuses (a stale generation, a timeout) is aborted; the partitions still
        held are read again from E.
        """
        if self._opened_at is None:
            return
        if any(self._is_stale(partition, reached) for partition, reached in self._reached.items()):
            self.abandon()
            return
        began = time.monotonic()
        positions = [
            position_of(self._membership.topic, partition, reached.next, reached.topic_id)
            for partition, reached in self._reached.items()
        ]
        try:
            done = self._repeat(
                lambda timeout: self._producer.send_offsets_to_transaction(
                    positions, self._membership.group_metadata(), timeout
                )
            ) and self._repeat(self._producer.commit_transaction)
        except KafkaException as trouble:
            error: KafkaError = trouble.args[0]
            if self._refused is not None:
                raise KafkaRefused(self._refused) from trouble
            if error.fatal() or not error.txn_requires_abort():
                raise Fenced(f"Kafka transaction: {error.name()}: {error.str()}") from trouble
            log.warning("transaction_refused", extra={"code": error.name()})
            self._metrics.transaction_aborted(error.name())
            self.abandon()
            return
        if not done:
            self._forget()
            return
        for partition, reached in self._reached.items():
            self._membership.events_committed(partition, reached.assignment, reached.next)
        seconds = time.monotonic() - began
        self._metrics.transaction_committed(self._arrivals, seconds, self._now().timestamp())
        self._forget()

    def abandon(self) -> None:
        """Abort the open transaction; partitions still held are read again from E. Raises BrokenPromise."""
        if self._opened_at is None:
            return
        partitions = list(self._reached)
        self._forget()
        try:
            done = self._repeat(self._producer.abort_transaction)
        except KafkaException as trouble:
            error: KafkaError = trouble.args[0]
            raise Fenced(
                f"Kafka transaction could not be aborted: {error.name()}: {error.str()}"
            ) from trouble
        if done:
            self._membership.rewind(partitions)

    def _forget(self) -> None:
        for (topic, code), messages in self._failed.items():
            log.warning("delivery_failed", extra={"topic": topic, "code": code, "messages": messages})
        self._failed.clear()
        self._reached = {}
        self._arrivals = {}
        self._bytes = 0
        self._opened_at = None

    def _is_stale(self, partition: int, reached: _Reached) -> bool:
        holding = self._membership.holding(partition)
        return holding is None or holding.assignment != reached.assignment

    def _take(self, batch: EventBatch) -> None:
        if self._gave_up:
            # What follows a transaction that could not be ended is for the next owner, as the transaction is.
            return
        holding = self._membership.holding(batch.partition)
        reached = self._reached.get(batch.partition)
        if holding is None:
            return
        done = reached.next if reached and reached.assignment == batch.assignment else holding.events
        decision = decide_events(
            held=holding.assignment,
            done=done,
            assignment=batch.assignment,
            first=batch.first,
            next=batch.next,
        )
        match decision:
            case Stale() | Covered():
                return
            case EventGap(position, first):
                raise EventsBroken(
                    f"partition {batch.partition}: offsets {position} to {first - 1} never reached the sink"
                )
            case Produce(at):
                if self._opened_at is None:
                    self._producer.begin_transaction()
                    self._opened_at = time.monotonic()
                try:
                    for message in batch.messages:
                        if message.source_offset >= at:
                            self._produce(message)
                except _TakesNoMore as trouble:
                    if self._refused is not None:
                        raise KafkaRefused(self._refused) from trouble
                    log.warning("transaction_refused", extra={"code": _STATE})
                    self._metrics.transaction_aborted(_STATE)
                    # This batch's partition is read again too.
                    self._reached.setdefault(batch.partition, _Reached(batch.assignment, at, batch.topic_id))
                    self.abandon()
                    return
                self._reached[batch.partition] = _Reached(batch.assignment, batch.next, batch.topic_id)

    def _produce(self, message: OutgoingMessage) -> None:
        deadline = time.monotonic() + self._transaction_timeout
        while True:
            try:
                self._producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    headers=list(message.headers),
                    on_delivery=self._on_delivery,
                )
                break
            except BufferError as full:
                if time.monotonic() >= deadline:
                    raise EventsBroken("the producer's queue stayed full for a whole transaction") from full
                self._producer.poll(0.1)
            except KafkaException as trouble:
                error: KafkaError = trouble.args[0]
                if error.code() == KafkaError._STATE:
                    raise _TakesNoMore from trouble
                if error.code() == KafkaError._FATAL:
                    raise Fenced(f"Kafka producer: {error.name()}: {error.str()}") from trouble
                # librdkafka remembers what the broker said of the topic.
                if KafkaRefused.is_about(error):
                    raise KafkaRefused(error) from trouble
                raise
        self._arrivals.setdefault(message.topic, []).append(message.arrived_at)
        self._bytes += len(message.value or b"")

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        # A failed delivery also fails the commit; here it only gets its name into metric and log.
        if error is not None:
            self._refused = error if KafkaRefused.is_about(error) else self._refused
            topic = message.topic() or ""
            self._metrics.delivery_failed(topic, error.name())
            self._failed[topic, error.name()] += 1

    def _repeat(self, call: Callable[[float], None]) -> bool:
        """Make the call, with a timeout, again while its failure is a passing one; whether it was done.

        A transaction that meanwhile timed out ends with an error that is not passing. A process that is to
        stop gives up after a while: the broker then ends the transaction, and the next owner repeats it.
        """
        attempt = 0
        while True:
            hung = Timer(self._transaction_timeout + HANG_TIMEOUT, self._on_hang)
            hung.daemon = True
            hung.start()
            try:
                call(min(CALL_TIMEOUT, max(LEAST_TIMEOUT, self._stop.left(self._drain_seconds))))
                return True
            except KafkaException as trouble:
                error: KafkaError = trouble.args[0]
                if error.fatal() or error.txn_requires_abort() or not error.retriable():
                    raise
                if not self._stop.left(self._drain_seconds):
                    log.warning("drain_incomplete", extra={"waited_for": "kafka", "code": error.name()})
                    self._gave_up = True
                    return False
                attempt += 1
                self._metrics.retried("kafka", error.name())
                log.warning("kafka_retry", extra={"code": error.name()})
                self._on_wait()
            finally:
                hung.cancel()
            time.sleep(CALL_BACKOFF.wait(attempt))


class EventSink(DynamicSink[EventBatch]):
    """The transaction as an end of the graph."""

    def __init__(self, membership: Membership, transaction: EventTransaction) -> None:
        """The group learns of the transaction: it is committed or aborted when partitions leave."""
        self._transaction = transaction
        membership.transaction = transaction

    def build(self, step_id: str, worker_index: int, worker_count: int) -> EventTransaction:
        """The one worker's partition; `KafkaSource` refuses more workers."""
        return self._transaction
