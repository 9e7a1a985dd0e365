"""The statements for Redshift, as text generated from a `Table`. Pure: nothing is run here.

Everything is written to Redshift's documentation and runs unchanged on PostgreSQL 15 and later, apart from
DISTKEY, SORTKEY and DISTSTYLE. Where the two differ:

* MERGE names its target unaliased and has both WHEN clauses, without further conditions;
* a parameter in a select list has no type of its own, so it is cast; a cast to a short varchar would cut in
  silence, so casts are wide and the assignment to the column refuses what is too long;
* a ledger entry is selected FROM its own aggregate: a SELECT without FROM would run on the leader node.

No name needs quoting: none is among Redshift's reserved words (PARTITION and OFFSET are).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from connectors.items import HISTORY_FILLS, Column, Fill, Table

LEDGER = "commit_ledger"
STAGED = "staged_rows"
INCOMING = "incoming_rows"
MAX_STATEMENT_ROWS = 1000
MAX_PARAMETERS = 32_767
"""The wire protocol counts parameters in 16 bits."""

POSITION_COLUMNS = (Column("kafka_partition", "integer", True), Column("kafka_offset", "bigint", True))
"""What a staged row has besides its message columns."""

LEDGER_COLUMNS = (
    Column("process_id", "varchar(32)", True),
    Column("pipeline", "varchar(128)", True),
    Column("topic", "varchar(249)", True),
    Column("topic_id", "varchar(64)", False),
    Column("consumer_group", "varchar(256)", True),
    Column("kafka_partition", "integer", True),
    Column("first_offset", "bigint", True),
    Column("next_offset", "bigint", True),
    Column("row_count", "bigint", True),
    Column("lost_offsets", "bigint", True),
    Column("window_start", "timestamp", True),
    Column("window_end", "timestamp", True),
    Column("committed_at", "timestamp", True),
)
"""One entry per commit and partition. `process_id` is the commit's id, as in the rows it wrote."""

TABLE_PRIVILEGES = ("select", "insert", "update")
"""What MERGE asks for when it updates and inserts; deleted is only from temporary tables of our own.
A history needs no more: versions are inserted, and their intervals updated."""
OPERATORS_TABLE_PRIVILEGES = (*TABLE_PRIVILEGES, "delete")
"""A rerun takes rows back besides."""
LEDGER_PRIVILEGES = ("select", "insert", "update")
"""UPDATE is what LOCK asks for; entries are never updated."""


class ObjectKind(Enum):
    """What a definition creates."""

    SCHEMA = "schema"
    TABLE = "table"
    VIEW = "view"


@dataclass(frozen=True, slots=True)
class Definition:
    """A statement that creates one object where it is missing. `name` is empty for a schema."""

    kind: ObjectKind
    schema: str
    name: str
    sql: str

    @property
    def subject(self) -> str:
        """`schema interactions`, `table interactions.messages`."""
        return f"{self.kind.value} {self.schema}" + (f".{self.name}" if self.name else "")


def ledger_name(table: Table) -> str:
    """The ledger lies in the table's schema."""
    return f"{table.schema}.{LEDGER}"


def definitions(table: Table) -> tuple[Definition, ...]:
    """Schema, table and ledger, and with a history the view of its current rows, in the order of their
    creation. Nothing that exists is altered."""
    views: tuple[Definition, ...] = ()
    if table.keeps_history:
        views = (Definition(ObjectKind.VIEW, table.schema, table.current_view, create_current(table)),)
    return (
        Definition(ObjectKind.SCHEMA, table.schema, "", f"CREATE SCHEMA IF NOT EXISTS {table.schema}"),
        Definition(
            ObjectKind.TABLE,
            table.schema,
            table.name,
            f"CREATE TABLE IF NOT EXISTS {table.qualified} (\n  {_columns(table.columns, _LINES)}\n)\n"
            f"DISTSTYLE KEY DISTKEY({table.distribution_key}) COMPOUND SORTKEY({table.sort_key})",
        ),
        Definition(
            ObjectKind.TABLE,
            table.schema,
            LEDGER,
            f"CREATE TABLE IF NOT EXISTS {ledger_name(table)} (\n  {_columns(LEDGER_COLUMNS, _LINES)}\n)\n"
            "DISTSTYLE ALL",
        ),
        *views,
    )


def create_current(table: Table) -> str:
    """One row for each message, its latest version, with the columns that a table of type 1 has."""
    columns = [column for column in table.columns if column.fill not in HISTORY_FILLS]
    return (
        f"CREATE OR REPLACE VIEW {table.schema}.{table.current_view} AS "
        f"SELECT {names(columns)} FROM {table.qualified} WHERE {table.filled_with(Fill.IS_CURRENT)}"
    )


