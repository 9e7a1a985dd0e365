"""The mutants' table keeps up with the code, and the page that lists them with the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutants.mutants import ROOT, Mutant, mutants

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
