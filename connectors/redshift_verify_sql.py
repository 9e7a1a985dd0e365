"""The statements of `verify`, as text generated from a `Table`. Pure; see `connectors.redshift_sql`.

All of them only read, but for temporary tables that end with the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.items import Table
from connectors.redshift_rerun_sql import commit_column
from connectors.redshift_sql import INCOMING, ledger_name, same_row


@dataclass(frozen=True, slots=True)
class Null:
    """The column holds no value."""

    column: str


@dataclass(frozen=True, slots=True)
class Longer:
    """The column's text has more bytes of UTF-8."""

    column: str
    limit: int


@dataclass(frozen=True, slots=True)
class Shorter:
    """The column's text has fewer bytes of UTF-8."""

    column: str
    limit: int


@dataclass(frozen=True, slots=True)
class NotAmong:
    """The column holds another text."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outside:
    """The column's number is below `low` or above `high`."""

    column: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class AllAbsent:
    """None of the columns holds anything, the empty text being nothing."""

    columns: tuple[str, ...]


Fault = Null | Longer | Shorter | NotAmong | Outside | AllAbsent
"""A way in which a row breaks the contract."""


def condition(fault: Fault) -> tuple[str, tuple[str, ...]]:
    """A fault as a condition, with its parameters."""
    match fault:
        case Null(column):
            return f"{column} IS NULL", ()
        case Longer(column, limit):
            return f"OCTET_LENGTH({column}) > {limit:d}", ()
        case Shorter(column, limit):
            return f"OCTET_LENGTH({column}) < {limit:d}", ()
        case NotAmong(column, values):
            return f"{column} NOT IN ({', '.join(['%s'] * len(values))})", values
        case Outside(column, low, high):
            return f"({column} < {low:d} OR {column} > {high:d})", ()
        case AllAbsent(columns):
            absent = " AND ".join(f"({each} IS NULL OR CAST({each} AS varchar) = '')" for each in columns)
            return f"({absent})", ()


def count_faults(table: Table, faults: Sequence[Fault]) -> tuple[str, tuple[str, ...]]:
    """One scan: (rows, then rows with each fault), with its parameters."""
    parameters: list[str] = []
    sums: list[str] = []
    for fault in faults:
        text, values = condition(fault)
        sums.append(f"coalesce(sum(CASE WHEN {text} THEN 1 ELSE 0 END), 0)")
        parameters += values
    return f"SELECT {', '.join(['count(*)', *sums])} FROM {table.qualified}", tuple(parameters)


def count_repeated(table: Table) -> str:
    """(messages, or versions of one in a history, that are there more than once; rows too many)."""
    return (
        "SELECT count(*), coalesce(sum(copies - 1), 0) FROM (SELECT count(*) AS copies "
        f"FROM {table.qualified} GROUP BY {', '.join(table.row_key)} HAVING count(*) > 1) repeated"
    )


def count_by_commit(table: Table) -> str:
    """(process id, rows), null for rows without one."""
    column = commit_column(table)
    return f"SELECT {column}, count(*) FROM {table.qualified} GROUP BY {column}"


def ledger_rows(table: Table) -> str:
    """(process id, rows staged) of every commit of every pipeline."""
    return f"SELECT process_id, sum(row_count) FROM {ledger_name(table)} GROUP BY process_id"


def compare(table: Table, commits: int) -> str:
    """The expected rows, in the temporary table of incoming ones, against the table's.

    (missing, with an older version than expected, altered). Altered: a row of these commits that has the
    expected version and other values, or a version that none of their messages has. Parameters: the commits,
    twice.
    """
    version, stored = f"{table.name}.{table.version}", f"{table.name}.{commit_column(table)}"
    values = [
        column.name
        for column in table.message_columns
        if column.name not in table.key and column.name != table.version
    ]
    differs = " OR ".join(_differs(f"{table.name}.{name}", f"{INCOMING}.{name}") for name in values)
    of_these = f"{stored} IN ({', '.join(['%s'] * commits)})"
    altered = f"{version} = {INCOMING}.{table.version} AND {of_these} AND ({differs or 'FALSE'})"
    newer_than_read = f"{version} > {INCOMING}.{table.version} AND {of_these}"
    return (
        f"SELECT {_sum(f'{version} IS NULL')}, {_sum(f'{version} < {INCOMING}.{table.version}')}, "
        f"{_sum(f'({altered}) OR ({newer_than_read})')} "
        f"FROM {INCOMING} LEFT JOIN {table.qualified} ON {same_row(table)}"
    )


def count_of_commits(table: Table, commits: int) -> str:
    """(rows of the commits, of these without an expected row). Parameters: the commits."""
    return (
        f"SELECT count(*), {_sum(f'{INCOMING}.{table.version} IS NULL')} "
        f"FROM {table.qualified} LEFT JOIN {INCOMING} ON {same_row(table)} "
        f"WHERE {table.name}.{commit_column(table)} IN ({', '.join(['%s'] * commits)})"
    )


def _sum(text: str) -> str:
    return f"coalesce(sum(CASE WHEN {text} THEN 1 ELSE 0 END), 0)"


def _differs(one: str, other: str) -> str:
    return (
        f"{one} <> {other} OR ({one} IS NULL AND {other} IS NOT NULL) "
        f"OR ({one} IS NOT NULL AND {other} IS NULL)"
    )
