"""The contract file, loaded, checked and compiled into values.

The file is an Open Data Contract Standard document (v3). It is the only place that names a field: the
validator, the row layout, the DDL and the contact events are derived from the `Contract` that `load` returns.
What the file may say is read strictly: an unknown key is a fault, because a misspelt one would otherwise be a
rule that silently does not hold. `contracts/README.md` tells what may stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import resources
from pathlib import Path

from connectors.items import HISTORY_NAMES, Column, ContactsTable, Table
from dataflow.contacts_table import CONTACTS_OF, ReadContacts, read_contacts
from dataflow.fields import Field, Rule, TextField, TimestampField
from dataflow.history import check_rules, check_version, history_properties, read_history
from dataflow.odcs import ELEMENT, ContractError, Node
from dataflow.properties import IDENTIFIER, IDENTIFIER_FORM, Properties, read_properties
from dataflow.read_terms import (
    TOPIC,
    read_description,
    read_links,
    read_price,
    read_roles,
    read_service_levels,
    read_support,
    read_team,
)
from dataflow.rules import KnownFields, read_quality
from dataflow.servers import read_servers
from dataflow.strict_yaml import MAX_BYTES, YamlFault, read
from dataflow.terms import Quality, ServiceLevel, Terms

__all__ = ["Contract", "ContractError", "load", "parse"]

API_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
STATUSES = ("proposed", "draft", "active", "deprecated", "retired")


@dataclass(frozen=True, slots=True)
class Contract:
    """What producer, pipeline and consumers agreed on, checked and ready to compile."""

    name: str
    version: str
    """Semantic: a breaking change raises the first of its three numbers."""
    fields: tuple[Field, ...]
    """What a message carries, in the table's order: `fields[i]` fills `table.message_columns[i]`."""
    table: Table
    contacts: ContactsTable | None
    """Where contacts are kept beside the messages; None: the contract has no such table."""
    rules: tuple[Rule, ...]
    identity: tuple[str, ...]
    """Fields that together name one message, in key order."""
    version_field: str
    scanned_field: str
    """The text that is scanned for contacts; empty: none is, and there are no contact events."""
    event_key: str
    """The field whose value keys the contact events; empty without them."""
    event_time: str
    """The timestamp at which a contact was given away; empty without contact events."""
    partitions: int
    daily_volume: int
    """Messages a day, an expectation and not a limit."""
    freshness: timedelta
    """A row is in the table at most this long, plus the duration of a commit, after it reached the topic."""
    topic: str
    contacts_topic: str
    """Empty without contact events."""
    dead_letters_topic: str
    retention: timedelta | None
    """How long the topic holds a message at least; None: not agreed."""
    terms: Terms
    """What the file says besides: to people, to documents and to alerts."""

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
    with path.open("rb") as file:
        # One byte more than is read: a longer file, or one without an end, is refused for its length.
        raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ContractError(str(path), [f"document: more than {MAX_BYTES} bytes; a contract is shorter"])
    try:
        text = raw.decode()
    except UnicodeDecodeError as fault:
        raise ContractError(str(path), [f"byte {fault.start}: not UTF-8"]) from None
    return parse(text, str(path))


def parse(text: str, source: str) -> Contract:
    """A contract from the text of its file; `source` names it in faults. Raises ContractError."""
    try:
        document = read(text)
    except YamlFault as fault:
        raise ContractError(source, [str(fault)]) from None
    problems: list[str] = []
    contract = _read_contract(Node(document, "", problems))
    if problems or contract is None:
        raise ContractError(source, problems)
    return contract


