"""What a membership in the group holds, and whom it talks to: the warehouse's owner, the open transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from connectors.progress import LedgerTail

LedgerAnswer = Future[Mapping[int, LedgerTail]]
"""Progress W of every partition that has an entry; done when the warehouse could be asked."""


class Ledger(Protocol):
    """Progress W, as the warehouse's owner tells it."""

    def read_ledger(self, partitions: Collection[int] = ()) -> LedgerAnswer:
        """Ask the warehouse, because these partitions are about to be read. Returns at once.

        Of them the answer may lie beyond the ledger: rows that wait to be committed count as done.
        """
        ...

    def failure(self) -> BaseException | None:
        """The broken promise that stopped the owner, if one did."""
        ...


class OpenTransaction(Protocol):
    """What the group does to the side branch's open transaction when partitions leave."""

    @property
    def gave_up(self) -> bool:
        """The broker did not answer while the process was stopping."""
        ...

    def settle(self) -> None:
        """Commit it, offsets and all, or abort it when the broker demands that."""
        ...

    def abandon(self) -> None:
        """Abort it."""
        ...


@dataclass(frozen=True, slots=True)
class Holding:
    """A partition that is ours and is read."""

    assignment: int
    topic_id: str | None
    position: int
    """Next offset to read."""
    events: int
    """Progress E."""
    rows: int | None
    """Progress W when the assignment began; None: not known yet."""
    lost: int = 0
    """Offsets from `position` on that retention removed, accepted, not yet told downstream."""
