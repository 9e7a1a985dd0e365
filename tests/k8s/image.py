"""The image, built without an engine: each step of the Dockerfile carried out in a clean root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.k8s.dockerfile import Context, Stage, as_copy, as_run, stages
from tests.k8s.sandbox import FOR_PACKAGES, Mount, Root, SandboxUnavailable
from tests.pipeline import ROOT

_STEP_TIMEOUT = 600.0
"""Seconds that one RUN may take: it may have to fetch every wheel."""
PATH = "/usr/local/bin:/usr/bin:/bin"


_BROUGHT = {"gcc": "/usr/bin/gcc", "libc6-dev": "/usr/include/stdio.h"}
"""A file of each of Debian's packages that steps install: the system is the machine's own, and is left so."""


class StepFailed(Exception):
    """A step of the Dockerfile did not succeed; the text holds what it said."""


@dataclass(frozen=True, slots=True)
class Image:
    """What the last stage makes: a root, and how a container of it starts."""

    root: Root
    stage: Stage

    @property
    def entrypoint(self) -> list[str]:
        """ENTRYPOINT, in exec form. Raises ValueError when it is in shell form."""
        return list(json.loads(self.stage.last("ENTRYPOINT")))

    @property
    def workdir(self) -> str:
        """WORKDIR."""
        return self.stage.last("WORKDIR")

    @property
    def environment(self) -> dict[str, str]:
        """ENV, and what every container has."""
        found = {"PATH": PATH, "HOME": "/"}
        for text in self.stage.texts("ENV"):
            found |= dict(part.split("=", 1) for part in text.split())
        return found

    def files(self) -> list[str]:
        """Every file that the last stage holds, by its path inside."""
        top = self.root.directory
        return [str(file.relative_to(top)) for file in sorted(top.rglob("*")) if file.is_file()]


def require_packages() -> None:
    """Raises SandboxUnavailable where the machine lacks what a step installs."""
    for stage in stages(ROOT / "Dockerfile"):
        for package in (name for text in stage.texts("RUN") for name in as_run(text).packages):
            if not Path(_BROUGHT[package]).exists():
                raise SandboxUnavailable(f"the image is built with {package}, which is not on this machine")


def build(directory: Path, python: Path, cache: Path) -> Image:
    """Carry out the Dockerfile in `directory`; what steps fetch is kept in `cache`. Raises StepFailed.

    What stands there already, complete, is taken as it is.
    """
    context = Context.of(ROOT)
    found = stages(ROOT / "Dockerfile")
    roots = [Root(directory / f"stage-{number}", python) for number in range(len(found))]
    complete = directory / "complete"
    if not complete.exists():
        built: dict[str, Root] = {}
        for root, stage in zip(roots, found, strict=True):
            root.create()
            _Steps(root, context, built, cache).carry_out(stage)
            built[stage.name] = root
        for root in roots[:-1]:
            shutil.rmtree(root.directory)
        complete.touch()
    return Image(roots[-1], found[-1])


class _Steps:
    def __init__(self, root: Root, context: Context, built: Mapping[str, Root], cache: Path) -> None:
        self._root = root
        self._context = context
        self._built = built
        self._cache = cache
        self._workdir = "/"

    def carry_out(self, stage: Stage) -> None:
        """Every instruction in turn."""
        for each in stage.instructions:
            match each.name:
                case "WORKDIR":
                    self._workdir = each.text
                    self._root.path(each.text).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(each.text)
                case "RUN":
                    self._run(each.text)
                case "LABEL" | "ENV" | "USER" | "EXPOSE" | "ENTRYPOINT" | "CMD":
                    """Say how a container starts, and change nothing in its files."""
                case other:
                    raise StepFailed(f"{other} is not known here")

    def _copy(self, text: str) -> None:
        copy = as_copy(text)
        target = self._root.path(str(Path(self._workdir, copy.target)))
        if copy.stage:
            for source in copy.sources:
                shutil.copytree(self._built[copy.stage].path(source), target, symlinks=True)
            return
        for source in copy.sources:
            for path in self._context.files(source):
                below = Path(path).relative_to(source)
                to = target / below if (ROOT / source).is_dir() else target / path
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, to)

    def _run(self, text: str) -> None:
        run = as_run(text)
        if run.packages:
            return
        environment = {name: os.environ[name] for name in FOR_PACKAGES if name in os.environ}
        ran = subprocess.run(
            self._root.command(
                ["/bin/sh", "-c", run.command],
                {"PATH": PATH, "HOME": "/root", **environment},
                mounts=[Mount(self._cache, target, writable=True) for target in run.caches],
                workdir=self._workdir,
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_STEP_TIMEOUT,
            check=False,
        )
        if ran.returncode:
            said = "\n".join(ran.stdout.splitlines()[-20:])
            raise StepFailed(f"RUN {run.command}\n{said}")
