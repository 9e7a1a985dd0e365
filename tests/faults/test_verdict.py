"""The judge of the fault runs sees each way in which a promise can break."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from tests.faults.verdict import Arrived, Identity, Place, Sent, Version, judge

ANN, BOB = Identity("ann", "s", "2026-01-01 00:00:00"), Identity("bob", "s", "2026-01-01 00:00:00")
EARLY, LATE = Version("2026-01-01 00:00:01", "unread"), Version("2026-01-01 00:00:02", "opened")
TIED = Version(LATE.updated_at, "unread")

SENT = (
    Sent(Place(0, 0), ANN, LATE, contacts=2),
    Sent(Place(0, 1), ANN, EARLY),
    Sent(Place(1, 0), BOB, TIED),
    Sent(Place(1, 1), BOB, LATE),
    Sent(Place(1, 2), None, EARLY),
)
RIGHT = Arrived(((ANN, LATE), (BOB, LATE)), (Place(0, 0), Place(0, 0)), (Place(1, 2),))


def test_what_arrived_as_it_was_sent_is_kept() -> None:
    assert judge(SENT, RIGHT).kept


@pytest.mark.parametrize(
    ("arrived", "wrong"),
    [
        (replace(RIGHT, rows=RIGHT.rows[:1]), {"rows_lost": 1}),
        (replace(RIGHT, rows=(*RIGHT.rows, RIGHT.rows[0])), {"rows_duplicated": 1}),
        (replace(RIGHT, rows=((ANN, EARLY), (BOB, LATE))), {"rows_stale": 1}),
        (replace(RIGHT, rows=((ANN, LATE), (BOB, TIED))), {"rows_stale": 1}),
        (replace(RIGHT, rows=(*RIGHT.rows, (ANN._replace(user="eve"), LATE))), {"rows_invented": 1}),
        (replace(RIGHT, events=RIGHT.events[:1]), {"events_lost": 1}),
        (replace(RIGHT, events=(*RIGHT.events, Place(0, 0))), {"events_duplicated": 1}),
        (replace(RIGHT, events=(*RIGHT.events, Place(3, 3))), {"events_duplicated": 1}),
        (replace(RIGHT, dead_letters=()), {"dead_letters_lost": 1}),
        (replace(RIGHT, dead_letters=(Place(1, 2), Place(1, 2))), {"dead_letters_duplicated": 1}),
    ],
)
def test_each_broken_promise_has_its_count(arrived: Arrived, wrong: dict[str, int]) -> None:
    verdict = judge(SENT, arrived)
    assert not verdict.kept
    assert {name: count for name, count in asdict(verdict).items() if count} == wrong
