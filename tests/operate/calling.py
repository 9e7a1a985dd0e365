"""The operators' commands as a person or a CronJob calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.faults.struck import Point
from tests.integration.wiring import Wiring
from tests.pipeline import INHERITED, ROOT


def environment_of(wiring: Wiring, more: Mapping[str, str]) -> dict[str, str]:
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {**base, "PYTHONPATH": str(ROOT), **wiring.environment(**more)}


def operate(wiring: Wiring, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a traceback fails the test."""
    ran = subprocess.run(
        [sys.executable, "-m", "dataflow", *arguments],
        env=environment_of(wiring, more),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def begin(wiring: Wiring, log: Path, *arguments: str, **more: str) -> subprocess.Popen[bytes]:
    """Start a command, which writes to `log`."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "dataflow", *arguments],
            env=environment_of(wiring, more),
            stdout=output,
            stderr=output,
        )


def strike(wiring: Wiring, log: Path, point: Point, ordinal: int, *arguments: str) -> int:
    """Run a command that kills itself when the point is reached for the `ordinal`-th time; its exit code."""
    program = (sys.executable, "-m", "tests.faults.struck", point.value, "SIGKILL", str(ordinal))
    with log.open("ab") as output:
        ran = subprocess.run(
            [*program, *arguments],
            env=environment_of(wiring, {}),
            stdout=output,
            stderr=output,
            timeout=300,
            check=False,
        )
    return ran.returncode


def answer(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The one JSON object that a command told."""
    assert ran.stdout, ran.stderr
    told = json.loads(ran.stdout)
    assert isinstance(told, dict)
    return told
