"""How long to wait before a question is asked again."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before another try: doubling, bounded, and spread so that processes do not march."""

    first: float
    ceiling: float
    jitter: Callable[[], float] = random.random
    """A number in [0, 1)."""

    def wait(self, attempt: int) -> float:
        """The wait after the `attempt`-th failure in a row, counted from 1: between half and all of it."""
        whole = min(self.ceiling, self.first * 2.0 ** min(attempt - 1, 30))
        return whole * (0.5 + 0.5 * self.jitter())
