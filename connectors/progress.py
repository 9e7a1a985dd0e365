"""The exactly-once protocol: every decision, no I/O.

Two systems keep our progress, each in the transaction that holds the data:

* **E**, the consumer group's committed offsets, moves with the contact events and dead letters;
* **W**, the ledger in the warehouse, moves with the rows.

Connectors read facts, ask a function here, and do what it answers. An outcome is a value with a name;
`Gap`, `Regressed`, `RetentionLoss` and `BeyondEnd` are broken promises that end the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from connectors.items import Segment


class BrokenPromise(Exception):
    """The process must end: going on would lose data or count it twice. A restart is the way to recover."""


class DataLoss(BrokenPromise):
    """The topic no longer holds what the pipeline still needs."""


class StartPolicy(Enum):
    """Where to start a partition of which neither progress is known."""

    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class AcceptedLoss:
    """Offsets `[first, next)` of a partition that an operator has accepted as lost to retention."""

    partition: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Start:
    """Read from `offset`; events below `events_from` and rows below `rows_from` are done already."""

    offset: int
    events_from: int
    rows_from: int | None
    """None: the warehouse has not told yet; stage nothing until it has."""
    lost: int = 0
    """Offsets between `offset` and the oldest one held, accepted as lost. Reading begins after them."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Neither progress can be told before the warehouse answers: read nothing until then.

    To start from the policy instead would produce every event again whose offsets have only expired.
    """


@dataclass(frozen=True, slots=True)
class RetentionLoss:
    """The topic no longer holds `[first, next)`, and not all progress covers it."""

    first: int
    next: int

    def told_of(self, topic: str, partition: int) -> str:
        """What an operator has to know."""
        return (
            f"{topic} partition {partition}: offsets {self.first} to {self.next - 1} are needed but the "
            f"topic holds nothing below {self.next}: retention removed them. To go on without them, and "
            f"have the ledger record the loss, set ACCEPT_LOSS={partition}:{self.first}-{self.next}"
        )


@dataclass(frozen=True, slots=True)
class BeyondEnd:
    """Progress lies beyond the end of the partition: the topic was truncated or created anew."""

    position: int
    end: int

    def told_of(self, topic: str, partition: int) -> str:
        """What an operator has to know."""
        return (
            f"{topic} partition {partition}: progress stands at {self.position} but the topic ends at "
            f"{self.end}: it was truncated or created anew. Use another topic name for the new topic, or "
            f"another pipeline name and group"
        )


def decide_start(
    *,
    partition: int,
    events: int | None,
    rows: int | None,
    rows_known: bool,
    oldest: int,
    end: int,
    policy: StartPolicy,
    accepted: Sequence[AcceptedLoss] = (),
) -> Start | Wait | RetentionLoss | BeyondEnd:
    """Where an assigned partition starts: min(E, W), each branch skipping what its progress covers.

    `events` and `rows` are E and W, None where the system has no entry. `rows_known` is False while
    the warehouse cannot be asked: the side branch then starts alone. `oldest` and `end` bound what the
    topic holds, `[oldest, end)`.

    No E but a W: E = W (group offsets expire). No W but an E: W = oldest. Neither: the policy.

    Whoever starts a partition without an E must commit `events_from` as E before it reads: else a W that
    moves first would stand for an E that never did.
    """
    if events is None and not rows_known:
        return Wait()
    if events is None and rows is None:
        fresh = oldest if policy is StartPolicy.EARLIEST else end
        return Start(fresh, fresh, fresh)
    events_from = events if events is not None else rows
    assert events_from is not None
    rows_from = (rows if rows is not None else oldest) if rows_known else None
    position = events_from if rows_from is None else min(events_from, rows_from)
    furthest = events_from if rows_from is None else max(events_from, rows_from)
    if furthest > end:
        return BeyondEnd(furthest, end)
    if position >= oldest:
        return Start(position, events_from, rows_from)
    if AcceptedLoss(partition, position, oldest) in accepted:
        return Start(position, events_from, rows_from, lost=oldest - position)
    return RetentionLoss(position, oldest)


@dataclass(frozen=True, slots=True)
class Extends:
    """The span continues the tail: append what lies at or above `at`."""

    at: int


@dataclass(frozen=True, slots=True)
class Opens:
    """The span begins beyond the tail, or there is no tail: open a new segment at `at`."""

    at: int


@dataclass(frozen=True, slots=True)
class Covered:
    """Nothing of the span is new."""


def place(tail: int | None, first: int, next: int) -> Extends | Opens | Covered:
    """The segment rule: what of `[first, next)` a window lacks, when its newest segment ends at `tail`."""
    if tail is not None and first <= tail:
        return Extends(tail) if next > tail else Covered()
    return Opens(first) if next > first else Covered()


@dataclass(frozen=True, slots=True)
class Produce:
    """Produce what came from offsets at or above `at`; the batch's `next` may then be committed."""

    at: int


