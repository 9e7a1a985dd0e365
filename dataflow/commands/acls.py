"""`acls`: what Kafka must permit the pipeline, printed as commands or created."""

from __future__ import annotations

import shlex
from typing import TextIO

from confluent_kafka import KafkaException

from connectors.kafka_acls import Permission, allow, permissions
from dataflow.commands.access import kafka_access, topics_of
from dataflow.contract import Contract
from dataflow.settings import Settings


def print_acls(settings: Settings, contract: Contract, principal: str, out: TextIO) -> int:
    """A call of Apache Kafka's own tool for each permission, for an administrator to run."""
    for each in _wanted(settings, contract):
        words = ["kafka-acls.sh", "--bootstrap-server", settings.bootstrap]
        words += ["--command-config", "administrator.properties", "--add", "--allow-principal", principal]
        words += ["--operation", each.operation.name.title(), *_resource(each)]
        print(f"# {each.purpose}\n{shlex.join(words)}", file=out)
    return 0


def apply(settings: Settings, contract: Contract, principal: str, out: TextIO, err: TextIO) -> int:
    """Create what is missing; 1 when the brokers refuse, or are not there."""
    wanted = _wanted(settings, contract)
    try:
        allow(kafka_access(settings, topics_of(settings, contract)), principal, wanted)
    except KafkaException as trouble:
        error = trouble.args[0]
        print(f"{settings.bootstrap}: {error.name()}: {error.str()}", file=err)
        return 1
    for each in wanted:
        print(f"allowed       {each.operation.name} on {' '.join(_resource(each))}", file=out)
    return 0


def _wanted(settings: Settings, contract: Contract) -> tuple[Permission, ...]:
    topics = topics_of(settings, contract)
    return permissions(kafka_access(settings, topics), (topics.contacts, topics.dead_letters))


def _resource(permission: Permission) -> tuple[str, ...]:
    kind = f"--{permission.resource.name.lower().replace('_', '-')}"
    pattern = permission.pattern.name.lower()
    return (kind, permission.name, *(() if pattern == "literal" else ("--resource-pattern-type", pattern)))
