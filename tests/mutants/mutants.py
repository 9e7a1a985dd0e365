"""The mutants: read from their file, applied to a copy of the project, judged by their test."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FILE = Path(__file__).with_name("mutants.toml")
_PARTS = ("connectors", "dataflow", "tests", "pyproject.toml")
_WITHOUT = shutil.ignore_patterns("__pycache__", ".hypothesis")
_TIMEOUT = 300.0
"""Seconds that a test may take to notice."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule broken: `old`, which stands once in `file`, becomes `new`, and `test` must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str

    def apply(self, root: Path) -> None:
        """Change the file below `root`. Raises ValueError unless `old` stands there exactly once."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} holds the old text {text.count(self.old)} times")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNJUDGED = "not judged: its test does not pass without it, or cannot run here"


def mutants() -> Sequence[Mutant]:
    """All of them."""
    with _FILE.open("rb") as file:
        return [Mutant(**entry) for entry in tomllib.load(file)["mutant"]]


def judge(mutant: Mutant, directory: Path) -> Fate:
    """Run its test with it. `directory` is empty, and is filled."""
    for part in _PARTS:
        source, target = ROOT / part, directory / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=_WITHOUT)
        else:
            shutil.copy2(source, target)
    mutant.apply(directory)
    return {0: Fate.SURVIVED, 1: Fate.KILLED}.get(_run(mutant.test, directory), Fate.UNJUDGED)


def passes_unharmed(tests: Sequence[str]) -> bool:
    """Whether the tests pass on the project as it is: else that they fail says nothing."""
    return _run_all(tests, ROOT) == 0


def _run(test: str, root: Path) -> int:
    return _run_all([test], root)


def _run_all(tests: Sequence[str], root: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *tests]
    try:
        return subprocess.run(
            command, cwd=root, capture_output=True, timeout=_TIMEOUT * max(1, len(tests)), check=False
        ).returncode
    except subprocess.TimeoutExpired:
        # It hangs where it did not before.
        return 1
