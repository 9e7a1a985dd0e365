"""Every resource of every build fits its schema: no field is misspelt, missing or of the wrong type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.k8s.conftest import needed
from tests.k8s.go_modules import EXTERNAL_SECRETS, KEDA, PROMETHEUS_OPERATOR, files
from tests.k8s.manifests import COMPONENTS, K8S, OVERLAYS, Manifests, Resource

VERSIONS = ("1.32", "1.37")
"""Kubernetes, from the oldest to the newest that is promised."""
CORE = ("v1", "apps/v1", "batch/v1", "policy/v1", "networking.k8s.io/v1")
CUSTOM = {
    "monitoring.coreos.com": (PROMETHEUS_OPERATOR, "example/prometheus-operator-crd"),
    "keda.sh": (KEDA, "config/crd/bases"),
    "external-secrets.io": (EXTERNAL_SECRETS, "config/crds/bases"),
}


def custom(everything: list[Manifests]) -> list[Resource]:
    return [each for build in everything for each in build.resources if each["apiVersion"] not in CORE]


def test_every_overlay_and_every_component_is_built(everything: list[Manifests]) -> None:
    """And what a component brings is there; a build that warns of anything fails."""
    assert [build.name for build in everything] == [*OVERLAYS, "prod-with-everything"]
    brought = {
        resource["kind"]
        for name in COMPONENTS
        for file in (K8S / name).glob("*.yaml")
        if file.name != "kustomization.yaml"
        for resource in yaml.safe_load_all(file.read_text())
    }
    assert brought <= {resource["kind"] for resource in everything[-1].resources}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_core_resource_fits_the_strict_schema_of(version: str, everything: list[Manifests]) -> None:
    judged = 0
    for build in everything:
        for resource in build.resources:
            if resource["apiVersion"] in CORE:
                kubernetes_validate.validate(dict(resource), version, strict=True)
                judged += 1
    assert judged > 20


def test_every_custom_resource_fits_the_schema_that_its_operator_installs(
    everything: list[Manifests],
) -> None:
    kinds = set()
    for resource in custom(everything):
        Draft202012Validator(schema_of(resource)).validate(resource)
        kinds.add(resource["kind"])
    assert kinds == {
        "PodMonitor",
        "PrometheusRule",
        "ScaledObject",
        "TriggerAuthentication",
        "ExternalSecret",
    }


def test_a_misspelt_field_of_a_custom_resource_is_noticed(everything: list[Manifests]) -> None:
    resource = next(each for each in custom(everything) if each["kind"] == "ScaledObject")
    wrong = {**resource, "spec": {**resource["spec"], "maxReplicas": 4}}
    assert not Draft202012Validator(schema_of(resource)).is_valid(wrong)


def schema_of(resource: Resource) -> Any:
    """The schema of a custom resource's kind and version, made strict: the API server drops in silence."""
    group, _, version = resource["apiVersion"].partition("/")
    folder: Path = needed(lambda: files(*CUSTOM[group]))
    definition = yaml.load(
        (folder / f"{group}_{resource['kind'].lower()}s.yaml").read_text(), yaml.CSafeLoader
    )
    (served,) = (each for each in definition["spec"]["versions"] if each["name"] == version)
    top = served["schema"]["openAPIV3Schema"]
    # What every object has, the API server knows by itself.
    return strict({**top, "properties": {**top["properties"], "metadata": {"type": "object"}}})


def strict(schema: Any) -> Any:
    """The same, but no field is allowed that it does not name; what is an integer or a text is either."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(each) for key, each in schema.items()}
    if found.pop("x-kubernetes-int-or-string", False):
        found["type"] = ["integer", "string"]
    open_ended = found.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in found
    if found.get("type") == "object" and isinstance(found.get("properties"), dict) and not open_ended:
        found["additionalProperties"] = False
    return found
