"""The compiled form of the core passes the core's tests, and none is taken for another source's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from tests.compiled import (
    LIBRARY,
    CompilerMissing,
    Stale,
    build,
    hashes,
    modules,
    record,
    remove,
    require_fresh,
    source,
)
from tests.pipeline import ROOT

PARTS = ("connectors", "dataflow", "tests", "pyproject.toml", "README.md", "setup.py")
WITHOUT = shutil.ignore_patterns("__pycache__", ".hypothesis", "*.so")
TESTS = ("tests/detect", "tests/core", "tests/flow")
LOADED = """
import importlib, json, sys
names = sys.argv[1:]
print(json.dumps({name: importlib.import_module(name).__file__ for name in names}))
"""


def run(directory: Path, *arguments: str, timeout: float) -> subprocess.CompletedProcess[str]:
    """Python there, on what is there: the working directory comes before what is installed."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.timeout(1500)
def test_the_compiled_core_passes_the_core_s_tests(tmp_path: Path) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, tmp_path / part, ignore=WITHOUT)
        else:
            shutil.copy2(ROOT / part, tmp_path)
    try:
        build(tmp_path)
    except CompilerMissing as reason:
        pytest.skip(str(reason))
    loaded = run(tmp_path, "-c", LOADED, LIBRARY, *modules(), timeout=60)
    assert loaded.returncode == 0, loaded.stderr
    for file in json.loads(loaded.stdout).values():
        assert file.startswith(str(tmp_path))
        assert file.endswith(tuple(EXTENSION_SUFFIXES))
    ran = run(tmp_path, "-m", "pytest", "--no-header", *TESTS, timeout=900)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-4000:]


def compiled(root: Path, names: Sequence[str]) -> None:
    """A tree that looks as if these had been compiled in it."""
    for name in names:
        product = root.joinpath(*name.split(".")).with_suffix(EXTENSION_SUFFIXES[0])
        product.parent.mkdir(parents=True, exist_ok=True)
        product.touch()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Sources, and products that were made of them."""
    shutil.copytree(ROOT / "dataflow", tmp_path / "dataflow", ignore=WITHOUT)
    shutil.copy2(ROOT / "setup.py", tmp_path)
    compiled(tmp_path, [LIBRARY, *modules()])
    record(hashes(tmp_path), tmp_path)
    require_fresh(tmp_path)
    return tmp_path


def test_what_was_compiled_from_another_text_is_refused(tree: Path) -> None:
    changed = source(modules()[0], tree)
    assert changed is not None
    text = changed.read_text()
    changed.write_text(text + "\n")
    with pytest.raises(Stale, match=f"compiled from another {modules()[0]} than is here: run `make compile`"):
        require_fresh(tree)
    changed.write_text(text)
    require_fresh(tree)


def test_what_holds_the_constants_of_another_text_is_refused(tree: Path) -> None:
    with (tree / "dataflow" / "model.py").open("a") as model:
        model.write("\n")
    with pytest.raises(Stale, match=r"dataflow\.model"):
        require_fresh(tree)


def test_products_that_nobody_recorded_are_refused(tree: Path) -> None:
    shutil.rmtree(tree / "build")
    with pytest.raises(Stale, match="is not known: run `make compile`, or `make interpret`"):
        require_fresh(tree)


def test_a_product_of_a_module_that_is_not_listed_is_refused(tree: Path) -> None:
    compiled(tree, ["dataflow.flow"])
    with pytest.raises(Stale, match=r"other modules are compiled than setup\.py lists"):
        require_fresh(tree)


def test_nothing_compiled_is_nothing_to_complain_of(tree: Path) -> None:
    remove(tree)
    (tree / "dataflow" / "detect" / "digits.cpython-27-other.so").touch()
    require_fresh(tree)
