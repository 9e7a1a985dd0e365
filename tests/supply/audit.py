"""Known vulnerabilities of the pinned packages, asked of the public advisories through pip-audit."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 120.0
"""Seconds for all questions together."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found out, and what was not."""

    asked: int
    """Packages of which the advisories told."""
    untold: int
    """Packages of which nobody told anything here."""
    vulnerable: tuple[str, ...]
    """A line for each known vulnerability."""
    trouble: str
    """Why the advisories could not be asked at all; empty when they could."""


def audit(constraints: Path) -> Audit:
    """Ask. Nothing is installed, and nothing but names and versions is sent."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(constraints), "--require-hashes"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return Audit(0, 0, (), f"no answer within {_TIMEOUT:g} s")
    if not ran.stdout.strip():
        said = ran.stderr.strip().splitlines()
        return Audit(0, 0, (), said[-1] if said else f"pip-audit ended with {ran.returncode}")
    return audit_of(ran.stdout)


def audit_of(answer: str) -> Audit:
    """pip-audit's answer."""
    packages = json.loads(answer)["dependencies"]
    asked = [package for package in packages if "skip_reason" not in package]
    vulnerable = tuple(
        f"{package['name']} {package['version']}: {found['id']}, "
        f"mended in {', '.join(found['fix_versions']) or 'no version yet'}"
        for package in asked
        for found in package["vulns"]
    )
    return Audit(len(asked), len(packages) - len(asked), vulnerable, "")
