"""How large a run is, and where it may work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.bench.figures import Report


class Size(Enum):
    """How much a benchmark takes on."""

    QUICK = "quick"
    """As little as shows that it runs: its figures mean nothing."""
    USUAL = "usual"
    LONG = "long"
    """What takes too long for every day as well."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """One run of one benchmark."""

    size: Size
    directory: Path
    """For data and logs; gone afterwards."""
    tell: Callable[[str], None]
    """Hears how the run goes on."""


class Unavailable(Exception):
    """What the benchmark needs is not to be had on this machine; the text says what."""


class When(Enum):
    """When a benchmark runs."""

    ALWAYS = "always"
    ASKED = "asked"
    """Only when it is named: it takes minutes, or needs the network."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One entry of the registry."""

    name: str
    title: str
    """What it measures, as a heading."""
    run: Callable[[Occasion], Report]
    """Raises Unavailable."""
    when: When = When.ALWAYS
