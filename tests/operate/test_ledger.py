"""What the ledger's entries say as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.ledger import (
    ByCommit,
    ByOffsets,
    Entry,
    Fault,
    Gone,
    NeverCommitted,
    NoSuchCommit,
    Rerun,
    RerunAlready,
    advances,
    decide_rerun,
    faults,
    reading_turns,
    standing,
)
from connectors.progress import TopicReplaced

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALL = dict.fromkeys(range(4), (0, 10000))


def entry(name: str, first: int, next: int, partition: int = 0, hour: int | None = None) -> Entry:
    """Committed at the hour that its name's place in the alphabet tells, unless another is given."""
    opens = NOON + timedelta(hours=ord(name[0]) - ord("a") if hour is None else hour)
    closes = opens + timedelta(hours=1)
    return Entry(name, partition, "t", first, next, next - first, 0, opens, closes, closes)


THREE = (entry("a", 0, 10), entry("b", 10, 20), entry("c", 20, 30))


def ids(entries: Sequence[Entry]) -> list[str]:
    return [each.process_id for each in entries]


def test_commits_that_follow_one_another_are_all_in_force_and_without_gaps() -> None:
    assert ids(standing(THREE).in_force) == ["a", "b", "c"]
    assert not faults(standing(THREE).in_force)


def test_a_commit_is_in_force_until_a_later_one_covers_all_of_it() -> None:
    now = standing((*THREE, entry("r", 0, 20)))
    assert ids(now.in_force) == ["r", "c"]
    assert now.rerun_as == {"a": "r", "b": "r"}


def test_a_rerun_may_be_rerun() -> None:
    now = standing((*THREE, entry("r", 10, 20), entry("s", 10, 20)))
    assert ids(now.in_force) == ["a", "s", "c"]
    assert now.rerun_as == {"b": "s", "r": "s"}


def test_offsets_that_nobody_or_two_have_committed_are_told() -> None:
    assert faults((entry("a", 0, 10), entry("c", 20, 30))) == (Fault(0, 10, 20, 0),)
    assert faults((entry("a", 0, 10), entry("b", 5, 30))) == (Fault(0, 5, 10, 2),)


def test_only_entries_that_took_the_position_further_are_the_pipelines_own() -> None:
    assert ids(advances((*THREE, entry("r", 0, 20)))) == ["a", "b", "c"]


def test_neighbours_are_read_as_one_span_and_islands_one_a_turn() -> None:
    taken = (entry("a", 0, 10), entry("b", 10, 20), entry("d", 40, 50), entry("a", 0, 5, partition=1))
    assert list(reading_turns(taken)) == [{0: (0, 20), 1: (0, 5)}, {0: (40, 50)}]


def test_a_rerun_takes_all_of_a_commit_in_every_partition() -> None:
    entries = (*THREE, entry("b", 7, 9, partition=1))
    decision = decide_rerun(entries, ByOffsets(0, 12, 13), ALL, "t")
    assert isinstance(decision, Rerun)
    assert decision.commits == ("b",)
    assert [(span.partition, span.first, span.next) for span in decision.spans] == [(0, 10, 20), (1, 7, 9)]


def test_a_rerun_of_offsets_takes_every_commit_that_covers_any_of_them() -> None:
    decision = decide_rerun(THREE, ByOffsets(0, 9, 21), ALL, "t")
    assert isinstance(decision, Rerun)
    assert decision.commits == ("a", "b", "c")


def test_commits_between_two_that_are_taken_are_taken_too() -> None:
    entries = (
        entry("a", 0, 10),
        entry("c", 10, 20),
        entry("a", 0, 5, partition=1),
        entry("b", 5, 8, partition=1),
        entry("c", 8, 9, partition=1),
    )
    decision = decide_rerun(entries, ByOffsets(0, 5, 15), ALL, "t")
    assert isinstance(decision, Rerun)
    assert decision.commits == ("a", "b", "c")


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        (ByCommit("z"), NoSuchCommit()),
        (ByCommit("a"), RerunAlready("s")),
        (ByOffsets(0, 25, 35), NeverCommitted(0, 30, 35)),
        (ByOffsets(3, 0, 1), NeverCommitted(3, 0, 1)),
    ],
)
def test_what_can_t_be_rerun_is_named(wanted: ByCommit | ByOffsets, refusal: object) -> None:
    entries = (*THREE, entry("r", 0, 10), entry("s", 0, 10))
    assert decide_rerun(entries, wanted, ALL, "t") == refusal


def test_offsets_that_retention_has_taken_are_named() -> None:
    assert decide_rerun(THREE, ByOffsets(0, 5, 15), {0: (4, 30)}, "t") == Gone(((0, 0, 4),))


def test_offsets_of_another_incarnation_of_the_topic_are_refused() -> None:
    assert isinstance(decide_rerun(THREE, ByCommit("a"), ALL, "u"), TopicReplaced)


@given(
    cuts=st.lists(st.integers(1, 9), min_size=1, max_size=8),
    reruns=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=4),
)
def test_reruns_of_whole_commits_leave_neither_gap_nor_overlap(
    cuts: list[int], reruns: list[tuple[int, int]]
) -> None:
    entries: list[Entry] = []
    at = 0
    for number, length in enumerate(cuts):
        entries.append(entry(f"own-{number}", at, at + length, hour=number))
        at += length
    for number, (first, length) in enumerate(reruns):
        wanted = ByOffsets(0, first % at, min(at, first % at + length))
        decision = decide_rerun(entries, wanted, {0: (0, at)}, "t")
        assert isinstance(decision, Rerun)
        (span,) = decision.spans
        entries.append(entry(f"rerun-{number}", span.first, span.next, hour=100 + number))
        now = standing(entries)
        assert not faults(now.in_force)
        assert set(decision.commits) <= set(now.rerun_as)
    assert [each.next for each in advances(entries)] == [sum(cuts[: n + 1]) for n in range(len(cuts))]
