"""`ddl --to-type-2`: a table with the latest version of each message becomes one with every version."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from connectors.items import Table
from connectors.redshift_access import RedshiftAccess, WarehouseTrouble
from connectors.redshift_migration import AlreadyDone, Migration, MigrationRefused, migrate, plan
from connectors.redshift_migration_sql import TYPE_1
from dataflow.commands.access import redshift_access
from dataflow.contract import Contract
from dataflow.settings import Settings

NO_HISTORY = "the contract says scd: 1; the table becomes what the contract says, so write scd: 2 there first"


def preview(settings: Settings, contract: Contract, out: TextIO, err: TextIO) -> int:
    """What `apply` would do, statement by statement, with its exit code. Changes nothing."""
    access = redshift_access(settings)
    planned = _asked(access, contract, out, err, plan)
    if isinstance(planned, int):
        return planned
    _tell(contract, planned, ("would rename", "would create", "would copy"), out)
    for statement in planned.statements:
        print(f"\n{statement};", file=out)
    print("\nNothing was changed: --apply does it, with the pipelines stopped", file=out)
    return 0


def apply(settings: Settings, contract: Contract, out: TextIO, err: TextIO) -> int:
    """Do it in one transaction, as the owner of the table; 1 when it is refused, and why.

    0 also when it has been done already: whoever retries a call that was cut off has what was asked for.
    """
    planned = _asked(redshift_access(settings), contract, out, err, migrate)
    if isinstance(planned, int):
        return planned
    _tell(contract, planned, ("renamed", "created", "copied"), out)
    table = contract.table
    print(
        f"\nNothing is granted on the new table and its view: `grants --apply` for the pipeline, GRANT\n"
        f"SELECT for readers. Views of others still show {table.qualified}{TYPE_1}: make them anew.\n"
        f"When the figures agree: DROP TABLE {table.qualified}{TYPE_1}",
        file=out,
    )
    return 0


def _asked(
    access: RedshiftAccess,
    contract: Contract,
    out: TextIO,
    err: TextIO,
    deed: Callable[[RedshiftAccess, Table], Migration],
) -> Migration | int:
    """What was done or would be, or the exit code when there is nothing to do or it is refused."""
    if not contract.table.keeps_history:
        print(NO_HISTORY, file=err)
        return 1
    try:
        return deed(access, contract.table)
    except AlreadyDone as done:
        print(f"{done}; nothing was changed", file=out)
        return 0
    except MigrationRefused as refused:
        print(f"{refused}; nothing was changed", file=err)
    except WarehouseTrouble as trouble:
        print(f"{access.host}:{access.port}/{access.database}: {trouble.told}", file=err)
    return 1


def _tell(contract: Contract, planned: Migration, words: tuple[str, str, str], out: TextIO) -> None:
    renamed, created, copied = words
    table = contract.table
    view = f"{table.schema}.{table.current_view}"
    for word, what in (
        (renamed, f"table {table.qualified} to {table.qualified}{TYPE_1}"),
        (created, f"table {table.qualified}"),
        (copied, f"{planned.rows} rows, each as the current version of its message"),
        (created, f"view {view}"),
    ):
        print(f"{word:<14}{what}", file=out)
