"""A rerun: rows of a commit taken back and written again, and nobody else's touched."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import redshift_sql as sql
from connectors.items import Segment
from connectors.ledger import ByCommit, ByOffsets, Rerun, decide_rerun, standing
from connectors.redshift_access import RedshiftAccess, connect
from connectors.redshift_commit import Committed, commit_once
from connectors.redshift_ledger import read_entries
from connectors.redshift_rerun import (
    Consent,
    Moved,
    Purpose,
    Rewritten,
    WouldTakeAway,
    rerun_once,
)
from tests.redshift.warehouse import (
    DESTINATION,
    INSERTS,
    NOON,
    TABLE,
    Letter,
    ledger,
    span,
    stored,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_client import connect as connect_directly


@pytest.fixture
def access(redshift_database: RedshiftServer) -> RedshiftAccess:
    return with_tables(redshift_database)


@dataclass
class Clock:
    """Each commit an hour after the one before."""

    hours: int = 0
    ends: dict[int, int] = field(default_factory=dict)


def commit(access: RedshiftAccess, clock: Clock, *segments: Segment) -> str:
    clock.hours += 1
    commit_id = uuid.uuid4().hex
    now = NOON + timedelta(hours=clock.hours)
    with connect(access) as session:
        done = commit_once(session, DESTINATION, [window(*segments)], {}, INSERTS, commit_id, now)
    assert isinstance(done, Committed)
    return commit_id


def plan(access: RedshiftAccess, wanted: ByCommit | ByOffsets) -> Rerun:
    with connect(access) as session:
        entries = read_entries(session, TABLE, DESTINATION.pipeline, DESTINATION.topic)
        session.rollback()
    decision = decide_rerun(entries, wanted, dict.fromkeys(range(4), (0, 1 << 40)), None)
    assert isinstance(decision, Rerun)
    return decision


def rerun(
    access: RedshiftAccess,
    planned: Rerun,
    *segments: Segment,
    purpose: Purpose = Purpose.WRITE,
    consent: Consent = Consent.REFUSE,
) -> tuple[str, Rewritten | WouldTakeAway | Moved]:
    new_id = uuid.uuid4().hex
    with connect(access) as session:
        # A clock that is behind the ones that wrote the ledger.
        return new_id, rerun_once(
            session, DESTINATION, planned, segments, INSERTS, new_id, NOON, purpose, consent
        )


def bodies(server: RedshiftServer) -> dict[str, str]:
    return dict(stored(server, f"SELECT sender, body FROM {TABLE.qualified}"))


def writers(server: RedshiftServer) -> dict[str, str]:
    return dict(stored(server, f"SELECT sender, load_id FROM {TABLE.qualified}"))


def test_rows_are_written_again_under_a_new_id_that_the_ledger_records(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    clock = Clock()
    old = commit(access, clock, span(0, 2, [Letter(0, "anna", body="drear"), Letter(1, "bert")]))
    new, outcome = rerun(
        access, plan(access, ByCommit(old)), span(0, 2, [Letter(0, "anna"), Letter(1, "bert")])
    )
    assert isinstance(outcome, Rewritten)
    assert (outcome.changes.taken_back, outcome.changes.written) == (2, 2)
    assert bodies(redshift_database) == {"anna": "dear", "bert": "dear"}
    assert writers(redshift_database) == {"anna": new, "bert": new}
    assert ledger(redshift_database) == [(0, 0, 2, 2), (0, 0, 2, 2)]
    with connect(access) as session:
        now = standing(read_entries(session, TABLE, DESTINATION.pipeline, DESTINATION.topic))
    assert now.rerun_as == {old: new}


def test_the_pipeline_goes_on_where_it_was(access: RedshiftAccess, redshift_database: RedshiftServer) -> None:
    clock = Clock()
    old = commit(access, clock, span(0, 2, [Letter(0), Letter(1, "bert")]))
    commit(access, clock, span(2, 4, [Letter(2, "cleo")]))
    rerun(access, plan(access, ByCommit(old)), span(0, 2, [Letter(0), Letter(1, "bert")]))
    commit(access, clock, span(4, 5, [Letter(4, "dora")]))
    assert sorted(bodies(redshift_database)) == ["anna", "bert", "cleo", "dora"]


def test_a_newer_version_of_another_commit_stays(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    clock = Clock()
    old = commit(access, clock, span(0, 1, [Letter(0, changed=5, body="first")]))
    newer = commit(access, clock, span(1, 2, [Letter(1, changed=9, body="newest")]))
    _, outcome = rerun(access, plan(access, ByCommit(old)), span(0, 1, [Letter(0, changed=5, body="again")]))
    assert isinstance(outcome, Rewritten)
    assert outcome.changes.stayed == 1
    assert bodies(redshift_database) == {"anna": "newest"}
    assert writers(redshift_database) == {"anna": newer}


def test_of_equal_versions_the_later_commits_row_stays(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    clock = Clock()
    old = commit(access, clock, span(0, 1, [Letter(0, body="earlier")]))
    commit(access, clock, span(1, 2, [Letter(1, body="later")]))
    rerun(access, plan(access, ByCommit(old)), span(0, 1, [Letter(0, body="earlier, again")]))
    assert bodies(redshift_database) == {"anna": "later"}


def test_of_equal_versions_an_earlier_commits_row_gives_way(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    clock = Clock()
    commit(access, clock, span(0, 1, [Letter(0, body="earlier")]))
    # A bug took the message for another one.
    wrong = commit(access, clock, span(1, 2, [Letter(1, "xaver", body="later")]))
    rerun(
        access,
        plan(access, ByCommit(wrong)),
        span(1, 2, [Letter(1, body="later")]),
        consent=Consent.ACCEPT,
    )
    assert bodies(redshift_database) == {"anna": "later"}


@pytest.mark.parametrize(
    "again",
    [
        pytest.param([], id="a row would be lost"),
        pytest.param([Letter(1, changed=3)], id="a row would get an older version"),
    ],
)
def test_a_rerun_that_takes_something_away_is_refused_unless_it_is_accepted(
    access: RedshiftAccess, redshift_database: RedshiftServer, again: Sequence[Letter]
) -> None:
    clock = Clock()
    commit(access, clock, span(0, 1, [Letter(0, changed=4)]))
    wrong = commit(access, clock, span(1, 2, [Letter(1, changed=7)]))
    planned = plan(access, ByCommit(wrong))
    before = stored(redshift_database)
    _, refused = rerun(access, planned, span(1, 2, again))
    assert isinstance(refused, WouldTakeAway)
    assert refused.changes.removed + refused.changes.older == 1
    assert stored(redshift_database) == before
    assert len(ledger(redshift_database)) == 2
    _, done = rerun(access, planned, span(1, 2, again), consent=Consent.ACCEPT)
    assert isinstance(done, Rewritten)
    assert stored(redshift_database) != before


def test_rerun_together_with_the_commit_it_overwrote_the_earlier_version_comes_back(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    clock = Clock()
    commit(access, clock, span(0, 1, [Letter(0, changed=4, body="right")]))
    commit(access, clock, span(1, 2, [Letter(1, changed=7, body="wrong")]))
    rerun(
        access,
        plan(access, ByOffsets(0, 0, 2)),
        span(0, 2, [Letter(0, changed=4, body="right"), Letter(1, changed=2, body="older in truth")]),
        consent=Consent.ACCEPT,
    )
    assert bodies(redshift_database) == {"anna": "right"}


def test_a_preview_tells_all_and_writes_nothing(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    clock = Clock()
    old = commit(access, clock, span(0, 1, [Letter(0, body="drear")]))
    _, outcome = rerun(access, plan(access, ByCommit(old)), span(0, 1, [Letter(0)]), purpose=Purpose.PREVIEW)
    assert isinstance(outcome, Rewritten)
    assert outcome.changes.written == 1
    assert bodies(redshift_database) == {"anna": "drear"}
    assert len(ledger(redshift_database)) == 1


def test_of_two_reruns_of_one_commit_the_second_writes_nothing(
    access: RedshiftAccess, redshift_database: RedshiftServer
) -> None:
    clock = Clock()
    old = commit(access, clock, span(0, 1, [Letter(0, body="drear")]))
    planned = plan(access, ByCommit(old))
    rerun(access, planned, span(0, 1, [Letter(0, body="first")]))
    _, second = rerun(access, planned, span(0, 1, [Letter(0, body="second")]))
    assert isinstance(second, Moved)
    assert bodies(redshift_database) == {"anna": "first"}


# -- any history against a plain model ---------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """A message: what it says, and what a bug makes of it. None: the contract's breach."""

    sender: str
    version: int
    misread: int | None


