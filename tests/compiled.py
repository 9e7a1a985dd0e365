"""Compiled modules: `python -m tests.compiled build` makes them in place, `remove` takes them away.

A compiled module stands before its source, and says nothing when that changes. What was compiled is recorded
with its sources' hashes: times of files mean nothing after a checkout.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from tests.pipeline import ROOT

LIBRARY = "dataflow.compiled__mypyc"
"""Where mypyc puts the code of all modules; each module's own file only leads there."""
_RECORD = Path("build", "compiled.json")
_EAGER = "Treating generator comprehension as list"
"""mypyc's warning: what stops early as it stands would not stop compiled."""
_REMEDY = "run `make compile`, or `make interpret` to do without"


class Stale(Exception):
    """What is compiled is not what the sources say; the text says what to do."""


class CompilerMissing(Exception):
    """Nothing can be compiled on this machine; the text says what is missing and what to do."""


class CompilerFailed(Exception):
    """The compiler did not take a module; the text is what it said."""


def modules(root: Path = ROOT) -> Sequence[str]:
    """The modules that are compiled when anything is."""
    return tuple(runpy.run_path(str(root / "setup.py"))["COMPILED"])


def source(module: str, root: Path = ROOT) -> Path | None:
    """Where a module or package is written; None when it is none of the project's."""
    path = root.joinpath(*module.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.exists()), None)


def is_compiled() -> bool:
    """Whether this interpreter runs the compiled modules. Raises Stale."""
    require_fresh()
    return bool(_products(ROOT))


def require_fresh(root: Path = ROOT) -> None:
    """Raises Stale when this interpreter would run something else than the sources say."""
    found = _products(root)
    if not found:
        return
    if found != {LIBRARY, *modules(root)}:
        raise Stale(f"other modules are compiled than setup.py lists: {_REMEDY}")
    try:
        recorded = json.loads((root / _RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Stale(f"what the compiled modules were made of is not known: {_REMEDY}") from None
    now = hashes(root)
    changed = sorted(name for name in now.keys() | recorded.keys() if now.get(name) != recorded.get(name))
    if changed:
        raise Stale(f"compiled from another {', '.join(changed)} than is here: {_REMEDY}")


def require_compiler() -> None:
    """Raises CompilerMissing."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(os.environ.get("CC", compiler).split()[0]) is None:
        raise CompilerMissing(
            f"no C compiler ({compiler}) is here; on Debian and Ubuntu: apt-get install gcc libc6-dev"
        )
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.exists():
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise CompilerMissing(
            f"Python's headers ({headers}) are not here; "
            f"on Debian and Ubuntu: apt-get install python{version}-dev"
        )


def build(root: Path = ROOT) -> None:
    """Compile in place. Raises CompilerMissing, CompilerFailed."""
    require_compiler()
    # Before the compiler reads them: what changes meanwhile then shows as stale.
    of = hashes(root)
    remove(root)
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    ran = subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "COMPILE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise CompilerFailed(ran.stdout)
    if _EAGER in ran.stdout:
        remove(root)
        raise CompilerFailed(
            f"{ran.stdout}compiled, these are worked out at once: say so, with a list or a loop"
        )
    record(of, root)


def hashes(root: Path = ROOT) -> Mapping[str, str]:
    """By module, of its source: those that are compiled, and what they import, whose constants they hold."""
    found: dict[str, str] = {}
    waiting = list(modules(root))
    while waiting:
        name = waiting.pop()
        path = source(name, root) if name not in found else None
        if path is not None:
            text = path.read_bytes()
            found[name] = hashlib.sha256(text).hexdigest()
            waiting += _imports(text)
    return found


def record(of: Mapping[str, str], root: Path = ROOT) -> None:
    """Note of which sources, by their hashes, the products are."""
    path = root / _RECORD
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(of, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def remove(root: Path = ROOT) -> None:
    """Take away what was compiled in place, for whichever Python."""
    for product in (root / "dataflow").rglob("*.so"):
        product.unlink()
    (root / _RECORD).unlink(missing_ok=True)


def _products(root: Path) -> set[str]:
    """The modules that this interpreter would find compiled: what is for another Python is in no way."""
    found = set()
    for path in (root / "dataflow").rglob("*.so"):
        stem = path.name.partition(".")[0]
        if path.name.removeprefix(stem) in EXTENSION_SUFFIXES:
            found.add(".".join((*path.relative_to(root).parts[:-1], stem)))
    return found


def _imports(text: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def main(arguments: Sequence[str]) -> int:
    """0: done. 1: it can't be done here, and stderr says why. 2: the arguments are wrong."""
    match arguments:
        case ["build"]:
            try:
                build()
            except (CompilerMissing, CompilerFailed) as reason:
                print(reason, file=sys.stderr)
                return 1
        case ["remove"]:
            remove()
        case _:
            print("usage: python -m tests.compiled build | remove", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
