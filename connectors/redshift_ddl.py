"""Brings a warehouse to the contract's tables: what is missing is created, what may be altered is altered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors import redshift_sql as sql
from connectors.items import Column, Table
from connectors.progress import BrokenPromise
from connectors.redshift_access import RedshiftAccess, Session, connect
from connectors.redshift_check import apply_ddl
from connectors.redshift_evolution import (
    Alteration,
    Difference,
    Refusal,
    Stored,
    around_view,
    differences,
    lacking,
    other_history,
    read_names,
    read_stored,
)


class TableDiffers(BrokenPromise):
    """The table lacks columns of the contract, or is of the other type (history or none): rows could not be
    written, or not as they are meant, and waiting would not mend it."""

    exit_code = 19


@dataclass(frozen=True, slots=True)
class Plan:
    """What `ddl --apply` would do."""

    create: tuple[sql.Definition, ...]
    there: tuple[sql.Definition, ...]
    """What exists already."""
    alter: tuple[Alteration, ...]
    refused: tuple[Refusal, ...]
    """With any of these nothing is done."""


def plan(access: RedshiftAccess, table: Table) -> Plan:
    """Read the catalogue and decide. Changes nothing. Raises WarehouseTrouble."""
    with connect(access) as session:
        session.execute("SET TRANSACTION READ ONLY")
        there = [each for each in sql.definitions(table) if _exists(session, each)]
        found: list[Difference] = []
        for definition, wanted in _tables(table, there):
            stored = _stored(session, access.database, definition.schema, definition.name)
            if not stored:
                continue
            name = f"{definition.schema}.{definition.name}"
            if name != table.qualified:
                found += differences(name, wanted, stored)
            elif (other := other_history(table, [each.name for each in stored])) is not None:
                found.append(other)
            else:
                viewed = any(each.kind is sql.ObjectKind.VIEW for each in there)
                changes = differences(name, wanted, stored)
                found += around_view(table, changes) if viewed else changes
        session.rollback()
    return Plan(
        create=tuple(each for each in sql.definitions(table) if each not in there),
        there=tuple(there),
        alter=tuple(each for each in found if isinstance(each, Alteration)),
        refused=tuple(each for each in found if isinstance(each, Refusal)),
    )


def carry_out(access: RedshiftAccess, planned: Plan) -> None:
    """Create all that is missing in one transaction, then alter, statement by statement.

    What is cut short by an error is planned again: done statements are then no difference any more. Raises
    WarehouseTrouble, and ValueError for a plan with refusals.
    """
    if planned.refused:
        raise ValueError("a plan with refusals is for a person to carry out")
    apply_ddl(access, planned.create)
    with connect(access) as session:
        for alteration in planned.alter:
            session.alone(alteration.sql)


def refuse_lacking(session: Session, database: str, table: Table) -> None:
    """Raises TableDiffers when the table is there but lacks columns of the contract, which it names, or is of
    the other type.

    A table that is not there, or of which no column may be seen, is not judged. Raises WarehouseTrouble.
    """
    stored = [column.name for column in read_table(session, database, table)]
    if stored:
        _refuse_other(table, stored)
    missing = lacking(table.columns, stored) if stored else ()
    if missing:
        raise TableDiffers(
            f"{table.qualified} lacks {', '.join(missing)}, which the contract has; "
            "`ddl --dry-run` shows what to do, `ddl --apply` adds what may be null"
        )


def read_table(session: Session, database: str, table: Table) -> list[Stored]:
    """The table's columns; none when it is not there or may not be seen. Raises WarehouseTrouble."""
    return _stored(session, database, table.schema, table.name)


def refuse_other_history(session: Session, table: Table) -> None:
    """Raises TableDiffers when the table keeps a history and the contract wants none, or the other way.

    Asked under the ledger's lock, where a table changes its type: the statements for the one type would spoil
    the rows of the other. A table that is not there is not judged. Raises WarehouseTrouble.
    """
    stored = [name for (name,) in session.rows(read_names(), (table.schema, table.name))]
    if stored:
        _refuse_other(table, stored)


def _refuse_other(table: Table, stored: Sequence[str]) -> None:
    other = other_history(table, stored)
    if other is not None:
        raise TableDiffers(f"{other.subject} {other.told}; `ddl --dry-run` shows what to do")


def _tables(
    table: Table, there: Sequence[sql.Definition]
) -> Sequence[tuple[sql.Definition, Sequence[Column]]]:
    wanted = {table.name: table.columns, sql.LEDGER: sql.LEDGER_COLUMNS}
    return [(each, wanted[each.name]) for each in there if each.name in wanted]


def _exists(session: Session, definition: sql.Definition) -> bool:
    if definition.kind is sql.ObjectKind.SCHEMA:
        return bool(session.rows(sql.count_schemas(), (definition.schema,))[0][0])
    return bool(session.rows(sql.count_tables(), (definition.schema, definition.name))[0][0])


def _stored(session: Session, database: str, schema: str, name: str) -> list[Stored]:
    rows = session.rows(read_stored(), (database, schema, name))
    return [
        Stored(
            name, str(kind).lower(), str(nullable).upper() != "NO", str(encoding or "none"), default or None
        )
        for name, kind, nullable, encoding, default in rows
    ]
