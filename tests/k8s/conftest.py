"""Built overlays and the built image, once per run.

Where Go, or root with mount namespaces, is not to be had, the tests that need it are skipped with the reason;
with REQUIRE_K8S_TOOLS=1 they fail.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.k8s.go_modules import KUSTOMIZE, GoUnavailable, cache, program
from tests.k8s.image import Image, build, require_packages
from tests.k8s.manifests import COMPONENTS, CONTRACT_COMPONENT, OVERLAYS, Manifests, with_components
from tests.k8s.sandbox import SandboxUnavailable, python_prefix, require
from tests.pipeline import ROOT
from tests.standins.prometheus import PrometheusUnavailable

T = TypeVar("T")

BUILT_FIRST = 900
"""Seconds for a test, which may be the first that needs a tool or the image, and so have to build it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(BUILT_FIRST))


def needed(get: Callable[[], T]) -> T:
    """What `get` answers; the test is skipped, or fails, where it is not to be had."""
    try:
        return get()
    except (GoUnavailable, SandboxUnavailable, PrometheusUnavailable) as reason:
        if os.environ.get("REQUIRE_K8S_TOOLS") == "1":
            pytest.fail(f"REQUIRE_K8S_TOOLS=1, but: {reason}", pytrace=False)
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def kustomize() -> Path:
    return needed(lambda: program(KUSTOMIZE))


@pytest.fixture(scope="session")
def overlays(kustomize: Path) -> dict[str, Manifests]:
    """Every overlay as it is built, by its name."""
    return {name: Manifests.build(kustomize, ROOT / "k8s" / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(scope="session")
def everything(
    kustomize: Path, overlays: dict[str, Manifests], tmp_path_factory: pytest.TempPathFactory
) -> list[Manifests]:
    """Every overlay, and production with every component."""
    chosen = (ROOT / "k8s" / "overlays" / "prod" / "kustomization.yaml").read_text()
    more = [name for name in COMPONENTS if f"\n  - ../../{name}\n" not in chosen]
    more.sort(key=CONTRACT_COMPONENT.__eq__)
    assert more, "no component is left out of production"
    directory = tmp_path_factory.mktemp("overlay") / "prod-with-everything"
    return [*overlays.values(), Manifests.build(kustomize, with_components(directory, "prod", more))]


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The image, built once for all workers of a run."""
    needed(require)
    needed(require_packages)
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    directory = shared / "image"
    wheels = cache() / "pip"
    wheels.mkdir(exist_ok=True)
    with (shared / "image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build(directory, python_prefix(), wheels)
