"""Whether what a producer writes by its own registered JSON Schema can keep the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from dataflow.contract import Contract
from dataflow.fields import Field, IntegerField, TextField, TimestampField

_NOTHING: frozenset[str] = frozenset()


def disagreements(text: str, contract: Contract) -> tuple[str, ...] | None:
    """Every way in which no message of the schema can keep the contract; None when it is no JSON Schema.

    Only what the schema says outright counts: the root's type, the types of its properties, and that it
    allows no others. What it leaves to `$ref` or to combinations is left to the messages, which are
    validated anyway.
    """
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if schema is True:
        return ()
    if not isinstance(schema, dict):
        return None
    return tuple(_disagreements(schema, contract))


def _disagreements(schema: dict[str, Any], contract: Contract) -> Iterator[str]:
    kinds = _types(schema)
    if kinds and "object" not in kinds:
        yield "its messages are no objects"
        return
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return
    closed = schema.get("additionalProperties") is False
    for field in contract.fields:
        given = properties.get(field.name)
        if given is None:
            if field.required and closed and "patternProperties" not in schema:
                yield f"{field.name} is missing"
            continue
        types, accepted = _types(given), _accepted(field)
        if types and accepted and not types & accepted:
            yield f"{field.name} is of another type"


def _types(schema: object) -> frozenset[str]:
    """The types that a schema names; none when it names none."""
    named = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(named, str):
        return frozenset({named})
    return frozenset(each for each in named if isinstance(each, str)) if isinstance(named, list) else _NOTHING


def _accepted(field: Field) -> frozenset[str]:
    """JSON types that the field may have; none when it is a kind of field of which nothing is known here."""
    if isinstance(field, TextField):
        # A JSON Schema's `number` may be a whole one.
        return field.accepts | ({"number"} if "integer" in field.accepts else _NOTHING)
    if isinstance(field, IntegerField):
        return frozenset({"integer", "number"})
    return frozenset({"string"}) if isinstance(field, TimestampField) else _NOTHING
