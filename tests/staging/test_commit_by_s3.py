"""Commits by S3: the same rows as by INSERT, whatever happens to objects, and what is left in the bucket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.items import ClosedWindow, Segment
from connectors.progress import Progress
from connectors.redshift import Committer, Drained
from connectors.redshift_access import (
    LoadRefused,
    Reason,
    RedshiftAccess,
    WarehouseRefused,
    WarehouseTrouble,
    connect,
)
from connectors.redshift_commit import Committed, NothingNew, commit_once
from connectors.redshift_copy_sql import Authorization, Role
from connectors.redshift_sql import create_staged
from connectors.s3 import Bucket, S3Access
from connectors.s3_staging import S3Staging
from connectors.s3_uploads import Uploads
from connectors.spans import Take
from connectors.spool import SpoolLost
from connectors.staged_objects import Place
from tests.pipeline import eventually
from tests.redshift.test_commit import ID
from tests.redshift.warehouse import (
    DESTINATION,
    NOON,
    TABLE,
    Letter,
    committer_to,
    ledger,
    run_of,
    span,
    stored,
    window,
    with_tables,
)
from tests.staging.heard import Heard
from tests.staging.test_uploads import QUICK
from tests.standins.redshift_client import RedshiftServer
from tests.standins.trouble import TroubleProxy

DEFAULT_ROLE = Role(None)


@dataclass
class Way:
    """A process's staging by S3, as `run` puts it together."""

    bucket: Bucket
    access: RedshiftAccess
    fingerprint: str = "made"
    authorization: Authorization = DEFAULT_ROLE

    def __post_init__(self) -> None:
        self.heard = Heard()
        self.place = Place(self.bucket.name, "stage", "tests", "letters")
        self.uploads = Uploads(self.bucket, self.place, self.fingerprint, QUICK, self.heard)
        self.staging = S3Staging(
            self.bucket,
            self.place,
            self.uploads,
            authorization=lambda: self.authorization,
            region=None,
            session=lambda: connect(self.access),
            observer=self.heard,
        )

    def another(self) -> Way:
        """Of a process that begins now."""
        return Way(self.bucket, self.access, self.fingerprint)

    def committer(self) -> Committer:
        return committer_to(self.access, self.heard, staging=self.staging)

    def commit(self, *windows: ClosedWindow) -> Committed | NothingNew:
        """One attempt, as the committer makes it."""
        segments = [segment for each in windows for segment in each.segments]
        self.staging.prepare(segments)
        with connect(self.access) as session:
            outcome = commit_once(session, DESTINATION, windows, {}, self.staging, ID, NOON)
        self.staging.confirmed(segments)
        return outcome

    def held(self) -> list[str]:
        return list(self.bucket.keys(""))


@pytest.fixture
def way(bucket: Bucket, redshift_database: RedshiftServer) -> Way:
    return Way(bucket, with_tables(redshift_database))


def test_rows_and_ledger_entries_are_those_of_the_way_by_insert(
    way: Way, redshift_database: RedshiftServer
) -> None:
    outcome = way.commit(window(run_of(5, 8), run_of(0, 2, partition=3), run_of(2, 4, partition=3)))
    assert isinstance(outcome, Committed)
    assert (outcome.rows, outcome.positions) == (7, {0: 8, 3: 4})
    assert len(stored(redshift_database)) == 7
    assert ledger(redshift_database) == [(0, 5, 8, 3), (3, 0, 4, 4)]
    assert way.held() == []


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=16
) | st.sampled_from(["", "\\N", "null", "\\", '"', "'", "\n[", "\r\n", "\t", "]]]", "%s", "\U0001f48c", "{}"])


@given(st.lists(st.tuples(st.none() | TEXTS, st.none() | st.integers(-(2**31), 2**31 - 1)), max_size=6))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_texts_and_numbers_arrive_as_they_were_sent(
    way: Way, redshift_database: RedshiftServer, values: list[tuple[str | None, int | None]]
) -> None:
    with connect(way.access) as session:
        session.execute(f"DELETE FROM {TABLE.qualified}")
        session.execute(f"DELETE FROM {TABLE.schema}.commit_ledger")
        session.commit()
    letters = [
        Letter(offset, written=offset, body=body, weight=weight)
        for offset, (body, weight) in enumerate(values)
    ]
    way.commit(window(span(0, len(letters) + 1, letters)))
    assert [(row[3], row[4]) for row in stored(redshift_database)] == values


