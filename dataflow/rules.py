"""Reading the quality rules of a contract file: those that messages are held to, and those of the table."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import timedelta

from dataflow.fields import (
    BooleanField,
    DateField,
    DecimalField,
    Field,
    IntegerField,
    NotBefore,
    NotInFuture,
    PresentUnless,
    Rule,
    TextField,
    TimestampField,
    Together,
)
from dataflow.odcs import VENDOR, Node, known, shown
from dataflow.read_terms import read_links
from dataflow.terms import Quality, Scalar

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KINDS: dict[type, str] = {
    TextField: "text",
    IntegerField: "integer",
    DecimalField: "number",
    BooleanField: "boolean",
    DateField: "date",
    TimestampField: "timestamp",
}


class KnownFields:
    """The fields and columns read so far, to check what the file says about them elsewhere."""

    def __init__(
        self, fields: Sequence[Field], columns: Sequence[str], faulty: Collection[str] = frozenset()
    ) -> None:
        """`columns` are the names of all of the table's, `faulty` those that have a fault of their own."""
        self._faulty = faulty
        self._fields = {each.name: each for each in fields}
        self._columns = frozenset(columns)

    def column(self, node: Node, key: str) -> str:
        """The column that a key names."""
        found = node.text(key)
        if found and found not in self._columns and found not in self._faulty:
            node.problem(f"{key}: the table has no column {shown(found)}; {known(found, self._columns)}")
        return found

    def named(self, node: Node, key: str, *kinds: type[Field]) -> str:
        """The message field that a key names, of one of the kinds."""
        found = node.text(key)
        if found:
            self._check(node, key, found, kinds)
        return found

    def required(self, node: Node, key: str, *kinds: type[Field]) -> str:
        """The same, and the field must be required."""
        found = self.named(node, key, *kinds)
        if found in self._fields and not self._fields[found].required:
            node.problem(f"{key}: {found!r} must be required")
        return found

    def all_of(self, node: Node, key: str, least: int, *kinds: type[Field]) -> tuple[str, ...]:
        """The message fields that a key lists."""
        found = node.texts(key)
        if len(found) < least or len(set(found)) < len(found):
            node.problem(f"{key} must name at least {least} field(s), each once")
        for name in found:
            self._check(node, key, name, kinds)
        return found

    def zoned(self, name: str) -> bool:
        """Whether a timestamp's column has a zone."""
        found = self._fields.get(name)
        return isinstance(found, TimestampField) and found.zoned

    def _check(self, node: Node, key: str, name: str, kinds: tuple[type[Field], ...]) -> None:
        if name in self._faulty:
            return
        if name not in self._fields:
            node.problem(f"{key}: no message field is named {shown(name)}; {known(name, self._fields)}")
        elif kinds and not isinstance(self._fields[name], kinds):
            node.problem(f"{key}: {name!r} must be of type {' or '.join(_KINDS[kind] for kind in kinds)}")


DIMENSIONS = (
    *("accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"),
)
_SEVERITIES = ("info", "warning", "error")
METRICS = {
    "nullValues": (),
    "missingValues": ("missingValues",),
    "invalidValues": ("validValues", "pattern"),
    "duplicateValues": ("properties",),
    "rowCount": (),
}
"""The standard's metrics, and the arguments of each."""
_ONE = (
    *("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo"),
    *("mustBeLessThan", "mustBeLessOrEqualTo"),
)
_TWO = ("mustBeBetween", "mustNotBeBetween")
_QUALITY = frozenset(
    {
        *("id", "name", "type", "description", "dimension", "severity", "businessImpact", "tags", "unit"),
        *("method", "schedule", "scheduler", "authoritativeDefinitions", "customProperties"),
    }
)
_OF_KIND = {
    "custom": frozenset({"engine", "implementation"}),
    "library": frozenset({"metric", "arguments", *_ONE, *_TWO}),
    "sql": frozenset({"query", *_ONE, *_TWO}),
    "text": frozenset[str](),
}
SEVERITY_OF_RULE = {
    "presentUnless": "error",
    "together": "warning",
    "notBefore": "warning",
    "notInFuture": "warning",
}


def read_quality(owner: Node, field: str, fields: KnownFields, seen: set[str]) -> tuple[Quality, ...]:
    """The rules of the table (`field` empty) or of one column; `seen` are the names given so far."""
    return tuple(_read_one(node, field, fields, seen) for node in owner.items("quality"))


