"""What an operator's command is told when Kafka does not answer, or refuses: where, why, what to look at."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, TopicMetadata  # type: ignore[attr-defined]

from connectors.kafka_access import KafkaAccess, passes
from connectors.kafka_complaints import NO_TOKEN, Complaints, silent_logger

ANSWER_TIMEOUT = 10.0
"""Seconds for one question."""
_REFUSED = 5.0
"""Seconds for which brokers that say why they can't be reached are tried again: one may be starting."""
_TURN = 1.0
"""Seconds after which a question is asked anew, if there is time left."""
_AWAY = frozenset(
    {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}
)
_NOT_ALLOWED = "`acls --for operators` prints what an ACL must allow to this login"
_FIXES = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: _NOT_ALLOWED,
    KafkaError.GROUP_AUTHORIZATION_FAILED: _NOT_ALLOWED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: _NOT_ALLOWED,
    KafkaError.UNKNOWN_TOPIC_OR_PART: "the broker has no such topic: look at KAFKA_TOPIC, "
    "KAFKA_CONTACTS_TOPIC and KAFKA_DEAD_LETTERS_TOPIC, and at KAFKA_BOOTSTRAP_SERVERS",
    KafkaError.SASL_AUTHENTICATION_FAILED: NO_TOKEN,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "the settings must log in as an administrator, whom an ACL "
    "allows ALTER on the cluster",
    KafkaError.SECURITY_DISABLED: "these brokers have no authorizer: everybody may do everything there",
}


class KafkaTrouble(Exception):
    """Kafka did not answer, or refused: the text says what, and holds no message's content."""


class Troubles:
    """Hears what clients say of their connections, and makes of their errors a typed one."""

    def __init__(self, access: KafkaAccess) -> None:
        """Its `logger` is for the clients of this access."""
        self._access = access
        self._complaints = Complaints(access.properties)
        self.logger = silent_logger(self._complaints)

    def of(self, topic: str, error: KafkaError) -> KafkaTrouble:
        """The typed error for what a client raised about a topic."""
        return self._of(f"topic {topic}", error)

    def of_acls(self, error: KafkaError) -> KafkaTrouble:
        """The typed error for what a client raised about permissions that it was to create."""
        return self._of("ACLs", error)

    def of_group(self, error: KafkaError) -> KafkaTrouble:
        """The typed error for what a client raised about the group's offsets."""
        return self._of(f"group {self._access.group}", error)

    def check_group(self) -> None:
        """Ask whether this login may see the group. Raises KafkaTrouble when it may not.

        To be asked before its offsets: librdkafka looks for a coordinator that it may not see until time is
        over, and tells that only.
        """
        try:
            administration = AdminClient({**self._access.client_config()}, logger=self.logger)
            (answer,) = administration.describe_consumer_groups(
                [self._access.group], request_timeout=ANSWER_TIMEOUT
            ).values()
            answer.result(2 * ANSWER_TIMEOUT)
        except KafkaException as trouble:
            error: KafkaError = trouble.args[0]
            # A group that is not there yet has no offsets, which is an answer too; and who is away will be so
            # for the next question.
            if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
                raise self.of_group(error) from None

    def _of(self, subject: str, error: KafkaError) -> KafkaTrouble:
        if error.code() in _AWAY:
            return self.away(f"{error.name()}, {error.str()}")
        fix = _FIXES.get(error.code())
        told = f"Kafka, {subject}: {error.name()}: {error.str()}"
        return KafkaTrouble(told if fix is None else f"{told}. {fix}")

    def away(self, why: str) -> KafkaTrouble:
        """No broker answers: `why`, unless a client has complained of something more telling."""
        complaint = self._complaints.last
        fix = None if complaint is None else complaint.fix
        return KafkaTrouble(
            f"Kafka, {self._access.bootstrap}: no broker answers: "
            f"{why if complaint is None else complaint.text}. "
            f"{fix or 'KAFKA_BOOTSTRAP_SERVERS must name brokers that are up and can be reached from here'}"
        )

    def topics(self, client: Consumer | AdminClient, topic: str | None) -> Mapping[str, TopicMetadata]:
        """One topic, or all that may be seen. Raises KafkaTrouble: at once when waiting would not help."""
        began = time.monotonic()
        while True:
            try:
                if topic is None:
                    return client.list_topics(timeout=_TURN).topics
                return client.list_topics(topic, timeout=_TURN).topics
            except KafkaException as trouble:
                # Log lines come with a poll.
                client.poll(0)
                error: KafkaError = trouble.args[0]
                if not passes(error) or time.monotonic() - began >= self._patience():
                    raise self.of(topic or self._access.topic, error) from None

    def _patience(self) -> float:
        complaint = self._complaints.last
        if complaint is None:
            return ANSWER_TIMEOUT
        return _REFUSED if complaint.fix is None else 0.0
