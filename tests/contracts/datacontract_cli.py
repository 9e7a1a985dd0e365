"""`datacontract-cli`, another reader of the same standard, in an environment of its own.

It brings half a gigabyte of libraries that the program does not use. The environment is made once from
`datacontract-cli.txt`, pinned by hash, and kept in `$XDG_CACHE_HOME/contract-dataflow`
(`~/.cache/contract-dataflow`), a directory for each content of that file.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_PINS = Path(__file__).with_name("datacontract-cli.txt")
_TIMEOUT = 480.0
"""Seconds that making the environment may take."""


class CliUnavailable(Exception):
    """The environment can't be had; the text says why."""


def datacontract() -> Path:
    """Its command, fetched when no earlier run has. Raises CliUnavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contract-dataflow"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    pins = hashlib.sha256(_PINS.read_bytes()).hexdigest()[:16]
    home = cache / f"datacontract-cli-{python}-{pins}"
    made = home / "made"
    if not made.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{home.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                _make(home)
                made.touch()
    return home / "bin" / "datacontract"


def _make(home: Path) -> None:
    # An environment can't be moved: it is made in its place, and counts only once `made` is there.
    _run([sys.executable, "-m", "venv", "--clear", str(home)])
    pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(_PINS)])


def _run(command: list[str]) -> None:
    with tempfile.TemporaryFile("w+") as said:
        try:
            ran = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise CliUnavailable(f"{command[0]} has not ended in {late.timeout:g} s") from None
        if ran.returncode:
            said.seek(0)
            raise CliUnavailable("\n".join(said.read().strip().splitlines()[-10:]))
