"""What `scd: 2` in a contract adds to its table: a row for each version, and columns that say when it held.

The columns are not written in the file: their names, types and meaning follow from the version field.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.items import CURRENT, HISTORY_FILLS, HISTORY_NAMES, Fill
from dataflow.odcs import Node
from dataflow.properties import Properties
from dataflow.terms import Property, Quality

TYPES = (1, 2)
"""Types of slowly changing dimension: the latest version of a message only, or every version."""
MAX_NAME = 127
"""Bytes of a name in Redshift."""
_MEANINGS = {
    Fill.VALID_FROM: "Since when the row says what the message was: its version.",
    Fill.VALID_TO: "Until when, exclusive: the next version of the same message. Null in the current row.",
    Fill.IS_CURRENT: "Whether the row is the message's latest version. Each message has one such row.",
}
_HEADINGS = {Fill.VALID_FROM: "Valid from", Fill.VALID_TO: "Valid to", Fill.IS_CURRENT: "Current"}


def read_history(schema: Node, custom: Node, properties: Properties) -> bool:
    """Whether the table keeps a history; 1, none, when the file doesn't say. What can't be is a problem."""
    if not custom.has("scd") or custom.whole("scd", *TYPES) == 1:
        return False
    for each, node in zip(properties.properties, properties.nodes, strict=True):
        if each.name in HISTORY_NAMES:
            node.problem(f"{each.name!r} is a column that scd: 2 adds; choose another name")
    name = schema.at("name").value
    if isinstance(name, str) and len(name + CURRENT) > MAX_NAME:
        schema.at("name").problem(f"is too long for its view of current rows, {CURRENT} behind the name")
    return True


def check_version(custom: Node, properties: Properties, version_field: str) -> None:
    """A message whose identity holds its version has no other version: a problem."""
    if version_field in properties.identity:
        custom.problem(
            f"versionField: {version_field!r} is part of the identity: there is no history to keep"
        )


def history_properties(properties: Sequence[Property], version_field: str) -> tuple[Property, ...]:
    """The columns that are added behind the others; none while the version field is not known."""
    for version in properties:
        if version.name == version_field:
            return tuple(
                _described(version, fill, name)
                for fill, name in zip(HISTORY_FILLS, HISTORY_NAMES, strict=True)
            )
    return ()


def _described(version: Property, fill: Fill, name: str) -> Property:
    flag = fill is Fill.IS_CURRENT
    return Property(
        name=name,
        logical_type="boolean" if flag else version.logical_type,
        physical_type="boolean" if flag else version.physical_type,
        required=fill is not Fill.VALID_TO,
        fill=fill,
        description=_MEANINGS[fill],
        business_name=_HEADINGS[fill],
        classification=version.classification,
    )


def check_rules(schema: Node, quality: Sequence[Quality], version_field: str) -> None:
    """A rule that a history would break from its first later version on is a problem."""
    for rule in quality:
        columns = dict(rule.arguments).get("properties", (rule.field,))
        if rule.metric == "duplicateValues" and version_field not in columns:
            schema.problem(
                f"quality: {rule.name}: with scd: 2 a message has a row for each version, so that values "
                f"come again; add {version_field} to the properties"
            )
