"""What `run` hears from its threads, for metrics and for readiness."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.health import Health
from connectors.metrics import Metrics


class Watch:
    """Hears of commits, of objects on their way to a bucket, and of what is tried again."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        """Tells both of everything."""
        self._metrics = metrics
        self._health = health

    def committed(
        self, rows: int, positions: Mapping[int, int], phases: Mapping[str, float], at: float
    ) -> None:
        """See `CommitObserver`."""
        self._metrics.committed(rows, positions, phases, at)
        self._health.report("redshift", "ok")

    def ledger_read(self, positions: Mapping[int, int], at: float) -> None:
        """See `CommitObserver`."""
        self._metrics.ledger_read(positions, at)
        self._health.report("redshift", "ok")

    def retried(self, system: str, reason: str) -> None:
        """See `CommitObserver` and `StagingObserver`."""
        self._metrics.retried(system, reason)
        self._health.report(system, reason)

    def uploaded(self, size: int, seconds: float) -> None:
        """See `StagingObserver`."""
        self._metrics.uploaded(size, seconds)

    def upload_waits(self, size: int) -> None:
        """See `StagingObserver`."""
        self._metrics.upload_waits(size)

    def reached(self, system: str) -> None:
        """See `StagingObserver`."""
        self._health.report(system, "ok")

    def left_behind(self, objects: int) -> None:
        """See `StagingObserver`."""
        self._metrics.left_behind(objects)

    def adopted(self, objects: int, rows: int) -> None:
        """See `StagingObserver`."""
        self._metrics.adopted(objects, rows)