_ROOT = frozenset(
    {
        *("apiVersion", "kind", "id", "name", "version", "status", "domain", "tenant", "tags"),
        *("description", "servers", "schema", "support", "price", "team", "roles", "slaProperties"),
        *("authoritativeDefinitions", "customProperties", "contractCreatedTs"),
    }
)
_NOT_AT_ROOT = {
    "slaDefaultElement": "the standard drops it; give each SLA property its element",
    "dataProduct": "the standard drops it; name the product in domain or tags",
    "context": "guidance for language models is not part of this agreement",
}
_VERSION = re.compile(r"(?:0|[1-9]\d{0,5})\.(?:0|[1-9]\d{0,5})\.(?:0|[1-9]\d{0,5})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,127}")
_CREATED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def _read_contract(root: Node) -> Contract | None:
    if not isinstance(root.value, dict):
        root.problem("must be a mapping")
        return None
    root.only(_ROOT, instead=_NOT_AT_ROOT)
    api_version = root.choice("apiVersion", API_VERSIONS, API_VERSIONS[-1])
    root.choice("kind", ("DataContract",))
    objects = _read_objects(root)
    if objects is None:
        return None
    schema, second = objects
    servers = read_servers(root)
    properties = read_properties(schema)
    table_name = _read_table_name(schema)
    custom = schema.custom(
        *("versionField", "distributionKey", "sortKey", "scannedField", "eventKey", "eventTime", "scd")
    )
    history = read_history(schema, custom, properties)
    names = [column.name for column in properties.columns] + list(HISTORY_NAMES if history else ())
    fields = KnownFields(properties.fields, names, properties.faulty)
    rule_names: set[str] = set()
    quality = _read_quality(schema, properties, fields, rule_names)
    version_field = fields.required(custom, "versionField", TimestampField)
    added = history_properties(properties.properties, version_field) if history else ()
    if history:
        check_version(custom, properties, version_field)
        check_rules(schema, quality, version_field)
    distribution, sort = fields.column(custom, "distributionKey"), fields.column(custom, "sortKey")
    scanned, event_key, event_time = _read_scan(custom, fields)
    if bool(scanned) is not bool(servers.kafka.contacts_topic):
        custom.problem(
            "scannedField here and contactsTopic of the Kafka server belong together; give both or none"
        )
    sent = {*properties.faulty, *(field.name for field in properties.fields)}
    if (key := servers.kafka.message_key) and key not in sent:
        root.problem(f"servers: messageKey: no message field is named {key!r}")
    table = Table(
        servers.redshift.schema,
        table_name,
        (
            *properties.columns,
            *(Column(each.name, each.physical_type, each.required, each.fill) for each in added),
        ),
        properties.identity,
        version_field,
        distribution,
        sort,
    )
    contacts = None
    if second is not None:
        contacts = read_contacts(second, _read_table_name(second), table, event_time, properties.faulty)
        quality += _read_contacts_quality(second, contacts, rule_names)
    levels = read_service_levels(root, table_name, _elements(table, contacts, properties.faulty))
    return Contract(
        name=root.text("name", _NAME, "letters, digits, blanks, _ . and -"),
        version=root.text("version", _VERSION, "three numbers, as 1.0.0"),
        fields=properties.fields,
        table=table,
        contacts=None if contacts is None else contacts.table,
        rules=tuple(each.rule for each in quality if each.rule is not None),
        identity=properties.identity,
        version_field=version_field,
        scanned_field=scanned,
        event_key=event_key,
        event_time=event_time,
        partitions=servers.kafka.partitions,
        daily_volume=_throughput(levels),
        freshness=_duration(levels, "latency", None) or timedelta(),
        topic=servers.kafka.topic,
        contacts_topic=servers.kafka.contacts_topic,
        dead_letters_topic=servers.kafka.dead_letters_topic,
        retention=_duration(levels, "retention", TOPIC),
        terms=Terms(
            id=root.text("id"),
            api_version=api_version,
            status=root.choice("status", STATUSES) if root.has("status") else "",
            kafka=servers.kafka,
            redshift=servers.redshift,
            properties=(*properties.properties, *added),
            quality=quality,
            service_levels=levels,
            domain=root.words("domain"),
            tenant=root.words("tenant"),
            created=root.text("contractCreatedTs", _CREATED, "a time, as 2024-01-30T12:00:00Z")
            if root.has("contractCreatedTs")
            else "",
            tags=root.listed("tags"),
            description=read_description(root),
            table_description=schema.words("description"),
            granularity=schema.words("dataGranularityDescription"),
            team=read_team(root),
            support=read_support(root),
            roles=read_roles(root),
            price=read_price(root),
            links=(*read_links(root), *read_links(schema)),
            contacts=None if contacts is None else contacts.terms,
        ),
    )


