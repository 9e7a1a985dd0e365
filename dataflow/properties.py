"""Reading the properties of a contract file: each is a column, and a field unless the commit fills it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.items import HISTORY_FILLS, Column, ContactPart, Fill
from dataflow.column_types import read_field
from dataflow.fields import Field, TextField, TimestampField
from dataflow.odcs import ELEMENT, Node, shown
from dataflow.read_terms import read_links
from dataflow.terms import Property, Scalar, Word

MAX_COLUMNS = 1600
"""Most columns that a Redshift table has."""
COMMIT_ID_BYTES = 32
ROW_FILLS: Mapping[str, Fill | ContactPart] = {each.value: each for each in Fill if each not in HISTORY_FILLS}
"""What may fill a column of the messages' table, by its word; a history's columns are not in the file."""
CONTACT_FILLS: Mapping[str, Fill | ContactPart] = {
    **ROW_FILLS,
    **{each.value: each for each in ContactPart},
}
"""What may fill a column of the contacts' table."""
IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,126}")
"""A plain lower-case SQL name, which needs no quoting in any statement."""
IDENTIFIER_FORM = "lower-case letters, digits and _, as in sent_at"
RESERVED = frozenset(
    """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup
    between binary blanksasnull both bytedict bzip2 case cast check collate column constraint create
    credentials cross current_date current_time current_timestamp current_user current_user_id default
    deferrable deflate defrag delta delta32k desc disable distinct do else emptyasnull enable encode
    encrypt encryption end except explicit false for foreign freeze from full globaldict256
    globaldict64k grant group gzip having identity ignore ilike in initially inner intersect interval
    into is isnull join leading left like limit localtime localtimestamp lun luns lzo lzop minus
    mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on only open
    or order outer overlaps parallel partition percent permissions pivot placing primary raw readratio
    recover references respect rejectlog resort restore right select session_user similar snapshot some
    sysdate system table tag tdes text255 text32k then timestamp to top trailing true truncatecolumns
    union unique unnest unpivot user using verbose wallet when where with without
    """.split()  # noqa: SIM905 a list would have a line for each
)
"""Redshift's reserved words, which a statement would have to quote."""
METAFIELD = "metafield_"
"""How columns are named that the commit fills."""
CLASSIFICATIONS = ("public", "internal", "confidential", "personal")
"""How sensitive a column is, in rising order; what names or contacts a person is `personal`."""
_PROPERTY = ELEMENT | frozenset(
    {
        *("logicalType", "logicalTypeOptions", "physicalName", "required", "unique", "quality", "enum"),
        *("primaryKey", "primaryKeyPosition", "classification", "examples", "criticalDataElement"),
        *("semanticType", "transformLogic", "transformDescription", "transformSourceObjects"),
    }
)
_NOT_TAKEN = {
    "partitioned": "a Redshift table has no partitions; sortKey of the table orders it",
    "partitionKeyPosition": "a Redshift table has no partitions; sortKey of the table orders it",
    "encryptedName": "columns are not encrypted one by one",
    "relationships": "Redshift keeps no foreign keys; tell of them in the description",
    "items": "a message is a flat object",
    "properties": "a message is a flat object",
    "map": "a message is a flat object",
}


@dataclass(frozen=True, slots=True)
class Properties:
    """What the properties of a schema object state."""

    fields: tuple[Field, ...]
    """What a message carries, in the table's order."""
    columns: tuple[Column, ...]
    properties: tuple[Property, ...]
    """One for each column, in the same order."""
    identity: tuple[str, ...]
    nodes: tuple[Node, ...]
    """The properties' own nodes, in the same order, for what else they hold."""
    faulty: frozenset[str]
    """Names of properties that could not be read, for a fault of their own that is told already."""


def read_properties(schema: Node) -> Properties:
    """Fields, columns and identity. What is wrong is a problem, and the property is then left out."""
    fields: list[Field] = []
    columns: list[Column] = []
    properties: list[Property] = []
    nodes: list[Node] = []
    for node, field, described in read_columns(schema, ROW_FILLS):
        columns.append(Column(described.name, described.physical_type, described.required, described.fill))
        properties.append(described)
        nodes.append(node)
        if described.fill is Fill.MESSAGE:
            fields.append(field)
    faulty = faulty_names(schema, properties)
    if not fields and not faulty:
        schema.problem("properties holds no usable field")
    identity = _read_identity(schema, properties, nodes, faulty)
    return Properties(tuple(fields), tuple(columns), tuple(properties), identity, tuple(nodes), faulty)


