"""What is made from the program and committed is as the program makes it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.metrics import PREFIX, Described
from tests.monitoring import dashboard, metrics_page
from tests.monitoring.commands import PAGES, commands
from tests.monitoring.expressions import is_never_seen, panel_queries, rule_expressions, selectors
from tests.monitoring.metrics_page import BOUNDS, described
from tests.monitoring.panels import DAILY, FRESHNESS
from tests.monitoring.rows import ROWS
from tests.monitoring.rules import alerts
from tests.monitoring.test_rules import CASES
from tests.pipeline import ROOT

UNITS = (
    *("seconds", "bytes", "messages", "offset", "info", "held", "partitions", "fds", "total"),
    # Of `verify`: 1 or 0, and what a check measured, in the check's own unit.
    *("ok", "value"),
)
"""What a gauge's or a histogram's name ends in: its base unit, or what it counts."""
PANELS = [panel for panel in dashboard.dashboard()["panels"] if panel["type"] != "row"]


def test_the_page_of_metrics_is_as_they_are_declared() -> None:
    assert metrics_page.PAGE.read_text(encoding="utf-8") == metrics_page.metrics_page()


def test_the_dashboard_is_as_it_is_described() -> None:
    assert dashboard.FILE.read_text(encoding="utf-8") == dashboard.dashboard_text()


@pytest.mark.parametrize("metric", described(), ids=lambda metric: metric.name)
def test_a_metric_is_named_by_convention(metric: Described) -> None:
    assert re.fullmatch(rf"{PREFIX}_[a-z_]+[a-z]", metric.name)
    assert metric.name.endswith(UNITS)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.text.endswith(".")
    assert set(metric.labels) <= set(BOUNDS)


def test_each_label_that_is_explained_is_used() -> None:
    assert {label for metric in described() for label in metric.labels} == set(BOUNDS)


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_says_what_it_shows_in_which_unit_and_for_which_pipeline(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"]
    for target in panel["targets"]:
        ours = re.findall(r"dataflow_\w+(?::\w+)?(\{[^}]*\})?", target["expr"])
        assert all(dashboard.SELECTED in labels for labels in ours)


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.dashboard()["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert place["x"] + place["w"] <= dashboard.COLUMNS
        taken |= cells


def test_titles_and_numbers_of_panels_are_their_own() -> None:
    titles = [panel.title for row in ROWS for panel in row.panels]
    assert len(set(titles)) == len(titles)
    numbers = [panel["id"] for panel in dashboard.dashboard()["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_the_numbers_that_the_page_on_kubernetes_tells_are_what_the_tests_run() -> None:
    fires = sum(bool(case.get("fires")) for case in CASES)
    panels, rules = list(panel_queries()), list(rule_expressions())
    asked = {selector for each in (*panels, *rules) for selector in selectors(each.expression)}
    written = commands(*PAGES)
    told = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    for line in (
        f"| {len(alerts())}, by {len(CASES)} cases of promtool's: {fires} in which one fires, "
        f"{len(CASES) - fires} in which it does not |",
        f"| {len(panels)} and {len(rules)} |",
        f"| {sum(not is_never_seen(each) for each in asked)} of {len(asked)};",
        f"takes | {len(written)} |",
        f"pipeline | {sum(each.only_looks for each in commands('RUNBOOK.md'))} |",
    ):
        assert line in told


def test_thresholds_of_the_dashboard_are_the_contracts() -> None:
    steps = {
        panel["title"]: [step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]
        for panel in PANELS
    }
    assert steps["Oldest row not in the table"][1] == FRESHNESS
    assert steps["Messages, 24 h"] == [None, DAILY / 2, DAILY * 2]
