"""What `check` asks of Kafka. Changes nothing: no topic is created by the asking, no group is joined."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient, TopicMetadata  # type: ignore[attr-defined]

from connectors.items import Finding, Verdict
from connectors.kafka_access import SILENT, ClientConfig, KafkaAccess
from connectors.kafka_complaints import NO_TOKEN, Complaints, silent_logger
from connectors.kafka_start import BrokerFacts, BrokerQuestions

T = TypeVar("T")

TIMEOUT = 10.0
"""Seconds for each question."""
_UNTOLD = frozenset(
    {
        KafkaError._UNSUPPORTED_FEATURE,
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError._TIMED_OUT,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    }
)
"""Errors that say nothing about whether the thing asked for is permitted."""


@dataclass(frozen=True, slots=True)
class TopicUse:
    """What the pipeline does with a topic, and how many partitions it must have; None: any number."""

    name: str
    operation: AclOperation
    partitions: int | None = None


@dataclass(frozen=True, slots=True)
class KafkaSurvey:
    """What was found, and where the source topic's partitions stand; None when that could not be read."""

    findings: tuple[Finding, ...]
    facts: BrokerFacts | None = None


def survey(access: KafkaAccess, partitions: int, side_topics: Sequence[str]) -> KafkaSurvey:
    """What is right and wrong, the source topic against the contract's number of `partitions`.

    Never raises KafkaException: that is a finding too.
    """
    complaints = Complaints(access.properties)
    try:
        administration = AdminClient(_quick(access), logger=silent_logger(complaints))
        topics = _topics(administration, complaints)
    except KafkaException as trouble:
        told = f"{access.bootstrap}: {_why(access, trouble)}"
        if (complaint := complaints.last) is not None:
            told += f"; {complaint.text}" + ("" if complaint.fix is None else f". {complaint.fix}")
        unseen = (
            f"topic {access.topic}",
            *(f"topic {name}" for name in side_topics),
            f"group {access.group}",
        )
        return KafkaSurvey(
            (
                Finding("kafka brokers", Verdict.WRONG, told),
                *(Finding(subject, Verdict.UNKNOWN, "the brokers gave no answer") for subject in unseen),
            )
        )
    uses = (
        TopicUse(access.topic, AclOperation.READ, partitions),
        *(TopicUse(name, AclOperation.WRITE) for name in side_topics),
    )
    findings = [Finding("kafka brokers", Verdict.RIGHT, access.bootstrap)]
    for use in uses:
        findings += _topic(use, topics)
    present = [use for use in uses if use.name in topics]
    findings += _topic_permissions(administration, present)
    findings.append(_group_permission(administration, access.group))
    findings.append(_transaction_permission(access))
    if access.topic not in topics:
        return KafkaSurvey(tuple(findings))
    try:
        return KafkaSurvey(tuple(findings), _facts(access, sorted(topics[access.topic].partitions)))
    except KafkaException as trouble:
        findings.append(Finding(f"offsets of group {access.group}", Verdict.WRONG, _why(access, trouble)))
        return KafkaSurvey(tuple(findings))


def _topics(administration: AdminClient, complaints: Complaints) -> Mapping[str, TopicMetadata]:
    """All topics that may be seen. Raises KafkaException: at once when waiting would not help."""
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return administration.list_topics(timeout=TIMEOUT / 10).topics
        except KafkaException:
            # Log lines come with a poll.
            administration.poll(0)
            complaint = complaints.last
            lasting = complaint is not None and complaint.fix is not None
            if lasting or time.monotonic() >= deadline:
                raise


def _quick(access: KafkaAccess) -> ClientConfig:
    return {"socket.timeout.ms": int(TIMEOUT * 1000), **access.client_config()}


def _why(access: KafkaAccess, trouble: KafkaException) -> str:
    error: KafkaError = trouble.args[0]
    if access.tokens is not None and error.code() == KafkaError.SASL_AUTHENTICATION_FAILED:
        return NO_TOKEN
    if error.code() in (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN):
        protocol = access.properties.get("security.protocol", "plaintext")
        return f"no answer ({error.name()}) with security.protocol={protocol}"
    return f"{error.name()}: {error.str()}"


def _topic(use: TopicUse, topics: Mapping[str, TopicMetadata]) -> Iterator[Finding]:
    subject = f"topic {use.name}"
    found = topics.get(use.name)
    if found is None:
        wanted = f" with {use.partitions} partitions" if use.partitions else ""
        right = use.operation.name
        yield Finding(
            subject,
            Verdict.WRONG,
            f"missing, or not to be seen with these rights; create it{wanted}, or let an ACL allow {right}",
        )
    elif found.error is not None:
        yield Finding(subject, Verdict.WRONG, found.error.str())
    elif use.partitions is not None and len(found.partitions) != use.partitions:
        detail = f"{len(found.partitions)} partitions; the contract says {use.partitions}"
        yield Finding(subject, Verdict.WRONG, detail)
    else:
        yield Finding(subject, Verdict.RIGHT, f"{len(found.partitions)} partitions")


def _topic_permissions(administration: AdminClient, uses: Sequence[TopicUse]) -> Iterator[Finding]:
    if not uses:
        return
    answers = administration.describe_topics(
        TopicCollection([use.name for use in uses]),
        include_authorized_operations=True,
        request_timeout=TIMEOUT,
    )
    for use in uses:
        yield _permission(f"topic {use.name}", use.operation, answers[use.name])


def _group_permission(administration: AdminClient, group: str) -> Finding:
    (answer,) = administration.describe_consumer_groups(
        [group], include_authorized_operations=True, request_timeout=TIMEOUT
    ).values()
    return _permission(f"group {group}", AclOperation.READ, answer)


def _transaction_permission(access: KafkaAccess) -> Finding:
    """No question tells this one: a producer id is asked for, as `run` does, and never used."""
    prefix = access.transactional_prefix
    line = f"transactional ids {prefix}*, permission to write"
    try:
        producer = Producer({**access.producer_config(f"{prefix}check"), **_quick(access)}, logger=SILENT)
        producer.init_transactions(TIMEOUT)
    except KafkaException as trouble:
        error: KafkaError = trouble.args[0]
        if error.code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return Finding(line, Verdict.WRONG, "not permitted; an ACL must allow WRITE on the prefix")
        return Finding(line, Verdict.UNKNOWN, f"{error.name()}: {error.str()}")
    return Finding(line, Verdict.RIGHT, "permitted")


def _permission(subject: str, operation: AclOperation, answer: Future[Any]) -> Finding:
    wanted = operation.name.lower()
    line = f"{subject}, permission to {wanted}"
    try:
        held = answer.result(2 * TIMEOUT).authorized_operations
    except KafkaException as trouble:
        error: KafkaError = trouble.args[0]
        if error.code() in _UNTOLD:
            return Finding(line, Verdict.UNKNOWN, f"the broker does not tell ({error.name()})")
        return Finding(line, Verdict.WRONG, f"{error.name()}: {error.str()}")
    if held is None:
        return Finding(line, Verdict.UNKNOWN, "the broker does not tell")
    if operation in held or AclOperation.ALL in held:
        return Finding(line, Verdict.RIGHT, "permitted")
    return Finding(line, Verdict.WRONG, f"not permitted; an ACL must allow {wanted.upper()}")


def _facts(access: KafkaAccess, partitions: Sequence[int]) -> BrokerFacts:
    consumer = Consumer({**_quick(access), "group.id": access.group}, logger=SILENT)
    try:
        return BrokerQuestions(access, consumer, TIMEOUT).ask(partitions)
    finally:
        consumer.close()
