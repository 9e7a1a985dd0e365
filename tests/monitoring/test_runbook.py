"""The runbook has a heading for every alert, and names no command, metric or panel that is not there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from connectors.redshift_access import Reason
from dataflow.__main__ import command_line
from tests.monitoring.commands import PAGES, Command, commands
from tests.monitoring.expressions import exported, names
from tests.monitoring.rows import ROWS
from tests.monitoring.rules import alerts
from tests.pipeline import ROOT
from tests.standins.prometheus import PrometheusPrograms

RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")
SECTIONS = {
    text.partition("\n")[0].strip(): text for text in re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
}
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


@pytest.mark.parametrize("command", commands(*PAGES), ids=lambda command: f"{command.page}: {command.text}")
def test_the_program_s_own_parser_takes_every_command_of_the_pages_for_operators(command: Command) -> None:
    """Each with its options and their values; `observed` runs those of the runbook that only look."""
    command_line().parse_args(command.arguments())


def test_a_command_with_a_wrong_option_would_be_noticed() -> None:
    with pytest.raises(SystemExit):
        command_line().parse_args(Command("", "verify --pushgateway http://pushgateway:9091").arguments())


def test_every_page_for_operators_has_commands_and_the_runbook_some_that_only_look() -> None:
    assert {command.page for command in commands(*PAGES)} == set(PAGES)
    looking = {command.words[0] for command in commands("RUNBOOK.md") if command.only_looks}
    assert looking == {"check", "config", "ledger", "verify", "tail", "dead-letters", "rerun"}


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


def test_a_check_that_the_runbook_says_what_to_do_about_is_one_of_verify_s() -> None:
    told = re.findall(r"^\| (`.+?`) \|", SECTIONS["DataflowVerifyFailed"], re.MULTILINE)
    checks = {check for cell in told for check in re.findall(r"`(\w+)`", cell)}
    assert len(checks) > 10
    operating = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert checks <= set(re.findall(r"`(\w+)`", operating.partition("## verify")[2].partition("\n## ")[0]))


def test_every_reason_that_the_warehouse_may_refuse_for_is_told() -> None:
    told = SECTIONS["DataflowCommitsFailing"]
    assert {reason.value for reason in Reason} <= set(re.findall(r"`([a-z]+)`", told))
