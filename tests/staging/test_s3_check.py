"""`check`'s lines about the bucket."""

from __future__ import annotations

from connectors.items import Verdict
from connectors.redshift_copy_sql import Role
from connectors.s3 import Bucket, S3Access
from connectors.s3_check import survey
from connectors.staged_objects import Place


def test_a_bucket_that_will_do_is_right_and_nothing_is_left_in_it(bucket: Bucket) -> None:
    place = Place(bucket.name, "stage", "pipe", "letters")
    findings = list(survey(bucket, place, lambda: Role(None)))
    assert [finding.verdict for finding in findings] == [Verdict.RIGHT, Verdict.RIGHT]
    assert findings[0].subject == f"bucket s3://{bucket.name}/stage/pipe/letters/"
    assert findings[1].detail == "may be put, read and removed"
    assert list(bucket.keys("")) == []


def test_a_bucket_that_is_missing_or_away_is_wrong_and_says_what_to_do(s3_access: S3Access) -> None:
    missing = Bucket(S3Access("no-such-bucket-here", "us-east-1", s3_access.endpoint))
    away = Bucket(S3Access("no-such-bucket-here", "us-east-1", "http://127.0.0.1:9"))
    for bucket, told in ((missing, "STAGING"), (away, "Connection")):
        (finding,) = survey(bucket, Place(bucket.name, "", "pipe", "letters"), lambda: Role(None))
        assert finding.verdict is Verdict.WRONG
        assert told in finding.detail
