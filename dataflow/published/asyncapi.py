"""The topics of a contract as an AsyncAPI 3 document: what is read, what is produced, with which headers."""

from __future__ import annotations

from typing import Any

from dataflow import encode
from dataflow.contract import Contract
from dataflow.fields import BooleanField, DecimalField, IntegerField
from dataflow.published.message_schema import DIALECT, example_message, message_schema

VERSION = "3.0.0"
_FORMAT = "application/schema+json;version=draft-07"
_PROTO_FORMAT = "application/vnd.google.protobuf;version=3"
_TEXT = {"type": "string"}
_HEX_128, _HEX_256 = "^[0-9a-f]{32}$", "^[0-9a-f]{64}$"


def asyncapi(contract: Contract, proto: str | None = None) -> dict[str, Any]:
    """The document. Addresses and names of topics are the contract's: defaults of settings.

    `proto` is the `.proto` of a contract whose messages are sent in Protobuf. Raises ValueError without.
    """
    kafka = contract.terms.kafka
    channels = {
        "messages": _channel(contract.topic, "message", _senders(contract), partitions=contract.partitions),
        "deadLetters": _channel(
            contract.dead_letters_topic,
            "deadLetter",
            "Records that break the contract, byte for byte, with every reason. Each is there "
            "once for read_committed readers.",
        ),
    }
    messages = {"message": _message(contract, proto), "deadLetter": _dead_letter()}
    operations = {
        "readMessages": _operation(
            "receive", "messages", "Every message is judged and becomes a row or a dead letter."
        ),
        "sendDeadLetters": _operation("send", "deadLetters", "What breaks the contract is sent on, once."),
    }
    if contract.contacts_topic:
        channels["contacts"] = _channel(
            contract.contacts_topic,
            "contact",
            f"Contacts given away in {contract.scanned_field}: CloudEvents 1.0 in binary mode, keyed by "
            f"{contract.event_key}. Each is there once for read_committed readers.",
        )
        messages["contact"] = _contact(contract)
        operations["sendContacts"] = _operation("send", "contacts", "Each contact found is told, once.")
    return {
        "asyncapi": VERSION,
        "id": f"urn:data-contract:{contract.terms.id}",
        "info": {
            "title": contract.name,
            "version": contract.version,
            "description": contract.terms.description.purpose.strip() or contract.name,
        },
        "defaultContentType": _CONTENT_TYPES[kafka.format],
        "servers": {
            kafka.name: {
                "host": kafka.host,
                "protocol": "kafka",
                "description": kafka.description or "Where the messages come from.",
            }
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _senders(contract: Contract) -> str:
    names = [each.username for each in contract.terms.team.members if each.role == "producer"]
    return f"Messages from {' and '.join(names) or 'their producers'}."


def _channel(topic: str, message: str, description: str, partitions: int | None = None) -> dict[str, Any]:
    kafka = {"topic": topic, **({} if partitions is None else {"partitions": partitions})}
    return {
        "address": topic,
        "description": description,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {"kafka": {**kafka, "bindingVersion": "0.5.0"}},
    }


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"schemaFormat": _FORMAT, "schema": {"$schema": DIALECT, **schema}}


_CONTENT_TYPES = {"json": "application/json", "protobuf": "application/x-protobuf"}


def _message(contract: Contract, proto: str | None) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": "message",
        "title": "A message",
        "contentType": _CONTENT_TYPES[contract.terms.kafka.format],
        "payload": _payload(contract, proto),
    }
    if contract.terms.kafka.message_key:
        described["bindings"] = _keyed_by(contract.terms.kafka.message_key)
    if example := example_message(contract):
        described["examples"] = [{"name": "example", "payload": example}]
    return described


def _payload(contract: Contract, proto: str | None) -> dict[str, Any]:
    if contract.terms.kafka.format == "json":
        return _schema(message_schema(contract))
    if proto is None:
        raise ValueError("messages in Protobuf are described by their .proto")
    return {"schemaFormat": _PROTO_FORMAT, "schema": proto}


