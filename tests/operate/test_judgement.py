"""What `verify` makes of its figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.items import Verdict
from dataflow.contract import load
from dataflow.verify import (
    CommitTimes,
    Reconciliation,
    Waiting,
    judge_by_commit,
    judge_commits,
    judge_freshness,
    judge_reconciliation,
    judge_volume,
    sla,
)

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTRACT = load()
SLA = sla(CONTRACT)
CLEAN = Reconciliation(1, 100, 2, 8, 90, 0, 0, 0, 0, 0, 0, 0, letters_complete=True)


def hourly(hours: int, messages: int) -> list[CommitTimes]:
    """Commits of the last hours, each ten seconds after its window closed."""
    opens = [NOW - (back + 1) * HOUR for back in range(hours)]
    return [
        CommitTimes(str(each), messages, each, each + HOUR, each + HOUR + timedelta(seconds=10))
        for each in opens
    ]


def test_nothing_that_waits_is_fresh() -> None:
    assert judge_freshness(CONTRACT, [], NOW).verdict is Verdict.RIGHT


@pytest.mark.parametrize(
    ("age", "verdict"), [(SLA, Verdict.RIGHT), (SLA + timedelta(seconds=1), Verdict.WRONG)]
)
def test_the_oldest_message_that_waits_decides_on_freshness(age: timedelta, verdict: Verdict) -> None:
    waiting = [Waiting(0, 5, NOW - timedelta(seconds=1)), Waiting(3, 7, NOW - age), Waiting(1, 1, None)]
    check = judge_freshness(CONTRACT, waiting, NOW)
    assert check.verdict is verdict
    assert "partition 3, offset 7" in check.detail


def test_a_commit_is_late_when_its_windows_first_row_was() -> None:
    commits = hourly(3, 10)
    assert judge_commits(CONTRACT, commits, NOW - 24 * HOUR, NOW + HOUR).verdict is Verdict.RIGHT
    late = replace(commits[1], committed_at=commits[1].opens + SLA + timedelta(seconds=1))
    check = judge_commits(CONTRACT, [*commits, late], NOW - 24 * HOUR, NOW + HOUR)
    assert (check.verdict, check.value) == (Verdict.WRONG, 1)


@pytest.mark.parametrize(
    ("hours", "messages", "verdict"),
    [
        (30, 1250, Verdict.RIGHT),
        (30, 600, Verdict.WRONG),
        (30, 2600, Verdict.WRONG),
        (20, 1250, Verdict.UNKNOWN),
    ],
)
def test_a_days_volume_is_half_to_twice_the_contracts(hours: int, messages: int, verdict: Verdict) -> None:
    assert judge_volume(CONTRACT, hourly(hours, messages), NOW).verdict is verdict


def test_rows_must_bear_a_commit_that_the_ledger_has_in_force() -> None:
    clean = judge_by_commit({"a": 3}, {"a": 5}, {})
    assert all(check.verdict is Verdict.RIGHT for check in clean)
    found = {
        check.name: check.value
        for check in judge_by_commit({"a": 6, "x": 2, None: 1, "old": 4}, {"a": 5, "old": 9}, {"old": "a"})
    }
    assert found == {"known_commits": 3, "rows_per_commit": 1, "rerun_rows": 4}


def test_a_window_without_faults_accounts_for_every_message() -> None:
    assert CLEAN.unaccounted == 0
    assert all(check.verdict is Verdict.RIGHT for check in judge_reconciliation(CLEAN))


@pytest.mark.parametrize(
    "found",
    [
        replace(CLEAN, missing_rows=3),
        replace(CLEAN, older_rows=3),
        replace(CLEAN, altered_rows=3),
        replace(CLEAN, unexplained_rows=3),
        replace(CLEAN, late_messages=3),
        replace(CLEAN, missing_dead_letters=3),
        replace(CLEAN, repeated_dead_letters=3),
    ],
)
def test_each_fault_of_a_reconciliation_is_one_check(found: Reconciliation) -> None:
    wrong = [check for check in judge_reconciliation(found) if check.verdict is Verdict.WRONG]
    assert [check.value for check in wrong] == [3]


def test_dead_letters_that_retention_may_have_taken_are_not_called_missing() -> None:
    found = replace(CLEAN, missing_dead_letters=3, letters_complete=False)
    (check,) = (each for each in judge_reconciliation(found) if each.name == "dead_letters_missing")
    assert check.verdict is Verdict.UNKNOWN
