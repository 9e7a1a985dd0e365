"""The lexicons: data files that a trust-and-safety person can edit, and how they are read."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@cache
def table(name: str) -> dict[str, Any]:
    """A TOML lexicon, read once. Raises OSError, tomllib.TOMLDecodeError."""
    return tomllib.loads((_HERE / name).read_text(encoding="utf-8"))


@cache
def words(name: str) -> frozenset[str]:
    """A word list: words apart by spaces or lines, `#` begins a comment line."""
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
