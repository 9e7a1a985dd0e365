"""Values to rows: a message's line in the staging format, and which of the contract's warnings it has.

The function that makes a row is written for the contract and compiled; it can be part of a longer one, so
that the values need not be packed to be handed on. Timestamps compare as texts: their form is canonical. For
the three kinds of rule:

    line = encode((offset, v0, v1, v2, v3, v4, v5, v6, v7))
    warned = 0
    if (v4 in (None, '')) is not (v5 in (None, '')): warned |= 1
    if v7 < v6: warned |= 2
    if v6 > horizons[2] or v7 > horizons[2]: warned |= 4
    row = Row(offset, v2, line, warned)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.json import Encoder

from dataflow.contract import Contract
from dataflow.fields import NotBefore, NotInFuture, PresentUnless, Rule, Together
from dataflow.model import ContractWarning, Row, Value

Horizons = tuple[str, ...]
"""For each warning the latest instant that is not too far ahead, as the line has it; empty without one."""
MakeRow = Callable[[int, tuple[Value, ...], Horizons], Row]
"""From an offset and the values of the contract's fields, which must keep it, to the row. Never raises."""


def compile_row(contract: Contract) -> MakeRow:
    """The function; costs about a millisecond."""
    names = _names(contract)
    scope = row_scope()
    lines = [f"{', '.join(names)}, = values", *row_lines(contract), "return row"]
    source = "\n    ".join(["def make_row(offset, values, horizons):", *lines])
    exec(compile(source, f"<rows of contract {contract.name}>", "exec"), scope)
    compiled: MakeRow = scope["make_row"]
    return compiled


def _names(contract: Contract) -> Sequence[str]:
    return [f"v{at}" for at in range(len(contract.fields))]


def row_scope() -> dict[str, Any]:
    """The globals that the lines of `row_lines` need."""
    return {"encode": Encoder().encode, "Row": Row}


def row_lines(contract: Contract) -> list[str]:
    """From `offset`, `horizons` and the values `v0`, `v1`, … to `line` and `row`: lines of a function."""
    names = _names(contract)
    text = f"v{contract.position(contract.scanned_field)}" if contract.scanned_field else "None"
    return [
        f"line = encode((offset, {', '.join(names)}))",
        "warned = 0",
        *[f"if {_odd(rule, at, contract)}: warned |= {1 << at}" for at, rule in enumerate(_rules(contract))],
        f"row = Row(offset, {text}, line, warned)",
    ]


def warnings_of_rows(contract: Contract) -> Sequence[ContractWarning]:
    """The warnings that a row can have: `Row.warnings` has a bit for each."""
    return [_warning(rule) for rule in _rules(contract)]


def horizons_of(contract: Contract) -> Callable[[datetime], Horizons]:
    """Tells the horizons of messages that are read at an aware time."""
    rules = _rules(contract)
    return lambda now: tuple([_horizon(rule, now) for rule in rules])


def _rules(contract: Contract) -> Sequence[Rule]:
    return [rule for rule in contract.rules if not isinstance(rule, PresentUnless)]


def _horizon(rule: Rule, now: datetime) -> str:
    if not isinstance(rule, NotInFuture):
        return ""
    return (now.astimezone(UTC) + rule.tolerance).replace(tzinfo=None).isoformat(" ", "microseconds")


def _warning(rule: Rule) -> ContractWarning:
    if isinstance(rule, Together):
        names = " and ".join(rule.fields)
        return ContractWarning(
            rule.fields[0], rule.code, f"{names} belong together; send all of them or none"
        )
    if isinstance(rule, NotBefore):
        return ContractWarning(rule.field, rule.code, f"{rule.field} lies before {rule.reference}")
    if isinstance(rule, NotInFuture):
        names = " or ".join(rule.fields)
        far = f"more than {rule.tolerance} ahead of the time of reading; check the producer's clock"
        return ContractWarning(rule.fields[0], rule.code, f"{names} lies {far}")
    raise TypeError(f"{type(rule).__name__} is no warning")


def _odd(rule: Rule, number: int, contract: Contract) -> str:
    """An expression that is true of a row that breaks the rule."""
    if isinstance(rule, NotBefore):
        # Both are required: whether one is absent needs no asking.
        return f"v{contract.position(rule.field)} < v{contract.position(rule.reference)}"
    if isinstance(rule, Together):
        first, *others = (f"(v{contract.position(name)} in (None, ''))" for name in rule.fields)
        return " or ".join(f"{first} is not {other}" for other in others)
    if isinstance(rule, NotInFuture):
        return " or ".join(_ahead(name, number, contract) for name in rule.fields)
    raise TypeError(f"{type(rule).__name__} is no warning")


def _ahead(name: str, number: int, contract: Contract) -> str:
    at = contract.position(name)
    later = f"v{at} > horizons[{number}]"
    return later if contract.fields[at].required else f"v{at} is not None and {later}"
