"""What a benchmark answers: figures with their spread, in tables, with what they show."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One quantity, measured once or more often."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def least(self) -> float:
        """The smallest."""
        return min(self.values)

    @property
    def most(self) -> float:
        """The largest."""
        return max(self.values)


Cell = Figure | int | str | None
"""A measured quantity, a count, a label, or nothing to tell."""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures side by side. Raises ValueError when a row has not one cell per column."""

    columns: tuple[str, ...]
    """Heads, with the unit."""
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"{len(row)} cells for {len(self.columns)} columns: {row}")


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark's answer."""

    measured: str
    """What was measured, on what, and how often: one or two sentences."""
    tables: tuple[Table, ...]
    observations: tuple[str, ...]
    """What the figures show, a sentence each, written from the figures."""

    def as_json(self) -> dict[str, Any]:
        """Every value of every figure."""
        return {
            "measured": self.measured,
            "tables": [
                {
                    "columns": list(table.columns),
                    "rows": [[_plain(cell) for cell in row] for row in table.rows],
                }
                for table in self.tables
            ],
            "observations": list(self.observations),
        }


def _plain(cell: Cell) -> Any:
    if not isinstance(cell, Figure):
        return cell
    return {"median": cell.median, "least": cell.least, "most": cell.most, "values": list(cell.values)}


def quotients(dividends: Sequence[float], divisors: Sequence[float]) -> Figure:
    """Each repetition's own quotient: what disturbs one repetition disturbs both of its sides alike."""
    return Figure(tuple(over / under for over, under in zip(dividends, divisors, strict=True)))


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of them do not exceed. Raises ValueError on none."""
    if not values:
        raise ValueError("a percentile of no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
