"""The one thread that talks to the warehouse.

Delivery guarantee: exactly once, see `connectors.redshift_commit`.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Condition, Thread
from typing import Protocol

from connectors.backoff import Backoff
from connectors.items import ClosedWindow
from connectors.portions import MOST, after_failure, after_success, portion
from connectors.progress import LedgerTail
from connectors.redshift_access import RedshiftAccess, WarehouseTrouble, connect
from connectors.redshift_commit import (
    Committed,
    Destination,
    Laps,
    NothingNew,
    commit_once,
    positions_of,
    read_own_ledger,
)
from connectors.redshift_ddl import refuse_lacking
from connectors.staging import Staging
from connectors.warehouse_trouble import tell

log = logging.getLogger(__name__)


class CommitObserver(Protocol):
    """Who hears of what the committer does; called on its thread."""

    def committed(
        self, rows: int, positions: Mapping[int, int], phases: Mapping[str, float], at: float
    ) -> None:
        """The warehouse has confirmed a commit at Unix time `at`; the seconds that each of its steps took."""
        ...

    def ledger_read(self, positions: Mapping[int, int], at: float) -> None:
        """Progress W was read at Unix time `at`."""
        ...

    def retried(self, system: str, reason: str) -> None:
        """`redshift` did not do it, for one of `Reason`'s values; there will be another try."""
        ...


@dataclass(frozen=True, slots=True)
class Drained:
    """Everything submitted is in the warehouse."""


@dataclass(frozen=True, slots=True)
class StillWaiting:
    """What is left when the deadline came: the next owner of the partitions reads it again."""

    segments: int


