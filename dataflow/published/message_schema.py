"""The message of a contract as JSON Schema, for a producer's editor, tests and registry.

The schema accepts every message that the validator accepts: what it refuses is a dead letter. The other way
round there are rules that JSON Schema cannot say; the schema's own description names them.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from dataflow.contract import Contract
from dataflow.fields import (
    EXACT_DIGITS,
    BooleanField,
    DateField,
    DecimalField,
    Field,
    IntegerField,
    PresentUnless,
    TextField,
    TimestampField,
)
from dataflow.terms import Property, Scalar

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The draft that AsyncAPI and the schema registries take."""
_DAY = "(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_DATE = f"^{_DAY}$"
_TIMESTAMP = (
    f"^{_DAY}[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?$"
)
_NUMBER = "^-?(?:0|[1-9][0-9]{0,37})(?:\\.[0-9]{1,37})?$"
_NO_NUL = "^[^\\u0000]*$"
_LEAST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1
"""Integers that the parser reads exactly."""

UNSAID = {
    TextField: (
        "a text's length counts bytes of UTF-8, while maxLength counts characters",
        "a text holds no half of a surrogate pair",
    ),
    IntegerField: ("30.0 is no integer",),
    DecimalField: (
        "a number has no more digits after the point than the column",
        "a number as a string lies within the limits too",
    ),
    DateField: ("a day exists in the calendar",),
    TimestampField: (
        "a timestamp's day exists in the calendar and, in UTC, lies in the years 1 to 9999",
        "the leap second is 23:59:60 UTC and no other",
    ),
}
"""Rules of each kind of field that JSON Schema cannot say."""
_OF_EVERY_MESSAGE = (
    "no name is given twice; no value is larger than 1 MiB; a number is finite",
    "names that are not listed are ignored",
)


def message_schema(contract: Contract) -> dict[str, Any]:
    """The JSON Schema (draft 7) of one message."""
    described = {each.name: each for each in contract.terms.properties}
    schema: dict[str, Any] = {
        "$schema": DIALECT,
        "$id": f"urn:data-contract:{contract.terms.id}:{contract.version}",
        "title": f"{contract.name} {contract.version}",
        "description": _description(contract),
        "type": "object",
        "required": [field.name for field in contract.fields if field.required],
        "properties": {field.name: _property(field, described[field.name]) for field in contract.fields},
    }
    rules = [_present_unless(rule) for rule in contract.rules if isinstance(rule, PresentUnless)]
    if rules:
        schema["allOf"] = rules
    if example := example_message(contract):
        schema["examples"] = [example]
    return schema


def example_message(contract: Contract) -> dict[str, Scalar]:
    """A message made of the first example of each field; empty when a required field has none."""
    described = {each.name: each for each in contract.terms.properties}
    if any(field.required and not described[field.name].examples for field in contract.fields):
        return {}
    return {
        field.name: described[field.name].examples[0]
        for field in contract.fields
        if described[field.name].examples
    }


def _description(contract: Contract) -> str:
    unsaid = [rule for kind, rules in UNSAID.items() if _has(contract, kind) for rule in rules]
    listed = "; ".join([*unsaid, *_OF_EVERY_MESSAGE])
    purpose = f"{contract.terms.description.purpose.strip()} " if contract.terms.description.purpose else ""
    return f"{purpose}What this schema refuses becomes a dead letter. It can't say that {listed}."


def _has(contract: Contract, kind: type[Field]) -> bool:
    return any(isinstance(field, kind) for field in contract.fields)


def _property(field: Field, described: Property) -> dict[str, Any]:
    schema = _types(field)
    if not field.required:
        schema["type"] = [*_listed(schema["type"]), "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    told: dict[str, Any] = {}
    if described.business_name:
        told["title"] = described.business_name
    if described.description:
        told["description"] = described.description
    if described.examples:
        schema["examples"] = list(described.examples)
    return {**told, **schema}


def _listed(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


def _types(field: Field) -> dict[str, Any]:
    match field:
        case TextField():
            return _text(field)
        case IntegerField():
            return {"type": "integer", "minimum": field.minimum, "maximum": field.maximum}
        case DecimalField():
            return _decimal(field)
        case BooleanField():
            return {"type": "boolean"}
        case DateField():
            return {"type": "string", "pattern": _DATE}
        case TimestampField():
            return {"type": "string", "pattern": _TIMESTAMP}


def _text(field: TextField) -> dict[str, Any]:
    if field.values:
        return {"type": "string", "enum": list(field.values)}
    schema: dict[str, Any] = {"type": "string", "maxLength": field.max_bytes, "pattern": _NO_NUL}
    if field.min_bytes:
        # A character has one byte at least, and so many bytes may be one character.
        schema["minLength"] = 1
    if "integer" in field.accepts:
        schema["type"] = ["string", "integer"]
        schema["minimum"] = max(_LEAST_INTEGER, 1 - 10 ** (field.max_bytes - 1)) if field.max_bytes > 1 else 0
        schema["maximum"] = min(_LARGEST_INTEGER, 10**field.max_bytes - 1)
    return schema


def _decimal(field: DecimalField) -> dict[str, Any]:
    types: list[str] = []
    schema: dict[str, Any] = {"type": types}
    if "number" in field.accepts:
        types.append("number" if field.precision <= EXACT_DIGITS else "integer")
        schema["minimum"] = _limit(field.minimum, -math.inf)
        schema["maximum"] = _limit(field.maximum, math.inf)
    if "string" in field.accepts:
        types.append("string")
        schema["pattern"] = _NUMBER
    return schema


def _limit(limit: Decimal, outwards: float) -> int | float:
    """The limit as a JSON number: where none is it exactly, one just beyond."""
    if limit == limit.to_integral_value():
        return int(limit)
    number = float(limit)
    return number if Decimal(repr(number)) == limit else math.nextafter(number, outwards)


def _present_unless(rule: PresentUnless) -> dict[str, Any]:
    return {"anyOf": [_present(name) for name in (rule.field, *rule.fields)], "description": rule.code}


def _present(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"enum": [None, ""]}}}}
