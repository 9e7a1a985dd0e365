"""Reading the properties of a contract file: each is a column, and a field unless the commit fills it."""

from __future__ import annotations

import re

from connectors.items import Column, Fill
from dataflow.fields import Field, IntegerField, TextField, TimestampField
from dataflow.odcs import Node

MAX_VARCHAR = 65_535
"""Redshift's longest varchar, in bytes."""
COMMIT_ID_BYTES = 32
INTEGER_RANGES = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
"""Redshift's integer types and what they hold, both ends included."""
IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,126}")
"""A plain lower-case SQL name, which needs no quoting in any statement."""
_VARCHAR = re.compile(r"varchar\((\d{1,9})\)")


_PROPERTY = frozenset(
    {
        *("name", "logicalType", "logicalTypeOptions", "physicalType", "physicalName", "required"),
        *("primaryKey", "primaryKeyPosition", "classification", "examples", "enum", "customProperties"),
    }
)


def read_properties(schema: Node) -> tuple[tuple[Field, ...], tuple[Column, ...], tuple[str, ...]]:
    """Message fields, table columns and identity, as the properties of a schema object state them.

    What is wrong goes to the node's list of problems, and the property is then left out.
    """
    fields: list[Field] = []
    columns: list[Column] = []
    keys: dict[int, str] = {}
    for node in schema.items("properties"):
        node.only(_PROPERTY)
        name = node.text("name", IDENTIFIER)
        if name and any(column.name == name for column in columns):
            node.problem(f"the field {name!r} is given twice")
        custom = node.custom("fill", "acceptedTypes")
        fill = Fill.MESSAGE
        if custom.has("fill"):
            chosen = custom.choice("fill", [each.value for each in Fill])
            fill = Fill(chosen) if chosen else Fill.MESSAGE
        required = node.flag("required")
        read = _read_field(node, custom, name, required)
        if read is None:
            continue
        read_field, sql_type = read
        columns.append(Column(name, sql_type, required, fill))
        if fill is Fill.MESSAGE:
            fields.append(read_field)
        else:
            _check_fill(node, fill, read_field)
        if node.flag("primaryKey"):
            position = node.whole("primaryKeyPosition", 1, 100)
            if not required or fill is not Fill.MESSAGE:
                node.problem("a key field must be required and come with the message")
            if position in keys:
                node.problem(f"primaryKeyPosition {position} is given twice")
            keys[position] = name
    if not fields:
        schema.problem("properties holds no usable field")
    if not keys:
        schema.problem("no property has primaryKey: true, so a message has no identity")
    return tuple(fields), tuple(columns), tuple(name for _, name in sorted(keys.items()))


def _read_field(node: Node, custom: Node, name: str, required: bool) -> tuple[Field, str] | None:
    logical = node.choice("logicalType", ("string", "integer", "timestamp"))
    physical = node.text("physicalType").lower()
    classification = node.text("classification")
    options = node.child("logicalTypeOptions") if node.has("logicalTypeOptions") else None
    if logical != "string":
        for key in ("enum", "acceptedTypes"):
            if node.has(key) or custom.has(key):
                node.problem(f"{key} is only for text")
    if not logical or not physical:
        return None
    if logical == "string":
        return _read_text(node, custom, options, name, required, physical, classification)
    if logical == "integer":
        if physical not in INTEGER_RANGES:
            node.problem(f"physicalType {physical!r} is no integer type; known: {', '.join(INTEGER_RANGES)}")
            return None
        low, high = INTEGER_RANGES[physical]
        minimum, maximum = low, high
        if options is not None:
            options.only(frozenset({"minimum", "maximum"}))
            minimum = options.whole("minimum", low, high) if options.has("minimum") else low
            maximum = options.whole("maximum", low, high) if options.has("maximum") else high
        if minimum > maximum:
            node.problem(f"minimum {minimum} is greater than maximum {maximum}")
        return IntegerField(name, required, minimum, maximum, classification), physical
    if physical != "timestamp":
        node.problem(f"physicalType {physical!r} does not suit a timestamp; known: timestamp")
        return None
    if options is not None:
        options.only(frozenset())
    return TimestampField(name, required, classification), physical


def _read_text(
    node: Node,
    custom: Node,
    options: Node | None,
    name: str,
    required: bool,
    physical: str,
    classification: str,
) -> tuple[Field, str] | None:
    match = _VARCHAR.fullmatch(physical)
    if match is None:
        wrong = "has no length" if physical == "varchar" else "does not suit a string"
        node.problem(f"physicalType {physical!r} {wrong}; write varchar(n), n in bytes of UTF-8")
        return None
    limit = int(match[1])
    if not 1 <= limit <= MAX_VARCHAR:
        node.problem(f"physicalType {physical!r}: the length must lie between 1 and {MAX_VARCHAR} bytes")
        return None
    least = 0
    if options is not None:
        options.only(frozenset({"minLength", "maxLength"}))
        least = options.whole("minLength", 0, 1) if options.has("minLength") else 0
        if options.has("maxLength"):
            options.whole("maxLength", limit, limit)
    values: list[str] = []
    for element in node.items("enum"):
        element.only(frozenset({"value", "label"}))
        value = element.text("value")
        if value in values:
            element.problem(f"{value!r} is given twice")
        if len(value.encode()) > limit:
            element.problem(f"{value!r} is longer than {physical}")
        values.append(value)
    if node.has("enum") and not values:
        node.problem("enum holds no value")
    accepts = (
        frozenset(custom.texts("acceptedTypes")) if custom.has("acceptedTypes") else frozenset({"string"})
    )
    if "string" not in accepts or not accepts <= {"string", "integer"}:
        node.problem("acceptedTypes must hold string, and may hold integer")
    return TextField(name, required, limit, least, tuple(values), accepts, classification), physical


def _check_fill(node: Node, fill: Fill, filled: Field) -> None:
    if fill is Fill.COMMIT_TIME and not isinstance(filled, TimestampField):
        node.problem("commit time fills a timestamp only")
    if fill is Fill.SOURCE_NAME and not isinstance(filled, TextField):
        node.problem("source name fills a text only")
    if fill is Fill.COMMIT_ID and not (isinstance(filled, TextField) and filled.max_bytes >= COMMIT_ID_BYTES):
        node.problem(f"commit id fills a text of at least {COMMIT_ID_BYTES} bytes only")
