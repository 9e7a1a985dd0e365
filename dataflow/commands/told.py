"""What a command could not do in the warehouse, told to the person who called it."""

from __future__ import annotations

from connectors.items import ContactsTable, Table
from connectors.redshift_access import Reason, RedshiftAccess, WarehouseTrouble
from connectors.redshift_check import missing_grants
from connectors.redshift_contacts_sql import CONTACTS_PRIVILEGES
from connectors.redshift_sql import LEDGER, LEDGER_PRIVILEGES, OPERATORS_TABLE_PRIVILEGES

_READING = ("select",)
_LOOK_AT = {
    Reason.CONNECTION: "REDSHIFT_HOST and REDSHIFT_PORT must name a warehouse that is up and can be reached "
    "from here",
    Reason.TIMEOUT: "REDSHIFT_HOST and REDSHIFT_PORT must name a warehouse that can be reached from here; "
    "REDSHIFT_CONNECT_TIMEOUT and REDSHIFT_STATEMENT_TIMEOUT say how long it may take",
    Reason.LOGIN: "look at REDSHIFT_USER and REDSHIFT_PASSWORD, or at what REDSHIFT_AUTH asks for",
    Reason.MISSING: "look at REDSHIFT_DATABASE; `ddl --dry-run` shows what is missing",
}


def told_of(
    trouble: WarehouseTrouble,
    access: RedshiftAccess,
    table: Table,
    contacts: ContactsTable | None,
    command: str,
) -> str:
    """Where it was, what happened, and what to look at."""
    fix = trouble.fix or _LOOK_AT.get(trouble.reason)
    if trouble.reason is Reason.PERMISSION:
        fix = _missing(access, table, contacts, command)
    told = f"Redshift, {access.host}:{access.port}/{access.database}: {trouble}"
    return told if fix is None else f"{told}. {fix}"


def _missing(access: RedshiftAccess, table: Table, contacts: ContactsTable | None, command: str) -> str:
    listed = "`grants --for operators` prints all that these commands need"
    writes = command == "rerun"
    wanted = {
        table.name: OPERATORS_TABLE_PRIVILEGES if writes else _READING,
        LEDGER: LEDGER_PRIVILEGES if writes else _READING,
    }
    if contacts is not None:
        wanted[contacts.name] = CONTACTS_PRIVILEGES if writes else _READING
    try:
        missing = missing_grants(access, table.schema, wanted)
    except WarehouseTrouble:
        return listed
    return f"Missing: {'; '.join(missing)}. {listed}" if missing else listed
