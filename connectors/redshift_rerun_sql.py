"""The statements of a rerun, as text generated from a `Table`. Pure; see `connectors.redshift_sql`."""

from __future__ import annotations

from connectors.items import Fill, Table
from connectors.redshift_sql import (
    INCOMING,
    columns_sql,
    distribution,
    ledger_name,
    same_row,
)

OUTDONE = "outdone_rows"


def commit_column(table: Table) -> str:
    """The column that holds the id of the commit that wrote a row. Raises ValueError when there is none."""
    return table.filled_with(Fill.COMMIT_ID)


def _of_commits(table: Table, commits: int) -> str:
    return f"{table.name}.{commit_column(table)} IN ({', '.join(['%s'] * commits)})"


def count_changes(table: Table, commits: int) -> str:
    """(rows of the commits, of these not read again, of these read again with a lower version).

    Parameters: the commits.
    """
    absent = f"{INCOMING}.{table.version} IS NULL"
    older = f"{INCOMING}.{table.version} < {table.name}.{table.version}"
    return (
        f"SELECT count(*), coalesce(sum(CASE WHEN {absent} THEN 1 ELSE 0 END), 0), "
        f"coalesce(sum(CASE WHEN {older} THEN 1 ELSE 0 END), 0) "
        f"FROM {table.qualified} LEFT JOIN {INCOMING} ON {same_row(table)} "
        f"WHERE {_of_commits(table, commits)}"
    )


def delete_rows(table: Table, commits: int) -> str:
    """Take back what the commits wrote. Parameters: the commits."""
    return f"DELETE FROM {table.qualified} WHERE {_of_commits(table, commits)}"


def create_outdone(table: Table) -> str:
    """Row keys of rows read again to which the stored row, of another commit, is not to give way."""
    keys = tuple(column for column in table.columns if column.name in table.row_key)
    return f"CREATE TEMP TABLE {OUTDONE} ({columns_sql(keys)}) {distribution(table)}"


def insert_outdone(table: Table) -> str:
    """A stored row with a newer version, or with an equal one from a later offset, stays.

    What was read again lies below the ledger's end, so that here, other than in a commit of new offsets, the
    stored row of an equal version may be the later one: unless all that its commit read of the partition lies
    below the offset, it stays. Parameters: pipeline, topic.
    """
    keys = [column.name for column in table.columns if column.name in table.row_key]
    return (
        f"INSERT INTO {OUTDONE} ({', '.join(keys)}) SELECT {', '.join(f'{INCOMING}.{key}' for key in keys)} "
        f"FROM {INCOMING} JOIN {table.qualified} ON {same_row(table)} "
        "LEFT JOIN (SELECT process_id, kafka_partition, max(next_offset) AS reached "
        f"FROM {ledger_name(table)} WHERE pipeline = %s AND topic = %s "
        "GROUP BY process_id, kafka_partition) ledger "
        f"ON ledger.process_id = {table.name}.{commit_column(table)} "
        f"AND ledger.kafka_partition = {INCOMING}.kafka_partition "
        f"WHERE {table.name}.{table.version} > {INCOMING}.{table.version} "
        f"OR ({table.name}.{table.version} = {INCOMING}.{table.version} "
        f"AND (ledger.reached IS NULL OR ledger.reached > {INCOMING}.kafka_offset))"
    )


def delete_outdone(table: Table) -> str:
    """What gives way to the stored rows."""
    matched = " AND ".join(f"{OUTDONE}.{key} = {INCOMING}.{key}" for key in table.row_key)
    return f"DELETE FROM {INCOMING} USING {OUTDONE} WHERE {matched}"


def count_incoming() -> str:
    """Rows that are left to write."""
    return f"SELECT count(*) FROM {INCOMING}"
