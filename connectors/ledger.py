"""What the ledger's entries say, read as a whole: which are in force, what a rerun takes, where gaps are.

Every decision, no I/O. The ledger is append-only: a rerun appends entries of its own over spans that other
commits had covered, later than they did. An entry is *in force* while no later one covers its whole span; the
table's rows bear the ids of commits in force, and of no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from connectors.progress import TopicReplaced


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: a commit's span `[first, next)` of one partition. Times are aware, UTC."""

    process_id: str
    partition: int
    topic_id: str | None
    first: int
    next: int
    rows: int
    """Rows staged: what was read, before duplicates and older versions were dropped."""
    lost: int
    opens: datetime
    closes: datetime
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """The entries of one pipeline and topic, told apart."""

    in_force: tuple[Entry, ...]
    """By partition, then by offset."""
    rerun_as: Mapping[str, str]
    """Commits that are no longer in force, with the commit that took their place at last."""


def standing(entries: Sequence[Entry]) -> Standing:
    """Which entries are in force. Of two that cover the same offsets the one committed later is."""
    kept: list[Entry] = []
    rerun_as: dict[str, str] = {}
    for cluster in _overlapping(entries):
        for entry in cluster:
            heirs = [other for other in cluster if _covers(other, entry)]
            if heirs:
                newest = max(heirs, key=lambda heir: heir.committed_at)
                rerun_as[entry.process_id] = newest.process_id
            else:
                kept.append(entry)
    return Standing(tuple(sorted(kept, key=_place)), rerun_as)


def _covers(later: Entry, entry: Entry) -> bool:
    inside = later.first <= entry.first and entry.next <= later.next
    return inside and later.committed_at > entry.committed_at


def _place(entry: Entry) -> tuple[int, int, int]:
    return entry.partition, entry.first, entry.next


