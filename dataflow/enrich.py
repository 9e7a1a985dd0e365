"""Rows that keep the contract, looked at once more: what is odd about them, and what names them.

A warning never changes a row. The rules and their codes come from the contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from dataflow.contract import Contract
from dataflow.fields import NotBefore, NotInFuture, PresentUnless, Rule, Together
from dataflow.model import Checked, ContractWarning, Row

_Count = Callable[[Sequence[Row], Sequence[str]], tuple[int, ...]]
"""How many rows break each rule; the horizons are the latest instants that are not too far ahead, by rule."""


class Enricher:
    """The contract's warnings and message ids. Holds no state between batches."""

    def __init__(self, contract: Contract) -> None:
        """Compile the rules."""
        self._rules = [rule for rule in contract.rules if not isinstance(rule, PresentUnless)]
        self._warnings = [_warning(rule) for rule in self._rules]
        self._count = _compile(contract, self._rules)
        self._identity = tuple(contract.position(name) for name in contract.identity)

    def enrich(self, checked: Checked) -> Checked:
        """Count the rows that have each warning; the future begins after `batch.polled_at`."""
        numbers = self._count(checked.rows, self._horizons(checked.batch.polled_at))
        counts = {
            warning.code: number for warning, number in zip(self._warnings, numbers, strict=True) if number
        }
        return replace(checked, warnings={**checked.warnings, **counts}) if counts else checked

    def warnings_of(self, row: Row, now: datetime) -> tuple[ContractWarning, ...]:
        """What is odd about one row, at the time `now` (aware)."""
        numbers = self._count((row,), self._horizons(now))
        return tuple(warning for warning, number in zip(self._warnings, numbers, strict=True) if number)

    def _horizons(self, now: datetime) -> list[str]:
        return [_horizon(rule, now) for rule in self._rules]

    def message_id(self, row: Row) -> str:
        """32 hex digits that name the message: a pure function of its identity, one for all its versions."""
        identity = orjson.dumps([row.values[at] for at in self._identity])
        return hashlib.blake2b(identity, digest_size=16).hexdigest()


def _horizon(rule: Rule, now: datetime) -> str:
    """The rule's latest tolerated instant as the staging format writes it; empty for one without."""
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


def _compile(contract: Contract, rules: Sequence[Rule]) -> _Count:
    """One function for all rules, written for this contract and then compiled.

    It goes once through the rows. Timestamps compare as texts: their form is canonical. For the three kinds:

        for row in rows:
            v0, v1, v2, v3, v4, v5, v6, v7, = row.values
            if (v4 in ABSENT) is not (v5 in ABSENT): n0 += 1
            if v7 < v6: n1 += 1
            if v6 > horizon2 or v7 > horizon2: n2 += 1
    """
    body = [f"horizon{number} = horizons[{number}]; n{number} = 0" for number in range(len(rules))]
    values = ", ".join(f"v{at}" for at in range(len(contract.fields)))
    body += ["for row in rows:", f"    {values}, = row.values"]
    body += [f"    if {_odd(rule, number, contract)}: n{number} += 1" for number, rule in enumerate(rules)]
    counts = ", ".join(f"n{number}" for number in range(len(rules)))
    source = "\n    ".join(["def count(rows, horizons):", *body, f"return ({counts}{',' if counts else ''})"])
    scope: dict[str, Any] = {}
    exec(compile(source, f"<rules of contract {contract.name}>", "exec"), scope)
    compiled: _Count = scope["count"]
    return compiled


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
    later = f"v{at} > horizon{number}"
    return later if contract.fields[at].required else f"v{at} is not None and {later}"
