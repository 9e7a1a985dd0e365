"""How much of what waits goes into one commit. Pure.

All of it, as long as that works. A commit that takes longer than the warehouse stays reachable would never
succeed, however often it is tried, while what waits grows: so after a failure the next portion is smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.items import ClosedWindow, Segment

MOST = 256 << 20
LEAST = 1 << 20
"""Bytes of rows in one commit."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What is committed now, and what waits on."""

    now: tuple[ClosedWindow, ...]
    later: tuple[ClosedWindow, ...]

    @property
    def size(self) -> int:
        """Bytes that are committed now."""
        return sum(segment.spool.size for window in self.now for segment in window.segments)


def portion(windows: Sequence[ClosedWindow], budget: int) -> Portion:
    """The first segments that fit into `budget` bytes, one at least. A window may be split; order stays."""
    now: list[ClosedWindow] = []
    left = budget
    for place, window in enumerate(windows):
        taken: list[Segment] = []
        for segment in window.segments:
            if (now or taken) and segment.spool.size > left:
                rest = replace(window, segments=window.segments[len(taken) :])
                if taken:
                    now.append(replace(window, segments=tuple(taken)))
                return Portion(tuple(now), (rest, *windows[place + 1 :]))
            taken.append(segment)
            left -= segment.spool.size
        now.append(window)
    return Portion(tuple(now), ())


def after_success(budget: int) -> int:
    """The next portion's budget."""
    return min(MOST, budget * 2)


def after_failure(size: int) -> int:
    """The next portion's budget, when one of `size` bytes was not committed."""
    return max(LEAST, size // 2)
