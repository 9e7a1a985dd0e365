"""The statements for the contacts' table, as text generated from a `ContactsTable`. Pure; see
`connectors.redshift_sql`.

Contacts follow their message's current row: whenever that is written, the contacts of the message are
replaced by those of the version that was written, in the same transaction. A version that does not become the
row leaves them alone.
"""

from __future__ import annotations

from connectors.items import Column, ContactColumn, ContactsTable, ExchangesView, Fill, Table
from connectors.redshift_sql import (
    INCOMING,
    MAX_PARAMETERS,
    MAX_STATEMENT_ROWS,
    POSITION_COLUMNS,
    Definition,
    ObjectKind,
    columns_lines,
    columns_sql,
    names,
)

STAGED_CONTACTS = "staged_contacts"
CONTACTS_PRIVILEGES = ("select", "insert", "delete")
"""What replacing contacts asks for."""


def definitions(contacts: ContactsTable) -> tuple[Definition, ...]:
    """The table and its view, in the order of their creation."""
    made = Definition(
        ObjectKind.TABLE,
        contacts.schema,
        contacts.name,
        f"CREATE TABLE IF NOT EXISTS {contacts.qualified} (\n  {columns_lines(contacts.columns)}\n)\n"
        f"DISTSTYLE KEY DISTKEY({contacts.distribution_key}) COMPOUND SORTKEY({contacts.sort_key})",
    )
    if contacts.view is None:
        return (made,)
    view = contacts.view
    return (made, Definition(ObjectKind.VIEW, contacts.schema, view.name, create_view(contacts, view)))


def create_view(contacts: ContactsTable, view: ExchangesView) -> str:
    """One row for each two users of whom one gave the other a contact.

    `user_a` is the user whose id comes first in the order of bytes. (user_a, user_b, contacts, kinds,
    first_at, a_kinds, a_first_at, b_kinds, b_first_at, both_gave, exchanged_at)
    """
    by_a, by_b = "giver = user_a", "giver = user_b"
    a_first, b_first = (f"min(CASE WHEN {by} THEN given_at END)" for by in (by_a, by_b))
    forth = f"{view.sender} < {view.recipient}"
    return (
        f"CREATE OR REPLACE VIEW {contacts.schema}.{view.name} AS\n"
        f"SELECT user_a, user_b, contacts, kinds, first_at, a_kinds, a_first_at, b_kinds, b_first_at,\n"
        "  a_first_at IS NOT NULL AND b_first_at IS NOT NULL AS both_gave,\n"
        "  CASE WHEN a_first_at >= b_first_at THEN a_first_at\n"
        "    WHEN b_first_at > a_first_at THEN b_first_at END AS exchanged_at\n"
        "FROM (\n"
        "  SELECT user_a, user_b, count(*) AS contacts,\n"
        f"    {_kinds(view, '')} AS kinds,\n"
        "    min(given_at) AS first_at,\n"
        f"    {_kinds(view, f' AND {by_a}')} AS a_kinds,\n"
        f"    {a_first} AS a_first_at,\n"
        f"    {_kinds(view, f' AND {by_b}')} AS b_kinds,\n"
        f"    {b_first} AS b_first_at\n"
        "  FROM (\n"
        f"    SELECT CASE WHEN {forth} THEN {view.sender} ELSE {view.recipient} END AS user_a,\n"
        f"      CASE WHEN {forth} THEN {view.recipient} ELSE {view.sender} END AS user_b,\n"
        f"      {view.sender} AS giver, {view.given_at} AS given_at, {view.kind} AS kind\n"
        f"    FROM {contacts.qualified} WHERE {view.sender} <> {view.recipient}\n"
        "  ) given\n"
        "  GROUP BY user_a, user_b\n"
        ") pairs"
    )


