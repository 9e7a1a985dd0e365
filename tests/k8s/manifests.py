"""Manifests as kustomize builds them, and questions about them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.pipeline import ROOT

K8S = ROOT / "k8s"
OVERLAYS = tuple(sorted(path.name for path in (K8S / "overlays").iterdir()))
COMPONENTS = tuple(
    sorted(
        str(path.parent.relative_to(K8S))
        for path in K8S.rglob("kustomization.yaml")
        if yaml.safe_load(path.read_text())["kind"] == "Component"
    )
)
PACKAGED = {"contract.odcs.yaml": (ROOT / "dataflow" / "contracts" / "messages.odcs.yaml").read_bytes()}
Resource = Mapping[str, Any]
_REFERENCE = re.compile(r"\$\((\w+)\)")


class BuildFailed(Exception):
    """kustomize refuses; the text is its own."""


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """The pod of a workload."""

    owner: str
    kind: str
    labels: Mapping[str, str]
    spec: Resource

    @property
    def containers(self) -> list[Resource]:
        """All of them, those that run first included."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def container(self) -> Resource:
        """The one there is. Raises ValueError when there are several."""
        (container,) = self.containers
        return container

    def port(self, name: str) -> int:
        """A named port's number. Raises KeyError."""
        ports = {
            port["name"]: port["containerPort"] for each in self.containers for port in each.get("ports", ())
        }
        return int(ports[name])

    def volume(self, name: str) -> Resource:
        """A volume. Raises KeyError."""
        found: dict[str, Resource] = {each["name"]: each for each in self.spec["volumes"]}
        return found[name]


@dataclass(frozen=True, slots=True)
class Selector:
    """Which pods a policy is for: those with these labels, and none of those values."""

    labels: Mapping[str, str]
    refused: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, selector: Resource) -> Selector:
        """As a manifest has it. Raises ValueError on an operator other than NotIn."""
        expressions = selector.get("matchExpressions", ())
        if any(each["operator"] != "NotIn" for each in expressions):
            raise ValueError(f"only NotIn is known here: {expressions}")
        refused = {each["key"]: each["values"] for each in expressions}
        return cls(selector.get("matchLabels", {}), refused)

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether a pod with these labels is meant."""
        return self.labels.items() <= labels.items() and not any(
            labels.get(key) in values for key, values in self.refused.items()
        )


@dataclass(frozen=True, slots=True)
class Manifests:
    """Everything that one build prints."""

    name: str
    text: str
    resources: tuple[Resource, ...]

    @classmethod
    def build(cls, kustomize: Path, directory: Path) -> Manifests:
        """As `kustomize build` prints them. Raises BuildFailed."""
        ran = subprocess.run(
            [kustomize, "build", directory], capture_output=True, text=True, timeout=60, check=False
        )
        if ran.returncode or ran.stderr:
            raise BuildFailed(ran.stderr)
        return cls.parsed(directory.name, ran.stdout)

    @classmethod
    def parsed(cls, name: str, text: str) -> Manifests:
        """From the text of a build."""
        return cls(name, text, tuple(yaml.safe_load_all(text)))

    def of_kind(self, *kinds: str) -> list[Resource]:
        """The resources of these kinds."""
        return [each for each in self.resources if each["kind"] in kinds]

    def one(self, kind: str, name: str) -> Resource:
        """A resource. Raises ValueError unless there is exactly one."""
        (found,) = (each for each in self.of_kind(kind) if each["metadata"]["name"] == name)
        return found

    def pods(self) -> list[PodTemplate]:
        """The pod of each workload."""
        return [
            PodTemplate(
                each["metadata"]["name"],
                each["kind"],
                template["metadata"]["labels"],
                template["spec"],
            )
            for each in self.resources
            if (template := _template(each)) is not None
        ]

    def pod(self, owner: str) -> PodTemplate:
        """The pod of the workload of this name. Raises ValueError."""
        (found,) = (pod for pod in self.pods() if pod.owner == owner)
        return found

    def environment(self, pod: PodTemplate) -> dict[str, str]:
        """What the manifest sets in the pod's one container: `envFrom`, then `env`. Raises KeyError."""
        found: dict[str, str] = {}
        for source in pod.container.get("envFrom", ()):
            found |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        for each in pod.container.get("env", ()):
            field = each.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            found[each["name"]] = self.namespace if field == "metadata.namespace" else each["value"]
        return found

    @property
    def namespace(self) -> str:
        """The one namespace of the build. Raises ValueError."""
        (found,) = self.of_kind("Namespace")
        return str(found["metadata"]["name"])

    def arguments(self, pod: PodTemplate) -> list[str]:
        """The container's `args`, with each `$(NAME)` as the kubelet fills it in. Raises KeyError."""
        environment = self.environment(pod)
        return [_REFERENCE.sub(lambda name: environment[name[1]], each) for each in pod.container["args"]]

    def secret_keys(self, name: str) -> set[str]:
        """The keys that a Secret has, or will have once its ExternalSecret was fetched. Raises ValueError."""
        for each in self.of_kind("Secret"):
            if each["metadata"]["name"] == name:
                return set(each["data"])
        for each in self.of_kind("ExternalSecret"):
            if each["spec"]["target"]["name"] == name:
                return {entry["secretKey"] for entry in each["spec"]["data"]}
        raise ValueError(f"{self.name}: nothing makes the Secret {name}")


def _template(resource: Resource) -> Resource | None:
    spec = resource.get("spec", {})
    if resource["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    found: Resource | None = (
        spec.get("template") if resource["kind"] in ("Deployment", "Job", "CronJob") else None
    )
    return found


def relative(target: Path, directory: Path) -> str:
    """A path as a kustomization in `directory` may have it: kustomize takes no absolute ones."""
    return os.path.relpath(target, directory)


CONTRACT_COMPONENT = "components/contract"


def with_components(
    directory: Path,
    overlay: str,
    components: Sequence[str],
    contract: Mapping[str, bytes] = PACKAGED,
    patches: Sequence[Resource] = (),
) -> Path:
    """A kustomization in `directory`, new: an overlay and more components, as an operator might write one.

    `contract` are the files of which the contract's component is given a ConfigMap, by their names there.
    """
    directory.mkdir()
    of = yaml.safe_load((K8S / "overlays" / overlay / "kustomization.yaml").read_text())
    written = {
        "apiVersion": of["apiVersion"],
        "kind": of["kind"],
        "namespace": of["namespace"],
        "resources": [relative(K8S / "overlays" / overlay, directory)],
        "components": [relative(K8S / each, directory) for each in components],
        "patches": list(patches),
    }
    if CONTRACT_COMPONENT in components:
        for name, content in contract.items():
            (directory / name).write_bytes(content)
        written["configMapGenerator"] = [{"name": "contract-dataflow-contract", "files": list(contract)}]
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(written))
    return directory
