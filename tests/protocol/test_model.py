"""The whole protocol against a plain model: any batch cuts, crashes, zombies, lost answers, in any order.

Every process here runs the real decisions and the real window accumulator; the broker and the warehouse
are the few facts that the protocol relies on: a transaction that is fenced by the group's generation, and a
ledger in the rows' own transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.items import RowBatch, Segment
from connectors.progress import LedgerTail, Progress, Start, StartPolicy, Wait, decide_rewind, decide_start
from connectors.spans import AlreadyCommitted, Commit, Produce, decide_commit, decide_events
from connectors.spool import Backlog, FileSpool, WindowSegments

PROCESSES = 3
WHO = st.sampled_from([0, 0, 0, 0, 1, 2])
"""Which process acts: so many places after the one that owns the partition, the owner most often."""
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def line(offset: int) -> bytes:
    return b"[%d]" % offset


def offset_of(row: bytes) -> int:
    return int(row[1:-1])


def progress(position: int | None) -> Progress | None:
    return None if position is None else Progress(position, None)


def tails(ledger: dict[int, int]) -> dict[int, LedgerTail]:
    return {partition: LedgerTail(Progress(at, None), "group", NOW) for partition, at in ledger.items()}


@dataclass
class Process:
    """One process that reads the one partition while it holds it."""

    assignment: int = 0
    generation: int = -1
    waits: bool = False
    position: int = 0
    events_done: int = 0
    rows_from: int | None = None
    open_events: list[int] = field(default_factory=list)
    open_until: int | None = None
    window: WindowSegments = field(
        default_factory=lambda: WindowSegments(lambda: FileSpool(Backlog(1 << 30)))
    )
    waiting: list[Segment] = field(default_factory=list)
    seen: dict[int, int] = field(default_factory=dict)


class Protocol(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.end = 0
        self.committed_events: int | None = None
        self.events: list[int] = []
        self.ledger: dict[int, int] = {}
        self.rows: list[int] = []
        self.generation = 0
        self.processes = [Process() for _ in range(PROCESSES)]
        self.owner = 0
        self._assign(0, rows_known=True)

    def _process(self, who: int) -> Process:
        return self.processes[self._index(who)]

    def _index(self, who: int) -> int:
        return (self.owner + who) % PROCESSES

    def _assign(self, index: int, *, rows_known: bool) -> None:
        self.generation += 1
        self.owner = index
        process = self.processes[index]
        start = decide_start(
            partition=0,
            topic_id=None,
            events=progress(self.committed_events),
            rows=progress(self.ledger.get(0)) if rows_known else None,
            rows_known=rows_known,
            ledger_empty=not self.ledger,
            oldest=0,
            end=self.end,
            policy=StartPolicy.EARLIEST,
        )
        assert isinstance(start, Start | Wait)
        process.generation = self.generation
        process.open_events, process.open_until = [], None
        if isinstance(start, Wait):
            process.waits = True
            return
        self._begin(process, start)

    def _begin(self, process: Process, start: Start) -> None:
        process.waits = False
        if self.committed_events is None:
            self.committed_events = start.events_from
        process.assignment += 1
        process.position = start.offset
        process.events_done = start.events_from
        process.rows_from = start.rows_from

    @rule(count=st.integers(1, 5))
    def produce(self, count: int) -> None:
        self.end += count

    @rule(who=WHO, count=st.integers(1, 6))
    def poll(self, who: int, count: int) -> None:
        process = self._process(who)
        if process.generation < 0 or process.waits or process.position >= self.end:
            return
        first, next = process.position, min(self.end, process.position + count)
        process.position = next
        done = process.open_until if process.open_until is not None else process.events_done
        decision = decide_events(
            held=process.assignment, done=done, assignment=process.assignment, first=first, next=next
        )
        if isinstance(decision, Produce):
            process.open_events += range(decision.at, next)
            process.open_until = next
        if process.rows_from is not None and next > process.rows_from:
            begin = max(first, process.rows_from)
            process.window.add(RowBatch(0, begin, next, tuple(line(o) for o in range(begin, next))))

    @rule(
        who=WHO,
        outcome=st.sampled_from(["answered", "lost before", "lost after"]),
    )
    def commit_events(self, who: int, outcome: str) -> None:
        process = self._process(who)
        if process.open_until is None:
            return
        if process.generation != self.generation:
            # The broker refuses a stale generation: the zombie aborts and drops what it held.
            process.generation = -1
        elif outcome != "lost before":
            self.events += process.open_events
            self.committed_events = process.open_until
        if outcome == "answered":
            process.events_done = process.open_until
        elif process.generation == self.generation:
            self._rewind(process)
        process.open_events, process.open_until = [], None

    @rule(count=st.integers(1, 6), outcome=st.sampled_from(["answered", "lost before", "lost after"]))
    def poll_and_commit_events(self, count: int, outcome: str) -> None:
        """What the owner does all day: alone, the two seldom meet twice in a row."""
        self.poll(0, count)
        self.commit_events(0, outcome)

    @rule(who=WHO)
    def rewind(self, who: int) -> None:
        """The broker demanded an abort: back to E under a new assignment number."""
        process = self._process(who)
        if process.generation != self.generation or process.waits:
            return
        process.open_events, process.open_until = [], None
        self._rewind(process)

    def _rewind(self, process: Process) -> None:
        start = decide_rewind(
            held=Progress(process.position, None),
            remembered=process.events_done,
            found=progress(self.committed_events),
            topic_id=None,
            rows_from=process.rows_from,
        )
        assert isinstance(start, Start)
        process.assignment += 1
        process.position = start.offset
        process.events_done = start.events_from

    @rule(who=WHO)
    def close_window(self, who: int) -> None:
        process = self._process(who)
        process.waiting += process.window.segments
        process.window = WindowSegments(lambda: FileSpool(Backlog(1 << 30)))

    @rule(
        who=WHO,
        outcome=st.sampled_from(["answered", "lost before", "lost after"]),
    )
    def commit_rows(self, who: int, outcome: str) -> None:
        process = self._process(who)
        if not process.waiting:
            return
        decision = decide_commit(tails(self.ledger), process.seen, process.waiting)
        assert isinstance(decision, Commit | AlreadyCommitted)
        if isinstance(decision, Commit) and outcome != "lost before":
            for take in decision.takes:
                self.rows += [o for o in map(offset_of, take.segment.spool.lines()) if o >= take.at]
            for entry in decision.entries:
                assert self.ledger.get(entry.partition) == entry.expected
                self.ledger[entry.partition] = entry.next
        if outcome == "answered":
            process.waiting = []
            process.seen = dict(self.ledger)

    @rule(who=WHO, rows_known=st.booleans())
    def rebalance(self, who: int, rows_known: bool) -> None:
        self._assign(self._index(who), rows_known=rows_known)

    @rule()
    def the_warehouse_answers_at_last(self) -> None:
        process = self.processes[self.owner]
        if not (process.waits or process.rows_from is None) or process.generation != self.generation:
            return
        start = decide_start(
            partition=0,
            topic_id=None,
            events=progress(self.committed_events),
            rows=progress(self.ledger.get(0)),
            rows_known=True,
            ledger_empty=not self.ledger,
            oldest=0,
            end=self.end,
            policy=StartPolicy.EARLIEST,
        )
        assert isinstance(start, Start)
        if process.waits:
            self._begin(process, start)
            return
        process.assignment += 1
        process.open_events, process.open_until = [], None
        process.rows_from = start.rows_from
        process.position = min(start.offset, process.position)

    @rule(who=WHO)
    def crash(self, who: int) -> None:
        self.processes[self._index(who)] = Process()
        if self._index(who) == self.owner:
            self._assign(self.owner, rows_known=True)

    @rule()
    @precondition(lambda self: self.committed_events is not None and self.ledger)
    def group_offsets_expire_when_all_is_done(self) -> None:
        if self.committed_events == self.ledger[0] == self.end:
            self.committed_events = None

    @invariant()
    def nothing_is_counted_twice(self) -> None:
        assert len(set(self.rows)) == len(self.rows)
        assert len(set(self.events)) == len(self.events)

    @invariant()
    def nothing_below_progress_is_missing(self) -> None:
        assert self.rows == list(range(self.ledger.get(0, 0)))
        if self.committed_events is not None:
            assert sorted(self.events) == list(range(self.committed_events))

    def teardown(self) -> None:
        """Whatever happened, one more life drains everything."""
        self._assign(self.owner, rows_known=True)
        while self.processes[self.owner].position < self.end:
            self.poll(0, 1000)
        self.commit_events(0, "answered")
        self.close_window(0)
        self.commit_rows(0, "answered")
        assert self.rows == list(range(self.end))
        assert sorted(self.events) == list(range(self.end))


Protocol.TestCase.settings = settings(max_examples=400, stateful_step_count=50, deadline=None)
TestProtocol = Protocol.TestCase
