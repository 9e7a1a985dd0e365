"""The owner of the tables and the pipeline are two identities, each with what it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dataflow.settings_table import ContactsTable
from tests.k8s.manifests import Manifests, PodTemplate
from tests.k8s.settings import OWNERS, PIPELINE, settings
from tests.pipeline import INHERITED, ROOT

OWNER = f"{PIPELINE}-owner"
VERIFY = f"{PIPELINE}-verify"
ROLE = "eks.amazonaws.com/role-arn"


def owners(build: Manifests) -> list[PodTemplate]:
    return [pod for pod in build.pods() if pod.spec["serviceAccountName"] == OWNER]


def role(build: Manifests, account: str) -> str:
    return str(build.one("ServiceAccount", account)["metadata"]["annotations"][ROLE])


def test_in_production_the_owner_creates_and_permits_and_nobody_else_is_the_owner(
    overlays: dict[str, Manifests],
) -> None:
    prod = overlays["prod"]
    assert {pod.container["args"][0] for pod in owners(prod)} == set(OWNERS)
    assert role(prod, OWNER) != role(prod, PIPELINE)
    assert not prod.one("ServiceAccount", OWNER)["automountServiceAccountToken"]


def test_the_owner_has_none_of_the_pipeline_s_secrets_and_none_of_its_settings_of_kafka(
    overlays: dict[str, Manifests],
) -> None:
    prod = overlays["prod"]
    pipeline = prod.environment(prod.pod(PIPELINE))
    for pod in owners(prod):
        assert not pod.spec.get("volumes")
        assert not pod.container.get("volumeMounts")
        told = {name: value for name, value in prod.environment(pod).items() if name != "PIPELINE_USER"}
        shared = {name for name in pipeline if name.startswith("REDSHIFT_")} | {"CONTACTS_TABLE"}
        assert told == {name: pipeline[name] for name in shared}
        assert not settings(prod, pod).bootstrap


def test_with_nothing_but_its_settings_the_owner_knows_what_to_grant(
    overlays: dict[str, Manifests], tmp_path: Path
) -> None:
    prod = overlays["prod"]
    pod = prod.pod(f"{PIPELINE}-grants")
    arguments = [each for each in prod.arguments(pod) if each != "--apply"]
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    printed = subprocess.run(
        [sys.executable, "-m", "dataflow", *arguments],
        env={**base, "PYTHONPATH": str(ROOT), **prod.environment(pod)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    lines = printed.stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith("GRANT ") and line.endswith(f'TO "{arguments[-1]}";') for line in lines)


def test_contacts_are_kept_nowhere_until_the_overlay_says_so_to_everybody(
    everything: list[Manifests], overlays: dict[str, Manifests]
) -> None:
    for build in everything:
        for pod in build.pods():
            assert settings(build, pod).contacts_table is ContactsTable.OFF
    prod = overlays["prod"]
    on = Manifests.parsed("on", prod.text.replace('CONTACTS_TABLE: "off"', 'CONTACTS_TABLE: "on"'))
    for pod in on.pods():
        assert settings(on, pod).contacts_table is ContactsTable.ON, pod.owner


def test_verify_is_nobody_else_and_has_a_login_and_nothing_more(overlays: dict[str, Manifests]) -> None:
    prod = overlays["prod"]
    verifying = [pod for pod in prod.pods() if pod.spec["serviceAccountName"] == VERIFY]
    assert [pod.owner for pod in verifying] == [VERIFY]
    (pod,) = verifying
    assert len({role(prod, account) for account in (VERIFY, OWNER, PIPELINE)}) == 3
    assert not prod.one("ServiceAccount", VERIFY)["automountServiceAccountToken"]
    assert pod.volume("secrets")["secret"]["secretName"] == f"{VERIFY}-secrets"
    assert prod.secret_keys(f"{VERIFY}-secrets") == {"kafka-password"}
    own, pipeline = settings(prod, pod), settings(prod, prod.pod(PIPELINE))
    assert own.contact_key is None
    assert own.client_properties["sasl.username"] != pipeline.client_properties["sasl.username"]
    others = [each for each in prod.pods() if each.spec.get("volumes") and each.owner != VERIFY]
    assert all(each.volume("secrets") != pod.volume("secrets") for each in others)


def test_the_pipeline_s_own_user_is_the_one_that_is_permitted(overlays: dict[str, Manifests]) -> None:
    """A role logs in to Redshift as IAMR: and its name."""
    prod = overlays["prod"]
    permitted = prod.environment(prod.pod(f"{PIPELINE}-grants"))["PIPELINE_USER"]
    assert permitted == f"IAMR:{role(prod, PIPELINE).rpartition('/')[2]}"
