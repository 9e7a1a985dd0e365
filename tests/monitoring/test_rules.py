"""Each alert fires when it should, and not when it should not; none repeats a figure of the contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.kafka_access import ClientJudge
from connectors.metrics import COMMIT_ALLOWANCE
from dataflow.commands.run import metrics_of
from dataflow.contract import load
from dataflow.published.thresholds import thresholds
from dataflow.settings import Sources, read
from tests.monitoring.rules import (
    Rule,
    alerts,
    read_rules,
    runbook,
    write_for_test,
    write_plain,
    written_rules,
)
from tests.standins.prometheus import PrometheusPrograms

CASES: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parent / "cases" / "alerts.yaml").read_text(encoding="utf-8")
)
ALERTS = {rule.name: rule for rule in alerts()}
CONTRACT = load()
LATE_AFTER = CONTRACT.freshness.total_seconds() + COMMIT_ALLOWANCE
AGREED = {
    "dataflow_contract_freshness_seconds": f"{CONTRACT.freshness.total_seconds()}+0x2000",
    "dataflow_rows_late_after_seconds": f"{LATE_AFTER}+0x2000",
    "dataflow_contract_daily_messages": f"{CONTRACT.daily_volume}+0x2000",
    "dataflow_contract_partitions": f"{CONTRACT.partitions}+0x2000",
}
"""What every process tells of the contract, as promtool writes it."""
EVERYWHERE = {"namespace": "contract-dataflow", "pipeline": "messages"}


def series(name: str) -> str:
    """A series of a case, with the labels that the scrape adds."""
    metric, _, rest = name.partition("{")
    labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    labels = {**EVERYWHERE, "instance": "a", **labels}
    return metric + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"


def as_promtool(case: dict[str, Any], rules: str) -> dict[str, Any]:
    """A case as a unit test of promtool's."""
    severity = ALERTS[case["alert"]].body["labels"]["severity"]
    given = {**(AGREED if case.get("agreed", True) else {}), **case["series"]}
    fires = [{**EVERYWHERE, "severity": severity, **labels} for labels in case.get("fires", [])]
    expected = [{"exp_labels": {name: value for name, value in each.items() if value}} for each in fires]
    return {
        "rule_files": [rules],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": series(name), "values": values} for name, values in given.items()
                ],
                "alert_rule_test": [
                    {"alertname": case["alert"], "eval_time": f"{case['at']}m", "exp_alerts": expected}
                ],
            }
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['alert']}: {case['it']}")
def test_an_alert_fires_exactly_when_it_should(
    case: dict[str, Any], prometheus_tools: PrometheusPrograms, tmp_path: Path
) -> None:
    write_for_test(tmp_path / "rules.yaml", ALERTS[case["alert"]])
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(as_promtool(case, "rules.yaml")), encoding="utf-8")
    prometheus_tools.check("test", "rules", str(tmp_path / "test.yaml"))


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_shown_firing_and_not_firing(name: str) -> None:
    assert {bool(case.get("fires")) for case in CASES if case["alert"] == name} == {True, False}


def test_prometheus_takes_the_rules(prometheus_tools: PrometheusPrograms, tmp_path: Path) -> None:
    write_plain(tmp_path / "rules.yaml")
    said = prometheus_tools.check("check", "rules", str(tmp_path / "rules.yaml"))
    assert f"{len(read_rules())} rules found" in said


@pytest.mark.parametrize("rule", ALERTS.values(), ids=lambda rule: rule.name)
def test_an_alert_says_how_long_how_grave_what_and_where_to_read(rule: Rule) -> None:
    assert re.fullmatch(r"Dataflow[A-Z][A-Za-z]+", rule.name)
    assert "for" in rule.body
    assert rule.body["labels"]["severity"] in ("critical", "warning")
    assert set(rule.body["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule.body["annotations"]["runbook_url"] == f"{runbook()}#{rule.name.lower()}"


def test_every_threshold_is_compared_with() -> None:
    compared = "\n".join(rule.expression for rule in alerts())
    for each in thresholds(CONTRACT):
        assert re.search(rf"pipeline:{each.record}\b", compared), each.record


def test_the_figures_that_alerts_compare_with_are_the_contracts() -> None:
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
        "REDSHIFT_HOST": "warehouse",
        "REDSHIFT_DATABASE": "dev",
        "REDSHIFT_USER": "pipeline",
        "REDSHIFT_PASSWORD": "a password",
        "CONTACT_VALUES": "omitted",
    }
    settings = read(Sources(environment, {}, Path.read_text), ClientJudge())
    told = {
        sample.name: sample.value
        for metric in metrics_of(settings, CONTRACT).registry.collect()
        for sample in metric.samples
    }
    assert told["dataflow_contract_freshness_seconds"] == CONTRACT.freshness.total_seconds()
    assert told["dataflow_rows_late_after_seconds"] == LATE_AFTER
    assert told["dataflow_contract_daily_messages"] == CONTRACT.daily_volume
    assert told["dataflow_contract_partitions"] == CONTRACT.partitions


def test_no_rule_that_people_write_repeats_a_figure_of_the_contract() -> None:
    # A share may well be another one too.
    figures = {each.value for each in thresholds(CONTRACT) if each.value >= 1}
    for rule in written_rules():
        written = {
            float(number) for number in re.findall(r"(?<![\w.\"])\d+(?:\.\d+)?(?![\w.])", rule.expression)
        }
        assert not written & figures, rule.name
