"""The statements that make a table of type 1 one of type 2, as text generated from a `Table`. Pure; see
`connectors.redshift_sql`. All of them may run in one transaction."""

from __future__ import annotations

from dataclasses import replace

from connectors.items import HISTORY_FILLS, Table
from connectors.redshift_sql import create_current, definitions, incoming_value, names

TYPE_1 = "_type_1"
"""What the name of the old table gets behind it."""


def type_1(table: Table) -> Table:
    """The same without a history."""
    return replace(table, columns=tuple(each for each in table.columns if each.fill not in HISTORY_FILLS))


def count_rows(table: Table) -> str:
    """How many rows there are."""
    return f"SELECT count(*) FROM {table.qualified}"


def rename_old(table: Table) -> str:
    """The old table makes room, and is kept."""
    return f"ALTER TABLE {table.qualified} RENAME TO {table.name}{TYPE_1}"


def create_new(table: Table) -> str:
    """As `ddl` creates it where none is."""
    (create,) = (each.sql for each in definitions(table) if each.name == table.name)
    return create


def copy_rows(table: Table) -> str:
    """Each row is the one version of its message that is known."""
    kept = type_1(table).columns
    added = [column for column in table.columns if column.fill in HISTORY_FILLS]
    first = ", ".join(incoming_value(table, column) for column in added)
    return (
        f"INSERT INTO {table.qualified} ({names(kept)}, {names(added)}) "
        f"SELECT {names(kept)}, {first} FROM {table.qualified}{TYPE_1}"
    )


def statements(table: Table) -> tuple[str, ...]:
    """All of them, in their order."""
    return rename_old(table), create_new(table), copy_rows(table), create_current(table)
