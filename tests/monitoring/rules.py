"""The rules that Prometheus is given, read from the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline import ROOT

RULES = ROOT / "k8s" / "monitoring" / "prometheus-rule.yaml"
THRESHOLDS = ROOT / "k8s" / "monitoring" / "thresholds.yaml"
"""Made from the contract."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `alert` and `record` are its name, the other is None."""

    record: str | None
    alert: str | None
    expression: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is called."""
        return self.record or self.alert or ""


def read_rules() -> list[Rule]:
    """Every rule, the contract's figures first."""
    return _rules_of(groups())


def written_rules() -> list[Rule]:
    """Those that people write."""
    return _rules_of(_groups_of(RULES))


def _rules_of(found: list[dict[str, Any]]) -> list[Rule]:
    return [
        Rule(rule.get("record"), rule.get("alert"), rule["expr"], rule)
        for group in found
        for rule in group["rules"]
    ]


def alerts() -> list[Rule]:
    """The rules that alert."""
    return [rule for rule in read_rules() if rule.alert]


def groups() -> list[dict[str, Any]]:
    """The groups, as Prometheus takes them."""
    return [*_groups_of(THRESHOLDS), *_groups_of(RULES)]


def _groups_of(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = _document(path)["spec"]["groups"]
    return found


def runbook() -> str:
    """Where the runbook is to be read."""
    found: str = _document(RULES)["metadata"]["annotations"]["contract-dataflow/runbook"]
    return found


def _document(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert document["kind"] == "PrometheusRule"
    return document


def write_plain(path: Path, **more: Any) -> None:
    """The groups as a rule file of Prometheus; `more` is set in every group."""
    plain = {"groups": [{**group, **more} for group in groups()]}
    path.write_text(yaml.safe_dump(plain, sort_keys=False, width=1000), encoding="utf-8")


def write_for_test(path: Path, alert: Rule) -> None:
    """An alert and the recording rules that it rests on, without texts for people: does it fire?"""
    wanted = {alert.name, *_rests_on(alert)}
    rules = [
        {key: value for key, value in rule.body.items() if key != "annotations"}
        for rule in read_rules()
        if rule.name in wanted
    ]
    plain = {"groups": [{"name": "tested", "rules": rules}]}
    path.write_text(yaml.safe_dump(plain, sort_keys=False, width=1000), encoding="utf-8")


def _rests_on(rule: Rule) -> Iterator[str]:
    for other in read_rules():
        if other.record and re.search(rf"{other.record}\b", rule.expression):
            yield other.record
            yield from _rests_on(other)
