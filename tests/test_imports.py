"""Imports run one way, and the pure core stays pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.compiled import modules as compiled

ROOT = Path(__file__).resolve().parent.parent
IMPURE = {"flow.py", "__main__.py"}
"""Modules of `dataflow` that join the core to the connectors; so does everything in `commands/`."""
DOORS = {"connectors.framing", "connectors.items", "connectors.progress"}
"""What the core may know of the connectors: values and decisions."""
CLIENTS = {
    "bytewax", "confluent_kafka", "redshift_connector", "prometheus_client", "boto3", "socket", "http",
    "urllib", "threading", "subprocess", "asyncio", "time",
}  # fmt: skip


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def is_core(path: Path) -> bool:
    inside = path.relative_to(ROOT / "dataflow")
    return inside.name not in IMPURE and inside.parts[0] != "commands"


@pytest.mark.parametrize("path", modules("connectors"), ids=lambda path: path.stem)
def test_connectors_know_nothing_of_the_domain(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] in {"dataflow", "tests"}}


@pytest.mark.parametrize("path", [p for p in modules("dataflow") if is_core(p)], ids=lambda path: path.stem)
def test_the_core_does_no_io_and_knows_no_client(path: Path) -> None:
    found = imports(path)
    assert not {name for name in found if name.split(".")[0] in CLIENTS}
    assert {name for name in found if name.startswith("connectors")} <= DOORS


@pytest.mark.parametrize("name", compiled())
def test_what_is_compiled_is_of_the_core(name: str) -> None:
    path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
    assert path.is_file()
    assert is_core(path)


@pytest.mark.parametrize("path", modules("dataflow") + modules("connectors"), ids=lambda path: path.stem)
def test_the_library_of_protobuf_is_known_in_one_place(path: Path) -> None:
    inside = path.parent == ROOT / "dataflow" / "protobuf" or path.name.endswith("_pb2.py")
    assert inside or not {name for name in imports(path) if name.startswith("google")}


@pytest.mark.parametrize("path", modules("dataflow") + modules("connectors"), ids=lambda path: path.stem)
def test_the_program_knows_nothing_of_its_tests(path: Path) -> None:
    assert not {name for name in imports(path) if name.split(".")[0] == "tests"}


@pytest.mark.parametrize("name", ["progress", "spans", "ledger"])
def test_the_protocol_imports_only_its_values(name: str) -> None:
    found = imports(ROOT / "connectors" / f"{name}.py")
    ours = {each for each in found if each.split(".")[0] in {"connectors", "dataflow"}}
    assert ours <= {"connectors.items", "connectors.progress"}
    assert not {each for each in found if each.split(".")[0] in CLIENTS}
