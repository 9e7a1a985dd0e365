"""A real Prometheus watches a real run, and is asked everything that an operator's would be."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow.contract import load
from dataflow.published.thresholds import thresholds
from tests.integration.wiring import Wiring
from tests.monitoring.commands import commands
from tests.monitoring.expressions import (
    NEVER_SEEN,
    Asked,
    exported,
    filled_in,
    is_never_seen,
    names,
    panel_queries,
    rule_expressions,
    selectors,
    values_of,
)
from tests.monitoring.metrics_page import described
from tests.monitoring.scenario import MESSAGES, Acts, Observed, observed
from tests.operate.calling import operate
from tests.standins.prometheus import PrometheusPrograms
from tests.standins.redshift_process import RedshiftProcess

ENDING = {"tail": ("--last", "1", "--count", "1")}
"""So that a command comes to its end that goes on until it is told to stop."""


@pytest.fixture
def run(prometheus_tools: PrometheusPrograms, wiring: Wiring, tmp_path: Path) -> Iterator[Observed]:
    with (
        RedshiftProcess(tmp_path / "redshift") as redshift,
        observed(prometheus_tools, wiring, redshift, tmp_path, Acts()) as seen,
    ):
        yield seen


def answer(run: Observed, asked: Asked) -> list[float]:
    """The numbers that Prometheus answers, as the panel or the rule asks."""
    expression = filled_in(asked.expression, run.seconds)
    if asked.is_range:
        return values_of(run.prometheus.query_range(expression, run.began, run.ended, 1))
    return values_of(run.prometheus.query(expression, run.ended))


def test_every_panel_and_rule_asks_for_what_a_run_tells(run: Observed, subtests: pytest.Subtests) -> None:
    everything = [*panel_queries(), *rule_expressions()]
    for asked in everything:
        with subtests.test(asked.where):
            found = answer(run, asked)
            empty = not found or all(math.isnan(value) for value in found)
            # Whether an alert fires depends on the run; that what it asks for is there is asked below.
            assert asked.is_alert or not empty, found
            if asked.where == "Messages, 24 h":
                assert found == [MESSAGES]
    for selector in sorted({one for asked in everything for one in selectors(asked.expression)}):
        with subtests.test(selector):
            seen = f"last_over_time({filled_in(selector, run.seconds)}[{round(run.seconds)}s])"
            assert bool(run.prometheus.query(seen, run.ended)) != is_never_seen(selector)
    with subtests.test("metrics that were exported"):
        told = {sample for sample in run.prometheus.api("label/__name__/values") if "dataflow_" in sample}
        assert told <= exported()
        base = {name.removesuffix("_count") for name in told}
        assert {metric.name for metric in described()} <= base | set(NEVER_SEEN)
    ledger = json.loads(operate(run.wiring, "ledger", "--json").stdout)
    newest = ledger["commits"][-1]["process_id"]
    for command in commands("RUNBOOK.md"):
        if command.only_looks:
            with subtests.test(f"RUNBOOK.md: {command.text}"):
                ran = operate(run.wiring, *command.arguments(ID=newest), *ENDING.get(command.words[0], ()))
                # A dead letter that was too large to be kept whole is never replayed, and that is told.
                assert ran.returncode == ("held back" in ran.stdout), ran.stdout + ran.stderr
                assert ran.stdout
    with subtests.test("no rule failed"):
        for group in run.prometheus.api("rules")["groups"]:
            assert {rule["health"] for rule in group["rules"]} == {"ok"}


FIGURES = {f"pipeline:{each.record}" for each in thresholds(load())}


@pytest.mark.parametrize("asked", [*panel_queries(), *rule_expressions()], ids=lambda asked: asked.where)
def test_an_expression_names_only_metrics_that_are_exported(asked: Asked) -> None:
    # Neither Prometheus's own series of the alerts that fire nor a figure of the contract is a process's.
    assert names(asked.expression) or "ALERTS" in asked.expression or asked.where in FIGURES
    assert names(asked.expression) <= exported()