@dataclass(frozen=True, slots=True)
class _Question:
    """Who asks for progress W, and which partitions are about to be read from there."""

    answer: Future[Mapping[int, LedgerTail]]
    partitions: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A window that is not committed yet, and when it was submitted, in monotonic seconds."""

    window: ClosedWindow
    since: float


class Committer:
    """The one thread that talks to the warehouse: reads the ledger, commits what waits, as one if it can.

    What does not succeed is tried again until it does, with waits that grow; refusals too (a missing table,
    a permission), because they lose nothing and end when someone mends them. A broken promise stops the
    thread for good and is told by `failure`.
    """

    def __init__(
        self,
        access: RedshiftAccess,
        destination: Destination,
        staging: Staging,
        *,
        clock: Callable[[], datetime],
        backoff: Backoff,
        observer: CommitObserver,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        """`clock` tells the aware time that rows and ledger entries carry. Call `start` once."""
        self._access = access
        self._destination = destination
        self._staging = staging
        self._clock = clock
        self._backoff = backoff
        self._observer = observer
        self._new_id = new_id
        self._seen: dict[int, int] = {}
        self._changed = Condition()
        self._waiting: list[_Waiting] = []
        self._budget = MOST
        self._questions: list[_Question] = []
        self._judged = False
        """Whether the table was seen to have the contract's columns."""
        self._failure: BaseException | None = None
        self._stopping = False
        self._draining = False
        self._roused = False
        self._thread = Thread(target=self._run, name="committer", daemon=True)

    # -- for the main thread -----------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def submit(self, windows: Sequence[ClosedWindow]) -> None:
        """Windows to commit. Returns at once. Raises the failure that stopped the committer, if one did."""
        with self._changed:
            if self._failure is not None:
                raise self._failure
            now = time.monotonic()
            self._waiting += [_Waiting(window, now) for window in windows if window.segments]
            self._changed.notify_all()

    def waiting_seconds(self) -> float:
        """For how long the oldest window that waits has waited; 0 when none does."""
        with self._changed:
            return time.monotonic() - self._waiting[0].since if self._waiting else 0.0

    def read_ledger(self, partitions: Collection[int] = ()) -> Future[Mapping[int, LedgerTail]]:
        """Progress W: the newest entry of each partition, as soon as the warehouse can be asked.

        Of `partitions`, which are about to be read, rows that an earlier process staged are taken up: they
        wait here to be committed, and count in the answer as if they were.

        The future fails when a promise is broken, and is cancelled when the committer stops.
        """
        answer: Future[Mapping[int, LedgerTail]] = Future()
        with self._changed:
            if self._failure is not None:
                answer.set_exception(self._failure)
            elif self._stopping:
                answer.cancel()
            else:
                self._questions.append(_Question(answer, frozenset(partitions)))
                self._rouse()
        return answer

    def failure(self) -> BaseException | None:
        """What stopped the committer for good, if anything did: the process must end."""
        return self._failure

    def drain(self, deadline_seconds: float) -> Drained | StillWaiting:
        """Wait until everything submitted is committed, at most so long. A wait for another try ends now."""
        with self._changed:
            self._draining = True
            self._rouse()
            self._changed.wait_for(
                lambda: not self._waiting or self._failure is not None or self._stopping, deadline_seconds
            )
            left = sum(len(each.window.segments) for each in self._waiting)
        return StillWaiting(left) if left else Drained()

    def stop(self) -> None:
        """End the thread. A statement that runs is not waited for; what is not committed stays so."""
        with self._changed:
            self._stopping = True
            self._rouse()
            for question in self._questions:
                question.answer.cancel()
            self._questions.clear()

    def join(self, timeout: float) -> bool:
        """After `stop`: wait for the thread, at most so many seconds; whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as failure:  # noqa: BLE001 whatever ends this thread must end the process
            self._fail(failure)

    def _work(self) -> None:
        attempt = 0
        while self._has_work():
            try:
                self._answer_questions()
                self._commit_waiting()
                attempt = 0
            except WarehouseTrouble as trouble:
                attempt = 1 if self._draining else attempt + 1
                wait = self._backoff.wait(attempt)
                tell(trouble, attempt, wait, self._observer)
                self._rest(wait)

    def _has_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._questions or self._waiting)
            self._roused = False
            return not self._stopping

    def _rest(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._roused, seconds)

    def _rouse(self) -> None:
        self._roused = True
        self._changed.notify_all()

    def _answer_questions(self) -> None:
        with self._changed:
            asked = tuple(self._questions)
        if not asked:
            return
        with connect(self._access) as session:
            if not self._judged:
                refuse_lacking(
                    session,
                    self._access.database,
                    self._destination.table,
                    self._destination.contacts,
                )
                self._judged = True
            tails = read_own_ledger(session, self._destination)
            session.rollback()
        self._see(positions_of(tails))
        self._observer.ledger_read(positions_of(tails), self._clock().timestamp())
        extended = self._take_up(tails, frozenset[int]().union(*(question.partitions for question in asked)))
        with self._changed:
            del self._questions[: len(asked)]
            for question in asked:
                if question.answer.set_running_or_notify_cancel():
                    question.answer.set_result(extended)

    def _take_up(self, tails: Mapping[int, LedgerTail], partitions: Set[int]) -> Mapping[int, LedgerTail]:
        """Adopt what continues the ledger; the ledger as it will be when that is committed."""
        adopted = self._staging.adopt(
            {partition: tail.progress for partition, tail in tails.items() if partition in partitions}
        )
        now = self._clock()
        self.submit([ClosedWindow(now, now, (segment,)) for segment in adopted])
        reached = {segment.partition: segment.next for segment in adopted}
        return {
            partition: replace(
                tail, progress=replace(tail.progress, position=reached.get(partition, tail.progress.position))
            )
            for partition, tail in tails.items()
        }

    def _commit_waiting(self) -> None:
        with self._changed:
            waiting = tuple(self._waiting)
        if not waiting or self._stopping:
            return
        now = self._clock()
        laps = Laps()
        chosen = portion([each.window for each in waiting], self._budget)
        size, windows = chosen.size, chosen.now
        segments = [segment for window in windows for segment in window.segments]
        self._staging.prepare(segments)
        laps.done("prepare")
        with connect(self._access) as session:
            laps.done("connect")
            # A warehouse that cannot be reached says nothing about the portion's size.
            try:
                outcome = commit_once(
                    session, self._destination, windows, self._seen, self._staging, self._new_id(), now
                )
            except WarehouseTrouble:
                self._budget = after_failure(size)
                raise
        self._budget = after_success(self._budget)
        at = self._clock().timestamp()
        self._see(outcome.positions)
        match outcome:
            case Committed(commit_id, entries, rows, positions, phases):
                phases = {**laps.seconds, **phases}
                self._observer.committed(rows, positions, phases, at)
                spans = {entry.partition: [entry.first, entry.next] for entry in entries}
                log.info(
                    "rows_committed",
                    extra={
                        "commit_id": commit_id,
                        "rows": rows,
                        "spans": spans,
                        "seconds": round(sum(phases.values()), 3),
                    },
                )
            case NothingNew(positions):
                self._observer.ledger_read(positions, at)
                log.info("rows_already_committed", extra={"positions": dict(positions)})
        self._staging.confirmed(segments)
        for segment in segments:
            segment.spool.discard()
        with self._changed:
            rest = waiting[len(waiting) - len(chosen.later) :]
            self._waiting[: len(waiting)] = [
                _Waiting(window, each.since) for window, each in zip(chosen.later, rest, strict=True)
            ]
            self._changed.notify_all()

    def _see(self, positions: Mapping[int, int]) -> None:
        # Never lower: that the ledger went back is for `decide_commit` to find.
        for partition, position in positions.items():
            self._seen[partition] = max(position, self._seen.get(partition, 0))

    def _fail(self, failure: BaseException) -> None:
        log.error("commit_impossible", exc_info=failure)
        with self._changed:
            self._failure = failure
            for question in self._questions:
                if question.answer.set_running_or_notify_cancel():
                    question.answer.set_exception(failure)
            self._questions.clear()
            self._changed.notify_all()
