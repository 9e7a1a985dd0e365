"""The exactly-once protocol, where reading starts: every decision, no I/O. What follows is in `spans`.

Two systems keep our progress, each in the transaction that holds the data:

* **E**, the consumer group's committed offsets, moves with the contact events and dead letters;
* **W**, the ledger in the warehouse, moves with the rows.

Connectors read facts, ask a function here, and do what it answers. An outcome is a value with a name; where
one is a broken promise the connector raises it, and the process ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import ClassVar


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


class CommitMismatch(BrokenPromise):
    """The warehouse did not take what it was given: rows short, or an entry refused under the lock."""

    exit_code = 14


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

    def covers(self, partition: int, first: int, next: int) -> bool:
        """Whether so much was accepted, or more: retention may move on before a restart."""
        return self.partition == partition and self.first <= first and next <= self.next


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
            f"have the ledger record the loss, set ACCEPT_LOSS={partition}:{self.first}-{self.next}, or a "
            "wider range while retention goes on removing: what is lost is recorded, not what is accepted"
        )


_NEW_TOPIC = (
    "Use another topic name for the new topic; or another PIPELINE and group, with ACCEPT_PIPELINE naming it"
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
    if any(loss.covers(partition, position, oldest) for loss in accepted):
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
class Hole:
    """Offsets `[first, next)` that hold no record, before the record with this index."""

    first: int
    next: int
    index: int


def find_hole(position: int, offsets: Sequence[int], known: int | None) -> Hole | None:
    """The first hole worth a second look in what was read from `position` on; not the one at `known`.

    One offset without a record is the marker of a transaction's end.
    """
    for index, offset in enumerate(offsets):
        if offset - position > 1 and position != known:
            return Hole(position, offset, index)
        position = offset + 1
    return None
