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
def by_language(name: str) -> dict[str, tuple[str, ...]]:
    """Word lists of several languages, each below a line `[code]`; TOML would be slow to read for as much."""
    lists: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (_HERE / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            lists[line.strip("[]")] = current = []
        elif not line.startswith("#"):
            current += line.split()
    return {language: tuple(found) for language, found in lists.items()}


@cache
def words(name: str) -> frozenset[str]:
    """A word list: words apart by spaces or lines, `#` begins a comment line."""
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())