def test_only_what_lies_at_or_above_the_ledgers_position_is_staged(
    way: Way, redshift_database: RedshiftServer
) -> None:
    way.commit(window(run_of(0, 5)))
    outcome = way.commit(window(run_of(3, 9)))
    assert isinstance(outcome, Committed)
    assert outcome.rows == 4
    assert ledger(redshift_database) == [(0, 0, 5, 5), (0, 5, 9, 4)]
    assert isinstance(way.commit(window(run_of(2, 9))), NothingNew)
    assert way.held() == []


def test_of_segments_that_overlap_in_one_commit_each_offset_is_staged_once(
    way: Way, redshift_database: RedshiftServer
) -> None:
    outcome = way.commit(window(run_of(0, 6)), window(run_of(4, 9)), window(run_of(1, 12)))
    assert isinstance(outcome, Committed)
    assert outcome.rows == 12
    assert ledger(redshift_database) == [(0, 0, 12, 12)]
    assert way.held() == []


class Looking(S3Staging):
    """Staging that looks into the bucket when the rows are staged, and when their commit is confirmed."""

    def __init__(self, way: Way, server: RedshiftServer) -> None:
        way.__post_init__()
        self.__dict__.update(way.staging.__dict__)
        self._way, self._server = way, server
        self.seen: list[tuple[int, int]] = []
        """(rows in the table for all to see, objects in the bucket)."""

    def confirmed(self, segments: Sequence[Segment]) -> None:
        self.seen.append((len(stored(self._server)), len(self._way.held())))
        super().confirmed(segments)


def test_objects_stay_until_the_warehouse_has_confirmed_the_commit(
    way: Way, redshift_database: RedshiftServer
) -> None:
    looking = Looking(way, redshift_database)
    committer = committer_to(way.access, way.heard, staging=looking)
    committer.start()
    try:
        committer.submit([window(run_of(0, 4))])
        assert committer.drain(20) == Drained()
    finally:
        committer.stop()
    # The object, the manifest and the paths.
    assert looking.seen == [(4, 3)]
    assert way.held() == []


def test_a_commit_that_was_rolled_back_leaves_its_objects_for_the_next_attempt(
    way: Way, redshift_database: RedshiftServer
) -> None:
    rows = window(run_of(0, 4))
    way.staging.prepare(rows.segments)
    with connect(way.access) as session:
        session.execute(create_staged(TABLE))
        assert way.staging.stage(session, [Take(rows.segments[0], 0)], TABLE) == 4
        session.rollback()
    assert len([key for key in way.held() if key.endswith(".json.gz")]) == 1
    assert isinstance(way.commit(rows), Committed)
    assert len(way.heard.uploads) == 1
    assert len(stored(redshift_database)) == 4
    assert way.held() == []


def test_an_object_that_is_gone_at_copy_is_uploaded_again(
    way: Way, redshift_database: RedshiftServer
) -> None:
    rows = window(run_of(0, 4))
    way.staging.prepare(rows.segments)
    for key in way.held():
        way.bucket.delete(key)
    with pytest.raises(WarehouseTrouble):
        way.commit(rows)
    assert stored(redshift_database) == []
    outcome = way.commit(rows)
    assert isinstance(outcome, Committed)
    assert outcome.rows == 4


def test_a_row_that_the_table_does_not_take_is_told_by_its_offset_and_not_by_its_value(
    way: Way, redshift_database: RedshiftServer
) -> None:
    letters = [Letter(7, body="fine"), Letter(12, "ben", body="call me on 0123" * 6), Letter(13, "cy")]
    with pytest.raises(LoadRefused) as refused:
        way.commit(window(span(7, 14, letters, partition=2)))
    told = refused.value.told
    assert "letters partition 2 offset 12: column body" in told
    assert "call me" not in told
    assert "0123" not in told
    assert stored(redshift_database) == []


def test_the_committer_waits_an_outage_of_s3_out_and_tells_of_it(
    way: Way, s3_access: S3Access, redshift_database: RedshiftServer
) -> None:
    address = urlsplit(s3_access.endpoint or "")
    with TroubleProxy((str(address.hostname), address.port or 0)) as proxy:
        away = Way(Bucket(replace(s3_access, endpoint=f"http://{proxy.address}")), way.access)
        committer = away.committer()
        committer.start()
        try:
            proxy.refuse()
            committer.submit([window(run_of(0, 3))])
            eventually(lambda: "s3" in dict(away.heard.retries), 30, "the outage is told")
            assert committer.read_ledger([0]).result(20) == {}
            proxy.flow()
            assert committer.drain(20) == Drained()
        finally:
            committer.stop()
    assert len(stored(redshift_database)) == 3


def test_what_the_warehouse_may_not_read_names_the_role(way: Way) -> None:
    way.authorization = Role("arn:aws:iam::999999999999:role/strange")
    with pytest.raises(WarehouseRefused) as refused:
        way.commit(window(run_of(0, 2)))
    assert refused.value.reason is Reason.PERMISSION
    assert "STAGING_ROLE" in refused.value.told