def faulty_names(schema: Node, read: Sequence[Property]) -> frozenset[str]:
    """The names of those properties of a schema object that are not among what was read."""
    given = schema.at("properties").value
    names = [each.get("name") for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    return frozenset(name for name in names if isinstance(name, str)) - {each.name for each in read}


def read_columns(
    schema: Node, fills: Mapping[str, Fill | ContactPart]
) -> Iterator[tuple[Node, Field, Property]]:
    """Each property as a column of a table: its node, what it may hold, and how the file describes it."""
    seen: set[str] = set()
    for number, node in enumerate(schema.items("properties")):
        if number == MAX_COLUMNS:
            schema.problem(f"properties holds more than {MAX_COLUMNS} columns, Redshift's most")
            return
        read = _read_property(node, fills, seen)
        if read is None:
            continue
        if read[1].fill is not Fill.MESSAGE:
            _check_fill(node, read[1].fill, read[0])
        yield node, *read


def _read_property(
    node: Node, fills: Mapping[str, Fill | ContactPart], seen: set[str]
) -> tuple[Field, Property] | None:
    node.only(_PROPERTY, instead=_NOT_TAKEN)
    name = node.text("name", IDENTIFIER, IDENTIFIER_FORM)
    if name in RESERVED:
        node.at("name").problem(f"{name!r} is a reserved word of Redshift's; choose another name")
    if name in seen:
        node.problem(f"the field {name!r} is given twice")
    seen.add(name)
    if node.has("physicalName") and node.text("physicalName") != name:
        node.at("physicalName").problem("a column is named as its field; leave physicalName out")
    custom = node.custom("fill", "acceptedTypes")
    chosen = custom.choice("fill", list(fills)) if custom.has("fill") else ""
    fill = fills[chosen] if chosen else Fill.MESSAGE
    if name.startswith(METAFIELD) and not custom.has("fill"):
        node.problem(
            f"{name!r} is named as a metafield, which no message carries; "
            "give it the custom property fill, or another name"
        )
    classification = node.choice("classification", CLASSIFICATIONS)
    required = node.flag("required")
    words = _read_words(node)
    read = read_field(node, custom, words, name, required, classification)
    described = _describe(node, name, required, fill, classification, words)
    unfilled = custom.has("fill") and not chosen
    return None if read is None or unfilled else (read, described)


def _describe(
    node: Node,
    name: str,
    required: bool,
    fill: Fill | ContactPart,
    classification: str,
    words: tuple[Word, ...],
) -> Property:
    node.check_for_people()
    if node.has("semanticType"):
        node.choice("semanticType", ("column",))
    for key in ("transformLogic", "transformDescription"):
        node.words(key)
    node.listed("transformSourceObjects")
    return Property(
        name=name,
        logical_type=node.words("logicalType"),
        physical_type=node.words("physicalType").lower().replace(" ", ""),
        required=required,
        fill=fill if isinstance(fill, Fill) else Fill.MESSAGE,
        part=fill if isinstance(fill, ContactPart) else None,
        key_position=_key_position(node),
        description=node.words("description"),
        business_name=node.words("businessName"),
        classification=classification,
        critical=node.flag("criticalDataElement"),
        deprecated=node.flag("deprecated"),
        tags=node.listed("tags"),
        examples=_read_examples(node),
        words=words,
        links=read_links(node),
    )


def _read_examples(node: Node) -> tuple[Scalar, ...]:
    if not node.has("examples"):
        return ()
    found = node.at("examples")
    if not isinstance(found.value, list):
        found.problem("must be a list")
        return ()
    plain = tuple(each for each in found.value if not isinstance(each, dict | list))
    if len(plain) < len(found.value):
        found.problem("must hold plain values: a message is a flat object")
    return plain


def _key_position(node: Node) -> int | None:
    if not node.flag("primaryKey"):
        if node.has("primaryKeyPosition") and node.at("primaryKeyPosition").value != -1:
            node.at("primaryKeyPosition").problem("is given without primaryKey: true")
        return None
    return node.whole("primaryKeyPosition", 1, 100)


def _read_identity(
    schema: Node, properties: Sequence[Property], nodes: Sequence[Node], faulty: frozenset[str]
) -> tuple[str, ...]:
    keys: dict[int, str] = {}
    for each, node in zip(properties, nodes, strict=True):
        if each.key_position is None:
            continue
        if not each.required or each.fill is not Fill.MESSAGE:
            node.problem("a key field must be required and come with the message")
        if each.key_position in keys:
            node.problem(f"primaryKeyPosition {each.key_position} is given twice")
        keys[each.key_position] = each.name
    # A key may be one of the faulty: what its absence would mean is no fault of the file.
    if faulty:
        pass
    elif not keys:
        schema.problem("no property has primaryKey: true, so a message has no identity")
    elif sorted(keys) != list(range(1, len(keys) + 1)):
        told = ", ".join(map(str, sorted(keys)))
        schema.problem(f"primaryKeyPosition must count 1, 2, 3 … without a gap; it is {told}")
    identity = tuple(name for _, name in sorted(keys.items()))
    for each, node in zip(properties, nodes, strict=True):
        if node.flag("unique") and identity != (each.name,) and not faulty:
            node.problem(
                f"unique: true would be a second identity beside {', '.join(identity) or 'none'}; "
                "a message has one, its primaryKey"
            )
    return identity


_WORD = frozenset(
    {"value", "label", "id", "description", "customProperties", "authoritativeDefinitions", "tags"}
)


def _read_words(node: Node) -> tuple[Word, ...]:
    words: list[Word] = []
    seen: set[str] = set()
    for element in node.items("enum"):
        element.only(_WORD)
        element.custom()
        element.listed("tags")
        read_links(element)
        word = Word(element.text("value"), element.words("label"), element.words("description"))
        if word.value in seen:
            element.problem(f"{shown(word.value)} is given twice")
        seen.add(word.value)
        words.append(word)
    if node.has("enum") and not words:
        node.problem("enum holds no value")
    return tuple(words)


def _check_fill(node: Node, fill: Fill, filled: Field) -> None:
    if fill is Fill.COMMIT_TIME and not isinstance(filled, TimestampField):
        node.problem("commit time fills a timestamp only")
    if fill is Fill.SOURCE_NAME and not isinstance(filled, TextField):
        node.problem("source name fills a text only")
    if fill is Fill.COMMIT_ID and not (isinstance(filled, TextField) and filled.max_bytes >= COMMIT_ID_BYTES):
        node.problem(f"commit id fills a text of at least {COMMIT_ID_BYTES} bytes only")
