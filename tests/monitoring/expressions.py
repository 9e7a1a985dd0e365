"""Every expression that an operator's Prometheus is asked, and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.monitoring.dashboard import SELECTED, dashboard
from tests.monitoring.metrics_page import described
from tests.monitoring.rules import read_rules

_SELECTOR = re.compile(r"(?:[a-z]\w*:)?\bdataflow_\w+(?::\w+)?(?:\{[^}]*\})?")
_STRINGS = re.compile(r'"[^"]*"')

NEVER_SEEN: Mapping[str, str] = {
    "dataflow_event_aborts_total": "the broker refuses no transaction in this run",
    "dataflow_delivery_failures_total": "no delivery fails in this run",
    'dataflow_retries_total{system="spool"}': "the disk is not full in this run",
}
"""Selectors that select nothing in the run, and why."""


def is_never_seen(selector: str) -> bool:
    """Whether a selector, of a rule or of the dashboard, selects nothing in the run."""
    own = selector.replace(SELECTED, "").replace(", }", "}").replace("{}", "")
    return own in NEVER_SEEN


@dataclass(frozen=True, slots=True)
class Asked:
    """One expression of a panel or a rule."""

    where: str
    expression: str
    is_range: bool
    is_alert: bool


def panel_queries() -> Iterator[Asked]:
    """Each panel's expressions, as the dashboard's JSON has them."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield Asked(panel["title"], target["expr"], target["range"], is_alert=False)


def rule_expressions() -> Iterator[Asked]:
    """Each rule's expression, to be asked for the whole run: what waits at one moment is gone at another."""
    for rule in read_rules():
        yield Asked(rule.name, rule.expression, is_range=True, is_alert=rule.alert is not None)


def filled_in(expression: str, seconds: float) -> str:
    """An expression of the dashboard as Grafana sends it, for a view of so many seconds."""
    values = {
        "$namespace": "contract-dataflow",
        "$pipeline": ".*",
        "$__rate_interval": "5s",
        "$__range": f"{round(seconds)}s",
    }
    for name, value in values.items():
        expression = expression.replace(name, value)
    return expression


def selectors(expression: str) -> set[str]:
    """The selectors of our metrics in an expression."""
    return set(_SELECTOR.findall(expression))


def names(expression: str) -> set[str]:
    """The names of metrics in an expression."""
    return {selector.partition("{")[0] for selector in selectors(_STRINGS.sub('""', expression))}


def exported() -> set[str]:
    """The names of all series that a process exports, and of those that rules record."""
    found = {rule.record for rule in read_rules() if rule.record}
    for metric in described():
        endings = ("_bucket", "_count", "_sum") if metric.kind == "histogram" else ("",)
        found |= {metric.name + ending for ending in endings}
    return found


def values_of(result: list[dict[str, Any]]) -> list[float]:
    """The numbers in an answer of Prometheus."""
    pairs = [pair for each in result for pair in each.get("values", [each.get("value")])]
    return [float(value) for _, value in pairs]