def _kinds(view: ExchangesView, condition: str) -> str:
    """The kinds given, with commas, as an aggregate; null when there is none."""
    # Redshift's LISTAGG is PostgreSQL's string_agg: with so few words a sum of texts does for both.
    found = [
        f"max(CASE WHEN kind = '{kind}'{condition} THEN ', {kind}' ELSE '' END)"
        for kind in sorted(view.kinds)
    ]
    return f"NULLIF(SUBSTRING({' || '.join(found)}, 3), '')"


def _staged(contacts: ContactsTable) -> tuple[Column, ...]:
    return (*contacts.contact_columns, *POSITION_COLUMNS)


def create_staged(contacts: ContactsTable) -> str:
    """The temporary table that contacts are staged into: contact columns, partition, offset."""
    return f"CREATE TEMP TABLE {STAGED_CONTACTS} ({columns_sql(_staged(contacts))}) DISTSTYLE EVEN"


def statement_rows(contacts: ContactsTable) -> int:
    """Contacts that one staging INSERT carries at most."""
    return min(MAX_STATEMENT_ROWS, MAX_PARAMETERS // len(_staged(contacts)))


def insert_staged(contacts: ContactsTable, rows: int) -> str:
    """A staging INSERT of so many contacts. Parameters: contact after contact, in `create_staged`'s order."""
    columns = _staged(contacts)
    one = f"({', '.join(['%s'] * len(columns))})"
    return f"INSERT INTO {STAGED_CONTACTS} ({names(columns)}) VALUES {', '.join([one] * rows)}"


def count_staged() -> str:
    """Contacts that staging brought."""
    return f"SELECT count(*) FROM {STAGED_CONTACTS}"


def delete_replaced(contacts: ContactsTable, table: Table) -> str:
    """The contacts of every message whose current row is written."""
    same = " AND ".join(f"{contacts.name}.{name} = {INCOMING}.{name}" for name in table.key)
    return f"DELETE FROM {contacts.qualified} USING {INCOMING} WHERE {same}{_current(table, INCOMING)}"


def insert_current(contacts: ContactsTable, table: Table) -> str:
    """The contacts of the current rows that are written, and of no other version."""
    selected = ", ".join(_selected(table, column) for column in contacts.columns)
    same = " AND ".join(
        f"{STAGED_CONTACTS}.{each.name} = {INCOMING}.{each.name}" for each in POSITION_COLUMNS
    )
    return (
        f"INSERT INTO {contacts.qualified} ({names(contacts.columns)}) SELECT {selected} "
        f"FROM {STAGED_CONTACTS} JOIN {INCOMING} ON {same}{_current(table, INCOMING)}"
    )


def _current(table: Table, relation: str) -> str:
    """And that a row is its message's current one: with a history, others are written beside it."""
    return f" AND {relation}.{table.filled_with(Fill.IS_CURRENT)}" if table.keeps_history else ""


def _selected(table: Table, column: ContactColumn) -> str:
    if column.part is not None:
        return f"{STAGED_CONTACTS}.{column.name}"
    if column.fill is Fill.MESSAGE:
        return f"{INCOMING}.{column.name}"
    # What the commit fills is the row's own: the two never disagree.
    return f"{INCOMING}.{table.filled_with(column.fill)}"


def delete_of_commits(contacts: ContactsTable, commits: int) -> str:
    """The contacts of rows that a rerun takes back. Parameters: the commits."""
    return (
        f"DELETE FROM {contacts.qualified} "
        f"WHERE {contacts.name}.{contacts.commit_column} IN ({', '.join(['%s'] * commits)})"
    )


def count_strays(contacts: ContactsTable, table: Table) -> str:
    """Contacts whose message is absent, or is the row of another commit than they are."""
    same = " AND ".join(f"{contacts.name}.{name} = {table.name}.{name}" for name in table.key)
    commit = table.filled_with(Fill.COMMIT_ID)
    return (
        f"SELECT count(*) FROM {contacts.qualified} LEFT JOIN {table.qualified} ON {same} "
        f"AND {contacts.name}.{contacts.commit_column} = {table.name}.{commit}"
        f"{_current(table, table.name)} WHERE {table.name}.{commit} IS NULL"
    )
