"""Reading the second table of a contract file: the contacts that the texts of its messages gave away."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.items import ContactColumn, ContactPart, ContactsTable, ExchangesView, Fill, Table
from dataflow.fields import Field, IntegerField, TextField
from dataflow.model import KINDS
from dataflow.odcs import Node, known, shown
from dataflow.properties import (
    CONTACT_FILLS,
    IDENTIFIER,
    IDENTIFIER_FORM,
    RESERVED,
    faulty_names,
    read_columns,
)
from dataflow.read_terms import read_links
from dataflow.rules import KnownFields
from dataflow.terms import ContactsTerms, Property

CONTACTS_OF = "contactsOf"
"""The custom property by which a schema object is told to be the contacts' table."""
PART_BYTES = {
    ContactPart.EVENT_ID: 32,
    ContactPart.KIND: 16,
    ContactPart.PLATFORM: 32,
    ContactPart.HMAC: 64,
    ContactPart.KEY_ID: 64,
    ContactPart.MASKED: 64,
    ContactPart.RULE: 64,
}
"""Bytes that the texts of a contact need; the other parts are whole numbers."""
MAY_LACK = frozenset({ContactPart.PLATFORM, ContactPart.HMAC, ContactPart.KEY_ID, ContactPart.MASKED})
"""What a contact may come without, so that its column may be null."""
NEEDED = (ContactPart.EVENT_ID, ContactPart.KIND)
TAKEN = frozenset({"commit_ledger"})
"""Names in the schema that are the pipeline's own."""
_WORD = re.compile(r"[a-z_]{1,32}")


@dataclass(frozen=True, slots=True)
class ReadContacts:
    """The table as it is compiled, and as the file describes it."""

    table: ContactsTable
    terms: ContactsTerms
    fields: KnownFields
    """Its columns, for what the file says of them elsewhere."""
    nodes: tuple[Node, ...]
    """The properties' own nodes, in the columns' order."""
    faulty: frozenset[str]
    """Names of columns that could not be read, for a fault of their own."""


def read_contacts(
    schema: Node, name: str, table: Table, event_time: str, faulty_fields: frozenset[str]
) -> ReadContacts:
    """The contacts' table of the messages in `table`; `event_time` is empty when no text is scanned.

    `faulty_fields` are those of the messages that have a fault of their own.
    """
    custom = schema.custom(
        *(CONTACTS_OF, "distributionKey", "sortKey", "sender", "recipient", "exchangesView")
    )
    if custom.has(CONTACTS_OF):
        custom.choice(CONTACTS_OF, (table.name,))
    if not event_time:
        schema.problem(f"{table.name} has no scannedField: no text gives contacts away")
    if name in {table.name, table.current_view, *TAKEN}:
        schema.at("name").problem(f"{name!r} is a table of its own already; choose another name")
    properties: list[Property] = []
    columns: list[ContactColumn] = []
    nodes: list[Node] = []
    for node, field, described in read_columns(schema, CONTACT_FILLS):
        # What is filled as one of the faulty seems to be filled as none.
        if described.name not in faulty_fields and not (faulty_fields and described.fill is not Fill.MESSAGE):
            _check_column(node, field, described, table)
        columns.append(
            ContactColumn(
                *(described.name, described.physical_type, described.required, described.fill),
                part=described.part,
            )
        )
        properties.append(described)
        nodes.append(node)
    faulty = faulty_names(schema, properties)
    if not faulty:
        _check_columns(schema, columns, table, event_time)
    _check_key(properties, nodes)
    fields = KnownFields((), [column.name for column in columns], faulty)
    unread = faulty | faulty_fields
    return ReadContacts(
        ContactsTable(
            table.schema,
            name,
            tuple(columns),
            fields.column(custom, "distributionKey"),
            fields.column(custom, "sortKey"),
            None if unread else _read_view(custom, name, table, event_time, properties),
        ),
        ContactsTerms(
            tuple(properties),
            schema.words("description"),
            schema.words("dataGranularityDescription"),
            read_links(schema),
        ),
        fields,
        tuple(nodes),
        faulty,
    )


