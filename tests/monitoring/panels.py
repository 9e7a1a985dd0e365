"""What a row of the dashboard is made of: panels, each with its question to Prometheus.

Expressions are plain PromQL: the dashboard's variables are set into every selector when the JSON is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from connectors.metrics import COMMIT_ALLOWANCE
from dataflow.contract import load

_CONTRACT = load()
FRESHNESS = _CONTRACT.freshness.total_seconds()
LATE_AFTER = FRESHNESS + COMMIT_ALLOWANCE
DAILY = _CONTRACT.daily_volume
GREEN, YELLOW, RED, BLUE = "green", "yellow", "red", "blue"


class Kind(Enum):
    """Grafana's panel types that are used."""

    STAT = "stat"
    SERIES = "timeseries"
    BARS = "bargauge"
    STATES = "state-timeline"


@dataclass(frozen=True, slots=True)
class Query:
    """A question, and how its series are called."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; `width` in the grid's 24 columns."""

    title: str
    description: str
    kind: Kind
    unit: str
    queries: tuple[Query, ...]
    width: int = 8
    thresholds: tuple[tuple[float | None, str], ...] = ((None, GREEN),)
    """(from this value on, colour); None is the lowest."""
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels for one audience."""

    title: str
    panels: tuple[Panel, ...]


def stat(
    title: str,
    description: str,
    unit: str,
    expression: str,
    thresholds: Sequence[tuple[float | None, str]] = ((None, BLUE),),
) -> Panel:
    """One figure."""
    return Panel(title, description, Kind.STAT, unit, (Query(expression),), 4, tuple(thresholds))


def series(title: str, description: str, unit: str, *queries: tuple[str, str], width: int = 8) -> Panel:
    """Lines over time, each query an (expression, legend)."""
    return Panel(title, description, Kind.SERIES, unit, tuple(Query(*each) for each in queries), width)


def stack(title: str, description: str, unit: str, *queries: tuple[str, str], width: int = 8) -> Panel:
    """Areas over time, on top of each other."""
    asked = tuple(Query(*each) for each in queries)
    return Panel(title, description, Kind.SERIES, unit, asked, width, stacked=True)


def bars(title: str, description: str, unit: str, expression: str, legend: str) -> Panel:
    """A bar for each series."""
    return Panel(
        title, description, Kind.BARS, unit, (Query(expression, legend),), thresholds=((None, BLUE),)
    )


def quantiles(metric: str, selector: str = "", *, of: Sequence[float]) -> tuple[tuple[str, str], ...]:
    """A histogram's quantiles, over the last hour: commits are hourly, and contacts are rare."""
    return tuple(
        (f"histogram_quantile({each}, sum by (le) (rate({metric}_bucket{selector}[1h])))", f"p{each * 100:g}")
        for each in of
    )
