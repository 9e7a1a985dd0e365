"""A stand-in for S3: moto's server, as a process of its own.

    python -m tests.standins.s3 [--port N]

prints one line of JSON (endpoint, access_key_id, secret_access_key, region) when it is ready and runs until
SIGTERM, or until its parent is gone. Objects are in its memory: what it held is gone when it ends.

Unlike S3: every key and every signature is believed and no policy is enforced; nothing is throttled or slow;
a bucket answers whatever region it is asked in; no lifecycle rule ever deletes.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import boto3
from botocore.config import Config

ACCESS_KEY_ID: Final = "AKIASTANDIN000000001"
SECRET_ACCESS_KEY: Final = "standin-secret-access-key"
REGION: Final = "eu-west-1"
ROLE: Final = "arn:aws:iam::123456789012:role/loader"
"""A role that the Redshift stand-in may assume; it may any of this account."""

_ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class S3Server:
    """Where an S3 is and who we are there."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    region: str

    def client(self) -> Any:
        """A boto3 client for it."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}),
        )

    def create_bucket(self) -> str:
        """A new, empty bucket; its name."""
        name = f"test-{uuid.uuid4().hex}"
        self.client().create_bucket(
            Bucket=name, CreateBucketConfiguration={"LocationConstraint": self.region}
        )
        return name


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of an S3."""

    server: S3Server
    name: str

    def put(self, key: str, body: bytes) -> str:
        """Store an object; its URL."""
        self.server.client().put_object(Bucket=self.name, Key=key, Body=body)
        return self.url(key)

    def url(self, key: str) -> str:
        """An object's URL."""
        return f"s3://{self.name}/{key}"


class S3Process:
    """Runs from construction until `stop`, and again after `start`, on the same port and empty."""

    def __init__(self, start_timeout: float = 60.0) -> None:
        self._start_timeout = start_timeout
        self.server, self._process = self._run(port=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of its process."""
        return self._process.pid

    def start(self) -> None:
        """Start it again, where it was. Raises `RuntimeError` when it does not come up."""
        self.server, self._process = self._run(int(self.server.endpoint.rsplit(":", 1)[1]))

    def stop(self) -> int:
        """Ask it to end, and wait; answers its exit code."""
        self._process.terminate()
        return self._process.wait()

    def kill(self) -> int:
        """End it as an outage does, without warning."""
        self._process.kill()
        return self._process.wait()

    def _run(self, port: int) -> tuple[S3Server, subprocess.Popen[str]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.standins.s3", "--port", str(port)],
            cwd=_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        overdue = threading.Timer(self._start_timeout, process.kill)
        overdue.start()
        with process.stdout:
            line = process.stdout.readline()
        overdue.cancel()
        if not line:
            raise RuntimeError(f"the S3 stand-in did not start; exit code {process.wait()}")
        return S3Server(**json.loads(line)), process


def main(arguments: Sequence[str]) -> int:
    """Run until told to stop. Answers the exit code: 0 when told, 1 when the parent ended."""
    # Importing moto takes a second that those who only want an S3Process do not have to wait.
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    parser = argparse.ArgumentParser(prog="python -m tests.standins.s3", description=__doc__.split("\n")[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    options = parser.parse_args(arguments)
    parent = os.getppid()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    listening = make_server(
        options.host, options.port, DomainDispatcherApplication(create_backend_app), threaded=True
    )
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    server = S3Server(
        f"http://{options.host}:{listening.server_port}", ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION
    )
    print(json.dumps(dataclasses.asdict(server)), flush=True)
    while not stopped.wait(0.2) and os.getppid() == parent:
        pass
    listening.shutdown()
    return 0 if stopped.is_set() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
