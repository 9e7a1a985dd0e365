"""`grants`: what Redshift must permit the pipeline, its operators or `verify`, printed or granted."""

from __future__ import annotations

from typing import TextIO

from connectors.redshift_access import WarehouseTrouble
from connectors.redshift_check import run_statements
from connectors.redshift_grants import Grantee, Privileges, grants
from dataflow.commands.access import Party, contacts_table, redshift_access
from dataflow.contract import Contract
from dataflow.settings import Settings

_PRIVILEGES = {
    Party.PIPELINE: Privileges.PIPELINE,
    Party.OPERATORS: Privileges.OPERATORS,
    Party.VERIFY: Privileges.VERIFY,
}


def print_grants(settings: Settings, contract: Contract, party: Party, grantee: Grantee, out: TextIO) -> int:
    """The statements, each ended by a semicolon."""
    for statement in _wanted(settings, contract, party, grantee):
        print(f"{statement};", file=out)
    return 0


def apply(
    settings: Settings, contract: Contract, party: Party, grantee: Grantee, out: TextIO, err: TextIO
) -> int:
    """Grant all of it or nothing, as the tables' owner; 1 when the warehouse refuses."""
    access = redshift_access(settings)
    statements = _wanted(settings, contract, party, grantee)
    try:
        run_statements(access, statements)
    except WarehouseTrouble as trouble:
        print(f"{access.host}:{access.port}/{access.database}: {trouble.told}", file=err)
        return 1
    for statement in statements:
        print(f"granted       {statement}", file=out)
    return 0


def _wanted(settings: Settings, contract: Contract, party: Party, grantee: Grantee) -> tuple[str, ...]:
    contacts = contacts_table(settings, contract)
    return grants(contract.table, settings.redshift_database, grantee, _PRIVILEGES[party], contacts)
