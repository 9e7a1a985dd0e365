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
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
_FILE = Path(__file__).with_name("mutants.toml")
_PARTS = ("connectors", "dataflow", "tests", "pyproject.toml")
_WITHOUT = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.so")
_TIMEOUT = 300.0
"""Seconds that a test may take to notice."""
_NO_PROGRAM = frozenset(
    {"SyntaxError", "IndentationError", "ImportError", "ModuleNotFoundError", "NameError"}
)
_WAITED = frozenset({"TimeoutError", "TimeoutExpired"})
_PYTEST_TIMEOUT = "Failed: Timeout"


@dataclass(frozen=True, slots=True)
class Mutant:
    """One rule broken: `old`, which stands once in `file`, becomes `new`, and `test` must fail."""

    name: str
    file: str
    old: str
    new: str
    test: str
    hangs: bool = False
    """Whether the rule, broken, shows in that nothing goes on: its test then waits in vain."""

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
    """Its test came to what it says and found it otherwise."""
    TIMED_OUT = "timed out"
    """Its test waited in vain. Of a mutant that is declared to hang, that is what its test says."""
    SURVIVED = "SURVIVED"
    UNJUDGED = "NOT JUDGED"
    """A fixture failed, the test could not run here, or the mutant is no program."""


def holds(mutant: Mutant, fate: Fate) -> bool:
    """Whether the mutant met the fate that it must meet."""
    return fate is (Fate.TIMED_OUT if mutant.hangs else Fate.KILLED)


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
    report = directory / "report.xml"
    return fate_of(report) if _run([mutant.test], directory, report) else Fate.TIMED_OUT


def passes_unharmed(tests: Sequence[str], report: Path) -> bool:
    """Whether the tests pass on the project as it is: else that they fail says nothing.

    `report` is a file that is written.
    """
    return _run(tests, ROOT, report) and fate_of(report) is Fate.SURVIVED


def fate_of(report: Path) -> Fate:
    """The fate of a mutant by pytest's report on its test."""
    if not report.exists():
        return Fate.UNJUDGED
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))
    failures = [failure.get("message") or "" for case in cases for failure in case.iter("failure")]
    if failures:
        return _fate_by(failures[0])
    unrun = any(case.find("error") is not None or case.find("skipped") is not None for case in cases)
    return Fate.UNJUDGED if unrun or not cases else Fate.SURVIVED


def _fate_by(message: str) -> Fate:
    """By what a test failed with, as `Exception: text`. In front of it may stand modules."""
    kind = message.partition(":")[0].rpartition(".")[2]
    if kind in _NO_PROGRAM:
        return Fate.UNJUDGED
    waited = kind in _WAITED or message.startswith(_PYTEST_TIMEOUT)
    return Fate.TIMED_OUT if waited else Fate.KILLED


def _run(tests: Sequence[str], root: Path, report: Path) -> bool:
    """Whether the run came to its end in time."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", f"--junitxml={report}", *tests]
    try:
        subprocess.run(
            command, cwd=root, capture_output=True, timeout=_TIMEOUT * max(1, len(tests)), check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return True
