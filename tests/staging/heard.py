"""Who hears of what the way by S3 does, and remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.redshift import warehouse


@dataclass
class Heard(warehouse.Heard):
    """A CommitObserver and a StagingObserver."""

    uploads: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    retries: list[tuple[str, str]] = field(default_factory=list)
    left: int = 0
    taken_up: list[tuple[int, int]] = field(default_factory=list)
    answered: int = 0

    def retried(self, system: str, reason: str) -> None:
        super().retried(system, reason)
        self.retries.append((system, reason))

    def uploaded(self, size: int, seconds: float) -> None:
        self.uploads.append(size)

    def upload_waits(self, size: int) -> None:
        self.waiting.append(size)

    def reached(self, system: str) -> None:
        self.answered += 1

    def left_behind(self, objects: int) -> None:
        self.left += objects

    def adopted(self, objects: int, rows: int) -> None:
        self.taken_up.append((objects, rows))
