"""From a column's logical and physical type to the field that a message carries."""

from __future__ import annotations

import re
from decimal import Decimal

from dataflow.fields import (
    EXACT_DIGITS,
    BooleanField,
    DateField,
    DecimalField,
    Field,
    IntegerField,
    TextField,
    TimestampField,
)
from dataflow.odcs import Node, shown
from dataflow.terms import Word

MAX_VARCHAR = 65_535
"""Redshift's longest varchar, in bytes."""
MAX_PRECISION = 38
"""Most digits of Redshift's decimal."""
INTEGER_RANGES = {
    "smallint": (-(2**15), 2**15 - 1),
    "integer": (-(2**31), 2**31 - 1),
    "bigint": (-(2**63), 2**63 - 1),
}
"""Redshift's integer types and what they hold, both ends included."""
_FORMATS = {"smallint": "i16", "integer": "i32", "bigint": "i64"}
"""What the standard's `format` of an integer must say, if it is given."""
LOGICAL_TYPES = ("string", "integer", "number", "boolean", "date", "timestamp")
"""The standard's types that a flat message and a column of Redshift both have."""
_VARCHAR = re.compile(r"varchar\((\d{1,9})\)", re.ASCII)
_DECIMAL = re.compile(r"decimal\((\d{1,4}),\s?(\d{1,4})\)", re.ASCII)


def read_field(
    node: Node, custom: Node, words: tuple[Word, ...], name: str, required: bool, classification: str
) -> Field | None:
    """The field of one property; None, with a problem, when its types don't suit each other or Redshift."""
    logical = node.choice("logicalType", LOGICAL_TYPES)
    # Blanks and capitals in a type mean nothing to Redshift.
    physical = node.text("physicalType").lower().replace(" ", "")
    options = node.mapping("logicalTypeOptions")
    if logical and logical != "string" and node.has("enum"):
        node.problem("enum is only for text")
    if logical and logical not in ("string", "number") and custom.has("acceptedTypes"):
        node.problem("acceptedTypes is only for text and for numbers with a fraction")
    if not logical or not physical:
        return None
    match logical:
        case "string":
            return _read_text(node, custom, options, words, name, required, physical, classification)
        case "integer":
            return _read_integer(node, options, name, required, physical, classification)
        case "number":
            return _read_decimal(node, custom, options, name, required, physical, classification)
        case "timestamp":
            return _read_timestamp(node, options, name, required, physical, classification)
        case _:
            if physical != logical:
                node.problem(f"physicalType {shown(physical)} does not suit a {logical}; known: {logical}")
                return None
            if options is not None:
                options.only(frozenset())
            kind = BooleanField if logical == "boolean" else DateField
            return kind(name, required, classification)


def _read_integer(
    node: Node, options: Node | None, name: str, required: bool, physical: str, classification: str
) -> Field | None:
    if physical not in INTEGER_RANGES:
        node.problem(f"physicalType {shown(physical)} is no integer type; known: {', '.join(INTEGER_RANGES)}")
        return None
    low, high = INTEGER_RANGES[physical]
    minimum, maximum = low, high
    if options is not None:
        options.only(frozenset({"minimum", "maximum", "format"}))
        minimum = options.whole("minimum", low, high) if options.has("minimum") else low
        maximum = options.whole("maximum", low, high) if options.has("maximum") else high
        if options.has("format"):
            options.choice("format", (_FORMATS[physical],))
    if minimum > maximum:
        node.at("logicalTypeOptions").problem(f"minimum {minimum} is greater than maximum {maximum}")
    return IntegerField(name, required, minimum, maximum, classification)


