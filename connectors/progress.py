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
from datetime import datetime
from enum import Enum
from typing import ClassVar

from connectors.items import Segment


class BrokenPromise(Exception):
    """The process must end: going on would lose data or count it twice. A restart is the way to recover.

    Each kind ends the process with an exit code of its own, which the README lists.
    """

    exit_code: ClassVar[int] = 10


class DataLoss(BrokenPromise):
    """The topic no longer holds what the pipeline still needs."""

    exit_code = 11


class LedgerBroken(BrokenPromise):
    """The ledger and what this process knows do not fit: a gap, entries that are gone, a stranger's."""

    exit_code = 12


class EventsBroken(BrokenPromise):
    """The side branch lacks offsets that a commit would claim, or cannot take what it is given."""

    exit_code = 13


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a system has come with one partition of one incarnation of a topic."""

    position: int
    """Next offset."""
    topic_id: str | None
    """The incarnation, as the broker numbers them; None: not recorded, or not told."""


@dataclass(frozen=True, slots=True)
class LedgerTail:
    """The newest ledger entry of a partition: progress W, and the group in whose name it was written."""

    progress: Progress
    group: str
    committed_at: datetime


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


class Assumed(Enum):
    """What a start rests on besides progress that was found. Each is worth a line in the log."""

    NOTHING = "both progresses were found"
    EVENTS_DONE_TO_ROWS = "no group offset, as after a long silence: events are taken as done up to the rows"
    ROWS_FROM_OLDEST = "no ledger entry, as with a new table: rows begin at the oldest offset held"
    FROM_OLDEST = "no progress at all: begins at the oldest offset held"
    FROM_END = "no progress at all, and START=latest: begins at the end"
    ROWS_UNKNOWN = "the ledger cannot be read yet: events begin alone"


@dataclass(frozen=True, slots=True)
class Start:
    """Read from `offset`; events below `events_from` and rows below `rows_from` are done already."""

    offset: int
    events_from: int
    rows_from: int | None
    """None: the warehouse has not told yet; stage nothing until it has."""
    lost: int = 0
    """Offsets between `offset` and the oldest one held, accepted as lost. Reading begins after them."""
    assumed: Assumed = Assumed.NOTHING


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


_NEW_TOPIC = "Use another topic name for the new topic, or another pipeline name and group"


@dataclass(frozen=True, slots=True)
class BeyondEnd:
    """Progress lies beyond the end of the partition: the topic was truncated or created anew."""

    position: int
    end: int

    def told_of(self, topic: str, partition: int) -> str:
        """What an operator has to know."""
        return (
            f"{topic} partition {partition}: progress stands at {self.position} but the topic ends at "
            f"{self.end}: it was truncated or created anew. {_NEW_TOPIC}"
        )


@dataclass(frozen=True, slots=True)
class TopicReplaced:
    """Progress was made in another incarnation of the topic: its offsets mean nothing in this one."""

    recorded: str
    found: str

    def told_of(self, topic: str, partition: int) -> str:
        """What an operator has to know."""
        return (
            f"{topic} partition {partition}: progress was made in the topic with id {self.recorded}, and the "
            f"broker's topic has id {self.found}: it was deleted and created anew. {_NEW_TOPIC}"
        )


def decide_start(
    *,
    partition: int,
    topic_id: str | None,
    events: Progress | None,
    rows: Progress | None,
    rows_known: bool,
    ledger_empty: bool,
    oldest: int,
    end: int,
    policy: StartPolicy,
    accepted: Sequence[AcceptedLoss] = (),
) -> Start | Wait | RetentionLoss | BeyondEnd | TopicReplaced:
    """Where an assigned partition starts: min(E, W), each branch skipping what its progress covers.

    `events` and `rows` are E and W, None where the system has no entry. `rows_known` is False while
    the warehouse cannot be asked: the side branch then starts alone. `topic_id` is the incarnation that the
    broker tells, None when it does not. `oldest` and `end` bound what the topic holds, `[oldest, end)`.

    No E but a W: E = W (group offsets expire). No W but an E: W = oldest. Neither: the policy, but only while
    `ledger_empty`: once the pipeline has committed anything, a partition of which nothing is known was added
    to the topic since, and all of it is new.

    Whoever starts a partition without an E must commit `events_from` as E before it reads: else a W that
    moves first would stand for an E that never did.
    """
    for progress in (events, rows):
        if progress and None not in (topic_id, progress.topic_id) and progress.topic_id != topic_id:
            return TopicReplaced(str(progress.topic_id), str(topic_id))
    if events is None and not rows_known:
        return Wait()
    if events is None and rows is None:
        if policy is StartPolicy.LATEST and ledger_empty:
            return Start(end, end, end, assumed=Assumed.FROM_END)
        return Start(oldest, oldest, oldest, assumed=Assumed.FROM_OLDEST)
    assumed = Assumed.NOTHING
    rows_from = rows.position if rows is not None else None
    if not rows_known:
        assumed = Assumed.ROWS_UNKNOWN
    elif rows_from is None:
        assumed, rows_from = Assumed.ROWS_FROM_OLDEST, oldest
    if events is None:
        assumed = Assumed.EVENTS_DONE_TO_ROWS
    events_from = events.position if events is not None else rows_from
    assert events_from is not None
    position = events_from if rows_from is None else min(events_from, rows_from)
    furthest = events_from if rows_from is None else max(events_from, rows_from)
    if furthest > end:
        return BeyondEnd(furthest, end)
    if position >= oldest:
        return Start(position, events_from, rows_from, assumed=assumed)
    if AcceptedLoss(partition, position, oldest) in accepted:
        return Start(position, events_from, rows_from, oldest - position, assumed)
    return RetentionLoss(position, oldest)


def decide_rewind(
    *,
    held: Progress,
    remembered: int,
    found: Progress | None,
    topic_id: str | None,
    rows_from: int | None,
    lost: int = 0,
) -> Start | TopicReplaced:
    """Where a partition goes on whose transaction was aborted, or came to an end that nobody knows.

    `held` is the position up to which it was read, `remembered` the E that this process saw last. `found` is
    E as the broker tells it now, and it decides: a transaction whose commit came back as an error may have
    been committed all the same. Rows that were read stay spooled, so `rows_from` stands.
    """
    if None not in (topic_id, held.topic_id) and held.topic_id != topic_id:
        return TopicReplaced(str(held.topic_id), str(topic_id))
    reached = remembered if found is None else found.position
    return Start(min(held.position, reached), reached, rows_from, lost)


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


def decide_owner(
    ledger: Mapping[int, LedgerTail], group: str, accepted: str | None = None
) -> ForeignGroup | None:
    """Who wrote the newest entry: None when it was `group`, or `accepted`, whose place it takes."""
    newest = max(ledger.values(), key=lambda tail: tail.committed_at, default=None)
    if newest is None or newest.group in (group, accepted):
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
