"""The runbook has a heading for every alert, and names no command, metric or panel that is not there."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from connectors.redshift_access import Reason
from tests.monitoring.expressions import exported, names
from tests.monitoring.rows import ROWS
from tests.monitoring.rules import alerts
from tests.pipeline import ROOT
from tests.standins.prometheus import PrometheusPrograms

RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")
SECTIONS = {
    text.partition("\n")[0].strip(): text for text in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
}
COMMANDS = sorted(set(re.findall(r"(?:python -m dataflow|-- contract-dataflow) ([^`\n]+)", RUNBOOK)))
EXPRESSIONS = [
    line
    for block in re.findall(r"^```promql\n(.*?)^```", RUNBOOK, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


def test_every_alert_has_a_heading_and_every_heading_is_an_alert() -> None:
    assert len(SECTIONS) == len(re.findall(r"^## ", RUNBOOK, re.MULTILINE))
    assert set(SECTIONS) == {rule.name for rule in alerts()}


def test_links_within_the_runbook_lead_to_headings() -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= {name.lower() for name in SECTIONS}


@pytest.mark.parametrize("name", SECTIONS)
def test_a_heading_says_what_how_to_look_what_to_do_and_when_it_is_over(name: str) -> None:
    parts = re.findall(r"^\*\*(Means|Look|Do|Over)\b", SECTIONS[name], re.MULTILINE)
    assert parts == ["Means", "Look", "Do", "Over"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_runbook_exists_with_its_options(command: str) -> None:
    words = command.split()
    # `dead-letters replay --rate 100`: the command and its action, then options.
    called = list(takewhile(re.compile(r"[a-z-]+$").match, (word for word in words if word[0] != "-")))
    called = called[:2] if called[0] == "dead-letters" else called[:1]
    help_text = helped(*called)
    assert help_text is not None, called
    for option in re.findall(r"--[a-z-]+", command):
        assert option in help_text


def helped(*command: str) -> str | None:
    """What a command says of itself; None when there is none of this name."""
    ran = subprocess.run(
        [sys.executable, "-m", "dataflow", *command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout if ran.returncode == 0 else None


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_of_the_runbook_names_only_metrics_that_are_exported(expression: str) -> None:
    assert names(expression)
    assert names(expression) <= exported()


def test_prometheus_can_parse_every_expression_of_the_runbook(
    prometheus_tools: PrometheusPrograms, tmp_path: Path
) -> None:
    rules = [{"record": f"line:{number}", "expr": each} for number, each in enumerate(EXPRESSIONS)]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": rules}]}), encoding="utf-8")
    prometheus_tools.check("check", "rules", str(file))


def test_the_panels_that_the_runbook_names_are_on_the_dashboard() -> None:
    titles = {panel.title for row in ROWS for panel in row.panels}
    rows = {row.title.partition(":")[0] for row in ROWS}
    named = set(re.findall(r"(?<![*\w])\*([A-Z][^*\n]+)\*(?!\*)", RUNBOOK))
    known = titles | rows | {title.partition(" (")[0] for title in titles}
    assert {name.partition(" (")[0] for name in named} <= known


def test_every_reason_that_the_warehouse_may_refuse_for_is_told() -> None:
    told = SECTIONS["DataflowCommitsFailing"]
    assert {reason.value for reason in Reason} <= set(re.findall(r"`([a-z]+)`", told))