def _check_column(node: Node, field: Field, described: Property, table: Table) -> None:
    if any(each.at("property").value == "acceptedTypes" for each in node.items("customProperties")):
        node.problem("acceptedTypes is about messages; it stands at the field of the same name")
    part = described.part
    if part is not None:
        _check_part(node, field, part)
        return
    own = {column.name: column for column in table.columns}
    if described.fill is not Fill.MESSAGE:
        if not any(column.fill is described.fill for column in own.values()):
            node.problem(f"{table.name} has no column that is filled with {described.fill.value}")
        return
    column = own.get(described.name)
    if column is None or column.fill is not Fill.MESSAGE:
        fields = [each.name for each in table.message_columns]
        node.problem(
            f"no message field is named {shown(described.name)}; give the column a fill, or the name of one: "
            f"{known(described.name, fields)}"
        )
    elif described.physical_type != column.sql_type:
        node.at("physicalType").problem(f"{table.name} has it as {column.sql_type}; write the same type")
    elif described.required and not column.required:
        node.at("required").problem(f"it may be null in {table.name}; leave it optional")


def _check_part(node: Node, field: Field, part: ContactPart) -> None:
    least = PART_BYTES.get(part)
    if least is None:
        if not isinstance(field, IntegerField) or node.at("physicalType").value == "smallint":
            node.problem(f"{part.value} fills an integer or a bigint only")
    elif not isinstance(field, TextField) or field.max_bytes < least:
        node.problem(f"{part.value} fills a text of at least {least} bytes only")
    if part in MAY_LACK and field.required:
        node.at("required").problem(f"a contact may come without {part.value}; leave it optional")
    if part is ContactPart.KIND and isinstance(field, TextField):
        wrong = [word for word in field.values if not _WORD.fullmatch(word)]
        if wrong or not {*field.values} >= {*KINDS}:
            node.problem(f"enum must hold {', '.join(KINDS)}, and other words of lower-case letters only")


def _check_columns(schema: Node, columns: Sequence[ContactColumn], table: Table, event_time: str) -> None:
    names = [column.name for column in columns if column.part is None and column.fill is Fill.MESSAGE]
    for name in dict.fromkeys((*table.key, *filter(None, [event_time]))):
        if name not in names:
            schema.problem(f"properties lacks {name}, by which a contact is joined with its message")
    parts = [column.part for column in columns if column.part is not None]
    for part in NEEDED:
        if part not in parts:
            schema.problem(f"properties lacks a column with fill: {part.value}")
    for part in dict.fromkeys(parts):
        if parts.count(part) > 1:
            schema.problem(f"fill: {part.value} is given twice")
    if not any(column.fill is Fill.COMMIT_ID for column in columns):
        told = f"properties lacks a column with fill: {Fill.COMMIT_ID.value}"
        schema.problem(f"{told}, by which a rerun takes contacts back")


def _check_key(properties: Sequence[Property], nodes: Sequence[Node]) -> None:
    for each, node in zip(properties, nodes, strict=True):
        is_id = each.part is ContactPart.EVENT_ID
        if not is_id and (each.key_position is not None or node.flag("unique")):
            node.problem(f"a contact is named by its {ContactPart.EVENT_ID.value} alone")


def _read_view(
    custom: Node, name: str, table: Table, event_time: str, properties: Sequence[Property]
) -> ExchangesView | None:
    keys = ("sender", "recipient", "exchangesView")
    if not any(custom.has(key) for key in keys):
        return None
    users = [each.name for each in properties if each.part is None and each.fill is Fill.MESSAGE]
    users = [each.name for each in table.columns if each.name in users and each.required]
    sender, recipient = (custom.choice(key, users) for key in keys[:2])
    types = {each.name: each.sql_type for each in table.columns}
    if sender and recipient and (sender == recipient or types[sender] != types[recipient]):
        custom.problem("sender and recipient must be two fields of one type")
    view = custom.text("exchangesView", IDENTIFIER, IDENTIFIER_FORM)
    if view in {name, table.name, table.current_view, *TAKEN, *RESERVED}:
        custom.problem(f"exchangesView: {shown(view)} is taken; choose another name")
    kind = next((each for each in properties if each.part is ContactPart.KIND), None)
    if kind is None:
        return None
    words = tuple(word.value for word in kind.words)
    return ExchangesView(view, sender, recipient, event_time, kind.name, words)