def _overlapping(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Entries that share offsets, directly or through others; nearly all stand alone."""
    cluster: list[Entry] = []
    reached = -1
    for entry in sorted(entries, key=_place):
        if cluster and (entry.partition != cluster[0].partition or entry.first >= reached):
            yield cluster
            cluster = []
        reached = max(reached, entry.next) if cluster else entry.next
        cluster.append(entry)
    if cluster:
        yield cluster


def advances(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """The entries that took progress W further, in their order: the pipeline's own, without reruns."""
    reached: dict[int, int] = {}
    own: list[Entry] = []
    for entry in sorted(entries, key=lambda each: (each.committed_at, each.first)):
        if entry.next > reached.get(entry.partition, -1):
            own.append(entry)
            reached[entry.partition] = entry.next
    return tuple(own)


def reading_turns(taken: Sequence[Entry]) -> Iterator[dict[int, tuple[int, int]]]:
    """The entries' offsets as spans to read, at most one a partition and turn; neighbours are joined."""
    runs: dict[int, list[tuple[int, int]]] = {}
    for entry in sorted(taken, key=_place):
        own = runs.setdefault(entry.partition, [])
        if own and own[-1][1] == entry.first:
            own[-1] = (own[-1][0], entry.next)
        else:
            own.append((entry.first, entry.next))
    for turn in range(max(map(len, runs.values()), default=0)):
        yield {partition: own[turn] for partition, own in runs.items() if turn < len(own)}


@dataclass(frozen=True, slots=True)
class Fault:
    """Offsets `[first, next)` of a partition that no entry in force covers, or that two do."""

    partition: int
    first: int
    next: int
    entries: int
    """0: nobody committed them. 2: two commits in force claim them."""


def faults(in_force: Sequence[Entry]) -> tuple[Fault, ...]:
    """Where the entries in force do not follow one another without gap and overlap."""
    found: list[Fault] = []
    for before, after in pairwise(sorted(in_force, key=_place)):
        if before.partition != after.partition or before.next == after.first:
            continue
        low, high = sorted((before.next, after.first))
        found.append(Fault(after.partition, low, high, 0 if before.next < after.first else 2))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ByCommit:
    """Rerun one commit."""

    process_id: str


@dataclass(frozen=True, slots=True)
class ByOffsets:
    """Rerun whatever covers `[first, next)` of a partition."""

    partition: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Span:
    """`[first, next)` of one partition, and the windows that it came from."""

    partition: int
    topic_id: str | None
    first: int
    next: int
    opens: datetime
    closes: datetime


@dataclass(frozen=True, slots=True)
class Rerun:
    """Read `spans` again, one a partition, and put them in the place of `commits`."""

    commits: tuple[str, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class NoSuchCommit:
    """The ledger has no entry of that commit for this pipeline and topic."""


@dataclass(frozen=True, slots=True)
class RerunAlready:
    """The commit is not in force: another took its place."""

    process_id: str


@dataclass(frozen=True, slots=True)
class NeverCommitted:
    """`[first, next)` of the partition is not in the ledger: the pipeline has it still to do."""

    partition: int
    first: int
    next: int


@dataclass(frozen=True, slots=True)
class Gone:
    """Offsets that a rerun needs and the topic no longer holds: (partition, first, next)."""

    spans: tuple[tuple[int, int, int], ...]


def decide_rerun(
    entries: Sequence[Entry],
    wanted: ByCommit | ByOffsets,
    bounds: Mapping[int, tuple[int, int]],
    topic_id: str | None,
) -> Rerun | NoSuchCommit | RerunAlready | NeverCommitted | Gone | TopicReplaced:
    """What a rerun has to take. It takes whole commits, because a row names its commit and not its offset.

    `bounds` is what the topic holds, `[oldest, end)` by partition; `topic_id` its incarnation, None when it
    is not told. Commits between two that are taken are taken too, so that each partition has one span.
    """
    now = standing(entries)
    match wanted:
        case ByCommit(process_id):
            if process_id in now.rerun_as:
                return RerunAlready(_heir(now.rerun_as, process_id))
            chosen = {process_id}
            if not any(entry.process_id == process_id for entry in now.in_force):
                return NoSuchCommit()
        case ByOffsets(partition, first, next):
            there = [entry for entry in now.in_force if entry.partition == partition]
            missing = _uncovered(there, first, next)
            if missing is not None:
                return NeverCommitted(partition, *missing)
            chosen = {entry.process_id for entry in there if entry.first < next and first < entry.next}
    taken = _closed(now.in_force, chosen)
    for entry in taken:
        if None not in (topic_id, entry.topic_id) and entry.topic_id != topic_id:
            return TopicReplaced(str(entry.topic_id), str(topic_id))
    spans = tuple(_spans(taken))
    gone = tuple(_gone(spans, bounds))
    return Gone(gone) if gone else Rerun(tuple(sorted({entry.process_id for entry in taken})), spans)


def _heir(rerun_as: Mapping[str, str], process_id: str) -> str:
    while process_id in rerun_as:
        process_id = rerun_as[process_id]
    return process_id


def _uncovered(there: Sequence[Entry], first: int, next: int) -> tuple[int, int] | None:
    """The first part of `[first, next)` that no entry covers."""
    for entry in sorted(there, key=_place):
        if entry.next <= first:
            continue
        if entry.first > first:
            return first, min(entry.first, next)
        first = entry.next
        if first >= next:
            return None
    return first, next


def _closed(in_force: Sequence[Entry], chosen: set[str]) -> list[Entry]:
    """The entries of the chosen commits, and of those that lie between them in any partition."""
    while True:
        taken = [entry for entry in in_force if entry.process_id in chosen]
        between: set[str] = set()
        for partition in {entry.partition for entry in taken}:
            own = [entry for entry in taken if entry.partition == partition]
            low, high = min(entry.first for entry in own), max(entry.next for entry in own)
            between |= {
                entry.process_id
                for entry in in_force
                if entry.partition == partition and low <= entry.first and entry.next <= high
            }
        if between <= chosen:
            return taken
        chosen = chosen | between


def _spans(taken: Sequence[Entry]) -> Iterator[Span]:
    for partition in sorted({entry.partition for entry in taken}):
        own = [entry for entry in taken if entry.partition == partition]
        yield Span(
            partition,
            own[-1].topic_id,
            min(entry.first for entry in own),
            max(entry.next for entry in own),
            min(entry.opens for entry in own),
            max(entry.closes for entry in own),
        )


def _gone(spans: Sequence[Span], bounds: Mapping[int, tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    for span in spans:
        oldest, end = bounds.get(span.partition, (span.next, span.next))
        if span.first < oldest:
            yield span.partition, span.first, min(span.next, oldest)
        if span.next > end:
            yield span.partition, max(span.first, end), span.next
