"""The demo's account balances for what was produced, and for nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.demo.evidence import Evidence, Place, Span, Version
from tests.demo.reconcile import reconcile
from tests.standins.traffic import DeadLetterOutcome, Identity, RowOutcome, Traffic, generate

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return generate(800, 3, DAY)


@pytest.fixture
def evidence(traffic: Traffic) -> Evidence:
    """What a pipeline that keeps its promises leaves behind."""
    contacts: Counter[tuple[Place, str, str | None]] = Counter()
    letters: Counter[tuple[Place, tuple[str, ...]]] = Counter()
    turns: defaultdict[int, int] = defaultdict(int)
    rows: defaultdict[int, int] = defaultdict(int)
    for message in traffic.messages:
        place = Place(message.partition, turns[message.partition])
        turns[message.partition] += 1
        if isinstance(message.outcome, RowOutcome):
            rows[message.partition] += 1
            contacts.update((place, each.kind, each.platform) for each in message.outcome.contacts)
        else:
            letters[place, tuple(sorted(message.outcome.codes))] += 1
    return Evidence(
        {key: [Version(row.updated_at, row.status)] for key, row in traffic.expected().rows.items()},
        [Span("p", partition, 0, turns[partition], rows[partition], DAY, DAY) for partition in sorted(turns)],
        contacts,
        contacts.total(),
        letters,
    )


def broken(traffic: Traffic, evidence: Evidence) -> set[str]:
    account = reconcile(traffic, evidence)
    assert account.holds == (not any(not line.holds for line in account.lines))
    return {line.subject.strip() for line in account.lines if not line.holds}


def test_what_was_produced_balances(traffic: Traffic, evidence: Evidence) -> None:
    assert not broken(traffic, evidence)


def test_a_lost_a_doubled_and_a_stale_row_show(traffic: Traffic, evidence: Evidence) -> None:
    first, second = list(evidence.rows)[:2]
    lost = {key: versions for key, versions in evidence.rows.items() if key != first}
    assert "that are a row now" in broken(traffic, replace(evidence, rows=lost))
    doubled = {**evidence.rows, first: [*evidence.rows[first], *evidence.rows[first]]}
    assert "that are a row now" in broken(traffic, replace(evidence, rows=doubled))
    stale = {**evidence.rows, second: [Version("1999-01-01 00:00:00.000000", "unread")]}
    assert broken(traffic, replace(evidence, rows=stale)) == {"that are a row now"}
    swapped = {**lost, Identity("nobody", "x", "y"): evidence.rows[first]}
    assert broken(traffic, replace(evidence, rows=swapped)) == {"that are a row now"}


def test_a_lost_a_doubled_and_a_misplaced_event_show(traffic: Traffic, evidence: Evidence) -> None:
    event = next(iter(evidence.contacts))
    for changed in (-1, 1):
        contacts = evidence.contacts.copy()
        contacts[event] += changed
        assert broken(traffic, replace(evidence, contacts=contacts)) == {"contact events"}
    moved = evidence.contacts.copy()
    moved[event] -= 1
    moved[Place(0, 10_000), "phone", None] += 1
    assert broken(traffic, replace(evidence, contacts=+moved)) == {"contact events"}


def test_a_dead_letter_with_another_reason_shows(traffic: Traffic, evidence: Evidence) -> None:
    letter = next(iter(evidence.dead_letters))
    letters = evidence.dead_letters.copy()
    letters[letter] -= 1
    letters[letter[0], ("other",)] += 1
    assert broken(traffic, replace(evidence, dead_letters=+letters)) == {"and dead letters"}


def test_a_gap_in_the_ledger_shows(traffic: Traffic, evidence: Evidence) -> None:
    first, *rest = evidence.spans
    assert broken(traffic, replace(evidence, spans=[replace(first, first=1), *rest])) == {
        "messages read and committed"
    }
    assert "of them row versions" in broken(
        traffic, replace(evidence, spans=[replace(first, rows=first.rows - 1), *rest])
    )


def test_the_traffic_has_dead_letters_to_account_for(traffic: Traffic) -> None:
    assert any(isinstance(message.outcome, DeadLetterOutcome) for message in traffic.messages)
