"""The protocol's decisions, one sentence each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.items import Segment
from connectors.progress import (
    AcceptedLoss,
    Assumed,
    BeyondEnd,
    Hole,
    LedgerTail,
    Progress,
    RetentionLoss,
    Start,
    StartPolicy,
    TopicReplaced,
    Wait,
    decide_rewind,
    decide_start,
    find_hole,
)
from connectors.spans import (
    NOTHING_ACCEPTED,
    Accepted,
    AlreadyCommitted,
    Commit,
    Covered,
    EventGap,
    Extends,
    ForeignGroup,
    Gap,
    Opens,
    Produce,
    Regressed,
    RowsReplaced,
    Stale,
    UnknownPipeline,
    decide_commit,
    decide_events,
    decide_owner,
    place,
)
from connectors.spool import Backlog, FileSpool

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
THIS, OTHER = "this incarnation", "another incarnation"


def start(
    events: int | None,
    rows: int | None,
    *,
    rows_known: bool = True,
    ledger_empty: bool = True,
    events_in: str | None = THIS,
    rows_in: str | None = THIS,
    topic_id: str | None = THIS,
    oldest: int = 0,
    end: int = 1000,
    policy: StartPolicy = StartPolicy.EARLIEST,
    accepted: tuple[AcceptedLoss, ...] = (),
) -> Start | Wait | RetentionLoss | BeyondEnd | TopicReplaced:
    return decide_start(
        partition=2,
        topic_id=topic_id,
        events=None if events is None else Progress(events, events_in),
        rows=None if rows is None else Progress(rows, rows_in),
        rows_known=rows_known,
        ledger_empty=ledger_empty,
        oldest=oldest,
        end=end,
        policy=policy,
        accepted=accepted,
    )


def tail(position: int, topic_id: str | None = None, group: str = "g", hours: int = 0) -> LedgerTail:
    return LedgerTail(Progress(position, topic_id), group, NOW + timedelta(hours=hours))


def ledger(**positions: int) -> dict[int, LedgerTail]:
    """`ledger(p0=10)`: partition 0 stands at 10."""
    return {int(name[1:]): tail(position) for name, position in positions.items()}


def segment(first: int, next: int, partition: int = 0, topic_id: str | None = None) -> Segment:
    return Segment(partition, first, next, next - first, FileSpool(Backlog(1)), topic_id=topic_id)


def test_a_partition_starts_at_the_lower_progress_and_each_branch_keeps_its_own() -> None:
    assert start(500, 300) == Start(300, 500, 300)
    assert start(300, 500) == Start(300, 300, 500)


def test_expired_group_offsets_count_as_the_ledgers_position() -> None:
    assert start(None, 300) == Start(300, 300, 300, assumed=Assumed.EVENTS_DONE_TO_ROWS)


def test_a_new_table_gets_everything_that_the_topic_still_holds() -> None:
    assert start(500, None, oldest=40) == Start(40, 500, 40, assumed=Assumed.ROWS_FROM_OLDEST)


def test_without_any_progress_the_policy_decides() -> None:
    assert start(None, None, oldest=40) == Start(40, 40, 40, assumed=Assumed.FROM_OLDEST)
    latest = start(None, None, policy=StartPolicy.LATEST)
    assert latest == Start(1000, 1000, 1000, assumed=Assumed.FROM_END)


def test_a_partition_added_to_a_running_pipeline_is_read_whole_whatever_the_policy() -> None:
    added = start(None, None, ledger_empty=False, policy=StartPolicy.LATEST)
    assert added == Start(0, 0, 0, assumed=Assumed.FROM_OLDEST)


def test_while_the_warehouse_is_silent_the_side_branch_starts_alone() -> None:
    assert start(500, None, rows_known=False) == Start(500, 500, None, assumed=Assumed.ROWS_UNKNOWN)


def test_while_neither_progress_can_be_told_nothing_is_read() -> None:
    assert start(None, None, rows_known=False) == Wait()


def test_a_position_behind_retention_is_data_loss() -> None:
    assert start(500, 100, oldest=140) == RetentionLoss(100, 140)


def test_only_exactly_the_accepted_loss_is_passed_over() -> None:
    assert start(500, 100, oldest=140, accepted=(AcceptedLoss(2, 100, 140),)) == Start(100, 500, 100, lost=40)
    assert start(500, 100, oldest=141, accepted=(AcceptedLoss(2, 100, 140),)) == RetentionLoss(100, 141)
    assert start(500, 100, oldest=140, accepted=(AcceptedLoss(1, 100, 140),)) == RetentionLoss(100, 140)
    assert start(500, 100, oldest=140, accepted=(AcceptedLoss(2, 101, 140),)) == RetentionLoss(100, 140)


def test_a_wider_loss_may_be_accepted_and_only_what_is_lost_is_recorded() -> None:
    assert start(500, 100, oldest=140, accepted=(AcceptedLoss(2, 90, 400),)) == Start(100, 500, 100, lost=40)


@pytest.mark.parametrize(("events", "rows"), [(1001, 5), (5, 1001), (1001, None)])
def test_progress_beyond_the_end_is_a_topic_created_anew(events: int, rows: int | None) -> None:
    assert start(events, rows) == BeyondEnd(1001, 1000)


@pytest.mark.parametrize("recorded", [{"events_in": OTHER}, {"rows_in": OTHER}])
def test_progress_made_in_another_incarnation_of_the_topic_is_refused(recorded: dict[str, str]) -> None:
    assert start(
        500, 300, events_in=recorded.get("events_in", THIS), rows_in=recorded.get("rows_in", THIS)
    ) == (TopicReplaced(OTHER, THIS))


def test_an_incarnation_that_nobody_recorded_or_told_is_not_judged() -> None:
    assert start(500, 300, events_in=None, rows_in=None) == Start(300, 500, 300)
    assert start(500, 300, topic_id=None) == Start(300, 500, 300)


def test_a_loss_tells_the_operator_the_offsets_and_the_setting() -> None:
    text = RetentionLoss(100, 140).told_of("topic", 2)
    assert "offsets 100 to 139" in text
    assert "ACCEPT_LOSS=2:100-140" in text


def rewind(position: int, remembered: int, found: int | None, held_in: str = THIS) -> Start | TopicReplaced:
    return decide_rewind(
        held=Progress(position, held_in),
        remembered=remembered,
        found=None if found is None else Progress(found, THIS),
        topic_id=THIS,
        rows_from=70,
    )


def test_after_an_abort_the_side_branch_goes_back_to_e_and_the_rows_stay() -> None:
    assert rewind(120, 100, 100) == Start(100, 100, 70)


def test_after_a_commit_of_unknown_end_what_the_broker_tells_counts_not_what_we_remember() -> None:
    assert rewind(120, 100, 120) == Start(120, 120, 70)


def test_without_an_e_to_find_what_we_remember_has_to_do() -> None:
    assert rewind(120, 100, None) == Start(100, 100, 70)


def test_nothing_is_rewound_into_another_incarnation_of_the_topic() -> None:
    assert rewind(120, 100, None, held_in=OTHER) == TopicReplaced(OTHER, THIS)


def test_offsets_without_a_hole_are_believed() -> None:
    assert find_hole(10, [10, 11, 12], known=None) is None
    assert find_hole(10, [], known=None) is None


def test_the_marker_of_a_transaction_s_end_is_no_hole() -> None:
    assert find_hole(10, [11, 12, 14], known=None) is None


def test_a_hole_is_found_wherever_it_is() -> None:
    assert find_hole(10, [12, 13], known=None) == Hole(10, 12, 0)
    assert find_hole(10, [10, 11, 20, 30], known=None) == Hole(12, 20, 2)


def test_a_hole_that_was_read_twice_is_believed_and_the_next_is_not() -> None:
    assert find_hole(10, [20, 21], known=10) is None
    assert find_hole(10, [20, 21, 30], known=10) == Hole(22, 30, 2)


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
    assert decide_commit(ledger(p0=10), {}, [segment(11, 20)]) == Gap(0, 10, 11)


def test_a_gap_between_two_waiting_segments_is_a_gap() -> None:
    assert decide_commit(ledger(p0=10), {}, [segment(10, 20), segment(25, 30)]) == Gap(0, 20, 25)


def test_a_segment_wholly_below_the_ledger_is_already_committed() -> None:
    assert decide_commit(ledger(p0=20), {}, [segment(10, 20)]) == AlreadyCommitted()
    committed, waiting = segment(10, 20), segment(20, 30)
    decision = decide_commit(ledger(p0=25), {}, [committed, waiting])
    assert isinstance(decision, Commit)
    assert [(take.segment, take.at) for take in decision.takes] == [(waiting, 25)]


def test_overlap_with_the_ledger_is_trimmed() -> None:
    waiting = segment(10, 20)
    decision = decide_commit(ledger(p0=15), {}, [waiting])
    assert isinstance(decision, Commit)
    assert [(take.segment, take.at) for take in decision.takes] == [(waiting, 15)]
    assert [(e.expected, e.first, e.next) for e in decision.entries] == [(15, 15, 20)]


def test_waiting_segments_of_a_partition_become_one_entry_in_offset_order() -> None:
    early, late = segment(0, 10), segment(8, 30)
    decision = decide_commit({}, {}, [late, early])
    assert isinstance(decision, Commit)
    assert [(take.segment, take.at) for take in decision.takes] == [(early, 0), (late, 10)]
    assert [(e.expected, e.first, e.next) for e in decision.entries] == [(None, 0, 30)]


@pytest.mark.parametrize("position", [None, 9])
def test_a_ledger_lower_than_seen_before_is_a_broken_promise(position: int | None) -> None:
    lower = {} if position is None else ledger(p0=position)
    assert decide_commit(lower, {0: 10}, [segment(10, 20)]) == Regressed(0, 10, position)


def test_rows_of_another_incarnation_than_the_ledger_s_are_never_committed() -> None:
    replaced = TopicReplaced(OTHER, THIS)
    waiting = [segment(10, 20, topic_id=THIS)]
    assert decide_commit({0: tail(10, OTHER)}, {}, waiting) == RowsReplaced(0, replaced)
    assert isinstance(decide_commit({0: tail(10, THIS)}, {}, waiting), Commit)
    assert isinstance(decide_commit({0: tail(10, None)}, {}, waiting), Commit)


def test_two_incarnations_never_wait_for_one_commit() -> None:
    waiting = [segment(0, 10, topic_id=OTHER), segment(10, 20, topic_id=THIS)]
    assert decide_commit({}, {}, waiting) == RowsReplaced(0, TopicReplaced(OTHER, THIS))


def test_an_entry_records_the_incarnation_in_which_it_counts() -> None:
    decision = decide_commit(ledger(p0=5), {}, [segment(5, 9, topic_id=THIS)])
    assert isinstance(decision, Commit)
    assert [entry.topic_id for entry in decision.entries] == [THIS]


def owner(
    entries: dict[int, LedgerTail],
    group: str,
    others: tuple[str, ...] = (),
    accepted: Accepted = NOTHING_ACCEPTED,
) -> ForeignGroup | UnknownPipeline | None:
    return decide_owner(entries, others, pipeline="messages", group=group, accepted=accepted)


def test_a_ledger_whose_newest_entry_is_another_group_s_has_another_owner() -> None:
    entries = {0: tail(10, group="mine"), 1: tail(10, group="theirs", hours=1)}
    assert owner(entries, "mine") == ForeignGroup("theirs")
    assert owner(entries, "mine", accepted=Accepted(group="theirs")) is None
    assert owner(entries, "theirs") is None
    assert owner({}, "mine") is None


def test_a_pipeline_that_the_ledger_does_not_know_beside_one_that_it_knows_may_be_misspelt() -> None:
    assert owner({}, "mine", others=("massages",)) == UnknownPipeline(("massages",))
    assert owner({}, "mine", others=("massages",), accepted=Accepted(pipeline="messages")) is None
    assert owner({0: tail(10, group="mine")}, "mine", others=("massages",)) is None


def test_a_stranger_is_told_with_both_ways_out() -> None:
    text = ForeignGroup("theirs").told_of("messages", "mine")
    assert "another PIPELINE" in text
    assert "ACCEPT_GROUP=theirs" in text


def test_partitions_do_not_disturb_each_other() -> None:
    decision = decide_commit(ledger(p0=20, p1=5), {}, [segment(10, 20, 0), segment(5, 8, 1)])
    assert isinstance(decision, Commit)
    assert [(e.partition, e.first, e.next) for e in decision.entries] == [(1, 5, 8)]
