"""Reading the servers of a contract file: the Kafka topic to read, the Redshift schema to fill."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dataflow.odcs import Node
from dataflow.properties import IDENTIFIER, IDENTIFIER_FORM
from dataflow.read_terms import read_roles
from dataflow.terms import KafkaServer, RedshiftServer

FORMATS = ("json", "protobuf")
"""Formats that a contract may agree on. What is read besides is a setting."""
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_TOPIC_FORM = "letters, digits and . _ -"
_SERVER = frozenset({"id", "server", "type", "description", "environment", "roles", "customProperties"})
_KAFKA = _SERVER | frozenset({"host", "format", "encoding"})
_REDSHIFT = _SERVER | frozenset({"host", "database", "schema", "region", "account"})


@dataclass(frozen=True, slots=True)
class Servers:
    """The two sides of the pipeline."""

    kafka: KafkaServer
    redshift: RedshiftServer


def read_servers(root: Node) -> Servers:
    """Exactly one server of each type; anything else is a problem."""
    kafka: list[KafkaServer] = []
    redshift: list[RedshiftServer] = []
    names: set[str] = set()
    untyped = 0
    for node in root.items("servers"):
        name = node.text("server")
        if name in names:
            node.problem(f"the server {name!r} is given twice")
        names.add(name)
        match node.choice("type", ("kafka", "redshift")):
            case "kafka":
                kafka.append(_read_kafka(node, name))
            case "redshift":
                redshift.append(_read_redshift(node, name))
            case _:
                untyped += 1
    for kind, found in (("kafka", kafka), ("redshift", redshift)):
        # A server whose type is a fault already may be the one that seems to be missing.
        if len(found) > 1 or (not found and not untyped):
            root.problem(f"servers must hold exactly one of type {kind}, not {len(found)}")
    return Servers(
        kafka[0] if kafka else KafkaServer("", "", "", "", "", "", 1),
        redshift[0] if redshift else RedshiftServer("", "", ""),
    )


def _read_kafka(node: Node, name: str) -> KafkaServer:
    node.only(_KAFKA)
    read_roles(node)
    custom = node.custom("topic", "contactsTopic", "deadLettersTopic", "partitions", "messageKey")
    topics = [custom.text("topic", _TOPIC, _TOPIC_FORM), custom.text("deadLettersTopic", _TOPIC, _TOPIC_FORM)]
    if custom.has("contactsTopic"):
        topics.append(custom.text("contactsTopic", _TOPIC, _TOPIC_FORM))
    given = [topic for topic in topics if topic]
    if len(set(given)) < len(given):
        custom.problem(
            "topic, contactsTopic and deadLettersTopic must differ, or the pipeline reads what it writes"
        )
    encoding = node.choice("encoding", ("UTF-8",)) if node.has("encoding") else ""
    return KafkaServer(
        name=name,
        host=node.text("host"),
        format=node.choice("format", FORMATS),
        topic=topics[0],
        dead_letters_topic=topics[1],
        contacts_topic=topics[2] if len(topics) > 2 else "",
        partitions=custom.whole("partitions", 1, 100_000),
        message_key=custom.text("messageKey", IDENTIFIER, IDENTIFIER_FORM)
        if custom.has("messageKey")
        else "",
        encoding=encoding,
        environment=node.words("environment"),
        description=node.words("description"),
    )


def _read_redshift(node: Node, name: str) -> RedshiftServer:
    node.only(_REDSHIFT)
    read_roles(node)
    node.custom()
    return RedshiftServer(
        name=name,
        database=node.text("database"),
        schema=node.text("schema", IDENTIFIER, IDENTIFIER_FORM),
        host=node.words("host"),
        region=node.words("region"),
        account=node.words("account"),
        environment=node.words("environment"),
        description=node.words("description"),
    )
