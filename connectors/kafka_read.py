"""Reading spans of a topic besides the pipeline: no group is joined and nothing is committed.

Unit of parallelism: one consumer per call.
Delivery guarantee: every committed message of the spans, once, oldest first within a partition.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from connectors.items import Record
from connectors.kafka_access import KafkaAccess, passes
from connectors.kafka_start import BrokerFacts, BrokerQuestions
from connectors.kafka_trouble import ANSWER_TIMEOUT, KafkaTrouble, Troubles

PATIENCE = 30.0
"""Seconds without a message or an answer after which Kafka counts as away."""
BATCH = 1000
TURN = 0.5
"""Seconds one poll waits; a stop is noticed within them."""


Polled = Mapping[int, Sequence[Record]]
"""What one poll brought, by partition, oldest first."""


class TopicReader:
    """A consumer of one topic outside every group, as a context manager."""

    def __init__(self, access: KafkaAccess, topic: str) -> None:
        """Connects nothing yet. Raises KafkaTrouble where a login needs a token, and there is none."""
        self.topic = topic
        self._access = access
        self._troubles = Troubles(access)
        config = {
            **access.consumer_config(),
            "enable.partition.eof": True,
            "socket.timeout.ms": int(ANSWER_TIMEOUT * 1000),
        }
        try:
            self._consumer = Consumer(config, logger=self._troubles.logger)
        except KafkaException as trouble:
            raise self._trouble(trouble) from None

    def __enter__(self) -> TopicReader:
        """The reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the consumer."""
        self._consumer.close()

    def facts(self) -> BrokerFacts:
        """Incarnation, progress E and bounds of every partition. Raises KafkaTrouble."""
        partitions = self.partitions()
        self._troubles.check_group()
        try:
            return BrokerQuestions(self._access, self._consumer, ANSWER_TIMEOUT).ask(partitions)
        except KafkaException as trouble:
            raise self._troubles.of_group(trouble.args[0]) from None

    def topic_id(self) -> str | None:
        """The topic's incarnation; None where nobody can be asked. Raises KafkaTrouble."""
        try:
            return BrokerQuestions(
                replace(self._access, topic=self.topic), self._consumer, ANSWER_TIMEOUT
            ).topic_id()
        except KafkaException as trouble:
            raise self._trouble(trouble) from None

    def partitions(self) -> Sequence[int]:
        """The topic's partitions, in order. Raises KafkaTrouble, for a topic that is missing too."""
        found = self._troubles.topics(self._consumer, self.topic)[self.topic]
        if found.error is not None:
            raise self._troubles.of(self.topic, found.error)
        return sorted(found.partitions)

    def bounds(self) -> dict[int, tuple[int, int]]:
        """What each partition holds for a reader of committed messages, `[oldest, end)`.

        Raises KafkaTrouble.
        """
        try:
            return {partition: self._bounds(partition) for partition in self.partitions()}
        except KafkaException as trouble:
            raise self._trouble(trouble) from None

    def bounds_since(self, at: datetime) -> dict[int, tuple[int, int]]:
        """What each partition holds from the first message on that is not older, `[first, end)`.

        Raises KafkaTrouble.
        """
        bounds = self.bounds()
        asked = [TopicPartition(self.topic, each, int(at.timestamp() * 1000)) for each in bounds]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=ANSWER_TIMEOUT)
        except KafkaException as trouble:
            raise self._trouble(trouble) from None
        first = {each.partition: each.offset for each in found}
        # Below 0: none is as young.
        return {
            partition: (end if first[partition] < 0 else max(oldest, min(first[partition], end)), end)
            for partition, (oldest, end) in bounds.items()
        }

    def _bounds(self, partition: int) -> tuple[int, int]:
        where = TopicPartition(self.topic, partition)
        found = self._consumer.get_watermark_offsets(where, timeout=ANSWER_TIMEOUT)
        if found is None:
            raise KafkaTrouble(f"Kafka, topic {self.topic}: no answer to a question for offsets")
        return found

    def read(self, spans: Mapping[int, tuple[int, int]]) -> Iterator[Polled]:
        """The messages of `[first, next)` by partition, as polls bring them. Raises KafkaTrouble.

        Ends when every span is read to its end. One reading at a time.
        """
        unfinished = {partition: next for partition, (first, next) in spans.items() if first < next}
        self._assign({partition: spans[partition][0] for partition in unfinished})
        heard_at = time.monotonic()
        while unfinished:
            polled = self._consumer.consume(BATCH, TURN)
            if not polled and time.monotonic() - heard_at > PATIENCE:
                raise self._troubles.away(f"nothing came within {PATIENCE:g} s")
            if polled:
                heard_at = time.monotonic()
            wanted = [message for message in polled if self._belongs(message, unfinished)]
            if wanted:
                yield _by_partition(wanted)
        self._assign({})

    def follow(self, positions: Mapping[int, int], stop: Callable[[], bool]) -> Iterator[Polled]:
        """The messages from these positions on, as they come, until `stop` says so. Raises KafkaTrouble.

        What is polled may be empty: it comes about twice a second all the same.
        """
        self._assign(positions)
        while not stop():
            polled = self._consumer.consume(BATCH, TURN)
            for message in polled:
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF and not passes(error):
                    raise self._troubles.of(self.topic, error)
            yield _by_partition([message for message in polled if message.error() is None])

    def _assign(self, positions: Mapping[int, int]) -> None:
        try:
            self._consumer.assign(
                [TopicPartition(self.topic, partition, at) for partition, at in positions.items()]
            )
        except KafkaException as trouble:
            raise self._trouble(trouble) from None

    def _belongs(self, message: Message, unfinished: dict[int, int]) -> bool:
        """Whether the message lies in an unfinished span; what ends a span is noted."""
        partition, offset = message.partition(), message.offset()
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            if passes(error):
                return False
            raise self._troubles.of(self.topic, error)
        if partition is None or offset is None or partition not in unfinished:
            return False
        if error is not None:
            if offset < unfinished[partition]:
                raise KafkaTrouble(
                    f"Kafka, topic {self.topic} partition {partition}: ends at {offset}, and "
                    f"{unfinished[partition]} was asked for: a transaction is undecided, or it was truncated"
                )
            del unfinished[partition]
            return False
        inside = offset < unfinished[partition]
        # The span's last offset may hold a transaction's marker: then a later message or the end tells.
        if offset + 1 >= unfinished[partition]:
            del unfinished[partition]
        return inside

    def _trouble(self, trouble: KafkaException) -> KafkaTrouble:
        return self._troubles.of(self.topic, trouble.args[0])


def _by_partition(messages: Sequence[Message]) -> Polled:
    found: dict[int, list[Record]] = {}
    for message in messages:
        found.setdefault(cast(int, message.partition()), []).append(cast(Record, message))
    return found
