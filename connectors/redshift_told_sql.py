"""The statements that compare contacts told on the side topic with the contacts' table, as text. Pure."""

from __future__ import annotations

from connectors.items import Column, ContactPart, ContactsTable, Fill, Table
from connectors.redshift_rerun_sql import commit_column
from connectors.redshift_sql import (
    INCOMING,
    MAX_PARAMETERS,
    MAX_STATEMENT_ROWS,
    POSITION_COLUMNS,
    columns_sql,
    names,
    same_row,
)

TOLD = "told_contacts"
_COLUMNS = (*POSITION_COLUMNS, Column("event_id", "varchar(32)", True))
STATEMENT_ROWS = min(MAX_STATEMENT_ROWS, MAX_PARAMETERS // len(_COLUMNS))
"""Contacts that one INSERT carries at most."""


def create_told() -> str:
    """The temporary table of what was told: partition, offset, event id."""
    return f"CREATE TEMP TABLE {TOLD} ({columns_sql(_COLUMNS)}) DISTSTYLE EVEN"


def insert_told(rows: int) -> str:
    """So many contacts. Parameters: of each its partition, offset and event id."""
    one = f"({', '.join(['%s'] * len(_COLUMNS))})"
    return f"INSERT INTO {TOLD} ({names(_COLUMNS)}) VALUES {', '.join([one] * rows)}"


def count_missing(contacts: ContactsTable, table: Table, commits: int) -> str:
    """Contacts told of rows of these commits that the contacts' table lacks. Parameters: the commits.

    The incoming row of a message is that of its latest version, with the place that it was read at: a contact
    that an older version gave away is not looked for.
    """
    event_id = next(each.name for each in contacts.contact_columns if each.part is ContactPart.EVENT_ID)
    place = " AND ".join(f"{TOLD}.{each.name} = {INCOMING}.{each.name}" for each in POSITION_COLUMNS)
    current = f" AND {table.name}.{table.filled_with(Fill.IS_CURRENT)}" if table.keeps_history else ""
    commit = f"{table.name}.{commit_column(table)}"
    same = " AND ".join(f"{contacts.name}.{name} = {table.name}.{name}" for name in table.key)
    return (
        f"SELECT count(*) FROM {TOLD} JOIN {INCOMING} ON {place} "
        f"JOIN {table.qualified} ON {same_row(table)} "
        f"AND {table.name}.{table.version} = {INCOMING}.{table.version}{current} "
        f"LEFT JOIN {contacts.qualified} ON {contacts.name}.{event_id} = {TOLD}.event_id AND {same} "
        f"WHERE {commit} IN ({', '.join(['%s'] * commits)}) AND {contacts.name}.{event_id} IS NULL"
    )