@dataclass(frozen=True, slots=True)
class Stale:
    """The batch was read under an assignment that has ended: drop it, its owner reads it again."""


@dataclass(frozen=True, slots=True)
class EventGap:
    """Offsets `[position, first)` never reached the side branch, and a commit would hide that."""

    position: int
    first: int


def decide_events(
    *, held: int | None, done: int, assignment: int, first: int, next: int
) -> Produce | Covered | Stale | EventGap:
    """What of a batch `[first, next)` the side branch still has to produce.

    `held` is the number of the partition's current assignment, None when it is not ours. `done` is E, or
    the end of what the open transaction already covers.
    """
    if held != assignment:
        return Stale()
    if next <= done:
        return Covered()
    if first > done:
        return EventGap(done, first)
    return Produce(done)


@dataclass(frozen=True, slots=True)
class Take:
    """Stage the rows of `segment` at or above `at`."""

    segment: Segment
    at: int


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What a commit appends for one partition: `[first, next)`, provided that `expected` still stands."""

    partition: int
    expected: int | None
    """max(next offset) that was read under the lock; None: no entry yet."""
    first: int
    next: int
    lost: int


@dataclass(frozen=True, slots=True)
class Commit:
    """Stage `takes`, in this order, and append `entries`."""

    takes: tuple[Take, ...]
    entries: tuple[LedgerEntry, ...]


@dataclass(frozen=True, slots=True)
class AlreadyCommitted:
    """The ledger covers every segment: nothing to do."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets `[position, first)` were never committed, and this commit would hide that."""

    partition: int
    position: int
    first: int


@dataclass(frozen=True, slots=True)
class Regressed:
    """The ledger stands lower than this process has seen it: entries were removed."""

    partition: int
    seen: int
    position: int | None


def decide_commit(
    ledger: Mapping[int, int], seen: Mapping[int, int], segments: Sequence[Segment]
) -> Commit | AlreadyCommitted | Gap | Regressed:
    """The ledger rule: what of the waiting segments the warehouse still lacks.

    `ledger` holds max(next offset) per partition as read under the lock, `seen` the highest position this
    process has read from or written to it. Segments of a partition are taken in the order of their offsets.
    """
    takes: list[Take] = []
    entries: list[LedgerEntry] = []
    by_partition: dict[int, list[Segment]] = {}
    for segment in segments:
        by_partition.setdefault(segment.partition, []).append(segment)
    for partition, waiting in sorted(by_partition.items()):
        position = ledger.get(partition)
        known = seen.get(partition)
        if known is not None and (position is None or position < known):
            return Regressed(partition, known, position)
        begin: int | None = None
        cursor = position
        lost = 0
        for segment in sorted(waiting, key=lambda s: (s.first, s.next)):
            if cursor is not None and segment.next <= cursor:
                continue
            if cursor is not None and segment.first > cursor:
                return Gap(partition, cursor, segment.first)
            at = segment.first if cursor is None else cursor
            begin = at if begin is None else begin
            takes.append(Take(segment, at))
            lost += segment.lost if at == segment.first else 0
            cursor = segment.next
        if begin is not None and cursor is not None and cursor > begin:
            entries.append(LedgerEntry(partition, position, begin, cursor, lost))
    return Commit(tuple(takes), tuple(entries)) if entries else AlreadyCommitted()
