"""Segments become objects: by a thread as they fill, the rest when a commit needs them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from connectors.backoff import Backoff
from connectors.items import RowBatch, Segment
from connectors.progress import CommitMismatch
from connectors.redshift_access import Reason
from connectors.s3 import Bucket, ObjectGone, S3Access, S3Refused, S3Unavailable
from connectors.s3_uploads import Uploads
from connectors.spool import Backlog, FileSpool, WindowSegments, lines_of
from connectors.staged_objects import Place, described
from tests.pipeline import eventually
from tests.redshift.warehouse import Letter, run_of
from tests.staging.heard import Heard

QUICK = Backoff(0.01, 0.05, lambda: 0.0)


@dataclass
class Wired:
    bucket: Bucket
    place: Place
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.uploads = Uploads(self.bucket, self.place, "made", QUICK, self.heard)

    def keys(self) -> list[str]:
        return list(self.bucket.keys(f"{self.place.folder}/"))


@pytest.fixture
def wired(bucket: Bucket, s3_access: S3Access) -> Iterator[Wired]:
    made = Wired(bucket, Place(s3_access.bucket, "stage", "pipe", "letters"))
    yield made
    made.uploads.stop()


def test_an_object_holds_the_segments_rows_and_says_what_they_are(wired: Wired) -> None:
    segment = run_of(5, 9, partition=3)
    wired.uploads.finish([segment])
    (key,) = wired.keys()
    head = wired.bucket.head(key)
    told = described(key, head.size, head.metadata)
    assert told is not None
    assert (told.partition, told.first, told.next, told.rows, told.fingerprint) == (3, 5, 9, 4, "made")
    lines = list(lines_of([zlib.decompress(wired.bucket.get(key), 31)]))
    assert [(line[:3], int(line.split(b",")[1])) for line in lines] == [(b"[3,", at) for at in range(5, 9)]


def test_what_is_uploaded_is_not_uploaded_again(wired: Wired) -> None:
    segment = run_of(0, 3)
    wired.uploads.finish([segment])
    wired.uploads.finish([segment])
    assert len(wired.keys()) == 1
    assert len(wired.heard.uploads) == 1


def test_of_a_segment_that_is_committed_in_part_the_rest_gets_its_own_object(wired: Wired) -> None:
    segment = run_of(0, 5)
    rest = wired.uploads.staged(segment, 3)
    assert rest is not None
    assert (rest.first, rest.next, rest.rows) == (3, 5, 2)
    assert wired.uploads.staged(segment, 5) is None
    assert wired.uploads.forget([segment]) == [rest]


def test_a_segment_without_rows_has_no_object(wired: Wired) -> None:
    wired.uploads.finish([Segment(0, 0, 7, 0, FileSpool(Backlog(1 << 20)))])
    assert wired.keys() == []


def test_rows_that_can_not_be_read_back_end_the_process(wired: Wired) -> None:
    whole = run_of(0, 3)
    with pytest.raises(CommitMismatch, match="4 rows were spooled but 3"):
        wired.uploads.finish([Segment(0, 0, 4, 4, whole.spool)])


def test_a_full_segment_is_uploaded_while_the_window_is_open(wired: Wired) -> None:
    wired.uploads.start()
    window = WindowSegments(lambda: FileSpool(Backlog(1 << 30)), full=200, on_full=wired.uploads.add)
    for offset in range(10):
        window.add(RowBatch(0, offset, offset + 1, (Letter(offset).line(),)))
    full = [segment for segment in window.segments if segment.spool.size >= 200]
    assert len(full) > 1
    eventually(lambda: len(wired.keys()) == len(full), 20, "full segments are uploaded")
    eventually(lambda: wired.heard.waiting and wired.heard.waiting[-1] == 0, 20, "nothing waits")
    wired.uploads.finish(window.segments)
    assert len(wired.heard.uploads) == len(window.segments)


def test_an_object_that_is_gone_is_uploaded_again_after_a_doubt_and_under_its_name(wired: Wired) -> None:
    segment = run_of(0, 3)
    wired.uploads.finish([segment])
    (first,) = wired.keys()
    wired.bucket.delete(first)
    wired.uploads.doubt()
    wired.uploads.finish([segment])
    assert list(wired.keys()) == [first]


def test_two_processes_never_share_a_name(wired: Wired) -> None:
    other = Wired(wired.bucket, wired.place)
    for each in (wired, other):
        each.uploads.finish([run_of(0, 3)])
    assert len(wired.keys()) == 2


def test_what_is_forgotten_while_it_waits_is_not_uploaded_any_more(wired: Wired) -> None:
    segment = run_of(0, 3)
    wired.uploads.add(segment)
    wired.uploads.finish([segment])
    wired.uploads.forget([segment])
    segment.spool.discard()
    later = run_of(3, 5)
    wired.uploads.add(later)
    wired.uploads.start()
    eventually(lambda: len(wired.heard.uploads) == 2, 20, "the later one is uploaded")
    wired.uploads.finish([later])


def test_an_outage_of_s3_is_told_and_waited_for(s3_access: S3Access) -> None:
    away = S3Access(s3_access.bucket, "us-east-1", "http://127.0.0.1:9")
    wired = Wired(Bucket(away), Place(away.bucket, "stage", "pipe", "letters"))
    with pytest.raises(S3Unavailable) as told:
        wired.uploads.finish([run_of(0, 2)])
    assert (told.value.system, told.value.reason) == ("s3", Reason.CONNECTION)
    wired.uploads.start()
    eventually(lambda: ("s3", "connection") in wired.heard.retries, 20, "the thread tells of it too")
    wired.uploads.stop()


def test_a_bucket_that_is_not_there_names_the_fix(s3_access: S3Access) -> None:
    missing = Bucket(S3Access("no-such-bucket-here", "us-east-1", s3_access.endpoint))
    with pytest.raises(S3Refused) as told:
        missing.put("a", b"b")
    assert told.value.reason is Reason.MISSING
    assert "STAGING" in told.value.told


def test_without_credentials_the_fix_is_named(
    s3_access: S3Access, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    bucket = Bucket(s3_access)
    for ask in (lambda: bucket.put("a", b"b"), bucket.credentials):
        with pytest.raises(S3Refused) as told:
            ask()
        assert told.value.reason is Reason.LOGIN
        assert "role" in told.value.told


def test_large_objects_go_in_parts_and_come_back_whole(bucket: Bucket) -> None:
    body = bytes(range(256)) * (80_000)
    bucket.put("large", body, {"rows": "1"})
    assert bucket.head("large").metadata == {"rows": "1"}
    assert bucket.get("large") == body
    bucket.delete("large")
    with pytest.raises(ObjectGone):
        bucket.head("large")
    with pytest.raises(ObjectGone):
        bucket.get("large")


def test_keys_are_listed_beyond_a_page(bucket: Bucket) -> None:
    for number in range(1003):
        bucket.put(f"many/{number:04d}", b"")
    assert list(bucket.keys("many/")) == [f"many/{number:04d}" for number in range(1003)]
