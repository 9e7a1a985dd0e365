"""Another contract than the image's: it reaches every pod, with its Protobuf form."""

from __future__ import annotations

import base64
import re
from pathlib import Path, PurePosixPath

import pytest
import yaml

from dataflow.__main__ import command_line
from dataflow.contract import load
from dataflow.protobuf.form import write
from dataflow.protobuf.schema import load as load_schema
from tests.contracts.test_purchases import CONTRACT
from tests.contracts.with_history import history_text
from tests.k8s.manifests import (
    CONTRACT_COMPONENT,
    PACKAGED,
    Manifests,
    PodTemplate,
    with_components,
)
from tests.k8s.settings import settings
from tests.pipeline import ROOT

FORM = write(load(CONTRACT), "contract.proto", None)
PURCHASES = {
    "contract.odcs.yaml": CONTRACT.read_bytes(),
    "contract.tags.toml": FORM.record.encode(),
    "contract.binpb": FORM.descriptors,
}


def mounted(build: Manifests, pod: PodTemplate, directory: Path) -> Path:
    """The contract file that the pod's program is told to read, from the files that are mounted."""
    path = PurePosixPath(build.environment(pod)["CONTRACT"])
    (mount,) = (each for each in pod.container["volumeMounts"] if each["mountPath"] == str(path.parent))
    assert mount["readOnly"]
    files = build.one("ConfigMap", pod.volume(mount["name"])["configMap"]["name"])
    directory.mkdir()
    for name, text in files.get("data", {}).items():
        (directory / name).write_text(text, encoding="utf-8")
    for name, told in files.get("binaryData", {}).items():
        (directory / name).write_bytes(base64.b64decode(told))
    return directory / path.name


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_every_pod_reads_the_contract_of_the_overlay_and_its_protobuf_form(
    kustomize: Path, tmp_path: Path, overlay: str
) -> None:
    chosen = ["components/verify", CONTRACT_COMPONENT] if overlay == "dev" else [CONTRACT_COMPONENT]
    build = Manifests.build(
        kustomize, with_components(tmp_path / "overlay", overlay, chosen, contract=PURCHASES)
    )
    kinds = {(pod.kind, pod.owner) for pod in build.pods()}
    assert {kind for kind, _ in kinds} == {"Deployment", "Job", "CronJob"}
    for number, pod in enumerate(build.pods()):
        path = mounted(build, pod, tmp_path / str(number))
        contract = load(path)
        assert contract.table.qualified == "shop.purchase_lines"
        assert load_schema(contract, path) is not None
        assert settings(build, pod).contract == Path(build.environment(pod)["CONTRACT"])


def test_a_changed_contract_is_a_new_name(kustomize: Path, tmp_path: Path) -> None:
    names = set()
    for number, contract in enumerate((PACKAGED, {"contract.odcs.yaml": history_text().encode()})):
        made = with_components(tmp_path / str(number), "dev", [CONTRACT_COMPONENT], contract=contract)
        build = Manifests.build(kustomize, made)
        names.add(build.pod("contract-dataflow").volume("contract")["configMap"]["name"])
    assert len(names) == 2


def test_the_ddl_job_moves_the_table_to_type_2(kustomize: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    documented = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    (patch,) = next(each["patches"] for each in documented if "patches" in each)
    history = {"contract.odcs.yaml": history_text().encode()}
    made = with_components(tmp_path / "overlay", "prod", [CONTRACT_COMPONENT], history, [patch])
    build = Manifests.build(kustomize, made)
    pod = build.pod("contract-dataflow-ddl")
    options = command_line().parse_args(build.arguments(pod))
    assert (options.command, options.to_type_2, options.apply) == ("ddl", True, True)
    assert load(mounted(build, pod, tmp_path / "files")).table.keeps_history
