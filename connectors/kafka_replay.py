"""Messages produced again, each once, with a marker of each in the same Kafka transaction.

Delivery guarantee: exactly once for read_committed readers of the destination. A message and the marker that
says it was replayed become visible together or not at all. Whoever replays reads the markers first, under a
transactional id that only one process can hold: `init_transactions` ends what an earlier process left open,
and the broker refuses that process from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connectors.items import OutgoingMessage
from connectors.kafka_access import KafkaAccess, passes
from connectors.kafka_read import TopicReader
from connectors.kafka_trouble import ANSWER_TIMEOUT, KafkaTrouble, Troubles

CALL_TIMEOUT = 30.0
"""Seconds one call of the transaction protocol may take; the library repeats within them."""

BY_KEY = -1
"""librdkafka's word for a partition that its partitioner chooses (RD_KAFKA_PARTITION_UA)."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to produce again. `partition` None: by its key, as the client's partitioner has it."""

    message: OutgoingMessage
    partition: int | None
    marker: bytes
    """What the marker's topic is told of it, as a key; read back by `read_markers`."""
    note: bytes
    """The marker's value, for people."""


class ReplayProducer:
    """The one transactional producer under a fixed id; a second process under it ends the first."""

    def __init__(self, access: KafkaAccess, transactional_id: str, marker_topic: str | None) -> None:
        """Connects, and ends what an earlier process left open. Raises KafkaTrouble."""
        self._topic = marker_topic
        self._troubles = Troubles(access)
        config = {**access.producer_config(transactional_id), "partitioner": "murmur2_random"}
        try:
            self._producer = Producer(config, logger=self._troubles.logger)
            self._producer.init_transactions(CALL_TIMEOUT)
        except KafkaException as trouble:
            raise self._troubles.of(marker_topic or access.topic, trouble.args[0]) from None

    def produce(self, chunk: Sequence[Outgoing]) -> None:
        """Produce messages and markers in one transaction. Raises KafkaTrouble: then none of them counts.

        The one exception is a lost answer: then the markers, read again by the next run, tell.
        """
        failures: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        try:
            self._producer.begin_transaction()
            for outgoing in chunk:
                self._send(outgoing.message, outgoing.partition, delivered)
                if self._topic is not None:
                    marker = OutgoingMessage(self._topic, outgoing.marker, outgoing.note, (), -1)
                    self._send(marker, None, delivered)
            self._repeat(lambda: self._producer.commit_transaction(CALL_TIMEOUT))
        except KafkaException as trouble:
            error: KafkaError = trouble.args[0]
            ended_by = error
            if error.txn_requires_abort() or failures:
                ended_by = self._abort() or error
                error = failures[0] if failures else error
            if ended_by.code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED):
                raise KafkaTrouble("another replay took over; this one ends") from None
            raise self._troubles.of(chunk[0].message.topic, error) from None

    def _abort(self) -> KafkaError | None:
        """End the transaction; why the broker refuses even that, if it does.

        One that refused every partition knows of no transaction; another process may have ended this one.
        Nothing was committed all the same; the next `init_transactions` ends what may be open.
        """
        try:
            self._repeat(lambda: self._producer.abort_transaction(CALL_TIMEOUT))
        except KafkaException as refusal:
            error: KafkaError = refusal.args[0]
            return error
        return None

    def _send(
        self,
        message: OutgoingMessage,
        partition: int | None,
        delivered: Callable[[KafkaError | None, Message], None],
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    message.topic,
                    value=message.value,
                    key=message.key,
                    headers=list(message.headers),
                    partition=BY_KEY if partition is None else partition,
                    on_delivery=delivered,
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                self._producer.poll(0)
                return

    def _repeat(self, call: Callable[[], None]) -> None:
        for _ in range(3):
            try:
                call()
            except KafkaException as trouble:
                if not trouble.args[0].retriable():
                    raise
            else:
                return
        call()


def ensure_marker_topic(access: KafkaAccess, name: str) -> None:
    """Create the topic of markers where it is missing: one partition, compacted. Raises KafkaTrouble."""
    troubles = Troubles(access)
    administration = _administration(access, name, troubles)
    if name in troubles.topics(administration, None):
        return
    wanted = NewTopic(name, 1, config={"cleanup.policy": "compact"})
    created = administration.create_topics([wanted], request_timeout=ANSWER_TIMEOUT)[name]
    try:
        created.result(2 * ANSWER_TIMEOUT)
    except KafkaException as trouble:
        error: KafkaError = trouble.args[0]
        if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return
        if passes(error):
            raise troubles.of(name, error) from None
        raise KafkaTrouble(
            f"topic {name}, which remembers what was replayed, is missing and could not be created: "
            f"{error.name()}: {error.str()}. Create it with one partition and cleanup.policy=compact"
        ) from None


def read_markers(access: KafkaAccess, name: str) -> set[bytes]:
    """The keys of all markers. Raises KafkaTrouble."""
    with TopicReader(access, name) as reader:
        return {
            key
            for polled in reader.read(reader.bounds())
            for records in polled.values()
            for record in records
            if (key := record.key())
        }


def topic_exists(access: KafkaAccess, name: str) -> bool:
    """Whether the broker has a topic. Raises KafkaTrouble."""
    troubles = Troubles(access)
    return name in troubles.topics(_administration(access, name, troubles), None)


def _administration(access: KafkaAccess, topic: str, troubles: Troubles) -> AdminClient:
    try:
        return AdminClient({**access.client_config()}, logger=troubles.logger)
    except KafkaException as trouble:
        raise troubles.of(topic, trouble.args[0]) from None
