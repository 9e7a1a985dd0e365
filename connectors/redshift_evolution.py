"""From the table that is there to the contract's: what may be altered, and what a person must do.

Pure. Only what can't lose or refuse a stored value is altered: a nullable column is added, a varchar is made
wider. Everything else is refused with the steps that a person takes; Redshift would take some of them only on
an empty table, and none of them is undone as easily as it is done. The limits of ALTER TABLE are those that
Redshift documents:

* one column in each ADD COLUMN, and NOT NULL only with a default, which would invent values;
* ALTER COLUMN TYPE for varchar only, not inside a transaction, not on a column with a default, nor with one
  of the encodings in `FIXED_ENCODINGS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.items import HISTORY_FILLS, HISTORY_NAMES, Column, Table
from connectors.redshift_sql import byte_length, catalogue_type, create_current

FIXED_ENCODINGS = frozenset({"bytedict", "runlength", "text255", "text32k"})
"""Encodings under which Redshift alters no length."""
TYPE_2 = "_type_2"
"""What a table's name gets behind it that is kept from before."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A column as the catalogue has it."""

    name: str
    kind: str
    """The type as the catalogue spells it."""
    nullable: bool
    encoding: str = "none"
    default: str | None = None
    distribution: bool = False
    """Whether it is the distribution key."""
    sort_place: int = 0
    """Its place in the sort key, from 1; negative in an interleaved one, 0: not part of it."""


@dataclass(frozen=True, slots=True)
class Alteration:
    """A change that is safe. `sql` runs by itself, outside of any transaction."""

    subject: str
    told: str
    sql: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A difference that is not altered here, and how a person removes it."""

    subject: str
    told: str
    steps: tuple[str, ...]


Difference = Alteration | Refusal


def read_stored() -> str:
    """A table's columns. Parameters: database, schema, table.

    (column, data type, nullable, encoding, default, is distribution key, place in the sort key)
    """
    return (
        "SELECT column_name, data_type, is_nullable, encoding, column_default, distkey, sortkey "
        "FROM svv_redshift_columns WHERE database_name = %s AND schema_name = %s AND table_name = %s "
        "ORDER BY ordinal_position"
    )


def differences(table: str, wanted: Sequence[Column], stored: Sequence[Stored]) -> tuple[Difference, ...]:
    """Every difference between a table's columns, `table` qualified, and those that the contract wants.

    The order of columns is none: no statement of ours depends on it.
    """
    return tuple(_differences(table, wanted, {column.name: column for column in stored}))


def other_keys(
    table: str, distribution_key: str, sort_key: str, stored: Sequence[Stored]
) -> tuple[Refusal, ...]:
    """Keys of a table, `table` qualified, that are not the wanted ones: every row is written anew for it.

    No columns: the table is not there or may not be seen, and is not judged.
    """
    if not stored:
        return ()
    found: list[Refusal] = []
    there = ", ".join(each.name for each in stored if each.distribution)
    if there != distribution_key:
        told = f"is {there or 'none'}; wanted {distribution_key}"
        steps = (_REWRITES, f"ALTER TABLE {table} ALTER DISTSTYLE KEY DISTKEY {distribution_key}")
        found.append(Refusal(f"table {table}, distribution key", told, steps))
    placed = sorted((each for each in stored if each.sort_place), key=lambda each: abs(each.sort_place))
    there = ", ".join(each.name for each in placed)
    if any(each.sort_place < 0 for each in placed):
        there += " (interleaved)"
    if there != sort_key:
        told = f"is {there or 'none'}; wanted {sort_key}"
        steps = (_REWRITES, f"ALTER TABLE {table} ALTER COMPOUND SORTKEY ({sort_key})")
        found.append(Refusal(f"table {table}, sort key", told, steps))
    return tuple(found)


_REWRITES = "-- with the pipelines stopped, by itself outside of a transaction: every row is written anew"


def read_names() -> str:
    """The names of a table's columns, and hidden ones. Parameters: schema, table."""
    return (
        "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s"
    )


def around_view(table: Table, found: Sequence[Difference]) -> tuple[Difference, ...]:
    """What is found in a table whose current rows a view shows: the view binds columns, and names them."""
    if not any(isinstance(each, Alteration) for each in found):
        return tuple(found)
    view = f"{table.schema}.{table.current_view}"
    subject = f"view {view}"
    dropped = Alteration(subject, "dropped meanwhile: it binds the table's columns", f"DROP VIEW {view}")
    again = "created again; grant its readers again what they were granted"
    return (dropped, *found, Alteration(subject, again, create_current(table)))


def other_history(table: Table, stored: Sequence[str]) -> Refusal | None:
    """When a table keeps a history and the contract wants none, or the other way: what a person must do.

    `stored` are the names of its columns.
    """
    subject = f"table {table.qualified}"
    if table.keeps_history:
        if any(column.name in stored for column in table.columns if column.fill in HISTORY_FILLS):
            return None
        told = "is of type 1, with a row for each message; the contract says scd: 2"
        how = "-- with the pipelines stopped: `ddl --to-type-2` shows how it becomes one of type 2"
        return Refusal(subject, told, (how, "-- and `ddl --to-type-2 --apply` does it"))
    if set(HISTORY_NAMES) - set(stored) or set(HISTORY_NAMES) & {each.name for each in table.columns}:
        return None
    told = "is of type 2, with a row for each version; the contract says scd: 1"
    old = f"{table.schema}.{table.name}{TYPE_2}"
    steps = (
        f"-- with the pipelines stopped: DROP VIEW {table.schema}.{table.current_view}",
        f"ALTER TABLE {table.qualified} RENAME TO {table.name}{TYPE_2}",
        f"-- `ddl --apply` creates {table.qualified} anew",
        f"INSERT INTO {table.qualified} (…columns…) SELECT …columns… FROM {old} WHERE {HISTORY_NAMES[-1]}",
        "-- grant what was granted on the old one; the history is in it only",
    )
    return Refusal(subject, told, steps)


