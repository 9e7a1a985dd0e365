"""A table of type 1 becomes one of type 2, in one transaction under the ledger's lock.

The old table is renamed and kept, the new one is made in its place, and each row is copied as the one version
of its message that is known. A pipeline that runs meanwhile waits for the lock; one of type 1 then finds that
the table is another and ends (`redshift_ddl.TableDiffers`) before it writes. Commits are not interrupted:
either a commit is in the table that is copied, or it comes after.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors import redshift_migration_sql as migration_sql
from connectors import redshift_sql as sql
from connectors import redshift_verify_sql as verify_sql
from connectors.items import Table
from connectors.redshift_access import RedshiftAccess, Session, connect
from connectors.redshift_ddl import read_table
from connectors.redshift_evolution import differences, other_history


class MigrationRefused(Exception):
    """The table can't become one of type 2 as it is. Nothing was changed; the text says what to do."""


class AlreadyDone(MigrationRefused):
    """The table is of type 2: what was asked for is so, and a retry of it is no failure."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What is done, or would be."""

    rows: int
    """Rows to copy."""
    statements: tuple[str, ...]


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
        session.execute(migration_sql.rename_old(table))
        session.execute(migration_sql.create_new(table))
        copied = session.execute(migration_sql.copy_rows(table))
        if copied != planned.rows:
            raise MigrationRefused(f"{planned.rows} rows were to be copied and {copied} were")
        session.execute(sql.create_current(table))
        session.commit()
    return planned


def _survey(session: Session, database: str, table: Table) -> Migration:
    name, old = table.qualified, migration_sql.type_1(table)
    stored = read_table(session, database, table)
    if not stored:
        raise MigrationRefused(f"{name} is not there, or its columns may not be seen; `ddl --apply` makes it")
    if other_history(table, [each.name for each in stored]) is None:
        raise AlreadyDone(f"{name} is of type 2 already")
    found = differences(name, old.columns, stored)
    if found:
        told = "; ".join(f"{each.subject.removeprefix('table ')}: {each.told}" for each in found)
        raise MigrationRefused(
            f"{told}. First bring the table to the contract as it was, with scd: 1; see `ddl --dry-run`"
        )
    for taken in (f"{table.name}{migration_sql.TYPE_1}", table.current_view):
        if session.rows(sql.count_tables(), (table.schema, taken))[0][0]:
            raise MigrationRefused(f"{table.schema}.{taken} is there already; rename it or drop it")
    ((repeated, _),) = session.rows(verify_sql.count_repeated(old))
    if repeated:
        raise MigrationRefused(
            f"{repeated} messages are in {name} more than once: there would be several current rows of each; "
            "see `verify`"
        )
    ((rows,),) = session.rows(migration_sql.count_rows(table))
    return Migration(int(rows), migration_sql.statements(table))
