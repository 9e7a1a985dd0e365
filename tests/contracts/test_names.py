"""Nothing but its contract names a field of the messages."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import pytest

from dataflow.contract import load
from tests.pipeline import ROOT

NAMES = frozenset(column.name for column in load().table.columns)
COMMON = frozenset({"status"})
"""Also a word of HTTP and of the contract standard: only what names nothing else is looked for."""
NOT_THE_FIELD = {
    "connectors/health.py": "HTTP's",
    "connectors/http_door.py": "HTTP's",
    "connectors/schema_registry.py": "HTTP's",
    "dataflow/changes/compare.py": "a key of the standard",
    "dataflow/changes/values.py": "a key of the standard",
    "dataflow/contract.py": "a key of the standard",
    "dataflow/odcs.py": "a key of the standard",
    "dataflow/terms.py": "a key of the standard",
}
PROGRAM = sorted((ROOT / "dataflow").rglob("*.py")) + sorted((ROOT / "connectors").rglob("*.py"))


def words(tree: ast.AST) -> Iterator[str]:
    """Every name of a module, and every word of its strings but the documentation."""
    documentation = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and is_text(node.value)
    }
    for node in ast.walk(tree):
        if is_text(node) and id(node) not in documentation:
            text = str(node.value)
            yield text
            yield from set(re.findall(r"\w+", text)) - COMMON
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg | ast.keyword):
            yield node.arg or ""
        elif isinstance(node, ast.Attribute) and node.attr not in COMMON:
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def named_in(path: Path) -> set[str]:
    return set(NAMES) & set(words(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", PROGRAM, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_of_the_program_names_a_field(path: Path) -> None:
    allowed = COMMON if str(path.relative_to(ROOT)) in NOT_THE_FIELD else frozenset()
    assert named_in(path) <= allowed


def test_the_search_finds_a_name_wherever_it_stands(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    name = min(NAMES)
    for text in (
        f"x = {name!r}",
        f"x = 'SELECT {name} FROM t'",
        f"{name} = 1",
        f"x.{name}",
        f"f({name}=1)",
        f"def f({name}): ...",
    ):
        module.write_text(text)
        assert named_in(module) == {name}, text
