"""Scrape, alerts and dashboard are those of the overlay that they are built in."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.k8s.manifests import K8S, Manifests, PodTemplate, relative
from tests.k8s.settings import PIPELINE, settings
from tests.pipeline import ROOT

HEADINGS = {
    heading.lower() for heading in re.findall(r"^## (\w+)$", (ROOT / "RUNBOOK.md").read_text(), re.MULTILINE)
}
RUNBOOK = "https://wiki.example.org/on-call/orders/RUNBOOK.md"


@pytest.fixture(scope="module")
def another(kustomize: Path, tmp_path_factory: pytest.TempPathFactory) -> Manifests:
    """An overlay of another team's: its own namespace, pipeline and place for the runbook."""
    directory = tmp_path_factory.mktemp("overlay") / "another"
    directory.mkdir()
    rules = {"apiVersion": "monitoring.coreos.com/v1", "kind": "PrometheusRule"}
    named = {"name": PIPELINE, "annotations": {"contract-dataflow/runbook": RUNBOOK}}
    written = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": "orders-prod",
        "resources": [relative(K8S / "base", directory)],
        "components": [relative(K8S / "monitoring", directory)],
        "configMapGenerator": [
            {"name": f"{PIPELINE}-settings", "behavior": "merge", "literals": ["PIPELINE=orders"]}
        ],
        "patches": [{"patch": yaml.safe_dump({**rules, "metadata": named})}],
        "transformers": [relative(K8S / "monitoring" / "names", directory)],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(written))
    return Manifests.build(kustomize, directory)


def alerts(build: Manifests) -> dict[str, dict[str, str]]:
    """Of each alert its expression and the address of its runbook."""
    return {
        rule["alert"]: {"expression": rule["expr"], "runbook": rule["annotations"]["runbook_url"]}
        for each in build.of_kind("PrometheusRule")
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def monitored(everything: list[Manifests], another: Manifests) -> list[Manifests]:
    return [build for build in (*everything, another) if build.of_kind("PrometheusRule", "PodMonitor")]


def test_metrics_carry_the_pipeline_s_name(everything: list[Manifests], another: Manifests) -> None:
    for build in monitored(everything, another):
        (monitor,) = build.of_kind("PodMonitor")
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        added = {each["targetLabel"]: each["replacement"] for each in endpoint["relabelings"]}
        assert added == {"pipeline": name_of(build)}


def name_of(build: Manifests) -> str:
    return build.environment(build.pod(PIPELINE))["PIPELINE"]


def test_the_name_that_the_manifests_say_is_the_program_s_default(everything: list[Manifests]) -> None:
    for build in everything:
        pod: PodTemplate = build.pod(PIPELINE)
        assert settings(build, pod).pipeline == name_of(build) == "messages"


def test_the_alert_that_a_pipeline_is_absent_names_the_overlay_s(
    everything: list[Manifests], another: Manifests
) -> None:
    for build in monitored(everything, another):
        wanted = f'{{namespace="{build.namespace}",pipeline="{name_of(build)}"}}'
        assert alerts(build)["DataflowAbsent"]["expression"] == f"absent(dataflow_build_info{wanted})"
    assert 'namespace="orders-prod",pipeline="orders"' in alerts(another)["DataflowAbsent"]["expression"]


def test_the_figures_that_alerts_compare_with_are_the_overlay_s_own(
    everything: list[Manifests], another: Manifests
) -> None:
    for build in monitored(everything, another):
        figures = [
            rule
            for each in build.of_kind("PrometheusRule")
            for group in each["spec"]["groups"]
            for rule in group["rules"]
            if group["name"] == "dataflow-thresholds"
        ]
        assert figures
        for rule in figures:
            assert rule["labels"] == {"namespace": build.namespace, "pipeline": name_of(build)}


def test_every_alert_leads_to_its_heading_in_the_runbook_wherever_the_overlay_has_it(
    everything: list[Manifests], another: Manifests
) -> None:
    for build in monitored(everything, another):
        rules = next(each for each in build.of_kind("PrometheusRule") if each["metadata"]["name"] == PIPELINE)
        place = rules["metadata"]["annotations"]["contract-dataflow/runbook"]
        assert urlsplit(place).scheme == "https"
        for name, alert in alerts(build).items():
            assert alert["runbook"] == f"{place}#{name.lower()}"
            assert name.lower() in HEADINGS
    assert alerts(another)["DataflowAbsent"]["runbook"].startswith(f"{RUNBOOK}#")


def test_the_dashboard_is_found_by_its_label(everything: list[Manifests]) -> None:
    for build in everything:
        for each in build.of_kind("ConfigMap"):
            if any(key.endswith(".json") for key in each["data"]):
                assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
