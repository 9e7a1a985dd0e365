"""What goes into one commit when not everything that waits can."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from connectors.items import ClosedWindow, Segment, Table
from connectors.portions import LEAST, MOST, after_failure, after_success, portion
from connectors.redshift import Drained
from connectors.redshift_access import Reason, WarehouseUnavailable
from connectors.spans import Take
from connectors.spool import Backlog, FileSpool
from connectors.staging import Cursor, InsertStaging
from tests.redshift.warehouse import Heard, committer_to, ledger, run_of, stored, window, with_tables
from tests.standins.redshift_client import RedshiftServer


def segment_of(size: int, number: int) -> Segment:
    spool = FileSpool(Backlog(1 << 30))
    spool.append([b"x" * (size - 1)])
    return Segment(0, number, number + 1, 1, spool)


@st.composite
def waiting(draw: st.DrawFn) -> list[ClosedWindow]:
    sizes = draw(st.lists(st.lists(st.integers(1, 50), min_size=1, max_size=4), max_size=5))
    numbers = iter(range(100))
    return [window(*(segment_of(size, next(numbers)) for size in each)) for each in sizes]


def segments_of(windows: Sequence[ClosedWindow]) -> list[Segment]:
    return [segment for each in windows for segment in each.segments]


@given(waiting(), st.integers(1, 200))
def test_a_portion_is_the_beginning_of_what_waits_and_the_rest_follows(
    windows: list[ClosedWindow], budget: int
) -> None:
    chosen = portion(windows, budget)
    assert segments_of(chosen.now) + segments_of(chosen.later) == segments_of(windows)
    assert bool(chosen.now) == bool(windows)
    assert chosen.size <= budget or len(segments_of(chosen.now)) == 1
    if chosen.later:
        assert chosen.size + chosen.later[0].segments[0].spool.size > budget
    assert all(each.segments for each in (*chosen.now, *chosen.later))


def test_a_budget_halves_with_each_failure_and_doubles_with_each_success_within_bounds() -> None:
    assert after_failure(64 << 20) == 32 << 20
    assert after_failure(10) == LEAST
    assert after_success(LEAST) == 2 * LEAST
    assert after_success(MOST) == MOST


class Impatient(InsertStaging):
    """A warehouse that is never there for long enough for more than two segments."""

    def __init__(self) -> None:
        self.takes: list[int] = []

    def stage(self, cursor: Cursor, takes: Sequence[Take], table: Table) -> int:
        self.takes.append(len(takes))
        if len(takes) > 2:
            raise WarehouseUnavailable(Reason.TIMEOUT, "gone again")
        return super().stage(cursor, takes, table)


def test_what_is_too_much_for_one_commit_is_committed_in_portions(redshift_database: RedshiftServer) -> None:
    staging, heard = Impatient(), Heard()
    rows = 7000
    committer = committer_to(with_tables(redshift_database), heard, staging=staging)
    committer.submit([window(*(run_of(at * rows, (at + 1) * rows) for at in range(8)))])
    committer.start()
    assert committer.drain(60) == Drained()
    committer.stop()
    assert committer.join(20)
    assert staging.takes[:2] == [8, 4]
    assert sum(takes for takes in staging.takes if takes <= 2) == 8
    assert sum(heard.commits) == len(stored(redshift_database)) == 8 * rows
    entries = ledger(redshift_database)
    assert [first for _, first, _, _ in entries] == [0, *(next for _, _, next, _ in entries[:-1])]