def lock_ledger(table: Table) -> str:
    """First in the transaction, before its snapshot is taken: commits happen one after the other."""
    return f"LOCK {ledger_name(table)}"


def read_tails(table: Table) -> str:
    """How far each partition came, in which incarnation of the topic and in whose name.

    (partition, topic id, consumer group, next offset, committed at). Parameters: pipeline, topic.
    """
    return (
        "SELECT kafka_partition, topic_id, consumer_group, max(next_offset), max(committed_at) "
        f"FROM {ledger_name(table)} WHERE pipeline = %s AND topic = %s "
        "GROUP BY kafka_partition, topic_id, consumer_group"
    )


def read_entries(table: Table) -> str:
    """Every entry of one pipeline and topic. Parameters: pipeline, topic."""
    return (
        "SELECT process_id, kafka_partition, topic_id, first_offset, next_offset, row_count, lost_offsets, "
        f"window_start, window_end, committed_at FROM {ledger_name(table)} "
        "WHERE pipeline = %s AND topic = %s ORDER BY kafka_partition, first_offset, committed_at"
    )


def read_other_pipelines(table: Table) -> str:
    """Names of other pipelines that have entries for the topic. Parameters: topic, pipeline."""
    return (
        f"SELECT DISTINCT pipeline FROM {ledger_name(table)} WHERE topic = %s AND pipeline <> %s ORDER BY 1"
    )


def create_staged(table: Table) -> str:
    """The temporary table that rows are staged into: message columns, partition, offset."""
    columns = _columns((*table.message_columns, *POSITION_COLUMNS), ", ")
    return f"CREATE TEMP TABLE {STAGED} ({columns}) {distribution(table)}"


