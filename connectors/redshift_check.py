"""What `check` and `ddl --apply` ask of the warehouse.

`survey` changes nothing: it reads the catalogue in a read-only transaction and rolls it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from connectors import redshift_sql as sql
from connectors.items import Column, ContactsTable, Finding, Table, Verdict
from connectors.redshift_access import RedshiftAccess, Session, WarehouseTrouble, connect
from connectors.redshift_contacts_sql import CONTACTS_PRIVILEGES
from connectors.redshift_sql import LEDGER_PRIVILEGES, TABLE_PRIVILEGES


class Outcome(Enum):
    """What `apply_ddl` did about an object."""

    CREATED = "created"
    ALREADY_THERE = "already there"


@dataclass(frozen=True, slots=True)
class Applied:
    """One object and what became of it."""

    subject: str
    outcome: Outcome


def apply_ddl(access: RedshiftAccess, definitions: Sequence[sql.Definition]) -> tuple[Applied, ...]:
    """Create what is missing, all of it or nothing; never alter what exists. Raises WarehouseTrouble."""
    with connect(access) as session:
        applied = tuple(_apply(session, definition) for definition in definitions)
        session.commit()
    return applied


def run_statements(access: RedshiftAccess, statements: Sequence[str]) -> None:
    """Run statements that answer nothing, all of them or none. Raises WarehouseTrouble."""
    with connect(access) as session:
        for statement in statements:
            session.execute(statement)
        session.commit()


def _apply(session: Session, definition: sql.Definition) -> Applied:
    if definition.kind is sql.ObjectKind.SCHEMA:
        there = session.rows(sql.count_schemas(), (definition.schema,))
    else:
        there = session.rows(sql.count_tables(), (definition.schema, definition.name))
    if there[0][0]:
        return Applied(definition.subject, Outcome.ALREADY_THERE)
    session.execute(definition.sql)
    return Applied(definition.subject, Outcome.CREATED)


@dataclass(frozen=True, slots=True)
class _Found:
    """A column as the catalogue has it."""

    name: str
    kind: str
    nullable: bool
    distribution: bool
    sort_place: int


_Wanted = tuple[str, Sequence[Column], tuple[str, str] | None, Sequence[str]]
"""A table's name, columns, distribution and sort key, and what the pipeline must be permitted on it."""


def survey(
    access: RedshiftAccess, table: Table, contacts: ContactsTable | None = None
) -> tuple[Finding, ...]:
    """What is right and wrong in the warehouse, against the contract's tables and the ledger. Never raises
    WarehouseTrouble: that is a finding too."""
    where = f"{access.host}:{access.port}/{access.database}"
    findings: list[Finding] = []
    try:
        with connect(access) as session:
            findings.append(Finding("redshift login", Verdict.RIGHT, where))
            session.execute("SET TRANSACTION READ ONLY")
            findings += _survey(session, access.database, table, contacts)
            session.rollback()
    except WarehouseTrouble as trouble:
        if findings:
            subject = "redshift"
            findings.append(Finding(subject, Verdict.UNKNOWN, f"{where}: {trouble.told}"))
        else:
            findings.append(Finding("redshift login", Verdict.WRONG, f"{where}: {trouble.told}"))
            findings += [
                Finding(f"table {table.schema}.{name}", Verdict.UNKNOWN, "nobody could log in")
                for name in (table.name, sql.LEDGER, *([contacts.name] if contacts else []))
            ]
    return tuple(findings)


def _survey(
    session: Session, database: str, table: Table, contacts: ContactsTable | None
) -> Iterator[Finding]:
    schema = f"schema {table.schema}"
    if not session.rows(sql.count_schemas(), (table.schema,))[0][0]:
        yield Finding(schema, Verdict.WRONG, "missing; `ddl --apply` creates it")
        return
    if not session.rows(sql.may_use_schema(), (table.schema,))[0][0]:
        yield Finding(schema, Verdict.WRONG, f"no permission; GRANT USAGE ON SCHEMA {table.schema}")
        return
    yield Finding(schema, Verdict.RIGHT, "there")
    if session.rows(sql.may_create_temporary(), (database,))[0][0]:
        yield Finding("temporary tables", Verdict.RIGHT, "permitted")
    else:
        yield Finding("temporary tables", Verdict.WRONG, f"no permission; GRANT TEMP ON DATABASE {database}")
    columns = _columns(session, database, table.schema)
    tables: list[_Wanted] = [
        (table.name, table.columns, (table.distribution_key, table.sort_key), TABLE_PRIVILEGES),
        (sql.LEDGER, sql.LEDGER_COLUMNS, None, LEDGER_PRIVILEGES),
    ]
    if contacts is not None:
        kept_by = (contacts.distribution_key, contacts.sort_key)
        tables.append((contacts.name, contacts.columns, kept_by, CONTACTS_PRIVILEGES))
    for name, wanted, keys, privileges in tables:
        subject = f"table {table.schema}.{name}"
        found = columns.get(name, ())
        if not found:
            yield _absent(session, table.schema, name)
            continue
        yield from _compare_columns(subject, wanted, found)
        if keys is not None:
            yield from _compare_keys(subject, found, *keys)
        yield _permissions(session, f"{table.schema}.{name}", privileges)
    if table.keeps_history:
        yield _view(session, table.schema, table.current_view)
    if contacts is not None and contacts.view is not None:
        yield _view(session, contacts.schema, contacts.view.name)


