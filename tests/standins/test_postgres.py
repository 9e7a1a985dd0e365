"""What the private PostgreSQL may do when we are root, which it must not be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.standins.postgres import _as_postgres


def test_postgresql_finds_its_programs_in_a_checkout_that_only_its_owner_may_enter(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = shutil.which("true")
    assert found is not None
    program = shutil.copy(found, closed)
    # As initdb looks for postgres beside itself: by access(2), which asks for the real user.
    subprocess.run([*_as_postgres(), "test", "-x", program], check=True)
