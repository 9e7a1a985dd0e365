"""What the tests of the way by S3 share: a bucket that is new and empty."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from connectors.s3 import Bucket, S3Access


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_access(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> S3Access:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    access = S3Access(f"rows-{uuid.uuid4().hex}", "us-east-1", s3_address)
    boto3.client("s3", region_name=access.region, endpoint_url=s3_address).create_bucket(Bucket=access.bucket)
    return access


@pytest.fixture
def bucket(s3_access: S3Access) -> Bucket:
    return Bucket(s3_access)
