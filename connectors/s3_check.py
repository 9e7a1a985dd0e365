"""What `check` asks of the bucket: can objects be put there, read, listed and removed?

Leaves nothing behind: one small object is put below the pipeline's own folder and removed again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from connectors.items import Finding, Verdict
from connectors.redshift_access import WarehouseTrouble
from connectors.redshift_copy_sql import Authorization
from connectors.s3 import Bucket, ObjectGone
from connectors.staged_objects import Place

_BODY = b"written by check, and removed again\n"


def survey(bucket: Bucket, place: Place, authorization: Callable[[], Authorization]) -> Iterator[Finding]:
    """What is right and wrong in the bucket. Raises nothing: a trouble is a finding too."""
    folder = f"{place.folder}/"
    subject = f"bucket s3://{place.bucket}/{folder}"
    try:
        bucket.answers(folder)
    except WarehouseTrouble as trouble:
        yield Finding(subject, Verdict.WRONG, trouble.told)
        return
    region = _region(bucket)
    yield Finding(subject, Verdict.RIGHT, "may be listed" + (f", in {region}" if region else ""))
    yield _objects(bucket, f"{folder}commits/check-{secrets.token_hex(8)}", subject)
    try:
        authorization()
    except WarehouseTrouble as trouble:
        yield Finding("credentials for COPY", Verdict.WRONG, trouble.told)


def _region(bucket: Bucket) -> str | None:
    """Where the bucket is, if that is told to us."""
    try:
        return bucket.region()
    except WarehouseTrouble:
        return None


def _objects(bucket: Bucket, key: str, subject: str) -> Finding:
    subject = f"objects in {subject.removeprefix('bucket ')}"
    doing = "put"
    try:
        bucket.put(key, _BODY)
        doing = "read"
        there = bucket.get(key)
        doing = "removed"
        bucket.delete(key)
    except WarehouseTrouble as trouble:
        return Finding(subject, Verdict.WRONG, f"can't be {doing}: {trouble.told}")
    except ObjectGone:
        there = b""
    if there != _BODY:
        return Finding(subject, Verdict.WRONG, "what was put there does not come back as it was")
    return Finding(subject, Verdict.RIGHT, "may be put, read and removed")
