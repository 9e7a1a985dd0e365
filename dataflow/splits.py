"""Rows of the contract to the memory of contacts that are split over messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dataflow.contract import Contract
from dataflow.detect import Piece, SplitMemory
from dataflow.model import Contact, Row


class Splits:
    """Completes contacts from the earlier messages of the same pair.

    A pair is a message's identity without its time, so that the pair's messages come from one partition when
    the topic is keyed by the sender. Holds the memory: one instance a process.
    """

    def __init__(self, contract: Contract, memory: SplitMemory) -> None:
        """Raises KeyError when the contract does not hold the fields that it names."""
        self._memory = memory
        self._at = contract.position(contract.event_time)
        self._pair = tuple(
            contract.position(name) for name in contract.identity if name != contract.event_time
        )

    def complete(
        self, rows: Sequence[Row], found: Sequence[tuple[Contact, ...]]
    ) -> Sequence[tuple[Contact, ...]]:
        """`found` (what each row's text holds by itself), and what the texts complete, row by row."""
        return self._memory.detect([self._piece(row) for row in rows], found)

    def _piece(self, row: Row) -> Piece | None:
        if row.text is None:
            return None
        values = row.values
        pair = tuple([str(values[at]) for at in self._pair])
        return Piece(pair, datetime.fromisoformat(str(values[self._at])), row.text)
