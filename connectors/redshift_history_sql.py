"""The statements that keep a history (type 2), as text generated from a `Table`. Pure; see
`connectors.redshift_sql`.

A row is a version of a message. It is valid from its version to the next one of the same message, and
current while there is none. Both are functions of the versions that are there and of nothing else, neither of
the order in which they came nor of load times: what comes late splits an interval, what comes again changes
none.
"""

from __future__ import annotations

from collections.abc import Sequence

from connectors.items import Column, Fill, Table
from connectors.redshift_rerun_sql import commit_column
from connectors.redshift_sql import INCOMING, columns_sql, distribution

LINKS = "version_links"
TAKEN = "taken_keys"
_NEXT = "next_version"


def _columns(table: Table, chosen: Sequence[str]) -> tuple[Column, ...]:
    by_name = {column.name: column for column in table.columns}
    return tuple(by_name[name] for name in chosen)


def _listed(chosen: Sequence[str], relation: str = "") -> str:
    return ", ".join(f"{relation}.{name}" if relation else name for name in chosen)


def _lies(table: Table, columns: Sequence[str]) -> str:
    """How a temporary table of some of the columns lies."""
    return distribution(table) if table.distribution_key in columns else "DISTSTYLE EVEN"


def create_links(table: Table) -> str:
    """The temporary table of which version follows which: row key, next version."""
    version = _columns(table, (table.version,))[0]
    columns = (*_columns(table, table.row_key), Column(_NEXT, version.sql_type, False))
    return f"CREATE TEMP TABLE {LINKS} ({columns_sql(columns)}) {_lies(table, table.row_key)}"


def insert_links(table: Table, touched: Sequence[str]) -> str:
    """For every version, stored or incoming, of the messages in the relations `touched`."""
    keys = " UNION ".join(f"SELECT {_listed(table.key)} FROM {relation}" for relation in touched)
    same = " AND ".join(f"touched.{name} = {table.name}.{name}" for name in table.key)
    return (
        f"INSERT INTO {LINKS} ({_listed(table.row_key)}, {_NEXT}) SELECT {_listed(table.row_key)}, "
        f"LEAD({table.version}) OVER (PARTITION BY {_listed(table.key)} ORDER BY {table.version}) "
        f"FROM (SELECT {_listed(table.row_key)} FROM {INCOMING} "
        f"UNION SELECT {_listed(table.row_key, table.name)} FROM {table.qualified} "
        f"JOIN ({keys}) touched ON {same}) versions"
    )


def link_incoming(table: Table) -> str:
    """Incoming rows that a later version follows. All others are current as they come."""
    return f"{_link(table, INCOMING, INCOMING)} AND {LINKS}.{_NEXT} IS NOT NULL"


def link_stored(table: Table) -> str:
    """Stored rows whose next version is another than they say. No other row is written."""
    valid_to = f"{table.name}.{table.filled_with(Fill.VALID_TO)}"
    return (
        f"{_link(table, table.qualified, table.name)} AND ({valid_to} <> {LINKS}.{_NEXT} "
        f"OR ({valid_to} IS NULL AND {LINKS}.{_NEXT} IS NOT NULL) "
        f"OR ({valid_to} IS NOT NULL AND {LINKS}.{_NEXT} IS NULL))"
    )


def _link(table: Table, target: str, name: str) -> str:
    valid_to, is_current = (table.filled_with(each) for each in (Fill.VALID_TO, Fill.IS_CURRENT))
    same = " AND ".join(f"{name}.{each} = {LINKS}.{each}" for each in table.row_key)
    return (
        f"UPDATE {target} SET {valid_to} = {LINKS}.{_NEXT}, "
        f"{is_current} = CASE WHEN {LINKS}.{_NEXT} IS NULL THEN TRUE ELSE FALSE END "
        f"FROM {LINKS} WHERE {same}"
    )


def create_taken(table: Table) -> str:
    """The temporary table of messages of which a rerun takes versions back."""
    columns = columns_sql(_columns(table, table.key))
    return f"CREATE TEMP TABLE {TAKEN} ({columns}) {_lies(table, table.key)}"


def insert_taken(table: Table, commits: int) -> str:
    """Before the rows are deleted. Parameters: the commits."""
    return (
        f"INSERT INTO {TAKEN} SELECT DISTINCT {_listed(table.key)} FROM {table.qualified} "
        f"WHERE {commit_column(table)} IN ({', '.join(['%s'] * commits)})"
    )


def count_not_one_current(table: Table) -> str:
    """Messages that have no current row, or more than one."""
    current = table.filled_with(Fill.IS_CURRENT)
    return (
        f"SELECT count(*) FROM (SELECT sum(CASE WHEN {current} THEN 1 ELSE 0 END) AS current_rows "
        f"FROM {table.qualified} GROUP BY {_listed(table.key)}) messages WHERE current_rows <> 1"
    )


def count_wrong_intervals(table: Table) -> str:
    """Rows that are not valid from their version to the next one: intervals that overlap, gaps, and current
    rows with an end."""
    valid_from, valid_to, current = (
        table.filled_with(each) for each in (Fill.VALID_FROM, Fill.VALID_TO, Fill.IS_CURRENT)
    )
    return (
        f"SELECT count(*) FROM (SELECT {table.version}, {valid_from}, {valid_to}, {current}, "
        f"LEAD({table.version}) OVER (PARTITION BY {_listed(table.key)} ORDER BY {table.version}) AS {_NEXT} "
        f"FROM {table.qualified}) versions WHERE {valid_from} <> {table.version} "
        f"OR {valid_to} <> {_NEXT} OR ({valid_to} IS NULL AND {_NEXT} IS NOT NULL) "
        f"OR ({valid_to} IS NOT NULL AND {_NEXT} IS NULL) "
        f"OR ({current} AND {valid_to} IS NOT NULL) OR (NOT {current} AND {valid_to} IS NULL)"
    )
