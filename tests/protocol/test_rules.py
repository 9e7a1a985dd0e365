"""The protocol's decisions, one sentence each."""

from __future__ import annotations

import pytest

from connectors.items import Segment
from connectors.progress import (
    AcceptedLoss,
    AlreadyCommitted,
    BeyondEnd,
    Commit,
    Covered,
    EventGap,
    Extends,
    Gap,
    Opens,
    Produce,
    Regressed,
    RetentionLoss,
    Stale,
    Start,
    StartPolicy,
    Wait,
    decide_commit,
    decide_events,
    decide_start,
    place,
)
from connectors.staging import Backlog, FileSpool


def start(
    events: int | None,
    rows: int | None,
    *,
    rows_known: bool = True,
    oldest: int = 0,
    end: int = 1000,
    policy: StartPolicy = StartPolicy.EARLIEST,
    accepted: tuple[AcceptedLoss, ...] = (),
) -> Start | Wait | RetentionLoss | BeyondEnd:
    return decide_start(
        partition=2,
        events=events,
        rows=rows,
        rows_known=rows_known,
        oldest=oldest,
        end=end,
        policy=policy,
        accepted=accepted,
    )


def segment(first: int, next: int, partition: int = 0) -> Segment:
    return Segment(partition, first, next, next - first, FileSpool(Backlog(1)))


def test_a_partition_starts_at_the_lower_progress_and_each_branch_keeps_its_own() -> None:
    assert start(500, 300) == Start(300, 500, 300)
    assert start(300, 500) == Start(300, 300, 500)


def test_expired_group_offsets_count_as_the_ledgers_position() -> None:
    assert start(None, 300) == Start(300, 300, 300)


def test_a_new_table_gets_everything_that_the_topic_still_holds() -> None:
    assert start(500, None, oldest=40) == Start(40, 500, 40)


def test_without_any_progress_the_policy_decides() -> None:
    assert start(None, None, oldest=40) == Start(40, 40, 40)
    assert start(None, None, policy=StartPolicy.LATEST) == Start(1000, 1000, 1000)


def test_while_the_warehouse_is_silent_the_side_branch_starts_alone() -> None:
    assert start(500, None, rows_known=False) == Start(500, 500, None)


def test_while_neither_progress_can_be_told_nothing_is_read() -> None:
    assert start(None, None, rows_known=False) == Wait()


def test_a_position_behind_retention_is_data_loss() -> None:
    assert start(500, 100, oldest=140) == RetentionLoss(100, 140)


def test_only_exactly_the_accepted_loss_is_passed_over() -> None:
    assert start(500, 100, oldest=140, accepted=(AcceptedLoss(2, 100, 140),)) == Start(100, 500, 100, lost=40)
    assert start(500, 100, oldest=141, accepted=(AcceptedLoss(2, 100, 140),)) == RetentionLoss(100, 141)
    assert start(500, 100, oldest=140, accepted=(AcceptedLoss(1, 100, 140),)) == RetentionLoss(100, 140)


@pytest.mark.parametrize(("events", "rows"), [(1001, 5), (5, 1001), (1001, None)])
def test_progress_beyond_the_end_is_a_topic_created_anew(events: int, rows: int | None) -> None:
    assert start(events, rows) == BeyondEnd(1001, 1000)


def test_a_loss_tells_the_operator_the_offsets_and_the_setting() -> None:
    text = RetentionLoss(100, 140).told_of("topic", 2)
    assert "offsets 100 to 139" in text
    assert "ACCEPT_LOSS=2:100-140" in text


def test_a_span_that_continues_the_tail_extends_it() -> None:
    assert place(10, 10, 20) == Extends(10)


def test_a_span_that_overlaps_the_tail_is_trimmed_to_it() -> None:
    assert place(10, 5, 20) == Extends(10)


def test_a_span_within_the_tail_is_covered() -> None:
    assert place(10, 5, 10) == Covered()


def test_a_span_beyond_the_tail_opens_a_segment() -> None:
    assert place(10, 11, 20) == Opens(11)
    assert place(None, 11, 20) == Opens(11)


def test_an_empty_span_needs_nothing() -> None:
    assert place(None, 11, 11) == Covered()


def test_events_below_progress_are_not_produced_again() -> None:
    assert decide_events(held=7, done=15, assignment=7, first=10, next=20) == Produce(15)
    assert decide_events(held=7, done=20, assignment=7, first=10, next=20) == Covered()


def test_a_batch_of_an_ended_assignment_is_stale() -> None:
    assert decide_events(held=8, done=10, assignment=7, first=10, next=20) == Stale()
    assert decide_events(held=None, done=10, assignment=7, first=10, next=20) == Stale()


def test_a_hole_before_a_batch_is_never_committed_over() -> None:
    assert decide_events(held=7, done=9, assignment=7, first=10, next=20) == EventGap(9, 10)


def test_a_segment_beyond_the_ledger_is_a_gap() -> None:
    assert decide_commit({0: 10}, {}, [segment(11, 20)]) == Gap(0, 10, 11)


def test_a_gap_between_two_waiting_segments_is_a_gap() -> None:
    assert decide_commit({0: 10}, {}, [segment(10, 20), segment(25, 30)]) == Gap(0, 20, 25)


def test_a_segment_wholly_below_the_ledger_is_already_committed() -> None:
    assert decide_commit({0: 20}, {}, [segment(10, 20)]) == AlreadyCommitted()


def test_overlap_with_the_ledger_is_trimmed() -> None:
    waiting = segment(10, 20)
    decision = decide_commit({0: 15}, {}, [waiting])
    assert isinstance(decision, Commit)
    assert [(take.segment, take.at) for take in decision.takes] == [(waiting, 15)]
    assert [(e.expected, e.first, e.next) for e in decision.entries] == [(15, 15, 20)]


def test_waiting_segments_of_a_partition_become_one_entry_in_offset_order() -> None:
    early, late = segment(0, 10), segment(8, 30)
    decision = decide_commit({}, {}, [late, early])
    assert isinstance(decision, Commit)
    assert [(take.segment, take.at) for take in decision.takes] == [(early, 0), (late, 10)]
    assert [(e.expected, e.first, e.next) for e in decision.entries] == [(None, 0, 30)]


@pytest.mark.parametrize("ledger", [{}, {0: 9}])
def test_a_ledger_lower_than_seen_before_is_a_broken_promise(ledger: dict[int, int]) -> None:
    assert decide_commit(ledger, {0: 10}, [segment(10, 20)]) == Regressed(0, 10, ledger.get(0))


def test_partitions_do_not_disturb_each_other() -> None:
    decision = decide_commit({0: 20, 1: 5}, {}, [segment(10, 20, 0), segment(5, 8, 1)])
    assert isinstance(decision, Commit)
    assert [(e.partition, e.first, e.next) for e in decision.entries] == [(1, 5, 8)]
