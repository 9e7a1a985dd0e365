"""Which contacts that were told on the side topic the contacts' table lacks. Only reads, but for a temporary
table that ends with the transaction."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.items import Column, ContactPart, ContactsTable, Fill, Table, ToldContact
from connectors.redshift_access import Session
from connectors.redshift_commit import Destination
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
_STATEMENT_ROWS = min(MAX_STATEMENT_ROWS, MAX_PARAMETERS // len(_COLUMNS))


def count_missing_contacts(
    session: Session, destination: Destination, told: Sequence[ToldContact], commits: Sequence[str]
) -> int:
    """Contacts told of messages that are today's rows of these commits, and not in the contacts' table.

    To be asked after `redshift_verify.compare`, whose incoming rows it looks at, in the same transaction.
    Raises WarehouseTrouble, and ValueError without a contacts' table.
    """
    contacts = destination.contacts
    if contacts is None:
        raise ValueError("no contacts are kept")
    if not told or not commits:
        return 0
    session.execute(f"CREATE TEMP TABLE {TOLD} ({columns_sql(_COLUMNS)}) DISTSTYLE EVEN")
    for at in range(0, len(told), _STATEMENT_ROWS):
        part = told[at : at + _STATEMENT_ROWS]
        session.execute(
            _insert_told(len(part)),
            [value for each in part for value in (str(each.partition), str(each.offset), each.event_id)],
        )
    ((count,),) = session.rows(_count_missing(contacts, destination.table, len(commits)), commits)
    return int(count)


def _insert_told(rows: int) -> str:
    one = f"({', '.join(['%s'] * len(_COLUMNS))})"
    return f"INSERT INTO {TOLD} ({names(_COLUMNS)}) VALUES {', '.join([one] * rows)}"


def _count_missing(contacts: ContactsTable, table: Table, commits: int) -> str:
    """Parameters: the commits.

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