def test_credentials_of_our_own_are_good_for_a_copy(way: Way, redshift_database: RedshiftServer) -> None:
    way.authorization = way.bucket.credentials()
    assert isinstance(way.commit(window(run_of(0, 2))), Committed)
    assert len(stored(redshift_database)) == 2


def test_what_a_dead_process_had_staged_is_committed_by_the_next_and_not_read_again(
    way: Way, redshift_database: RedshiftServer
) -> None:
    way.commit(window(of_topic(run_of(0, 3))))
    way.staging.prepare([of_topic(run_of(3, 6)), of_topic(run_of(6, 9)), of_topic(run_of(12, 15))])
    later = way.another()
    committer = later.committer()
    committer.start()
    try:
        tails = committer.read_ledger([0]).result(20)
        assert tails[0].progress == Progress(9, "id")
        assert committer.drain(20) == Drained()
        assert committer.read_ledger().result(20)[0].progress == Progress(9, "id")
    finally:
        committer.stop()
    assert later.heard.taken_up == [(2, 6)]
    assert later.heard.uploads == []
    assert len(stored(redshift_database)) == 9
    assert (ledger(redshift_database)[0][:3], ledger(redshift_database)[-1][2]) == ((0, 0, 3), 9)
    # What lies beyond the gap is nobody's: the lifecycle rule removes it.
    assert len(later.held()) == 1


def of_topic(segment: Segment) -> Segment:
    return replace(segment, topic_id="id")


def test_only_partitions_that_are_about_to_be_read_are_taken_up(way: Way) -> None:
    way.commit(window(of_topic(run_of(0, 3)), of_topic(run_of(0, 3, partition=1))))
    way.staging.prepare([of_topic(run_of(3, 6)), of_topic(run_of(3, 6, partition=1))])
    later = way.another()
    tail = {partition: Progress(3, "id") for partition in (0, 1)}
    assert [each.partition for each in later.staging.adopt({1: tail[1]})] == [1]


@pytest.mark.parametrize("change", ["fingerprint", "topic", "bytes", "rows", "gone"])
def test_nothing_is_taken_up_that_is_not_just_what_this_program_had_staged(way: Way, change: str) -> None:
    way.staging.prepare([of_topic(run_of(3, 6))])
    (key,) = way.held()
    head, body = way.bucket.head(key), way.bucket.get(key)
    later = way.another()
    progress = Progress(3, "id")
    match change:
        case "fingerprint":
            later = Way(way.bucket, way.access, "of another program")
        case "topic":
            progress = Progress(3, "created anew")
        case "bytes":
            way.bucket.put(key, body[:-1] + bytes([body[-1] ^ 1]), head.metadata)
        case "rows":
            way.bucket.put(key, body, {**head.metadata, "rows": "4"})
        case "gone":
            way.bucket.delete(key)
    assert later.staging.adopt({0: progress}) == []
    assert later.heard.taken_up == []


def test_with_s3_away_the_ledger_is_answered_all_the_same(way: Way, s3_access: S3Access) -> None:
    way.commit(window(of_topic(run_of(0, 3))))
    away = Way(Bucket(replace(s3_access, endpoint="http://127.0.0.1:9")), way.access)
    committer = away.committer()
    committer.start()
    try:
        assert committer.read_ledger([0]).result(30)[0].progress == Progress(3, "id")
    finally:
        committer.stop()


def test_an_adopted_object_that_is_gone_ends_the_process_for_a_restart_to_read_it_again(way: Way) -> None:
    way.commit(window(of_topic(run_of(0, 3))))
    way.staging.prepare([of_topic(run_of(3, 6))])
    later = way.another()
    segments = later.staging.adopt({0: Progress(3, "id")})
    for key in later.held():
        later.bucket.delete(key)
    with pytest.raises(WarehouseTrouble):
        later.commit(window(*segments))
    with pytest.raises(SpoolLost, match="is gone"):
        later.commit(window(*segments))


def test_two_processes_that_take_up_the_same_objects_write_them_once(
    way: Way, redshift_database: RedshiftServer
) -> None:
    way.commit(window(of_topic(run_of(0, 3))))
    way.staging.prepare([of_topic(run_of(3, 6))])
    one, other = way.another(), way.another()
    adopted = [window(*each.staging.adopt({0: Progress(3, "id")})) for each in (one, other)]
    assert isinstance(one.commit(adopted[0]), Committed)
    assert isinstance(other.commit(adopted[1]), NothingNew)
    assert ledger(redshift_database) == [(0, 0, 3, 3), (0, 3, 6, 3)]
    assert way.held() == []
