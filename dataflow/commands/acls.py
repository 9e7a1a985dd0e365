"""`acls`: what Kafka must permit the pipeline, its operators or `verify`, printed as commands or created."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TextIO

from connectors.kafka_acls import (
    OperatorTopics,
    Permission,
    allow,
    operator_permissions,
    permissions,
    verify_permissions,
)
from connectors.kafka_trouble import KafkaTrouble
from dataflow.commands.access import Party, contacts_table, kafka_access, topics_of
from dataflow.contract import Contract
from dataflow.settings import Settings


@dataclass(frozen=True, slots=True)
class AclOrder:
    """Whose permissions, and whom the brokers take that for."""

    party: Party
    principal: str
    destination: str | None
    """Where operators replay to; None: to the source topic."""


def print_acls(settings: Settings, contract: Contract, order: AclOrder, out: TextIO) -> int:
    """A call of Apache Kafka's own tool for each permission, for an administrator to run."""
    for each in _wanted(settings, contract, order):
        words = ["kafka-acls.sh", "--bootstrap-server", settings.bootstrap]
        words += [
            "--command-config",
            "administrator.properties",
            "--add",
            "--allow-principal",
            order.principal,
        ]
        words += ["--operation", each.operation.name.title(), *_resource(each)]
        print(f"# {each.purpose}\n{shlex.join(words)}", file=out)
    return 0


def apply(settings: Settings, contract: Contract, order: AclOrder, out: TextIO, err: TextIO) -> int:
    """Create what is missing; 1 when the brokers refuse, or are not there."""
    wanted = _wanted(settings, contract, order)
    try:
        allow(kafka_access(settings, topics_of(settings, contract)), order.principal, wanted)
    except KafkaTrouble as trouble:
        print(f"acls: {trouble}", file=err)
        return 1
    for each in wanted:
        print(f"allowed       {each.operation.name} on {' '.join(_resource(each))}", file=out)
    return 0


def _wanted(settings: Settings, contract: Contract, order: AclOrder) -> tuple[Permission, ...]:
    topics = topics_of(settings, contract)
    access = kafka_access(settings, topics)
    match order.party:
        case Party.PIPELINE:
            return permissions(access, tuple(filter(None, (topics.contacts, topics.dead_letters))))
        case Party.VERIFY:
            kept = contacts_table(settings, contract) is not None
            # Contact events are compared with the contacts' table, and looked at for nothing else.
            return verify_permissions(access, (topics.dead_letters, *((topics.contacts,) if kept else ())))
        case Party.OPERATORS:
            destination = order.destination or topics.source
            return operator_permissions(
                access, OperatorTopics(topics.contacts, topics.dead_letters, topics.replayed, destination)
            )


def _resource(permission: Permission) -> tuple[str, ...]:
    kind = f"--{permission.resource.name.lower().replace('_', '-')}"
    pattern = permission.pattern.name.lower()
    return (kind, permission.name, *(() if pattern == "literal" else ("--resource-pattern-type", pattern)))
