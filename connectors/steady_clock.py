"""The windows' sense of time: the wall clock, except that it never stands still and never goes back.

Windows are aligned to the wall clock, which an administrator or NTP may set by any amount. Forwards, windows
close early, and that is all. Backwards, a window that is open would stay open until the wall clock came by
again, while the rows behind it close in an earlier one: a gap in the ledger, and rows too late for the SLA.
So after a step back time goes on from where it was, at the pace of the monotonic clock, until the wall clock
has caught up.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bytewax.operators.windowing import UTC_MAX, Clock, ClockLogic


class SteadyTime:
    """One process's steady time. `wall` tells aware time, `monotonic` seconds."""

    def __init__(self, wall: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        """Begins at the wall clock's time."""
        self._wall = wall
        self._monotonic = monotonic
        self._reached = wall()
        self._measured_at = monotonic()

    def now(self) -> datetime:
        """The steady time: the wall clock's, or later when that was set back."""
        measured_at = self._monotonic()
        passed = timedelta(seconds=max(0.0, measured_at - self._measured_at))
        self._measured_at = measured_at
        self._reached = max(self._wall().astimezone(UTC), self._reached + passed)
        return self._reached

    def to_wall(self, moment: datetime) -> datetime:
        """What the wall clock will show at a moment of steady time."""
        return moment - (self.now() - self._wall())


class SteadyClock(Clock[Any, None]):
    """A Bytewax clock that tells steady time; when the input ends, all windows close."""

    def __init__(self, time: SteadyTime) -> None:
        """All keys share `time`."""
        self._time = time

    def build(self, resume_state: None) -> _SteadyClockLogic:
        """One key's logic."""
        return _SteadyClockLogic(self._time)


class _SteadyClockLogic(ClockLogic[Any, None]):
    def __init__(self, time: SteadyTime) -> None:
        self._time = time
        self._now = time.now()

    def before_batch(self) -> None:
        self._now = self._time.now()

    def on_item(self, value: Any) -> tuple[datetime, datetime]:
        return self._now, self._now

    def on_notify(self) -> datetime:
        self._now = self._time.now()
        return self._now

    def on_eof(self) -> datetime:
        return UTC_MAX

    def to_system_utc(self, timestamp: datetime) -> datetime | None:
        return self._time.to_wall(timestamp)

    def snapshot(self) -> None:
        return None
