"""How to reach Kafka, and how to ask it a question that may have to wait."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from connectors.kafka_tokens import NoProvider, TokenProvider, callback, load_provider
from connectors.progress import BrokenPromise

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
        KafkaError._UNKNOWN_TOPIC,
        # The partition's fetcher has not started yet.
        KafkaError._STATE,
        # The group is about to say who holds what.
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)
"""Errors that librdkafka does not always mark as retriable, and that pass."""

SILENT = logging.getLogger("librdkafka.silent")
"""For clients that only answer a question: what they would say is in the answer."""
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


ClientConfig = dict[str, Any]
"""What a client is made of: librdkafka's properties, and callbacks."""


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """How to reach the brokers, as which group, and what to read.

    `protocol` is `classic` or `consumer` (KIP-848). `properties` are librdkafka's own settings, security
    above all; what the exactly-once protocol decides is set here and wins over them. With `tokens`, a client
    waits for its first one when it is made, and raises KafkaException when there is none within 10 s.
    """

    bootstrap: str
    topic: str
    group: str
    protocol: str = "classic"
    transaction_timeout: float = 15.0
    properties: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: TokenProvider | None = None

    @property
    def transactional_prefix(self) -> str:
        """How the ids begin under which processes of this group write: what an ACL has to allow."""
        return f"{self.group}-"

    @property
    def replay_id(self) -> str:
        """The transactional id under which dead letters are replayed, one process at a time."""
        return f"{self.group}-replay"

    @property
    def rerun_id(self) -> str:
        """The transactional id under which a rerun repeats events."""
        return f"{self.group}-rerun"

    def client_config(self) -> ClientConfig:
        """Settings that every client shares."""
        tokens: ClientConfig = {} if self.tokens is None else {"oauth_cb": callback(self.tokens)}
        return {
            **tokens,
            # By default up to 10 s: a call of the transaction protocol would time out first.
            "reconnect.backoff.max.ms": 1000,
            **self.properties,
            "bootstrap.servers": self.bootstrap,
        }

    def consumer_config(self) -> ClientConfig:
        """Settings of the one subscribed consumer."""
        assignor: ClientConfig = (
            {"group.protocol": "consumer"}
            if self.protocol == "consumer"
            else {"partition.assignment.strategy": "cooperative-sticky"}
        )
        return {
            "fetch.wait.max.ms": 50,
            "fetch.queue.backoff.ms": 5,
            "queued.max.messages.kbytes": 8192,
            **self.client_config(),
            **assignor,
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
        }

    def producer_config(self, transactional_id: str) -> ClientConfig:
        """Settings of the one transactional producer."""
        return {
            "linger.ms": 5,
            "compression.type": "lz4",
            "queue.buffering.max.kbytes": 65_536,
            # By default a client that has lost all brokers forgets its coordinator too, and a call to
            # send_offsets_to_transaction then never ends (librdkafka issues 5456 and 5511).
            "metadata.recovery.strategy": "none",
            **self.client_config(),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(self.transaction_timeout * 1000),
            "enable.idempotence": True,
        }


def position_of(topic: str, partition: int, position: int, topic_id: str | None) -> TopicPartition:
    """A position as it is committed to the group: with the incarnation of the topic in which it counts."""
    if topic_id is None:
        return TopicPartition(topic, partition, position)
    return TopicPartition(topic, partition, position, metadata=topic_id)


class KafkaRefused(BrokenPromise):
    """Kafka will not do what the pipeline needs, until someone changes that: a permission, a setting."""

    exit_code = 17

    @staticmethod
    def is_about(error: KafkaError) -> bool:
        """Whether the error is a permission that we lack, which no waiting mends."""
        return error.code() in _WANTED

    def __init__(self, error: KafkaError) -> None:
        """Tells the broker's name for it, its text, and which permission it asks for."""
        wanted = _WANTED.get(error.code(), "`check` tells what is missing")
        super().__init__(f"Kafka refuses: {error.name()}: {error.str()}. {wanted}")


_WANTED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "An ACL must allow READ on the topic that is read and WRITE on "
    "both side topics; `check` tells which is missing, `acls` prints them",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "An ACL must allow READ on the consumer group; `acls` prints it",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "An ACL must allow WRITE on transactional ids that "
    "begin with the group's name and a hyphen; `acls` prints it",
}


def passes(error: KafkaError) -> bool:
    """Whether the same question may be answered later."""
    return error.retriable() or error.code() in PASSING


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
    "https.ca.location",
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
            return _without(re.sub(r'value "[^"]*"', "value", text), [value])
        near = get_close_matches(name, COMMON_PROPERTIES, 1, 0.6)
        return "there is no such property" + (f"; did you mean {near[0]}?" if near else "")

    def knows(self, name: str) -> bool:
        """Whether librdkafka has a property of this name."""
        text = _refusal({name: ""})
        return text is None or "No such configuration property" not in text

    def of_token_provider(self, name: str) -> str | None:
        """Why there is no function of this name that gives tokens; None: there is."""
        try:
            load_provider(name)
        except NoProvider as missing:
            return str(missing)
        return None

    def of_combination(self, properties: Mapping[str, str], transaction_timeout: timedelta) -> str | None:
        """What is wrong with properties that are each right by themselves; None: nothing."""
        text = _refusal(properties)
        if text is None:
            access = KafkaAccess("", "", "", "", transaction_timeout.total_seconds(), properties)
            try:
                Producer({**access.producer_config("judge"), "bootstrap.servers": "localhost"}, logger=SILENT)
            except KafkaException as refusal:
                text = _text_of(refusal)
        if text is None:
            return None
        text = _without(text, properties.values())
        return text.partition("Failed to create ")[2].partition(": ")[2] or text


_WORD = re.compile(r"[A-Za-z0-9_.-]{1,16}")
"""A value that is one of a property's known words, or a misspelt one. Anything else may be a secret."""


def _without(text: str, values: Iterable[str]) -> str:
    for value in values:
        if not _WORD.fullmatch(value):
            text = text.replace(value, "the value given")
    return text


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
