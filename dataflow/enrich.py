"""Rows that keep the contract, looked at once more: what is odd about them, and what names them.

A warning never changes a row. The rules and their codes come from the contract.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import orjson

from dataflow.contract import Contract
from dataflow.fields import NotBefore, NotInFuture, PresentUnless, Rule, Together
from dataflow.model import Checked, ContractWarning, Row, Value

_ABSENT = (None, "")
_Values = tuple[Value, ...]
_Odd = Callable[[_Values, str], bool]
"""Whether a row is odd, given its values and the horizon: the latest instant that is not too far ahead."""


class Enricher:
    """The contract's warnings and message ids. Holds no state between batches."""

    def __init__(self, contract: Contract) -> None:
        """Compile the rules."""
        self._rules: list[tuple[ContractWarning, NotInFuture | None, _Odd]] = []
        for rule in contract.rules:
            if not isinstance(rule, PresentUnless):
                future = rule if isinstance(rule, NotInFuture) else None
                self._rules.append((_warning(rule), future, _odd(rule, contract)))
        self._identity = tuple(contract.position(name) for name in contract.identity)

    def enrich(self, checked: Checked) -> Checked:
        """Count the rows that have each warning; the future begins after `batch.polled_at`."""
        counts: dict[str, int] = {}
        rows = [row.values for row in checked.rows]
        for warning, future, odd in self._rules:
            horizon = _horizon(future, checked.batch.polled_at)
            number = sum([odd(values, horizon) for values in rows])
            if number:
                counts[warning.code] = number
        return replace(checked, warnings={**checked.warnings, **counts}) if counts else checked

    def warnings_of(self, row: Row, now: datetime) -> tuple[ContractWarning, ...]:
        """What is odd about one row, at the time `now` (aware)."""
        return tuple(
            warning for warning, future, odd in self._rules if odd(row.values, _horizon(future, now))
        )

    def message_id(self, row: Row) -> str:
        """32 hex digits that name the message: a pure function of its identity, one for all its versions."""
        identity = orjson.dumps([row.values[at] for at in self._identity])
        return hashlib.blake2b(identity, digest_size=16).hexdigest()


def _horizon(rule: NotInFuture | None, now: datetime) -> str:
    """The rule's latest tolerated instant as the staging format writes it."""
    if rule is None:
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


def _odd(rule: Rule, contract: Contract) -> _Odd:
    """The check of one rule on a row's values. Timestamps compare as texts: their form is canonical."""
    if isinstance(rule, NotBefore):
        later, earlier = contract.position(rule.field), contract.position(rule.reference)

        def reversed_order(values: _Values, _: str) -> bool:
            first, second = values[earlier], values[later]
            return type(first) is str and type(second) is str and second < first

        return reversed_order
    at = tuple(contract.position(name) for name in rule.fields)
    if isinstance(rule, Together):
        first, *others = at

        def incomplete(values: _Values, _: str) -> bool:
            absent = values[first] in _ABSENT
            for position in others:  # noqa: SIM110 a generator for each row costs more than the comparison
                if (values[position] in _ABSENT) is not absent:
                    return True
            return False

        return incomplete

    def ahead(values: _Values, horizon: str) -> bool:
        for position in at:
            instant = values[position]
            if type(instant) is str and instant > horizon:
                return True
        return False

    return ahead
