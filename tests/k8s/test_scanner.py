"""What kube-score has to say of every build, but for what is decided otherwise here, with the reason."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.k8s.conftest import needed
from tests.k8s.go_modules import KUBE_SCORE, program
from tests.k8s.manifests import Manifests

CRITICAL = 1
WARNING = 5
"""kube-score's grades: 10 is right."""
EXCEPTIONS = {
    "container-image-pull-policy": (
        "Tags name a version and never move; a node that has the image starts without the registry."
    ),
    "container-resources": (
        "It asks for a limit on CPU. A throttled process misses the consumer group's heartbeats and loses "
        "its partitions. Memory has its limit: test_policies.py looks at it."
    ),
    "deployment-has-host-podantiaffinity": (
        "Pods are spread by topologySpreadConstraints, over zones and nodes, evenly and not only apart."
    ),
}


@pytest.fixture(scope="module")
def scanner() -> Path:
    return needed(lambda: program(KUBE_SCORE, "/cmd/kube-score"))


def findings(scanner: Path, build: Manifests) -> set[tuple[str, str, str]]:
    """(check, resource, what it says) of everything that is not right."""
    ran = subprocess.run(
        [scanner, "score", "--kubernetes-version", "v1.32", "--output-format", "json", "-"],
        input=build.text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout, ran.stderr
    return {
        (check["check"]["id"], resource["object_name"], comment["summary"])
        for resource in json.loads(ran.stdout)
        for check in resource["checks"] or ()
        if not check["skipped"] and check["grade"] in (CRITICAL, WARNING)
        for comment in check["comments"] or ({"summary": ""},)
    }


def test_the_scanner_finds_nothing_but_what_is_decided_otherwise(
    scanner: Path, everything: list[Manifests]
) -> None:
    found = {each for build in everything for each in findings(scanner, build)}
    assert {each for each in found if each[0] not in EXCEPTIONS} == set()
    assert {each[0] for each in found} == set(EXCEPTIONS), "an exception is needed no longer"
    assert {said for check, _, said in found if check == "container-resources"} == {"CPU limit is not set"}


def test_the_scanner_notices_a_pod_that_is_not_as_it_should_be(
    scanner: Path, overlays: dict[str, Manifests]
) -> None:
    prod = overlays["prod"]
    careless = prod.text.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")
    found = findings(scanner, Manifests.parsed("careless", careless))
    assert "container-security-context-readonlyrootfilesystem" in {check for check, _, _ in found}
