"""What the tests of the way by S3 share: a bucket that is new and empty, as the program reaches it."""

from __future__ import annotations

import pytest

from connectors.s3 import Bucket, S3Access
from tests.standins import s3 as standin


@pytest.fixture
def s3_access(s3: standin.Bucket, monkeypatch: pytest.MonkeyPatch) -> S3Access:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.server.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.server.secret_access_key)
    return S3Access(s3.name, s3.server.region, s3.server.endpoint)


@pytest.fixture
def bucket(s3_access: S3Access) -> Bucket:
    return Bucket(s3_access)
