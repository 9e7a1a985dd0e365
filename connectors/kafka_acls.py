"""What the pipeline, and whoever operates it, must be permitted in Kafka, and nothing more.

READ and WRITE imply DESCRIBE. A transactional producer needs no permission on the cluster (KIP-679).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported unnamed
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from connectors.kafka_access import KafkaAccess
from connectors.kafka_trouble import Troubles

_TIMEOUT = 30.0
"""Seconds that the broker may take to store the ACLs."""


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing to be permitted, and what for."""

    operation: AclOperation
    resource: ResourceType
    pattern: ResourcePatternType
    name: str
    purpose: str


def permissions(access: KafkaAccess, side_topics: Sequence[str]) -> tuple[Permission, ...]:
    """All that `run` and `check` need."""
    literal = ResourcePatternType.LITERAL
    return (
        Permission(AclOperation.READ, ResourceType.TOPIC, literal, access.topic, "reads the messages"),
        Permission(
            AclOperation.READ,
            ResourceType.GROUP,
            literal,
            access.group,
            "joins the group and commits offsets",
        ),
        *(
            Permission(AclOperation.WRITE, ResourceType.TOPIC, literal, topic, "writes to a side topic")
            for topic in side_topics
        ),
        Permission(
            AclOperation.WRITE,
            ResourceType.TRANSACTIONAL_ID,
            ResourcePatternType.PREFIXED,
            access.transactional_prefix,
            "writes in transactions, each process under an id of its own",
        ),
    )


@dataclass(frozen=True, slots=True)
class OperatorTopics:
    """What operators' commands touch besides the source topic. `contacts` empty: there is none."""

    contacts: str
    dead_letters: str
    replayed: str
    """Where a replay remembers what it has done."""
    destination: str
    """Where a replay produces to."""


def operator_permissions(access: KafkaAccess, topics: OperatorTopics) -> tuple[Permission, ...]:
    """All that the operators' commands need, by a login of their own. They join no group."""
    topic, transactional = ResourceType.TOPIC, ResourceType.TRANSACTIONAL_ID
    read, write = AclOperation.READ, AclOperation.WRITE
    events = tuple(name for name in (topics.contacts, topics.dead_letters) if name)
    wanted = (
        (read, topic, access.topic, "verify, ledger, tail, rerun: reads the messages"),
        *((read, topic, name, "tail, dead-letters, verify: reads a side topic") for name in events),
        (
            AclOperation.DESCRIBE,
            ResourceType.GROUP,
            access.group,
            "verify, ledger, rerun: reads the group's offsets, and joins nothing",
        ),
        (write, topic, topics.destination, "dead-letters replay: produces again"),
        (read, topic, topics.replayed, "dead-letters replay: what was replayed already"),
        (write, topic, topics.replayed, "dead-letters replay: remembers what it replays"),
        (AclOperation.CREATE, topic, topics.replayed, "dead-letters replay: the first creates it"),
        (write, transactional, access.replay_id, "dead-letters replay: each once, in transactions"),
        *((write, topic, name, "rerun --events: produces events again") for name in events),
        (write, transactional, access.rerun_id, "rerun --events: in transactions"),
    )
    literal = ResourcePatternType.LITERAL
    return tuple(
        Permission(operation, resource, literal, name, purpose)
        for operation, resource, name, purpose in wanted
    )


def verify_permissions(access: KafkaAccess, side_topics: Sequence[str]) -> tuple[Permission, ...]:
    """All that `verify` needs, by a login of its own: it reads, and joins no group."""
    literal, topic = ResourcePatternType.LITERAL, ResourceType.TOPIC
    read = AclOperation.READ
    return (
        Permission(read, topic, literal, access.topic, "reads the messages again"),
        *(Permission(read, topic, literal, name, "reads a side topic") for name in side_topics),
        Permission(
            AclOperation.DESCRIBE,
            ResourceType.GROUP,
            literal,
            access.group,
            "reads the group's offsets, and joins nothing",
        ),
    )


def allow(access: KafkaAccess, principal: str, wanted: Sequence[Permission]) -> None:
    """Create an ACL for each, from any host; one that exists stays. Raises KafkaTrouble."""
    bindings = [
        AclBinding(
            each.resource,
            each.name,
            each.pattern,
            principal,
            "*",
            each.operation,
            AclPermissionType.ALLOW,
        )
        for each in wanted
    ]
    troubles = Troubles(access)
    try:
        administration = AdminClient({**access.client_config()}, logger=troubles.logger)
        # An answer to anything tells soon whether somebody is there, and if not, why.
        troubles.topics(administration, None)
        for created in administration.create_acls(bindings, request_timeout=_TIMEOUT).values():
            created.result(2 * _TIMEOUT)
    except KafkaException as trouble:
        raise troubles.of_acls(trouble.args[0]) from None
