"""The wish to stop, and how long ago it was uttered."""

from __future__ import annotations

import time
from collections.abc import Callable

SLICE = 0.1
"""Seconds after which a wait looks again whether it is over."""


class Stop:
    """Set by a signal handler, asked from every thread. Takes no lock: a handler may run anywhere."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._since: float | None = None

    def set(self) -> None:
        """Utter it. The first time counts."""
        if self._since is None:
            self._since = self._clock()

    def is_set(self) -> bool:
        """Whether the process is to stop."""
        return self._since is not None

    def left(self, seconds: float) -> float:
        """What is left of so many seconds since it was set, at least 0; all of them while it is not."""
        return seconds if self._since is None else max(0.0, self._since + seconds - self._clock())

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, at most so long; whether it is."""
        until = self._clock() + seconds
        while self._since is None and (left := until - self._clock()) > 0:
            time.sleep(min(SLICE, left))
        return self._since is not None
