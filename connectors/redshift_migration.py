"""A table of type 1 becomes one of type 2, in one transaction under the ledger's lock.

The old table is renamed and kept, the new one is made in its place, and each row is copied as the one version
of its message that is known. A pipeline that runs meanwhile waits for the lock; one of type 1 then finds that
the table is another and ends (`redshift_ddl.TableDiffers`) before it writes. Commits are not interrupted:
either a commit is in the table that is copied, or it comes after.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from connectors import redshift_sql as sql
from connectors import redshift_verify_sql as verify_sql
from connectors.items import HISTORY_FILLS, Table
from connectors.redshift_access import RedshiftAccess, Session, connect
from connectors.redshift_ddl import read_table
from connectors.redshift_evolution import differences, other_history

TYPE_1 = "_type_1"
"""What the name of the old table gets behind it."""


class MigrationRefused(Exception):
    """The table can't become one of type 2 as it is. Nothing was changed; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What is done, or would be."""

    rows: int
    """Rows to copy."""
    statements: tuple[str, ...]


def type_1(table: Table) -> Table:
    """The same without a history."""
    return replace(table, columns=tuple(each for each in table.columns if each.fill not in HISTORY_FILLS))


def statements(table: Table) -> tuple[str, ...]:
    """From the old table to the new one and its view; the third of them copies the rows."""
    (create,) = (each.sql for each in sql.definitions(table) if each.name == table.name)
    old = type_1(table)
    copied = f"{sql.names(old.columns)}, {', '.join(_first_version(table))}"
    added = [column for column in table.columns if column.fill in HISTORY_FILLS]
    return (
        f"ALTER TABLE {table.qualified} RENAME TO {table.name}{TYPE_1}",
        create,
        f"INSERT INTO {table.qualified} ({sql.names(old.columns)}, {sql.names(added)}) "
        f"SELECT {copied} FROM {table.qualified}{TYPE_1}",
        sql.create_current(table),
    )


def _first_version(table: Table) -> list[str]:
    return [sql.incoming_value(table, column) for column in table.columns if column.fill in HISTORY_FILLS]


def plan(access: RedshiftAccess, table: Table) -> Migration:
    """Look whether it can be done, and how. Changes nothing. Raises MigrationRefused, WarehouseTrouble."""
    with connect(access) as session:
        session.execute("SET TRANSACTION READ ONLY")
        planned = _survey(session, access.database, table)
        session.rollback()
    return planned


def migrate(access: RedshiftAccess, table: Table) -> Migration:
    """Do it, all or nothing. `table` is the one of type 2. Raises MigrationRefused, WarehouseTrouble.

    When the answer to COMMIT is lost, a second call says that the table is of type 2 already, or does it.
    """
    with connect(access) as session:
        session.execute(sql.lock_ledger(table))
        planned = _survey(session, access.database, table)
        rename, create, copy, view = planned.statements
        for statement in (rename, create):
            session.execute(statement)
        copied = session.execute(copy)
        if copied != planned.rows:
            raise MigrationRefused(f"{planned.rows} rows were to be copied and {copied} were")
        session.execute(view)
        session.commit()
    return planned


def _survey(session: Session, database: str, table: Table) -> Migration:
    name, old = table.qualified, type_1(table)
    stored = read_table(session, database, table)
    if not stored:
        raise MigrationRefused(f"{name} is not there, or its columns may not be seen; `ddl --apply` makes it")
    if other_history(table, [each.name for each in stored]) is None:
        raise MigrationRefused(f"{name} is of type 2 already")
    found = differences(name, old.columns, stored)
    if found:
        told = "; ".join(f"{each.subject.removeprefix('table ')}: {each.told}" for each in found)
        raise MigrationRefused(
            f"{told}. First bring the table to the contract as it was, with scd: 1; see `ddl --dry-run`"
        )
    for taken in (f"{table.name}{TYPE_1}", sql.current_name(table)):
        if session.rows(sql.count_tables(), (table.schema, taken))[0][0]:
            raise MigrationRefused(f"{table.schema}.{taken} is there already; rename it or drop it")
    ((repeated, _),) = session.rows(verify_sql.count_repeated(old))
    if repeated:
        raise MigrationRefused(
            f"{repeated} messages are in {name} more than once: there would be several current rows of each; "
            "see `verify`"
        )
    ((rows,),) = session.rows(f"SELECT count(*) FROM {name}")
    return Migration(int(rows), statements(table))