def _read_one(node: Node, field: str, fields: KnownFields, seen: set[str]) -> Quality:
    kind = node.choice("type", tuple(_OF_KIND)) if node.has("type") else "library"
    if kind:
        node.only(_QUALITY | _OF_KIND[kind], instead={"rule": "the standard's word is metric now"})
    code = node.text("name", _CODE, "lower-case letters, digits and _")
    if code in seen:
        node.problem(f"the rule {code!r} is given twice")
    seen.add(code)
    node.listed("tags")
    node.custom()
    read_links(node)
    for key in ("method", "schedule", "scheduler"):
        node.words(key)
    rule, severity = None, ""
    if kind == "custom":
        rule, severity = _read_rule(node, code, field, fields)
    elif node.has("severity"):
        severity = node.choice("severity", _SEVERITIES)
    operator, operand = _read_condition(node) if kind in ("library", "sql") else ("", ())
    metric, arguments = _read_metric(node, field, fields) if kind == "library" else ("", ())
    return Quality(
        name=code,
        kind=kind,
        field=field,
        description=node.text("description") if kind == "text" else node.words("description"),
        dimension=node.choice("dimension", DIMENSIONS) if node.has("dimension") else "",
        severity=severity,
        business_impact=node.words("businessImpact"),
        metric=metric,
        arguments=arguments,
        query=node.text("query") if kind == "sql" else "",
        operator=operator,
        operand=operand,
        unit=node.choice("unit", ("rows", "percent")) if node.has("unit") else "",
        rule=rule,
    )


def _read_metric(
    node: Node, field: str, fields: KnownFields
) -> tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    metric = node.choice("metric", tuple(METRICS))
    if not metric:
        return "", ()
    if not field and metric not in ("rowCount", "duplicateValues"):
        node.problem(f"{metric} is about one column; write it at that property")
    arguments = node.mapping("arguments")
    if arguments is None:
        if metric == "duplicateValues" and not field:
            node.problem("duplicateValues of a table needs arguments.properties, the columns it is about")
        return metric, ()
    arguments.only(frozenset(METRICS[metric]))
    found: list[tuple[str, tuple[str, ...]]] = []
    for key in METRICS[metric]:
        if not arguments.has(key):
            continue
        if key == "pattern":
            found.append((key, (arguments.text(key),)))
        elif key == "properties":
            found.append((key, fields.all_of(arguments, key, 1)))
        else:
            found.append((key, arguments.texts(key)))
    return metric, tuple(found)


def _read_condition(node: Node) -> tuple[str, tuple[Scalar, ...]]:
    given = [key for key in (*_ONE, *_TWO) if node.has(key)]
    if len(given) != 1:
        node.problem(f"must have exactly one of {', '.join((*_ONE, *_TWO))}; it has {len(given)}")
        return "", ()
    (operator,) = given
    value = node.at(operator).value
    bounds = value if operator in _TWO else [value]
    plain: list[int | float] = []
    if isinstance(bounds, list):
        plain = [each for each in bounds if isinstance(each, int | float) and not isinstance(each, bool)]
    if operator in ("mustBe", "mustNotBe") and isinstance(value, str):
        return operator, (value,)
    if len(plain) != (2 if operator in _TWO else 1):
        node.at(operator).problem("must be a number" if operator in _ONE else "must be a list of two numbers")
        return operator, ()
    if operator in _TWO and not plain[0] < plain[1]:
        node.at(operator).problem("the smaller number comes first")
    return operator, tuple(plain)


def _read_rule(node: Node, code: str, field: str, fields: KnownFields) -> tuple[Rule | None, str]:
    """One of our own rules, and its severity, which follows from what it is."""
    node.choice("engine", (VENDOR,))
    if field:
        node.problem("a rule of ours is about a message as a whole; write it at the table")
    if not isinstance(node.at("implementation").value, dict):
        node.at("implementation").problem("must be a mapping with the key rule")
        return None, ""
    body = node.at("implementation")
    kind = body.choice("rule", tuple(SEVERITY_OF_RULE))
    if not kind:
        return None, ""
    severity = node.choice("severity", (SEVERITY_OF_RULE[kind],))
    match kind:
        case "presentUnless":
            body.only(frozenset({"rule", "field", "fields"}))
            subject = fields.named(body, "field", TextField)
            return PresentUnless(code, subject, fields.all_of(body, "fields", 1)), severity
        case "together":
            body.only(frozenset({"rule", "fields"}))
            return Together(code, fields.all_of(body, "fields", 2)), severity
        case "notBefore":
            body.only(frozenset({"rule", "field", "reference"}))
            later = fields.required(body, "field", TimestampField)
            earlier = fields.required(body, "reference", TimestampField)
            if fields.zoned(later) is not fields.zoned(earlier):
                body.problem("field and reference must both be timestamp, or both timestamptz")
            return NotBefore(code, later, earlier), severity
        case _:
            body.only(frozenset({"rule", "fields", "toleranceSeconds"}))
            tolerance = timedelta(seconds=body.whole("toleranceSeconds", 0, 10**9))
            return NotInFuture(code, fields.all_of(body, "fields", 1, TimestampField), tolerance), severity
