"""The demo's stage: stand-ins for Kafka and Redshift, and the real program between them."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from dataflow.contract import load
from tests.pipeline import INHERITED, Pipeline
from tests.standins.kafka_mock import MockCluster
from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.s3 import Bucket
from tests.standins.traffic import Form

KEY = "only a demonstration's key"


class StageFailed(Exception):
    """Something of the stage did not come up; the text holds what it said."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The three topics, as the contract names them."""

    source: str
    contacts: str
    dead_letters: str


class Stage:
    """Servers up, tables created, from `with` to its end."""

    def __init__(
        self, directory: Path, window: str, form: Form = Form.JSON, s3: Bucket | None = None
    ) -> None:
        """Logs go to `directory`. `form` is what the messages will be written in.

        Rows go by the bucket, if there is one.
        """
        self._form = form
        self._s3 = s3
        contract = load()
        self.directory = directory
        self.window = window
        self.table = contract.table
        self.contacts = contract.contacts
        self.topics = Topics(contract.topic, contract.contacts_topic, contract.dead_letters_topic)
        self._partitions = contract.partitions
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self._cluster = ends.enter_context(MockCluster())
            for name in (self.topics.source, self.topics.contacts, self.topics.dead_letters):
                self._cluster.create_topic(name, self._partitions)
            self._redshift = ends.enter_context(
                RedshiftProcess(s3=None if self._s3 is None else self._s3.server)
            )
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._ends.close()

    @property
    def bootstrap(self) -> str:
        """The stand-in Kafka's address."""
        return self._cluster.bootstrap

    @property
    def database(self) -> RedshiftServer:
        """The stand-in Redshift."""
        return self._redshift.server

    def environment(self) -> dict[str, str]:
        """What the program is configured with."""
        database = self.database
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "KAFKA_CONFIG_FETCH_WAIT_MAX_MS": "10",
            "REDSHIFT_HOST": database.host,
            "REDSHIFT_PORT": str(database.port),
            "REDSHIFT_DATABASE": database.database,
            "REDSHIFT_USER": database.user,
            "REDSHIFT_PASSWORD": database.password,
            "REDSHIFT_SSLMODE": database.sslmode,
            "CONTACT_HMAC_KEY": KEY,
            "CONTACTS_TABLE": "on",
            "WINDOW": self.window,
            **({} if self._s3 is None else by_s3(self._s3)),
            "MESSAGE_FORMAT": "auto" if self._form is Form.MIXED else self._form.value,
        }

    def create_tables(self) -> str:
        """Run `ddl --apply`; what it said. Raises StageFailed."""
        base = {name: os.environ[name] for name in INHERITED if name in os.environ}
        ran = subprocess.run(
            [sys.executable, "-m", "dataflow", "ddl", "--apply"],
            cwd=self.directory,
            env={**base, **self.environment()},
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode:
            raise StageFailed(f"ddl --apply ended with {ran.returncode}:\n{ran.stderr}")
        return ran.stdout

    def start_pipeline(self) -> Pipeline:
        """The real program, running."""
        pipeline = Pipeline.start(self.environment(), self.directory / "pipeline.log")
        self._ends.callback(pipeline.kill)
        return pipeline


def by_s3(bucket: Bucket) -> dict[str, str]:
    """The settings of the way by S3."""
    server = bucket.server
    return {
        "STAGING": f"s3://{bucket.name}/staging",
        "STAGING_SEGMENT": "256KiB",
        "S3_REGION": server.region,
        "S3_ENDPOINT": server.endpoint,
        "AWS_ACCESS_KEY_ID": server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
    }
