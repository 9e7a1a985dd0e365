"""The rules that Prometheus is given, read from the one file that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline import ROOT

RULES = ROOT / "k8s" / "monitoring" / "prometheus-rule.yaml"


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
    """Every rule, in the file's order."""
    return [
        Rule(rule.get("record"), rule.get("alert"), rule["expr"], rule)
        for group in groups()
        for rule in group["rules"]
    ]


def alerts() -> list[Rule]:
    """The rules that alert."""
    return [rule for rule in read_rules() if rule.alert]


def groups() -> list[dict[str, Any]]:
    """The groups, as Prometheus takes them."""
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    assert document["kind"] == "PrometheusRule"
    found: list[dict[str, Any]] = document["spec"]["groups"]
    return found


def write_plain(path: Path, **more: Any) -> None:
    """The groups as a rule file of Prometheus; `more` is set in every group."""
    plain = {"groups": [{**group, **more} for group in groups()]}
    path.write_text(yaml.safe_dump(plain, sort_keys=False, width=1000), encoding="utf-8")


def without_annotations(path: Path) -> None:
    """The same without texts for people: what unit tests of the rules compare is whether they fire."""
    plain = {"groups": list(_stripped())}
    path.write_text(yaml.safe_dump(plain, sort_keys=False, width=1000), encoding="utf-8")


def _stripped() -> Iterator[dict[str, Any]]:
    for group in groups():
        rules = [{key: rule[key] for key in rule if key != "annotations"} for rule in group["rules"]]
        yield {**group, "rules": rules}
