"""The exactly-once protocol, what of a span is still to be done: every decision, no I/O.

The segment rule decides what a window lacks, the events' rule what the side branch lacks, the ledger rule
what the warehouse lacks. Where reading starts is decided in `progress`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.items import Segment
from connectors.progress import LedgerTail, TopicReplaced


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
    topic_id: str | None
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


@dataclass(frozen=True, slots=True)
class RowsReplaced:
    """Rows of one incarnation of the topic wait for a ledger that counts in another."""

    partition: int
    replaced: TopicReplaced


@dataclass(frozen=True, slots=True)
class ForeignGroup:
    """Another consumer group writes this pipeline's ledger: two pipelines go by one name.

    Rows would still be there once, but every event would be there once per group.
    """

    group: str

    def told_of(self, pipeline: str, own: str) -> str:
        """What an operator has to know."""
        return (
            f"pipeline {pipeline} is committed by consumer group {self.group}, and this process is in group "
            f"{own}: each would produce every event. Give one of the two another PIPELINE; or, when "
            f"{self.group} is gone for good, set ACCEPT_GROUP={self.group}"
        )


@dataclass(frozen=True, slots=True)
class UnknownPipeline:
    """The ledger knows the topic, but under other pipelines' names only: ours is new, or misspelt.

    A misspelt one would read everything again and produce every event once more.
    """

    others: Sequence[str]

    def told_of(self, pipeline: str, own: str) -> str:
        """What an operator has to know."""
        return (
            f"pipeline {pipeline} has no entry for this topic, and {', '.join(self.others)} has: is the name "
            f"misspelt? To begin a new pipeline beside it, set ACCEPT_PIPELINE={pipeline}"
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """What an operator has allowed on purpose: the group whose place ours takes, a pipeline that is new."""

    group: str | None = None
    pipeline: str | None = None


NOTHING_ACCEPTED = Accepted()


def decide_owner(
    ledger: Mapping[int, LedgerTail],
    others: Sequence[str],
    *,
    pipeline: str,
    group: str,
    accepted: Accepted,
) -> ForeignGroup | UnknownPipeline | None:
    """Whether this ledger is ours to write: None when it is.

    `others` are the other pipelines that have entries for the same topic.
    """
    if not ledger and others and accepted.pipeline != pipeline:
        return UnknownPipeline(others)
    newest = max(ledger.values(), key=lambda tail: tail.committed_at, default=None)
    if newest is None or newest.group in (group, accepted.group):
        return None
    return ForeignGroup(newest.group)


def decide_commit(
    ledger: Mapping[int, LedgerTail], seen: Mapping[int, int], segments: Sequence[Segment]
) -> Commit | AlreadyCommitted | Gap | Regressed | RowsReplaced:
    """The ledger rule: what of the waiting segments the warehouse still lacks.

    `ledger` holds the newest entry per partition as read under the lock, `seen` the highest position this
    process has read from or written to it. Segments of a partition are taken in the order of their offsets.
    """
    takes: list[Take] = []
    entries: list[LedgerEntry] = []
    by_partition: dict[int, list[Segment]] = {}
    for segment in segments:
        by_partition.setdefault(segment.partition, []).append(segment)
    for partition, waiting in sorted(by_partition.items()):
        tail = ledger.get(partition)
        position = None if tail is None else tail.progress.position
        incarnation = None if tail is None else tail.progress.topic_id
        known = seen.get(partition)
        if known is not None and (position is None or position < known):
            return Regressed(partition, known, position)
        begin: int | None = None
        cursor = position
        lost = 0
        for segment in sorted(waiting, key=lambda s: (s.first, s.next)):
            if None not in (incarnation, segment.topic_id) and segment.topic_id != incarnation:
                return RowsReplaced(partition, TopicReplaced(str(incarnation), str(segment.topic_id)))
            incarnation = incarnation or segment.topic_id
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
            entries.append(LedgerEntry(partition, incarnation, position, begin, cursor, lost))
    return Commit(tuple(takes), tuple(entries)) if entries else AlreadyCommitted()
