"""Tools and schemas that come as Go modules: pinned, fetched once, kept for the next run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 900.0
"""Seconds that fetching and building one tool may take."""


class GoUnavailable(Exception):
    """A module can't be had on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class GoModule:
    """A version of a module, and the hash of its content as a go.sum would record it."""

    path: str
    version: str
    sum: str

    @property
    def name(self) -> str:
        """Its short name."""
        parts = self.path.split("/")
        return parts[-2] if parts[-1].startswith("v") and parts[-1][1:].isdigit() else parts[-1]


KUSTOMIZE = GoModule(
    "sigs.k8s.io/kustomize/kustomize/v5", "v5.8.1", "h1:Pgsg5psubpVEy7Nf6S89PARg5VmmWUC1l9dC6Dl4PG0="
)
KUBE_SCORE = GoModule(
    "github.com/zegl/kube-score", "v1.20.0", "h1:J1VqK86SunV4Gg8emPTmwUVxe0rmXnAs5K9ZUbGMKR8="
)
KEDA = GoModule("github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=")
PROMETHEUS_OPERATOR = GoModule(
    "github.com/prometheus-operator/prometheus-operator",
    "v0.85.0",
    "h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=",
)
EXTERNAL_SECRETS = GoModule(
    "github.com/external-secrets/external-secrets",
    "v1.3.2",
    "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
)


def program(module: GoModule, package: str = "") -> Path:
    """A program of the module, built when no earlier run has. Raises GoUnavailable.

    What its own dependencies are, the module says; Go checks each against its checksum database.
    """

    def build(directory: Path) -> None:
        _fetch(module)
        _go("install", "-trimpath", f"{module.path}{package}@{module.version}", GOBIN=str(directory))

    return _kept(f"{module.name}-{module.version}", build) / (package.rsplit("/", 1)[-1] or module.name)


def files(module: GoModule, folder: str) -> Path:
    """A directory with the YAML files of a folder of the module. Raises GoUnavailable."""

    def copy(directory: Path) -> None:
        for file in (_fetch(module) / folder).glob("*.yaml"):
            shutil.copyfile(file, directory / file.name)

    return _kept(f"{module.name}-{module.version}-{folder.replace('/', '-')}", copy)


def _fetch(module: GoModule) -> Path:
    said = json.loads(_go("mod", "download", "-json", f"{module.path}@{module.version}"))
    if said["Sum"] != module.sum:
        raise GoUnavailable(f"{module.path} {module.version} is not what it was: {said['Sum']}")
    return Path(said["Dir"])


def _go(*arguments: str, **environment: str) -> str:
    go = shutil.which("go")
    if go is None:
        raise GoUnavailable("Go is not installed (go)")
    try:
        ran = subprocess.run(
            [go, *arguments],
            cwd=tempfile.gettempdir(),
            env={**os.environ, "GOFLAGS": "", "GOTOOLCHAIN": "local", **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GoUnavailable(f"go {arguments[0]}: not done in {_TIMEOUT:g} s") from None
    if ran.returncode:
        raise GoUnavailable(f"go {' '.join(arguments)}: {(ran.stderr or ran.stdout).strip()[-800:]}")
    return ran.stdout


def cache() -> Path:
    """Where everything fetched is kept: `$XDG_CACHE_HOME/contract-dataflow`."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contract-dataflow"
    home.mkdir(parents=True, exist_ok=True)
    return home


def _kept(name: str, fill: Callable[[Path], None]) -> Path:
    """A directory of the cache, filled once: complete or not there at all, whatever runs at the same time."""
    kept = cache() / name
    if kept.is_dir():
        return kept
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.is_dir():
            with tempfile.TemporaryDirectory(dir=cache(), prefix=f"{name}-") as temporary:
                filled = Path(temporary) / "filled"
                filled.mkdir()
                fill(filled)
                filled.rename(kept)
    return kept
