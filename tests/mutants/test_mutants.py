"""The mutants' table keeps up with the code, and the page that lists them with the table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.mutants import ROOT, Fate, Mutant, fate_of, holds, mutants

LISTED = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_applied_and_its_test_is_there(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / mutant.file).read_text(encoding="utf-8"), encoding="utf-8")
    mutant.apply(tmp_path)
    file, *_, name = re.sub(r"\[.*", "", mutant.test).split("::")
    assert name == "runTest" or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


def test_the_page_lists_every_mutant_with_the_test_that_kills_it() -> None:
    rows = re.findall(r"^\| (.+?) \| `(.+?)` \|$", LISTED, re.MULTILINE)
    expected = [(mutant.name, mutant.test.removesuffix("::runTest").split("::")[-1]) for mutant in mutants()]
    assert [row for row in rows if row in expected] == expected


CASES = {
    "def test_it() -> None: assert 1 == 2": Fate.KILLED,
    "def test_it() -> None: raise RuntimeError('a broken promise')": Fate.KILLED,
    "import pytest\ndef test_it() -> None:\n with pytest.raises(ValueError): pass": Fate.KILLED,
    "def test_it() -> None: raise TimeoutError('rows are committed: not within 60 s')": Fate.TIMED_OUT,
    "import pytest, threading\n@pytest.mark.timeout(0.2)\ndef test_it() -> None: threading.Event().wait()": (
        Fate.TIMED_OUT
    ),
    "def test_it() -> None: pass": Fate.SURVIVED,
    "def test_it() -> None: no_such_name": Fate.UNJUDGED,
    "import no_such_module": Fate.UNJUDGED,
    "def test_it(": Fate.UNJUDGED,
    "def test_another() -> None: pass": Fate.UNJUDGED,
    "import pytest\n@pytest.mark.skip\ndef test_it() -> None: assert False": Fate.UNJUDGED,
    "import pytest\n@pytest.fixture\ndef a() -> int: assert False\ndef test_it(a: int) -> None: pass": (
        Fate.UNJUDGED
    ),
}


@pytest.mark.parametrize(("test", "fate"), CASES.items())
def test_a_fate_is_told_by_how_the_test_failed(test: str, fate: Fate, tmp_path: Path) -> None:
    (tmp_path / "test_case.py").write_text(test)
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "pytest_timeout", f"--junitxml={report}"]
    few_plugins = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(
        [*command, "test_case.py::test_it"],
        cwd=tmp_path,
        env=few_plugins,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert fate_of(report) is fate


def test_only_a_mutant_that_is_declared_to_hang_may_time_out() -> None:
    mutant = mutants()[0]
    assert [fate for fate in Fate if holds(mutant, fate)] == [Fate.KILLED]
    assert [fate for fate in Fate if holds(replace(mutant, hangs=True), fate)] == [Fate.TIMED_OUT]
