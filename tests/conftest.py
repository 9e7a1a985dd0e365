"""What several test files need. The servers are real processes, started once per run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from tests.standins.redshift_client import RedshiftServer, Transactions, connect
from tests.standins.redshift_process import RedshiftProcess

pytest_plugins = ["tests.fixtures_kafka"]


@pytest.fixture(scope="session")
def redshift_server() -> Iterator[RedshiftServer]:
    """The Redshift to test with: the one that TEST_REDSHIFT_DSN names, by default the stand-in."""
    dsn = os.environ.get("TEST_REDSHIFT_DSN")
    if dsn:
        yield RedshiftServer.from_dsn(dsn)
        return
    with RedshiftProcess() as process:
        yield process.server


@pytest.fixture
def redshift_database(redshift_server: RedshiftServer) -> Iterator[RedshiftServer]:
    """A new, empty database on it, gone after the test."""
    name = f"test_{uuid.uuid4().hex}"
    with connect(redshift_server, Transactions.EACH_STATEMENT) as administration:
        administration.run(f"CREATE DATABASE {name}")
        yield redshift_server.within(name)
        administration.run(f"DROP DATABASE {name} FORCE")