def lacking(wanted: Sequence[Column], stored: Sequence[str]) -> tuple[str, ...]:
    """Names of wanted columns that a table lacks."""
    return tuple(column.name for column in wanted if column.name not in stored)


def _differences(table: str, wanted: Sequence[Column], stored: dict[str, Stored]) -> Iterator[Difference]:
    for column in wanted:
        subject = f"table {table}, column {column.name}"
        there = stored.pop(column.name, None)
        if there is None:
            yield _missing(table, subject, column)
            continue
        if there.kind != catalogue_type(column.sql_type):
            yield _other_type(table, subject, column, there)
        if there.nullable is column.required:
            yield _other_nullability(table, subject, column)
    for name in stored:
        told = "is not in the contract"
        steps = (
            f"-- if nothing reads it any more: ALTER TABLE {table} DROP COLUMN {name}",
            "-- or add it to the contract, as an optional field",
        )
        yield Refusal(f"table {table}, column {name}", told, steps)


def _missing(table: str, subject: str, column: Column) -> Difference:
    statement = f"ALTER TABLE {table} ADD COLUMN {column.name} {column.sql_type}"
    if not column.required:
        return Alteration(subject, f"added as {column.sql_type}", statement)
    told = f"missing; a NOT NULL column can't be added to rows that have no value for it ({column.sql_type})"
    steps = (
        "-- 1. make the field optional in the contract (required: false), then `ddl --apply` adds it;",
        f"-- 2. give the old rows a value: UPDATE {table} SET {column.name} = … WHERE {column.name} IS NULL;",
        "-- 3. to make it required again, rebuild the table with the pipelines stopped:",
        *_rebuild(table),
    )
    return Refusal(subject, told, steps)


def _other_type(table: str, subject: str, column: Column, there: Stored) -> Difference:
    told = f"is {there.kind}; wanted {catalogue_type(column.sql_type)}"
    new = byte_length(column.sql_type) if column.sql_type.startswith("varchar") else None
    old = byte_length(there.kind) if there.kind.startswith("character varying") else None
    if new is None or old is None:
        return Refusal(subject, told, _replace(table, column))
    if new < old:
        steps = (
            f"-- stored values may be longer: SELECT max(octet_length({column.name})) FROM {table}",
            "-- keep the length in the contract, or rebuild the table with the pipelines stopped:",
            *_rebuild(table),
        )
        return Refusal(subject, told, steps)
    statement = f"ALTER TABLE {table} ALTER COLUMN {column.name} TYPE varchar({new})"
    if there.encoding.lower() in FIXED_ENCODINGS:
        steps = (
            f"ALTER TABLE {table} ALTER COLUMN {column.name} ENCODE zstd",
            "-- then `ddl --apply` again",
        )
        told = f"{told}; Redshift alters no length under the encoding {there.encoding}"
        return Refusal(subject, told, steps)
    if there.default is not None:
        told = f"{told}; Redshift alters no length of a column with a default"
        return Refusal(subject, told, _replace(table, column))
    return Alteration(subject, f"widened from varchar({old}) to varchar({new})", statement)


def _other_nullability(table: str, subject: str, column: Column) -> Refusal:
    if column.required:
        steps = (
            f"-- no NULL may be there: SELECT count(*) FROM {table} WHERE {column.name} IS NULL",
            "-- keep it optional in the contract, or rebuild the table with the pipelines stopped:",
            *_rebuild(table),
        )
        return Refusal(subject, "may be null; wanted NOT NULL", steps)
    return Refusal(subject, "is NOT NULL; wanted nullable", _replace(table, column))


def _replace(table: str, column: Column) -> tuple[str, ...]:
    """How a column that is neither distribution nor sort key is replaced."""
    new = f"{column.name}_new"
    return (
        "-- with the pipelines stopped, unless it is the distribution or the sort key:",
        f"ALTER TABLE {table} ADD COLUMN {new} {column.sql_type}",
        f"UPDATE {table} SET {new} = CAST({column.name} AS {column.sql_type})",
        f"-- compare them, then: ALTER TABLE {table} DROP COLUMN {column.name}",
        f"ALTER TABLE {table} RENAME COLUMN {new} TO {column.name}",
        *(("-- it is then nullable; a rebuild makes it NOT NULL",) if column.required else ()),
    )


def _rebuild(table: str) -> tuple[str, ...]:
    """How a table is made anew with its rows, its views and what is granted on them."""
    schema, _, name = table.partition(".")
    return (
        f"-- first drop the views that show it, {name}_current or the exchanges of contacts: they",
        "-- would go on showing the old table",
        f"ALTER TABLE {table} RENAME TO {name}_old",
        f"-- `ddl --apply` creates {schema}.{name} and the views anew, with nothing granted on them:",
        "-- `grants --apply` for the pipeline, GRANT SELECT on the table and its views for readers",
        f"INSERT INTO {table} (…columns…) SELECT …columns… FROM {table}_old",
        f"-- compare counts, then: DROP TABLE {table}_old",
    )
