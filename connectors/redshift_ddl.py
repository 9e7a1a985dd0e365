"""Brings a warehouse to the contract's tables: what is missing is created, what may be altered is altered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors import redshift_contacts_sql as contacts_sql
from connectors import redshift_sql as sql
from connectors.items import Column, ContactsTable, Table
from connectors.progress import BrokenPromise
from connectors.redshift_access import RedshiftAccess, Session, connect
from connectors.redshift_check import apply_ddl
from connectors.redshift_contacts_ddl import around_exchanges
from connectors.redshift_evolution import (
    Alteration,
    Difference,
    Refusal,
    Stored,
    around_view,
    differences,
    lacking,
    other_history,
    other_keys,
    read_names,
    read_stored,
)


class TableDiffers(BrokenPromise):
    """A table lacks columns of the contract, is of the other type (history or none), or is not there while
    contacts are to be kept: rows could not be written, or not as they are meant, and waiting would not mend
    it."""

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


def plan(access: RedshiftAccess, table: Table, contacts: ContactsTable | None = None) -> Plan:
    """Read the catalogue and decide. Changes nothing. Raises WarehouseTrouble."""
    wanted_objects = objects(table, contacts)
    with connect(access) as session:
        session.execute("SET TRANSACTION READ ONLY")
        there = [each for each in wanted_objects if _exists(session, each)]
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
                viewed = any(each.name == table.current_view for each in there)
                changes = differences(name, wanted, stored)
                found += around_view(table, changes) if viewed else changes
                found += other_keys(name, table.distribution_key, table.sort_key, stored)
        found += _of_contacts(session, access.database, contacts, there)
        session.rollback()
    return Plan(
        create=tuple(each for each in wanted_objects if each not in there),
        there=tuple(there),
        alter=tuple(each for each in found if isinstance(each, Alteration)),
        refused=tuple(each for each in found if isinstance(each, Refusal)),
    )


def objects(table: Table, contacts: ContactsTable | None) -> tuple[sql.Definition, ...]:
    """All that the warehouse shall have, in the order of its creation."""
    kept = () if contacts is None else contacts_sql.definitions(contacts)
    return (*sql.definitions(table), *kept)


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


def refuse_lacking(
    session: Session, database: str, table: Table, contacts: ContactsTable | None = None
) -> None:
    """Raises TableDiffers when the table is there but lacks columns of the contract, which it names, or its
    contacts' table, or is of the other type.

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
    if contacts is not None and stored:
        _refuse_contacts(session, database, contacts)


def _refuse_contacts(session: Session, database: str, contacts: ContactsTable) -> None:
    definition = contacts_sql.definitions(contacts)[0]
    if not _exists(session, definition):
        raise TableDiffers(
            f"{contacts.qualified} is not there, and CONTACTS_TABLE=on; `ddl --apply` creates it"
        )
    stored = [column.name for column in _stored(session, database, contacts.schema, contacts.name)]
    missing = lacking(contacts.columns, stored) if stored else ()
    if missing:
        raise TableDiffers(
            f"{contacts.qualified} lacks {', '.join(missing)}, which the contract has; "
            "`ddl --dry-run` shows what to do, `ddl --apply` adds what may be null"
        )


def _of_contacts(
    session: Session, database: str, contacts: ContactsTable | None, there: Sequence[sql.Definition]
) -> Sequence[Difference]:
    if contacts is None:
        return ()
    made, *views = contacts_sql.definitions(contacts)
    stored = _stored(session, database, made.schema, made.name) if made in there else []
    found = differences(contacts.qualified, contacts.columns, stored) if stored else ()
    keys = other_keys(contacts.qualified, contacts.distribution_key, contacts.sort_key, stored)
    if any(view in there for view in views):
        found = tuple(around_exchanges(contacts, found))
    return (*found, *keys)


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
            *(name, str(kind).lower(), str(nullable).upper() != "NO", str(encoding or "none")),
            *(default or None, bool(distribution), int(place or 0)),
        )
        for name, kind, nullable, encoding, default, distribution, place in rows
    ]
