"""The Redshift stand-in as a process of its own: start it, stop it, kill it, start it again."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.standins.redshift_client import RedshiftServer
from tests.standins.s3 import S3Server

_ROOT = Path(__file__).parents[2]


class RedshiftProcess:
    """Runs from construction until `stop`, and again after `start`, on the same port.

    Only with `data` is what was committed there again. With `s3` it serves COPY from there. `arguments` go
    to its command line.
    """

    def __init__(
        self,
        data: Path | None = None,
        arguments: tuple[str, ...] = (),
        start_timeout: float = 60.0,
        s3: S3Server | None = None,
    ) -> None:
        self._command = [sys.executable, "-m", "tests.standins.redshift", *arguments]
        if data is not None:
            self._command += ["--data", str(data)]
        if s3 is not None:
            self._command += ["--s3-endpoint", s3.endpoint]
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
        self.server, self._process = self._run(self.server.port)

    def stop(self) -> int:
        """Ask it to end, and wait; answers its exit code."""
        self._process.terminate()
        return self._process.wait()

    def kill(self) -> int:
        """End it as an outage does, without warning; PostgreSQL falls with it."""
        self._process.kill()
        return self._process.wait()

    def _run(self, port: int) -> tuple[RedshiftServer, subprocess.Popen[str]]:
        process = subprocess.Popen(
            [*self._command, "--port", str(port)], cwd=_ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        overdue = threading.Timer(self._start_timeout, process.kill)
        overdue.start()
        with process.stdout:
            line = process.stdout.readline()
        overdue.cancel()
        if not line:
            raise RuntimeError(f"the Redshift stand-in did not start; exit code {process.wait()}")
        return RedshiftServer(**json.loads(line)), process
