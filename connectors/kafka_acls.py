"""What the pipeline must be permitted in Kafka, and nothing more.

READ and WRITE imply DESCRIBE. A transactional producer needs no permission on the cluster (KIP-679).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported unnamed
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from connectors.kafka_access import SILENT, KafkaAccess

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


def allow(access: KafkaAccess, principal: str, wanted: Sequence[Permission]) -> None:
    """Create an ACL for each, from any host; one that exists stays. Raises KafkaException."""
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
    administration = AdminClient(access.client_config(), logger=SILENT)
    for created in administration.create_acls(bindings, request_timeout=_TIMEOUT).values():
        created.result(_TIMEOUT)