def _read_decimal(
    node: Node,
    custom: Node,
    options: Node | None,
    name: str,
    required: bool,
    physical: str,
    classification: str,
) -> Field | None:
    match = _DECIMAL.fullmatch(physical)
    if match is None:
        node.problem(f"physicalType {shown(physical)} does not suit a number; write decimal(p,s)")
        return None
    precision, scale = int(match[1]), int(match[2])
    if not 1 <= precision <= MAX_PRECISION or scale > min(precision, 37):
        node.problem(
            f"physicalType {physical!r}: 1 to {MAX_PRECISION} digits, at most as many of them after the point"
        )
        return None
    high = largest(precision, scale)
    low = high.copy_negate()
    minimum, maximum = low, high
    if options is not None:
        options.only(frozenset({"minimum", "maximum"}))
        minimum = _limit(options, "minimum", low, high) if options.has("minimum") else low
        maximum = _limit(options, "maximum", high, high) if options.has("maximum") else high
    if minimum > maximum:
        node.at("logicalTypeOptions").problem(f"minimum {minimum} is greater than maximum {maximum}")
    accepts = _accepted(custom, ("number", "string"), "number")
    if precision > EXACT_DIGITS and "string" not in accepts:
        node.problem(
            f"a JSON number does not carry {precision} digits exactly; "
            "add the custom property acceptedTypes: [string]"
        )
    return DecimalField(name, required, precision, scale, minimum, maximum, accepts, classification)


def largest(precision: int, scale: int) -> Decimal:
    """The largest number of a decimal(precision,scale), exactly.

    Arithmetic, a unary minus too, would round it to the 28 digits of Python's default context.
    """
    return Decimal((0, (9,) * precision, -scale))


def _limit(options: Node, key: str, otherwise: Decimal, high: Decimal) -> Decimal:
    found = options.number(key)
    if found is None:
        return otherwise
    low = high.copy_negate()
    if not low <= found <= high:
        options.at(key).problem(f"{found} is not between {low} and {high}")
        return otherwise
    return found


def _accepted(custom: Node, choices: tuple[str, ...], otherwise: str) -> frozenset[str]:
    if not custom.has("acceptedTypes"):
        return frozenset({otherwise})
    found = frozenset(custom.texts("acceptedTypes"))
    if not found or not found <= set(choices):
        custom.at("acceptedTypes").problem(f"must hold some of: {', '.join(choices)}")
        return frozenset({otherwise})
    return found


def _read_timestamp(
    node: Node, options: Node | None, name: str, required: bool, physical: str, classification: str
) -> Field | None:
    if physical not in ("timestamp", "timestamptz"):
        node.problem(
            f"physicalType {shown(physical)} does not suit a timestamp; known: timestamp, timestamptz"
        )
        return None
    zoned = physical == "timestamptz"
    if options is not None:
        options.only(frozenset({"timezone", "defaultTimezone"}))
        if options.has("timezone") and options.flag("timezone") is not zoned:
            told = "timestamptz" if options.flag("timezone") else "timestamp"
            options.at("timezone").problem(f"does not suit {physical}; change it, or write {told}")
        if options.has("defaultTimezone"):
            options.choice("defaultTimezone", ("Etc/UTC", "UTC"))
    return TimestampField(name, required, classification, zoned)


def _read_text(
    node: Node,
    custom: Node,
    options: Node | None,
    words: tuple[Word, ...],
    name: str,
    required: bool,
    physical: str,
    classification: str,
) -> Field | None:
    match = _VARCHAR.fullmatch(physical)
    if match is None:
        wrong = "has no length" if physical == "varchar" else "does not suit a string"
        node.problem(f"physicalType {shown(physical)} {wrong}; write varchar(n), n in bytes of UTF-8")
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
    for number, word in enumerate(words):
        if len(word.value.encode()) > limit:
            node.problem(f"enum[{number}]: {shown(word.value)} is longer than {physical}")
    accepts = _accepted(custom, ("string", "integer"), "string")
    if "string" not in accepts:
        custom.at("acceptedTypes").problem("must hold string, and may hold integer")
    if words and "integer" in accepts:
        custom.at("acceptedTypes").problem("the words of an enumeration are strings; leave integer out")
    values = tuple(word.value for word in words)
    return TextField(name, required, limit, least, values, accepts, classification)
