"""`ddl`: schema, tables, ledger and view, printed, compared with what is there, or applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from connectors.redshift_access import WarehouseTrouble
from connectors.redshift_ddl import Plan, carry_out, objects, plan
from dataflow.commands.access import contacts_table, redshift_access
from dataflow.contract import Contract
from dataflow.settings import Settings


def print_ddl(contract: Contract, out: TextIO) -> int:
    """The statements for all that the contract has, each ended by a semicolon."""
    for definition in objects(contract.table, contract.contacts):
        print(f"{definition.sql.rstrip().rstrip(';')};\n", file=out)
    return 0


def apply(settings: Settings, contract: Contract, out: TextIO, err: TextIO) -> int:
    """Create what is missing and make the safe alterations, or nothing when one difference is not safe.

    1 when the warehouse refuses, or when a person must act: the output says how.
    """
    return _planned(settings, contract, out, err, _apply)


def preview(settings: Settings, contract: Contract, out: TextIO, err: TextIO) -> int:
    """What `apply` would do and what it would refuse, with its exit code. Changes nothing."""
    return _planned(settings, contract, out, err, _show)


def _planned(
    settings: Settings,
    contract: Contract,
    out: TextIO,
    err: TextIO,
    deed: Callable[[Settings, Plan, TextIO], None],
) -> int:
    access = redshift_access(settings)
    try:
        planned = plan(access, contract.table, contacts_table(settings, contract))
        if not planned.refused:
            deed(settings, planned, out)
            return 0
    except WarehouseTrouble as trouble:
        print(f"{access.host}:{access.port}/{access.database}: {trouble.told}", file=err)
        return 1
    for refusal in planned.refused:
        print(f"{'REFUSED':<14}{refusal.subject}: {refusal.told}", file=out)
        for step in refusal.steps:
            print(f"{'':<14}  {step}", file=out)
    for alteration in planned.alter:
        print(f"{'not altered':<14}{alteration.subject}: {alteration.told}", file=out)
    number = len(planned.refused)
    print(f"{number} difference(s) for a person to settle; nothing was changed", file=err)
    return 1


def _apply(settings: Settings, planned: Plan, out: TextIO) -> None:
    carry_out(redshift_access(settings), planned)
    for definition in planned.create:
        print(f"{'created':<14}{definition.subject}", file=out)
    for definition in planned.there:
        print(f"{'already there':<14}{definition.subject}", file=out)
    for alteration in planned.alter:
        print(f"{'altered':<14}{alteration.subject}: {alteration.told}", file=out)


def _show(_settings: Settings, planned: Plan, out: TextIO) -> None:
    for definition in planned.create:
        print(f"{'would create':<14}{definition.subject}", file=out)
    for definition in planned.there:
        print(f"{'already there':<14}{definition.subject}", file=out)
    for alteration in planned.alter:
        print(f"{'would alter':<14}{alteration.subject}: {alteration.told}", file=out)
        print(f"{'':<14}  {alteration.sql}", file=out)