def _view(session: Session, schema: str, name: str) -> Finding:
    """Readers ask a view; the pipeline doesn't."""
    subject = f"view {schema}.{name}"
    if not session.rows(sql.count_tables(), (schema, name))[0][0]:
        return Finding(subject, Verdict.WRONG, "missing; `ddl --apply` creates it")
    return Finding(subject, Verdict.RIGHT, "there")


def _columns(session: Session, database: str, schema: str) -> Mapping[str, tuple[_Found, ...]]:
    by_table: dict[str, tuple[_Found, ...]] = {}
    for table, name, _, kind, nullable, distribution, place in session.rows(
        sql.read_columns(), (database, schema)
    ):
        column = _Found(
            name, str(kind).lower(), str(nullable).upper() != "NO", bool(distribution), int(place or 0)
        )
        by_table[table] = (*by_table.get(table, ()), column)
    return by_table


def _absent(session: Session, schema: str, name: str) -> Finding:
    subject = f"table {schema}.{name}"
    if session.rows(sql.count_tables(), (schema, name))[0][0]:
        return Finding(subject, Verdict.WRONG, "no permission to see its columns; GRANT SELECT, INSERT on it")
    return Finding(subject, Verdict.WRONG, "missing; `ddl --apply` creates it")


def _compare_columns(subject: str, wanted: Sequence[Column], found: Sequence[_Found]) -> Iterator[Finding]:
    by_name = {column.name: column for column in found}
    wrong: list[Finding] = []
    for column in wanted:
        there = by_name.pop(column.name, None)
        kind = sql.catalogue_type(column.sql_type)
        line = f"{subject}, column {column.name}"
        if there is None:
            wrong.append(Finding(line, Verdict.WRONG, f"missing; wanted {column.sql_type}"))
        elif there.kind != kind:
            wrong.append(Finding(line, Verdict.WRONG, f"is {there.kind}; wanted {kind}"))
        elif there.nullable and column.required:
            wrong.append(Finding(line, Verdict.WRONG, "may be null; wanted NOT NULL"))
        elif not there.nullable and not column.required:
            wrong.append(Finding(line, Verdict.WRONG, "is NOT NULL; wanted nullable"))
    wrong += [
        Finding(f"{subject}, column {name}", Verdict.WRONG, "is not in the contract") for name in by_name
    ]
    yield from wrong
    if not wrong:
        yield Finding(f"{subject}, columns", Verdict.RIGHT, f"all {len(wanted)} as in the contract")


def _compare_keys(
    subject: str, found: Sequence[_Found], distribution_key: str, sort_key: str
) -> Iterator[Finding]:
    distribution = ", ".join(column.name for column in found if column.distribution)
    # Interleaved keys have negative places.
    placed = sorted(
        (column for column in found if column.sort_place), key=lambda column: abs(column.sort_place)
    )
    sort = ", ".join(column.name for column in placed)
    if any(column.sort_place < 0 for column in placed):
        sort += " (interleaved)"
    for what, is_, wanted in (
        ("distribution key", distribution, distribution_key),
        ("sort key", sort, sort_key),
    ):
        if is_ == wanted:
            yield Finding(f"{subject}, {what}", Verdict.RIGHT, wanted)
        else:
            yield Finding(f"{subject}, {what}", Verdict.WRONG, f"is {is_ or 'none'}; wanted {wanted}")


def missing_grants(
    access: RedshiftAccess, schema: str, wanted: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Which privileges on these tables of the schema the login lacks, as the beginnings of GRANT statements.

    Raises WarehouseTrouble, for a table that is missing too.
    """
    missing: list[str] = []
    with connect(access) as session:
        if not session.rows(sql.may_create_temporary(), (access.database,))[0][0]:
            missing.append(f"GRANT TEMP ON DATABASE {access.database}")
        if not session.rows(sql.may_use_schema(), (schema,))[0][0]:
            return (*missing, f"GRANT USAGE ON SCHEMA {schema}")
        for name, privileges in wanted.items():
            lacking = _lacking(session, f"{schema}.{name}", privileges)
            if lacking:
                missing.append(f"GRANT {', '.join(lacking)} ON {schema}.{name}")
        session.rollback()
    return tuple(missing)


def _permissions(session: Session, name: str, privileges: Sequence[str]) -> Finding:
    lacking = _lacking(session, name, privileges)
    subject = f"table {name}, permissions"
    if lacking:
        return Finding(subject, Verdict.WRONG, f"missing; GRANT {', '.join(lacking)} ON {name}")
    return Finding(subject, Verdict.RIGHT, ", ".join(privileges))


def _lacking(session: Session, name: str, privileges: Sequence[str]) -> list[str]:
    held = session.rows(sql.may(privileges), [name] * len(privileges))[0]
    return [privilege.upper() for privilege, has in zip(privileges, held, strict=True) if not has]