def statement_rows(table: Table) -> int:
    """Rows that one staging INSERT carries at most."""
    return min(MAX_STATEMENT_ROWS, MAX_PARAMETERS // (len(table.message_columns) + len(POSITION_COLUMNS)))


def insert_staged(table: Table, rows: int) -> str:
    """A staging INSERT of so many rows. Parameters: row after row, in `create_staged`'s order."""
    columns = (*table.message_columns, *POSITION_COLUMNS)
    one = f"({', '.join(['%s'] * len(columns))})"
    return f"INSERT INTO {STAGED} ({names(columns)}) VALUES {', '.join([one] * rows)}"


def count_staged() -> str:
    """What staging brought: (partition, rows)."""
    return f"SELECT kafka_partition, count(*) FROM {STAGED} GROUP BY kafka_partition"


def create_incoming(table: Table) -> str:
    """The temporary table of what may be written: a row for each row key, and where it was read."""
    columns = (*table.columns, *POSITION_COLUMNS)
    return f"CREATE TEMP TABLE {INCOMING} ({_columns(columns, ', ')}) {distribution(table)}"


def insert_incoming(table: Table) -> str:
    """Of each row key the highest version, then the highest offset. Parameters: the fills, in table order."""
    read = names((*table.message_columns, *POSITION_COLUMNS))
    columns = (*table.columns, *POSITION_COLUMNS)
    selected = ", ".join(incoming_value(table, column) for column in columns)
    return (
        f"INSERT INTO {INCOMING} ({names(columns)}) SELECT {selected} FROM ("
        f"SELECT {read}, ROW_NUMBER() OVER (PARTITION BY {', '.join(table.row_key)} "
        f"ORDER BY {table.version} DESC, kafka_offset DESC, kafka_partition DESC) AS place "
        f"FROM {STAGED}) ranked WHERE place = 1"
    )


def incoming_value(table: Table, column: Column) -> str:
    """What a column of an incoming row is: staged, a parameter, or of a row that has no next version yet."""
    match column.fill:
        case Fill.MESSAGE:
            return column.name
        case Fill.VALID_FROM:
            return table.version
        case Fill.VALID_TO:
            return f"CAST(NULL AS {column.sql_type})"
        case Fill.IS_CURRENT:
            return "TRUE"
        case _:
            return f"CAST(%s AS {wide(column.sql_type)})"


def fills(table: Table) -> tuple[Fill, ...]:
    """What the parameters of `insert_incoming` are, in order."""
    filled = (column.fill for column in table.columns)
    return tuple(fill for fill in filled if fill not in (Fill.MESSAGE, *HISTORY_FILLS))


def delete_older(table: Table) -> str:
    """Type 1: a stored row with a newer version stays; with an equal one it gives way to the later offset."""
    return (
        f"DELETE FROM {INCOMING} USING {table.qualified} WHERE {same_row(table)} "
        f"AND {table.name}.{table.version} > {INCOMING}.{table.version}"
    )


def merge_incoming(table: Table) -> str:
    """Update what is there, insert what is not."""
    updated = ", ".join(
        f"{column.name} = {INCOMING}.{column.name}"
        for column in table.columns
        if column.name not in table.row_key
    )
    values = ", ".join(f"{INCOMING}.{column.name}" for column in table.columns)
    return (
        f"MERGE INTO {table.qualified} USING {INCOMING} ON {same_row(table)} "
        f"WHEN MATCHED THEN UPDATE SET {updated} "
        f"WHEN NOT MATCHED THEN INSERT ({names(table.columns)}) VALUES ({values})"
    )


class Expected(Enum):
    """What an entry is conditional on: that the position is the one that was read."""

    NO_ENTRY = "no entry yet"
    POSITION = "a position"


def append_entry(table: Table, expected: Expected) -> str:
    """A ledger entry, appended only while the position stands: exactly one row must be inserted.

    Parameters: the ledger's columns in order; pipeline, topic, partition; with `Expected.POSITION` also the
    position.
    """
    values = ", ".join(f"CAST(%s AS {wide(column.sql_type)})" for column in LEDGER_COLUMNS)
    condition = "IS NULL" if expected is Expected.NO_ENTRY else "= CAST(%s AS bigint)"
    return (
        f"INSERT INTO {ledger_name(table)} ({names(LEDGER_COLUMNS)}) SELECT {values} "
        f"FROM (SELECT max(next_offset) AS reached FROM {ledger_name(table)} "
        f"WHERE pipeline = %s AND topic = %s AND kafka_partition = CAST(%s AS integer)) ledger "
        f"WHERE ledger.reached {condition}"
    )


def read_columns() -> str:
    """What the catalogue says of a schema's columns. Parameters: database, schema.

    (table, column, ordinal, data type, nullable, is distribution key, place in the sort key)
    """
    return (
        "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, distkey, sortkey "
        "FROM svv_redshift_columns WHERE database_name = %s AND schema_name = %s "
        "ORDER BY table_name, ordinal_position"
    )


def count_schemas() -> str:
    """Parameter: schema."""
    return "SELECT count(*) FROM pg_namespace WHERE nspname = %s"


def count_tables() -> str:
    """Parameters: schema, table."""
    return (
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s"
    )


def may_use_schema() -> str:
    """Parameter: schema."""
    return "SELECT has_schema_privilege(%s, 'usage')"


def may_create_temporary() -> str:
    """Parameter: database."""
    return "SELECT has_database_privilege(%s, 'temp')"


def may(privileges: Sequence[str]) -> str:
    """Whether we hold each of the privileges. Parameters: the qualified table, once per privilege."""
    return "SELECT " + ", ".join(f"has_table_privilege(%s, '{privilege}')" for privilege in privileges)


_SYNONYMS = {
    "varchar": "character varying",
    "char": "character",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "bool": "boolean",
    "float8": "double precision",
    "float": "double precision",
    "decimal": "numeric",
}


def catalogue_type(sql_type: str) -> str:
    """A type as the catalogue spells it: `varchar(128)` is `character varying(128)` there."""
    base, bracket, rest = sql_type.strip().lower().partition("(")
    base = base.strip()
    return _SYNONYMS.get(base, base) + bracket + rest.replace(" ", "")


def byte_length(sql_type: str) -> int | None:
    """How many bytes a varchar or char holds; None for other types."""
    base, _, rest = catalogue_type(sql_type).partition("(")
    return int(rest.rstrip(")")) if base.startswith("character") and rest else None


def wide(sql_type: str) -> str:
    """The type to cast a parameter to: a cast to a short varchar would cut in silence."""
    return "varchar(256)" if catalogue_type(sql_type).startswith("character varying") else sql_type


_LINES = ",\n  "


def _columns(columns: Sequence[Column], separator: str) -> str:
    return separator.join(
        f"{column.name} {column.sql_type}{' NOT NULL' if column.required else ''}" for column in columns
    )


def columns_sql(columns: Sequence[Column]) -> str:
    """Columns as a table's definition has them."""
    return _columns(columns, ", ")


def columns_lines(columns: Sequence[Column]) -> str:
    """The same, a line each, for people to read."""
    return _columns(columns, _LINES)


def names(columns: Sequence[Column]) -> str:
    """Names with commas."""
    return ", ".join(column.name for column in columns)


def same_row(table: Table) -> str:
    """The condition that a row of the table and an incoming one tell of the same message; of the same
    version of it, when the table keeps a history."""
    return " AND ".join(f"{table.name}.{name} = {INCOMING}.{name}" for name in table.row_key)


def distribution(table: Table) -> str:
    """How a temporary table lies: rows that meet in the merge then lie on the same node."""
    return f"DISTSTYLE KEY DISTKEY({table.distribution_key})"
