"""Where and on which code something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from tests.compiled import is_compiled
from tests.pipeline import ROOT

RESULTS = ROOT / "tests" / "bench" / "RESULTS.md"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a reader must know of a measurement to compare it with another."""

    commit: str
    at: datetime
    machine: str
    load: float
    """Processes that wanted a core in the minute before, those of the benchmark before among them."""

    def __str__(self) -> str:
        when = f"{self.at:%Y-%m-%d %H:%M} UTC"
        return f"commit {self.commit}, {when}, {self.machine}, load {self.load:.1f} at the start"


def circumstances(now: datetime) -> Circumstances:
    """As they are now; `now` is aware, UTC. Raises Stale when compiled modules are not of the sources."""
    return Circumstances(_commit(), now, _machine(), os.getloadavg()[0])


def _commit() -> str:
    """The commit's short id; whether files that are not in it took part."""
    identity = _git("rev-parse", "--short", "HEAD")
    if not identity:
        return "unknown"
    # The results are what the run is about to change.
    changed = _git("status", "--porcelain", "--", ".", f":!{RESULTS.relative_to(ROOT)}")
    return f"{identity} with local changes" if changed else identity


def _git(*arguments: str) -> str:
    try:
        ran = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ran.stdout.strip()


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{_processor()}, {cores} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {'compiled' if is_compiled() else 'interpreted'}"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"
