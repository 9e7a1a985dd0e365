"""The demo's account balances for what was produced, and for nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.contents import keyed
from tests.demo.evidence import Evidence, Letter, Place, Span, Version, sha256
from tests.demo.reconcile import events_of, given_by, placed, reconcile
from tests.demo.stage import KEY
from tests.standins.traffic import DeadLetterOutcome, Identity, RowOutcome, Traffic, generate

DAY = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return generate(800, 3, DAY)


@pytest.fixture
def evidence(traffic: Traffic) -> Evidence:
    """What a pipeline that keeps its promises leaves behind."""
    messages = list(placed(traffic))
    rows = Counter(place.partition for place, message in messages if isinstance(message.outcome, RowOutcome))
    contacts = Counter((place, event) for place, message in messages for event in events_of(message, KEY))
    return Evidence(
        {key: [Version(row.updated_at, row.content)] for key, row in traffic.expected().rows.items()},
        [
            Span("p", partition, 0, end, rows[partition], DAY, DAY)
            for partition, end in traffic.ends().items()
        ],
        contacts,
        contacts.total(),
        Counter(event for row in traffic.expected().rows.values() for event in given_by(row, KEY)),
        [
            Letter(place, tuple(sorted(message.outcome.codes)), message.key, message.value, None)
            for place, message in messages
            if isinstance(message.outcome, DeadLetterOutcome)
        ],
        traffic.expected().warnings,
    )


def broken(traffic: Traffic, evidence: Evidence) -> set[str]:
    account = reconcile(traffic, evidence, KEY)
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
    stale = {**evidence.rows, second: [Version("1999-01-01 00:00:00.000000", "other")]}
    assert broken(traffic, replace(evidence, rows=stale)) == {"that are a row now"}
    swapped = {**lost, Identity("nobody", "x", "y"): evidence.rows[first]}
    assert broken(traffic, replace(evidence, rows=swapped)) == {"that are a row now"}


def test_a_row_with_another_s_text_shows(traffic: Traffic, evidence: Evidence) -> None:
    first, second = list(evidence.rows)[:2]
    (version,), (other,) = evidence.rows[first], evidence.rows[second]
    altered = {**evidence.rows, first: [version._replace(content=other.content)]}
    assert broken(traffic, replace(evidence, rows=altered)) == {"that are a row now"}


def test_a_lost_a_doubled_and_a_misplaced_event_show(traffic: Traffic, evidence: Evidence) -> None:
    event = next(iter(evidence.contacts))
    for changed in (-1, 1):
        contacts = evidence.contacts.copy()
        contacts[event] += changed
        assert broken(traffic, replace(evidence, contacts=contacts)) == {"contact events"}


def test_a_contact_too_many_or_too_few_in_the_table_shows(traffic: Traffic, evidence: Evidence) -> None:
    event = next(iter(evidence.kept_contacts))
    for changed in (-1, 1):
        kept = evidence.kept_contacts.copy()
        kept[event] += changed
        told = broken(traffic, replace(evidence, kept_contacts=kept))
        assert told == {"of rows there now, in the contacts' table"}


@pytest.mark.parametrize(
    "change",
    [
        {"platform": "myspace"},
        {"value_hmac": keyed(KEY, "+12025550199")},
        {"value_hmac": keyed("another key", "")},
        {"end": 0},
        {"user_id": "nobody"},
    ],
    ids=str,
)
def test_an_event_that_says_something_else_shows(
    traffic: Traffic, evidence: Evidence, change: dict[str, Any]
) -> None:
    place, event = next(iter(evidence.contacts))
    contacts = evidence.contacts.copy()
    contacts[place, event] -= 1
    contacts[place, event._replace(**change)] += 1
    assert broken(traffic, replace(evidence, contacts=+contacts)) == {"contact events"}
    moved = evidence.contacts.copy()
    moved[place, event] -= 1
    moved[Place(0, 10_000), event] += 1
    assert broken(traffic, replace(evidence, contacts=+moved)) == {"contact events"}


@pytest.mark.parametrize("change", [{"codes": ("other",)}, {"key": b"other"}, {"value": b"other"}], ids=str)
def test_a_dead_letter_with_another_reason_or_other_bytes_shows(
    traffic: Traffic, evidence: Evidence, change: dict[str, Any]
) -> None:
    letter, *others = evidence.dead_letters
    letters = [letter._replace(**change), *others]
    assert broken(traffic, replace(evidence, dead_letters=letters)) == {"and dead letters"}
    assert broken(traffic, replace(evidence, dead_letters=others)) == {"and dead letters"}
    assert broken(traffic, replace(evidence, dead_letters=[letter, letter, *others])) == {"and dead letters"}


def test_a_dead_letter_may_be_cut_when_it_tells_what_it_was(traffic: Traffic, evidence: Evidence) -> None:
    at, letter = next((at, each) for at, each in enumerate(evidence.dead_letters) if each.value)
    whole = letter.value or b""
    for cut, kept in ((sha256(whole), True), (sha256(b"other"), False)):
        letters = list(evidence.dead_letters)
        letters[at] = letter._replace(value=whole[:9], cut=cut)
        assert (not broken(traffic, replace(evidence, dead_letters=letters))) == kept


def test_warnings_that_were_not_told_show(traffic: Traffic, evidence: Evidence) -> None:
    assert evidence.warnings
    assert broken(traffic, replace(evidence, warnings=Counter())) == {"warnings"}


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
