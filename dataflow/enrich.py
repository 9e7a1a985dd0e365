"""Rows that keep the contract, looked at once more: what is odd about them, and what names them.

A warning never changes a row. The rules and their codes come from the contract; `dataflow.rows` holds them to
the values while it makes the row, and here they are counted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import orjson

from dataflow.contract import Contract
from dataflow.model import Checked, ContractWarning, Row, Value
from dataflow.rows import warnings_of_rows


class Enricher:
    """The contract's warnings and message ids. Holds no state between batches."""

    def __init__(self, contract: Contract) -> None:
        """Read the rules."""
        self._warnings = warnings_of_rows(contract)
        self._identity = tuple(contract.position(name) for name in contract.identity)

    def enrich(self, checked: Checked) -> Checked:
        """Count the rows that have each warning."""
        counts: Counter[str] = Counter()
        for warned, rows in Counter([row.warnings for row in checked.rows if row.warnings]).items():
            for warning in self._named(warned):
                counts[warning.code] += rows
        return replace(checked, warnings={**checked.warnings, **counts}) if counts else checked

    def warnings_of(self, row: Row) -> tuple[ContractWarning, ...]:
        """What is odd about one row."""
        return tuple(self._named(row.warnings))

    def _named(self, warned: int) -> Sequence[ContractWarning]:
        return [warning for at, warning in enumerate(self._warnings) if warned >> at & 1]

    def message_id(self, values: Sequence[Value]) -> str:
        """32 hex digits that name a row's message: a pure function of its identity, one for all versions."""
        identity = orjson.dumps([values[at] for at in self._identity])
        return hashlib.blake2b(identity, digest_size=16).hexdigest()