_OBJECT = ELEMENT | frozenset(
    {"logicalType", "physicalName", "dataGranularityDescription", "quality", "properties"}
)


def _read_table_name(schema: Node) -> str:
    schema.only(_OBJECT, instead={"relationships": "Redshift keeps no foreign keys; tell of them in words"})
    schema.check_for_people()
    schema.choice("logicalType", ("object",))
    schema.choice("physicalType", ("table",))
    schema.words("businessName")
    schema.flag("deprecated")
    schema.listed("tags")
    name = schema.text("name", IDENTIFIER, IDENTIFIER_FORM)
    if schema.has("physicalName") and schema.text("physicalName") != name:
        schema.at("physicalName").problem(
            "the table is named as the object; write the same name, or leave it out"
        )
    return name


def _read_objects(root: Node) -> tuple[Node, Node | None] | None:
    """The table of the messages and that of their contacts, whichever stands first; None with a problem."""
    objects = list(root.items("schema"))
    second = [each for each in objects if _is_of_contacts(each)]
    first = [each for each in objects if each not in second]
    if len(first) != 1 or len(second) > 1:
        root.problem(
            f"schema must hold exactly one object, and at most one more that has the custom property "
            f"{CONTACTS_OF}; not {len(first)} and {len(second)}"
        )
        return None
    return first[0], second[0] if second else None


def _is_of_contacts(schema: Node) -> bool:
    given = schema.at("customProperties").value
    return isinstance(given, list) and any(
        isinstance(each, dict) and each.get("property") == CONTACTS_OF for each in given
    )


def _elements(table: Table, contacts: ReadContacts | None, faulty: frozenset[str]) -> frozenset[str]:
    """What a service level may be about, besides the topic and the table."""
    found = {f"{table.name}.{name}" for name in (*faulty, *(column.name for column in table.columns))}
    if contacts is not None:
        name = contacts.table.name
        columns = (*contacts.faulty, *(column.name for column in contacts.table.columns))
        found |= {name, *(f"{name}.{column}" for column in columns)}
    return frozenset(found)


def _read_quality(
    schema: Node, properties: Properties, fields: KnownFields, seen: set[str]
) -> tuple[Quality, ...]:
    found = list(read_quality(schema, "", fields, seen))
    for each, node in zip(properties.properties, properties.nodes, strict=True):
        found += read_quality(node, each.name, fields, seen)
    return tuple(found)


def _read_contacts_quality(schema: Node, contacts: ReadContacts, seen: set[str]) -> tuple[Quality, ...]:
    name = contacts.table.name
    found = [replace(each, field=name) for each in read_quality(schema, "", contacts.fields, seen)]
    for each, node in zip(contacts.terms.properties, contacts.nodes, strict=True):
        found += read_quality(node, f"{name}.{each.name}", contacts.fields, seen)
    return tuple(found)


def _read_scan(custom: Node, fields: KnownFields) -> tuple[str, str, str]:
    """Scanned field, event key and event time: all three, or none."""
    if not any(custom.has(key) for key in ("scannedField", "eventKey", "eventTime")):
        return "", "", ""
    return (
        fields.named(custom, "scannedField", TextField),
        fields.required(custom, "eventKey", TextField),
        fields.required(custom, "eventTime", TimestampField),
    )


def _throughput(levels: Iterable[ServiceLevel]) -> int:
    return next(
        (level.value for level in levels if isinstance(level.value, int) and level.name == "throughput"), 0
    )


def _duration(levels: Iterable[ServiceLevel], name: str, element: str | None) -> timedelta | None:
    """How long a promise holds; with an element, only the one about it."""
    for level in levels:
        if level.name == name and (element is None or element in level.elements):
            return level.duration
    return None
