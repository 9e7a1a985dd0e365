"""The pages name nothing to kubectl that production doesn't have."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.k8s.manifests import Manifests
from tests.pipeline import ROOT

PAGES = ("RUNBOOK.md", "docs/kubernetes.md")
CALLS = sorted(
    {
        line.strip()
        for page in PAGES
        for line in (ROOT / page).read_text(encoding="utf-8").splitlines()
        if line.startswith("kubectl ")
    }
)
MADE = {
    shlex.split(call)[-1]
    for call in CALLS
    if re.match(r"kubectl -n \S+ create job --from=cronjob/\S+ ", call)
}
"""Jobs that the pages themselves create."""
KINDS = {"deploy": "Deployment", "deployment": "Deployment", "cronjob": "CronJob", "job": "Job"}
IN = re.compile(r"(\S+) in \(([^)]+)\)")


def test_the_pages_call_kubectl() -> None:
    assert len(CALLS) > 10
    assert {"toolbox", "verify-now"} == MADE


@pytest.mark.parametrize("call", CALLS)
def test_what_is_named_to_kubectl_is_in_production(call: str, overlays: dict[str, Manifests]) -> None:
    prod, words = overlays["prod"], shlex.split(call)
    if "-n" in words:
        assert words[words.index("-n") + 1] == prod.namespace
    for kind, name in re.findall(r"\b(deploy|deployment|cronjob|job)/([\w-]+)", call):
        assert name in MADE or prod.one(KINDS[kind], name)
    if "-l" in words:
        wanted = words[words.index("-l") + 1]
        name, values = (
            (found[1], set(found[2].split(", ")))
            if (found := IN.fullmatch(wanted))
            else (wanted.partition("=")[0], {wanted.partition("=")[2]})
        )
        # The Job's controller labels a pod with its Job's name.
        known = {pod.labels.get(name) for pod in prod.pods()} | (MADE if name == "job-name" else set())
        assert values <= known
        if words[3] in ("get", "delete", "wait") and "job" in words[4].split(","):
            labelled = {each["metadata"]["labels"].get(name) for each in prod.of_kind("Job", "CronJob")}
            assert values <= labelled
