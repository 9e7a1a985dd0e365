"""Every document that is made from a contract, as text; who asks writes it somewhere."""

from __future__ import annotations

from typing import Any

import orjson

from dataflow.contract import Contract
from dataflow.published.asyncapi import asyncapi
from dataflow.published.message_schema import message_schema
from dataflow.published.page import page
from dataflow.published.tables import field_table
from dataflow.published.thresholds import threshold_rules

__all__ = ["asyncapi_document", "documents", "json_schema", "page", "threshold_rules"]


def documents(contract: Contract, proto: str | None = None) -> dict[str, str]:
    """File names and texts. `proto` is the `.proto` of messages in Protobuf: ValueError without."""
    return {
        f"{contract.name}.schema.json": json_schema(contract),
        f"{contract.name}.asyncapi.json": asyncapi_document(contract, proto),
        f"{contract.name}.html": page(contract, proto),
        f"{contract.name}.fields.md": field_table(contract),
    }


def json_schema(contract: Contract) -> str:
    """The message as JSON Schema."""
    return _json(message_schema(contract))


def asyncapi_document(contract: Contract, proto: str | None = None) -> str:
    """The topics as an AsyncAPI document. `proto` is the `.proto` of messages in Protobuf."""
    return _json(asyncapi(contract, proto))


def _json(value: dict[str, Any]) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