MESSAGES = st.builds(
    Told,
    st.sampled_from("abc"),
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(0, 3)),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(st.lists(MESSAGES, min_size=1, max_size=4), min_size=2, max_size=4),
    asked=st.tuples(st.integers(0, 15), st.integers(1, 8)),
)
def test_after_a_rerun_each_row_is_the_best_of_what_was_read_again_and_what_others_wrote(
    access: RedshiftAccess,
    redshift_database: RedshiftServer,
    history: list[list[Told]],
    asked: tuple[int, int],
) -> None:
    with connect_directly(redshift_database) as direct:
        direct.run(f"DELETE FROM {TABLE.qualified}")
        direct.run(f"DELETE FROM {sql.ledger_name(TABLE)}")
        direct.raw.commit()
    clock = Clock()
    rows: dict[str, tuple[int, int, str]] = {}
    """By sender: version, offset, commit."""
    at = 0
    flat: list[Told] = []
    for messages in history:
        taken = {at + n: each for n, each in enumerate(messages) if each.misread is not None}
        letters = [
            Letter(n, each.sender, changed=each.misread or 0, body=str(n)) for n, each in taken.items()
        ]
        name = commit(access, clock, span(at, at + len(messages), letters))
        for n, each in taken.items():
            if each.sender not in rows or (each.misread or 0) >= rows[each.sender][0]:
                rows[each.sender] = (each.misread or 0, n, name)
        at += len(messages)
        flat += messages
    first = asked[0] % at
    planned = plan(access, ByOffsets(0, first, min(at, first + asked[1])))
    (covered,) = planned.spans
    again = [
        Letter(n, flat[n].sender, changed=flat[n].version, body=str(n))
        for n in range(covered.first, covered.next)
    ]
    _, outcome = rerun(access, planned, span(covered.first, covered.next, again), consent=Consent.ACCEPT)
    assert isinstance(outcome, Rewritten)
    assert bodies(redshift_database) == _best(rows, planned, again)


def _best(
    rows: Mapping[str, tuple[int, int, str]], planned: Rerun, again: Sequence[Letter]
) -> dict[str, str]:
    candidates = [
        (sender, version, offset)
        for sender, (version, offset, name) in rows.items()
        if name not in planned.commits
    ]
    candidates += [(letter.sender, letter.changed, letter.offset) for letter in again]
    best: dict[str, tuple[int, int]] = {}
    for sender, version, offset in candidates:
        best[sender] = max(best.get(sender, (-1, -1)), (version, offset))
    return {sender: str(offset) for sender, (_, offset) in best.items()}
