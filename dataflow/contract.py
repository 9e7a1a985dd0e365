"""The contract file, loaded, checked and compiled into values.

The file is an Open Data Contract Standard document (v3). It is the only place that names a field: the
validator, the row layout, the DDL and the contact events are derived from the `Contract` that `load` returns.
What the file may say is read strictly: an unknown key is a fault, because a misspelt one would otherwise be a
rule that silently does not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path

import yaml

from connectors.items import Column, Table
from dataflow.fields import (
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
from dataflow.odcs import ContractError, Node, StrictLoader
from dataflow.properties import IDENTIFIER, read_properties

__all__ = ["Contract", "ContractError", "load", "parse"]

API_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
ENGINE = "contract-dataflow"
"""Name under which a quality rule of the file is ours to enforce."""


@dataclass(frozen=True, slots=True)
class Contract:
    """What producer, pipeline and consumers agreed on, checked and ready to compile."""

    name: str
    version: str
    fields: tuple[Field, ...]
    """What a message carries, in the table's order: `fields[i]` fills `table.message_columns[i]`."""
    table: Table
    rules: tuple[Rule, ...]
    identity: tuple[str, ...]
    """Fields that together name one message, in key order."""
    version_field: str
    scanned_field: str
    """The text that is scanned for contacts."""
    event_key: str
    """The field whose value keys the contact events."""
    event_time: str
    """The timestamp at which a contact was given away."""
    partitions: int
    daily_volume: int
    """Messages a day, an expectation and not a limit."""
    freshness: timedelta
    """A row is in the table at most this long, plus the duration of a commit, after it reached the topic."""
    topic: str
    contacts_topic: str
    dead_letters_topic: str

    def position(self, name: str) -> int:
        """Index of a message field in a row's values. Raises KeyError when the contract has no such field."""
        for at, known in enumerate(self.fields):
            if known.name == name:
                return at
        raise KeyError(name)


def load(path: Path | None = None) -> Contract:
    """Read a contract file; None: the messages contract that comes with the package.

    Raises ContractError with every fault found, and OSError when the file cannot be read.
    """
    if path is None:
        packaged = resources.files("dataflow").joinpath("contracts", "messages.odcs.yaml")
        return parse(packaged.read_text(encoding="utf-8"), "messages.odcs.yaml")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise ContractError(str(path), [f"byte {fault.start}: not UTF-8"]) from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Contract:
    """A contract from the text of its file; `source` names it in faults. Raises ContractError."""
    try:
        document = yaml.load(text, Loader=StrictLoader)
    except yaml.YAMLError as fault:
        raise ContractError(source, [f"not YAML: {' '.join(str(fault).split())}"]) from None
    problems: list[str] = []
    contract = _read_contract(Node(document, "", problems))
    if problems or contract is None:
        raise ContractError(source, problems)
    return contract


