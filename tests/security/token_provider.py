"""A token provider as an operator might write it: it reads what some other process keeps fresh in a file."""

from __future__ import annotations

import os
from pathlib import Path


def token() -> tuple[str, float]:
    """The file's first line is the token, its second the Unix time at which it expires."""
    text, expires = Path(os.environ["TOKEN_FILE"]).read_text(encoding="ascii").split()
    return text, float(expires)


def broken() -> tuple[str, float]:
    """One that quotes a secret when it fails."""
    raise RuntimeError(os.environ["QUOTED_SECRET"])