def _keyed_by(field: str) -> dict[str, Any]:
    key = {"type": "string", "description": f"The value of {field}."}
    return {"kafka": {"key": key, "bindingVersion": "0.5.0"}}


def contact_schema(contract: Contract) -> dict[str, Any]:
    """The value of a contact event. Names may be added within a version: others are allowed."""
    identity = {name: _stored(contract, name) for name in contract.identity}
    origin = {"topic": _TEXT, "partition": _natural(), "offset": _natural()}
    return {
        "type": "object",
        "required": ["kind", "platform", "rule", "span", *identity, "origin"],
        "properties": {
            "kind": {"enum": ["phone", "handle"]},
            "platform": {"type": ["string", "null"], "description": "Null when none was named."},
            "rule": {**_TEXT, "description": "The detector's rule that found it, for people."},
            "span": {
                "type": "array",
                "items": _natural(),
                "minItems": 2,
                "maxItems": 2,
                "description": "Where it stands in the text, in code points, half open.",
            },
            **identity,
            "origin": {"type": "object", "required": list(origin), "properties": origin},
            "value_hmac": {
                **_TEXT,
                "pattern": _HEX_256,
                "description": "HMAC-SHA256 of the normalised value.",
            },
            "key_id": {**_TEXT, "description": "Which key the hash was made with."},
            "masked": {**_TEXT, "description": "The value with its middle starred out."},
            "value": {**_TEXT, "description": "The value; only with CONTACT_VALUES=raw."},
        },
    }


def _stored(contract: Contract, name: str) -> dict[str, Any]:
    """A field of the identity as the row holds it."""
    match contract.fields[contract.position(name)]:
        case IntegerField():
            return {"type": "integer"}
        case BooleanField():
            return {"type": "boolean"}
        case DecimalField():
            return {**_TEXT, "description": "A decimal number, exact."}
        case _:
            return dict(_TEXT)


def _natural() -> dict[str, Any]:
    return {"type": "integer", "minimum": 0}


def _contact(contract: Contract) -> dict[str, Any]:
    headers = {
        "ce_specversion": {"const": "1.0"},
        "ce_type": {"const": f"{contract.table.qualified}.contact.v1"},
        "ce_id": {**_TEXT, "pattern": _HEX_128, "description": "The same when a message comes again."},
        "ce_source": {**_TEXT, "description": "/topics/ and the topic that the message came from."},
        "ce_subject": {**_TEXT, "pattern": _HEX_128, "description": "Names the message in all its versions."},
        "ce_time": {**_TEXT, "description": f"The message's {contract.event_time}, RFC 3339, UTC."},
        "content-type": {"const": "application/json"},
    }
    return {
        "name": "contact",
        "title": "A contact given away in a text",
        "contentType": "application/json",
        "headers": _schema({"type": "object", "required": list(headers), "properties": headers}),
        "payload": _schema(contact_schema(contract)),
        "bindings": _keyed_by(contract.event_key),
    }


_DEAD_LETTER_HEADERS = {
    encode.CODES: "Every reason, separated by commas.",
    encode.VIOLATIONS: "JSON: field, code and message of each.",
    encode.CONTRACT_VERSION: "The version of the contract that it breaks.",
    encode.ATTEMPT: "1, or one more for each replay.",
    encode.TIMESTAMP: "The record's own, milliseconds since the epoch.",
    encode.CUT: "JSON: what was left out of a record that is too large.",
    encode.ORIGIN_TOPIC: "Where the record came from.",
    encode.ORIGIN_PARTITION: "Its partition.",
    encode.ORIGIN_OFFSET: "Its offset.",
}
_NOT_ALWAYS = frozenset({encode.TIMESTAMP, encode.CUT})


def _dead_letter() -> dict[str, Any]:
    headers = {name: {**_TEXT, "description": told} for name, told in _DEAD_LETTER_HEADERS.items()}
    required = [name for name in headers if name not in _NOT_ALWAYS]
    return {
        "name": "deadLetter",
        "title": "A record that breaks the contract",
        "summary": "Key, value and own headers as they came; any bytes, or none.",
        "contentType": "application/octet-stream",
        "headers": _schema({"type": "object", "required": required, "properties": headers}),
    }
