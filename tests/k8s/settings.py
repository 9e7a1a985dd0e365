"""What the program makes of the environment and the files that a manifest gives a pod."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from connectors.kafka_access import ClientJudge
from dataflow.settings import Settings, Sources, read
from dataflow.settings_table import ALL_GROUPS, KAFKA_ONLY, WAREHOUSE_ONLY
from tests.k8s.manifests import Manifests, PodTemplate

PIPELINE = "contract-dataflow"
"""The Deployment."""
LONG_ENOUGH = "a secret that is long enough"


def pods(builds: list[Manifests]) -> Iterator[tuple[Manifests, PodTemplate]]:
    for build in builds:
        for pod in build.pods():
            yield build, pod


OWNERS = ("ddl", "grants")
"""Commands that only work on the warehouse, as the owner of its tables."""


WITHOUT_KEY = KAFKA_ONLY | WAREHOUSE_ONLY


def settings(build: Manifests, pod: PodTemplate) -> Settings:
    """As the program reads them in this pod. Raises SettingsError on a wrong, unknown or missing one."""
    mounted = secret_files(build, pod)

    def read_file(path: Path) -> str:
        if str(path) not in mounted:
            raise FileNotFoundError(path)
        return LONG_ENOUGH

    command = pod.container["args"][0]
    groups = WAREHOUSE_ONLY if command in OWNERS else WITHOUT_KEY if command == "verify" else ALL_GROUPS
    return read(Sources(build.environment(pod), {}, read_file), ClientJudge(), groups)


def secret_files(build: Manifests, pod: PodTemplate) -> set[str]:
    found: set[str] = set()
    for mount in pod.container.get("volumeMounts", ()):
        volume = pod.volume(mount["name"])
        if "secret" in volume:
            keys = build.secret_keys(volume["secret"]["secretName"])
            found |= {str(PurePosixPath(mount["mountPath"], key)) for key in keys}
    return found
