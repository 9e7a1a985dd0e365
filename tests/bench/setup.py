"""What a newcomer waits for: the set-up and the demo, in a clean copy."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from tests.bench.figures import Figure, Report, Table
from tests.bench.occasion import Occasion, Size, Unavailable
from tests.pipeline import INHERITED, ROOT

_REPETITIONS = {Size.QUICK: 1, Size.USUAL: 3, Size.LONG: 5}
_INDEX = ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "PIP_TRUSTED_HOST", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def run(occasion: Occasion) -> Report:
    """Clone what is committed, and do what the README says."""
    cold: list[float] = []
    again: list[float] = []
    demo: list[float] = []
    for number in range(_REPETITIONS[occasion.size]):
        occasion.tell(f"repetition {number + 1} of {_REPETITIONS[occasion.size]}")
        clone = occasion.directory / f"clone-{number}"
        _seconds(ROOT, "git", "clone", "--quiet", str(ROOT), str(clone))
        cold.append(_seconds(clone, "make", "setup"))
        again.append(_seconds(clone, "make", "setup"))
        demo.append(_seconds(clone, "make", "demo"))
    return Report(
        measured=(
            "A clone of the last commit. The packages come from wherever pip is configured to take them, or "
            f"from its cache; n = {len(cold)}."
        ),
        tables=(
            Table(
                ("", "seconds"),
                (
                    ("`make setup`, nothing there", Figure(tuple(cold))),
                    ("`make setup`, nothing changed", Figure(tuple(again))),
                    ("`make demo`, 30,000 messages, set up", Figure(tuple(demo))),
                ),
            ),
        ),
        observations=(),
    )


def _seconds(directory: Path, *command: str) -> float:
    """How long a command takes. Raises Unavailable with what it said when it fails."""
    environment = {name: os.environ[name] for name in (*INHERITED, *_INDEX) if name in os.environ}
    environment.pop("VIRTUAL_ENV", None)
    began = time.monotonic()
    ran = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )
    if ran.returncode:
        raise Unavailable(f"{' '.join(command)} ended with {ran.returncode}:\n{ran.stderr[-2000:]}")
    return time.monotonic() - began
