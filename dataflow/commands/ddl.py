"""`ddl`: schema, table and ledger, printed or created."""

from __future__ import annotations

from typing import TextIO

from connectors.redshift_access import WarehouseTrouble
from connectors.redshift_check import apply_ddl
from connectors.redshift_sql import definitions
from dataflow.commands.access import redshift_access
from dataflow.contract import Contract
from dataflow.settings import Settings


def print_ddl(contract: Contract, out: TextIO) -> int:
    """The statements, each ended by a semicolon."""
    for definition in definitions(contract.table):
        print(f"{definition.sql.rstrip().rstrip(';')};\n", file=out)
    return 0


def apply(settings: Settings, contract: Contract, out: TextIO, err: TextIO) -> int:
    """Create what is missing, all of it or nothing, never alter what exists; 1 when the warehouse refuses."""
    access = redshift_access(settings)
    try:
        applied = apply_ddl(access, definitions(contract.table))
    except WarehouseTrouble as trouble:
        print(f"{access.host}:{access.port}/{access.database}: {trouble.told}", file=err)
        return 1
    for each in applied:
        print(f"{each.outcome.value:<14}{each.subject}", file=out)
    return 0
