"""How to reach Kafka, and how to ask it a question that may have to wait."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from connectors.metrics import Metrics

log = logging.getLogger(__name__)

BROKER_TIMEOUT = 10.0
"""Seconds one question to the broker may take."""

PASSING = frozenset(
    {
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._WAIT_COORD,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
    }
)
"""Errors that librdkafka does not always mark as retriable, and that pass."""

SILENT = logging.getLogger("librdkafka.silent")
"""For clients that only answer a question: what they would say is in the answer."""
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How to reach the brokers, as which group, and what to read.

    `protocol` is `classic` or `consumer` (KIP-848). `properties` are librdkafka's own settings, security
    above all; what the exactly-once protocol decides is set here and wins over them.
    """

    bootstrap: str
    topic: str
    group: str
    protocol: str = "classic"
    transaction_timeout: float = 15.0
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)

    def client_config(self) -> dict[str, str | int | bool]:
        """Settings that every client shares."""
        return {**self.properties, "bootstrap.servers": self.bootstrap}

    def consumer_config(self) -> dict[str, str | int | bool]:
        """Settings of the one subscribed consumer."""
        assignor: dict[str, str | int | bool] = (
            {"group.protocol": "consumer"}
            if self.protocol == "consumer"
            else {"partition.assignment.strategy": "cooperative-sticky"}
        )
        return {
            "fetch.wait.max.ms": 50,
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 16384,
            **self.client_config(),
            **assignor,
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
        }

    def producer_config(self, transactional_id: str) -> dict[str, str | int | bool]:
        """Settings of the one transactional producer."""
        return {
            "linger.ms": 5,
            "compression.type": "lz4",
            **self.client_config(),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(self.transaction_timeout * 1000),
            "enable.idempotence": True,
        }


FIRST_WAIT = 0.1
"""Seconds before a question is asked again; doubles each time. Some troubles answer at once."""


def patiently(question: Callable[[], T], metrics: Metrics, attempts: int = 6) -> T:
    """Ask the broker again while the answer is a passing trouble; six tries of ten seconds at most.

    Blocks meanwhile, within a rebalance for one: the consumer's heartbeats come from another thread.
    """
    for attempt in range(1, attempts + 1):
        try:
            return question()
        except KafkaException as trouble:
            error: KafkaError = trouble.args[0]
            if not (error.retriable() or error.code() in PASSING) or attempt == attempts:
                raise
            metrics.retried("kafka", error.name())
            log.warning("kafka_retry", extra={"code": error.name(), "attempt": attempt})
            time.sleep(FIRST_WAIT * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def committed_offsets(
    consumer: Consumer, topic: str, partitions: Sequence[int], metrics: Metrics
) -> dict[int, int]:
    """The group's committed offset of each partition that has one. Raises KafkaException."""
    questions = [TopicPartition(topic, partition) for partition in partitions]
    answers = patiently(lambda: consumer.committed(questions, timeout=BROKER_TIMEOUT), metrics)
    found: dict[int, int] = {}
    for answer in answers:
        if answer.error is not None:
            raise KafkaException(answer.error)
        if answer.offset >= 0:
            found[answer.partition] = answer.offset
    return found


def watermarks(consumer: Consumer, topic: str, partition: int, metrics: Metrics) -> tuple[int, int]:
    """The oldest offset that a partition holds, and the next one it will give. Raises KafkaException."""
    where = TopicPartition(topic, partition)
    bounds = patiently(lambda: consumer.get_watermark_offsets(where, timeout=BROKER_TIMEOUT), metrics)
    if bounds is None:
        raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer to a question for watermarks"))
    return bounds


COMMON_PROPERTIES = [
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
    "sasl.kerberos.principal",
    "sasl.kerberos.keytab",
    "sasl.kerberos.service.name",
    "sasl.oauthbearer.method",
    "sasl.oauthbearer.config",
    "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.secret",
    "sasl.oauthbearer.scope",
    "sasl.oauthbearer.extensions",
    "sasl.oauthbearer.token.endpoint.url",
    "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location",
    "ssl.certificate.pem",
    "ssl.key.location",
    "ssl.key.password",
    "ssl.key.pem",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.endpoint.identification.algorithm",
    "enable.ssl.certificate.verification",
    "client.id",
    "client.rack",
    "debug",
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "socket.timeout.ms",
    "socket.keepalive.enable",
    "broker.address.family",
    "message.max.bytes",
    "fetch.wait.max.ms",
    "fetch.max.bytes",
    "compression.type",
    "linger.ms",
    "reconnect.backoff.max.ms",
    "metadata.max.age.ms",
]
"""Properties that a misspelt one is most likely to have meant (librdkafka's CONFIGURATION.md)."""


class ClientJudge:
    """librdkafka's own opinion of properties, asked without connecting. Values are never quoted."""

    def of_property(self, name: str, value: str) -> str | None:
        """What is wrong with one property by itself; None: nothing."""
        text = _refusal({name: value})
        if text is None or text.startswith("Failed to create"):
            return None
        if "No such configuration property" not in text:
            return re.sub(r'value "[^"]*"', "value", text)
        near = get_close_matches(name, COMMON_PROPERTIES, 1, 0.6)
        return "there is no such property" + (f"; did you mean {near[0]}?" if near else "")

    def knows(self, name: str) -> bool:
        """Whether librdkafka has a property of this name."""
        text = _refusal({name: ""})
        return text is None or "No such configuration property" not in text

    def of_combination(self, properties: Mapping[str, str], transaction_timeout: timedelta) -> str | None:
        """What is wrong with properties that are each right by themselves; None: nothing."""
        text = _refusal(properties)
        if text is None:
            access = KafkaAccess("", "", "", "", transaction_timeout.total_seconds(), properties)
            try:
                Producer({**access.producer_config("judge"), "bootstrap.servers": "localhost"}, logger=SILENT)
            except KafkaException as refusal:
                text = _text_of(refusal)
        return None if text is None else text.partition("Failed to create ")[2].partition(": ")[2] or text


def _refusal(properties: Mapping[str, str]) -> str | None:
    try:
        judge = Consumer({**properties, "group.id": "judge"}, logger=SILENT)
    except KafkaException as refusal:
        return _text_of(refusal)
    judge.close()
    return None


def _text_of(refusal: KafkaException) -> str:
    error: KafkaError = refusal.args[0]
    return error.str()