_ROOT = frozenset({"apiVersion", "kind", "name", "version", "servers", "schema", "slaProperties"})
_ROOT_FOR_PEOPLE = frozenset(
    {"status", "domain", "tenant", "dataProduct", "team", "roles", "support", "price"}
)
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def _read_contract(root: Node) -> Contract | None:
    if not isinstance(root.value, dict):
        root.problem("must be a mapping")
        return None
    root.only(_ROOT, _ROOT_FOR_PEOPLE)
    root.choice("apiVersion", API_VERSIONS)
    root.choice("kind", ("DataContract",))
    source, schema_name = _read_servers(root)
    objects = list(root.items("schema"))
    if len(objects) != 1:
        root.problem(f"schema must hold exactly one object, not {len(objects)}")
        return None
    latency, volume = _read_sla(root)
    fields, columns, identity = read_properties(objects[0])
    return _read_object(
        objects[0],
        fields,
        columns,
        identity,
        schema_name=schema_name,
        name=root.text("name"),
        version=root.text("version"),
        source=source,
        freshness=latency,
        daily_volume=volume,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    topic: str = ""
    contacts_topic: str = ""
    dead_letters_topic: str = ""
    partitions: int = 1


def _read_servers(root: Node) -> tuple[_Source, str]:
    source, schema_name = _Source(), ""
    kinds: list[str] = []
    for server in root.items("servers"):
        kind = server.choice("type", ("kafka", "redshift"))
        kinds.append(kind)
        if kind == "kafka":
            server.only(
                frozenset({"server", "type", "environment", "host", "format", "encoding", "customProperties"})
            )
            server.choice("format", ("json",))
            custom = server.custom("topic", "contactsTopic", "deadLettersTopic", "partitions")
            source = _Source(
                custom.text("topic", _TOPIC),
                custom.text("contactsTopic", _TOPIC),
                custom.text("deadLettersTopic", _TOPIC),
                custom.whole("partitions", 1, 100_000),
            )
        elif kind == "redshift":
            server.only(
                frozenset(
                    {"server", "type", "environment", "host", "database", "schema", "region", "account"}
                )
            )
            schema_name = server.text("schema", IDENTIFIER)
    for kind in ("kafka", "redshift"):
        if kinds.count(kind) != 1:
            root.problem(f"servers must hold exactly one of type {kind}, not {kinds.count(kind)}")
    return source, schema_name


_UNITS = {"h": 3600, "min": 60, "s": 1, "d": 86_400}


def _read_sla(root: Node) -> tuple[timedelta, int]:
    latency, volume = timedelta(), 0
    seen: list[str] = []
    for element in root.items("slaProperties"):
        element.only(frozenset({"property", "value", "unit", "element", "driver"}))
        kind = element.choice("property", ("latency", "throughput"))
        if kind in seen:
            element.problem(f"{kind} is given twice")
        seen.append(kind)
        if kind == "latency":
            unit = element.choice("unit", tuple(_UNITS))
            latency = timedelta(seconds=element.whole("value", 1, 10**6) * _UNITS.get(unit, 1))
        elif kind == "throughput":
            element.choice("unit", ("messages/d",))
            volume = element.whole("value", 1, 10**12)
    for kind in ("latency", "throughput"):
        if kind not in seen:
            root.problem(f"slaProperties lacks {kind}")
    return latency, volume


def _read_object(
    schema: Node,
    fields: tuple[Field, ...],
    columns: tuple[Column, ...],
    identity: tuple[str, ...],
    *,
    schema_name: str,
    name: str,
    version: str,
    source: _Source,
    freshness: timedelta,
    daily_volume: int,
) -> Contract:
    schema.only(
        frozenset({"name", "logicalType", "physicalType", "physicalName", "dataGranularityDescription"}),
        frozenset({"customProperties", "quality", "properties"}),
    )
    schema.choice("logicalType", ("object",))
    schema.choice("physicalType", ("table",))
    names = ("versionField", "distributionKey", "sortKey", "scannedField", "eventKey", "eventTime")
    custom = schema.custom(*names)
    known = _Fields(fields, columns)
    version_field = known.required(custom, "versionField", TimestampField)
    table = Table(
        schema_name,
        schema.text("physicalName", IDENTIFIER),
        columns,
        identity,
        version_field,
        known.column(custom, "distributionKey"),
        known.column(custom, "sortKey"),
    )
    return Contract(
        name=name,
        version=version,
        fields=fields,
        table=table,
        rules=tuple(_read_rules(schema, known)),
        identity=identity,
        version_field=version_field,
        scanned_field=known.named(custom, "scannedField", TextField),
        event_key=known.required(custom, "eventKey", TextField),
        event_time=known.required(custom, "eventTime", TimestampField),
        partitions=source.partitions,
        daily_volume=daily_volume,
        freshness=freshness,
        topic=source.topic,
        contacts_topic=source.contacts_topic,
        dead_letters_topic=source.dead_letters_topic,
    )


_KINDS = {TextField: "text", IntegerField: "integer", TimestampField: "timestamp"}


class _Fields:
    """The fields and columns read so far, to check what the file says about them elsewhere."""

    def __init__(self, fields: tuple[Field, ...], columns: tuple[Column, ...]) -> None:
        self._fields = {each.name: each for each in fields}
        self._columns = {each.name for each in columns}

    def column(self, node: Node, key: str) -> str:
        found = node.text(key)
        if found and found not in self._columns:
            node.problem(f"{key}: the table has no column {found!r}")
        return found

    def named(self, node: Node, key: str, *kinds: type[Field]) -> str:
        found = node.text(key)
        if found:
            self.check(node, key, found, *kinds)
        return found

    def required(self, node: Node, key: str, kind: type[Field]) -> str:
        found = self.named(node, key, kind)
        if found in self._fields and not self._fields[found].required:
            node.problem(f"{key}: {found!r} must be required")
        return found

    def all_of(self, node: Node, key: str, least: int, *kinds: type[Field]) -> tuple[str, ...]:
        found = node.texts(key)
        if len(found) < least or len(set(found)) < len(found):
            node.problem(f"{key} must name at least {least} field(s), each once")
        for name in found:
            self.check(node, key, name, *kinds)
        return found

    def check(self, node: Node, key: str, name: str, *kinds: type[Field]) -> None:
        if name not in self._fields:
            node.problem(f"{key}: no message field is named {name!r}")
        elif kinds and not isinstance(self._fields[name], kinds):
            node.problem(f"{key}: {name!r} must be of type {' or '.join(_KINDS[kind] for kind in kinds)}")


_SEVERITY = {
    "presentUnless": "error",
    "together": "warning",
    "notBefore": "warning",
    "notInFuture": "warning",
}


def _read_rules(schema: Node, known: _Fields) -> Iterator[Rule]:
    seen: set[str] = set()
    for quality in schema.items("quality"):
        quality.only(
            frozenset({"name", "type", "engine", "severity", "dimension", "implementation", "businessImpact"})
        )
        code = quality.text("name", _CODE)
        if code in seen:
            quality.problem(f"the rule {code!r} is given twice")
        seen.add(code)
        quality.choice("type", ("custom",))
        quality.choice("engine", (ENGINE,))
        body = quality.child("implementation")
        kind = body.choice("rule", tuple(_SEVERITY)) if body is not None else ""
        if body is None or not kind:
            continue
        quality.choice("severity", (_SEVERITY[kind],))
        if kind == "presentUnless":
            body.only(frozenset({"rule", "field", "fields"}))
            yield PresentUnless(code, known.named(body, "field", TextField), known.all_of(body, "fields", 1))
        elif kind == "together":
            body.only(frozenset({"rule", "fields"}))
            yield Together(code, known.all_of(body, "fields", 2))
        elif kind == "notBefore":
            body.only(frozenset({"rule", "field", "reference"}))
            later = known.required(body, "field", TimestampField)
            yield NotBefore(code, later, known.required(body, "reference", TimestampField))
        else:
            body.only(frozenset({"rule", "fields", "toleranceSeconds"}))
            tolerance = timedelta(seconds=body.whole("toleranceSeconds", 0, 10**9))
            yield NotInFuture(code, known.all_of(body, "fields", 1, TimestampField), tolerance)
