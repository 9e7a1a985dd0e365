"""What several test files need. The servers are real processes, started once per run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from redshift_connector.error import Error

from tests.compiled import Stale, require_fresh
from tests.integration.wiring import Wiring
from tests.pipeline import eventually
from tests.standins.kafka_real import KafkaBroker
from tests.standins.redshift_client import RedshiftServer, Transactions, connect
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.s3 import Bucket, S3Process, S3Server

if TYPE_CHECKING:
    # Imported before pytest loads the plugin, its assertions would not be rewritten.
    from tests.fixtures_kafka import Topics

pytest_plugins = ["tests.fixtures_kafka"]

LONGEST_FIRST = (
    "tests/test_compiled",
    "tests/k8s",
    "tests/faults",
    "tests/monitoring/test_observed",
    "tests/integration",
    "tests/demo",
    "tests/cli",
)
"""Where tests wait for real processes: started first, they fill the time in which others compute."""


def pytest_configure() -> None:
    """Nothing is tested that the sources don't say."""
    try:
        require_fresh()
    except Stale as reason:
        raise pytest.UsageError(str(reason)) from None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first: several workers then end at about the same time."""

    def rank(item: pytest.Item) -> int:
        return next(
            (place for place, folder in enumerate(LONGEST_FIRST) if item.nodeid.startswith(folder)),
            len(LONGEST_FIRST),
        )

    items.sort(key=rank)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The stand-in of S3, which the Redshift stand-in loads from."""
    with S3Process() as process:
        yield process.server


@pytest.fixture
def s3(s3_server: S3Server) -> Bucket:
    """A new, empty bucket there."""
    return Bucket(s3_server, s3_server.create_bucket())


@pytest.fixture(scope="session")
def redshift_server(s3_server: S3Server) -> Iterator[RedshiftServer]:
    """The Redshift to test with: the one that TEST_REDSHIFT_DSN names, by default the stand-in."""
    dsn = os.environ.get("TEST_REDSHIFT_DSN")
    if dsn:
        yield RedshiftServer.from_dsn(dsn)
        return
    with RedshiftProcess(s3=s3_server) as process:
        yield process.server


@pytest.fixture
def redshift_database(redshift_server: RedshiftServer) -> Iterator[RedshiftServer]:
    """A new, empty database on it, gone after the test."""
    name = f"test_{uuid.uuid4().hex}"
    with connect(redshift_server, Transactions.EACH_STATEMENT) as administration:
        administration.run(f"CREATE DATABASE {name}")
        yield redshift_server.within(name)
    eventually(lambda: _dropped(redshift_server, name), 30, f"database {name} is gone")


def _dropped(server: RedshiftServer, name: str) -> bool:
    """Whether a database could be dropped: the server's own housekeeping may be in it for a moment."""
    try:
        with connect(server, Transactions.EACH_STATEMENT) as administration:
            administration.run(f"DROP DATABASE {name} FORCE")
    except Error:
        return False
    return True


@pytest.fixture
def wiring(real_kafka: KafkaBroker, topics: Topics, redshift_database: RedshiftServer) -> Wiring:
    """Topics on the real broker and a database, both new and empty."""
    return Wiring(
        real_kafka.bootstrap,
        topics.source,
        topics.contacts,
        topics.dead_letters,
        topics.group,
        redshift_database,
    )
