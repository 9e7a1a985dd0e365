"""The judge of the fault runs sees each way in which a promise can break."""

from __future__ import annotations

import signal
from dataclasses import asdict, replace

import pytest

from connectors.event_sink import Fenced
from connectors.progress import BrokenPromise
from dataflow.commands.run import HUNG
from tests.faults.exits import unexplained
from tests.faults.troubles import TROUBLES
from tests.faults.verdict import Arrived, Identity, Place, Sent, Version, judge

ANN, BOB = Identity("ann", "s", "2026-01-01 00:00:00"), Identity("bob", "s", "2026-01-01 00:00:00")
EARLY, LATE = Version("2026-01-01 00:00:01", "early"), Version("2026-01-01 00:00:02", "late")
TIED = Version(LATE.updated_at, "tied")
NEVER_SENT = Version(LATE.updated_at, "never sent")

SENT = (
    Sent(Place(0, 0), ANN, LATE, contacts=("phone", "phone")),
    Sent(Place(0, 1), ANN, EARLY),
    Sent(Place(1, 0), BOB, TIED),
    Sent(Place(1, 1), BOB, LATE),
    Sent(Place(1, 2), None, Version("", "broken")),
)
EVENT = (Place(0, 0), "phone")
LETTER = (Place(1, 2), "broken")
RIGHT = Arrived(((ANN, LATE), (BOB, LATE)), (EVENT, EVENT), (LETTER,))


def test_what_arrived_as_it_was_sent_is_kept() -> None:
    assert judge(SENT, RIGHT).kept


@pytest.mark.parametrize(
    ("arrived", "wrong"),
    [
        (replace(RIGHT, rows=RIGHT.rows[:1]), {"rows_lost": 1}),
        (replace(RIGHT, rows=(*RIGHT.rows, RIGHT.rows[0])), {"rows_duplicated": 1}),
        (replace(RIGHT, rows=((ANN, EARLY), (BOB, LATE))), {"rows_stale": 1}),
        (replace(RIGHT, rows=((ANN, LATE), (BOB, TIED))), {"rows_stale": 1}),
        (replace(RIGHT, rows=((ANN, LATE), (BOB, NEVER_SENT))), {"rows_altered": 1}),
        (replace(RIGHT, rows=((ANN, TIED), (BOB, LATE))), {"rows_altered": 1}),
        (replace(RIGHT, rows=(*RIGHT.rows, (ANN._replace(user="eve"), LATE))), {"rows_invented": 1}),
        (replace(RIGHT, events=RIGHT.events[:1]), {"events_lost": 1}),
        (replace(RIGHT, events=(*RIGHT.events, EVENT)), {"events_duplicated": 1}),
        (replace(RIGHT, events=(*RIGHT.events, (Place(3, 3), "phone"))), {"events_duplicated": 1}),
        (
            replace(RIGHT, events=(EVENT, (Place(0, 0), "another"))),
            {"events_lost": 1, "events_duplicated": 1},
        ),
        (replace(RIGHT, dead_letters=()), {"dead_letters_lost": 1}),
        (replace(RIGHT, dead_letters=(LETTER, LETTER)), {"dead_letters_duplicated": 1}),
        (
            replace(RIGHT, dead_letters=((Place(1, 2), "cut"),)),
            {"dead_letters_lost": 1, "dead_letters_duplicated": 1},
        ),
    ],
)
def test_each_broken_promise_has_its_count(arrived: Arrived, wrong: dict[str, int]) -> None:
    verdict = judge(SENT, arrived)
    assert not verdict.kept
    assert {name: count for name, count in asdict(verdict).items() if count} == wrong


PROMISES: list[type[BrokenPromise]] = [BrokenPromise, *BrokenPromise.__subclasses__()]


@pytest.mark.parametrize("code", sorted({1, 2, *(each.exit_code for each in PROMISES)} - {Fenced.exit_code}))
def test_an_end_by_a_defect_or_a_broken_promise_is_explained_by_no_fault(code: int) -> None:
    assert unexplained({0: 3, -signal.SIGKILL: 2, code: 1}, TROUBLES) == {code: 1}


def test_an_end_is_explained_only_by_a_fault_that_occurred() -> None:
    ends = {-signal.SIGKILL: 1, HUNG: 1}
    assert unexplained(ends, {"process killed", "broker cut"}) == {}
    assert unexplained(ends, {"process killed", "warehouse cut"}) == {HUNG: 1}
    assert unexplained(ends, {"broker cut"}) == {-signal.SIGKILL: 1}
