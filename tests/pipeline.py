"""The real program as a child process: started with an environment, watched over HTTP, ended by signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
from prometheus_client.parser import text_string_to_metric_families

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ("-m", "dataflow")
INHERITED = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "VIRTUAL_ENV")


def eventually(question: Callable[[], T | None], within: float, what: str) -> T:
    """The first answer that is not None or False. Raises TimeoutError naming `what` was awaited."""
    deadline = time.monotonic() + within
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() >= deadline:
            raise TimeoutError(f"{what}: not within {within:g} s")
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """One running `python -m dataflow run`."""

    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(cls, environment: Mapping[str, str], log: Path, program: Sequence[str] = PROGRAM) -> Pipeline:
        """Start it with exactly this environment (plus what any process needs), logging to a file.

        `program` are the interpreter's arguments before `run`.
        """
        base = {name: os.environ[name] for name in INHERITED if name in os.environ}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, *program, "run"],
                cwd=log.parent,
                env={
                    **base,
                    "PYTHONFAULTHANDLER": "1",
                    "PYTHONPATH": str(ROOT),
                    "METRICS_HOST": "127.0.0.1",
                    "METRICS_PORT": "0",
                    **environment,
                },
                stdout=output,
                stderr=output,
            )
        return cls(process, log)

    def events(self) -> list[dict[str, Any]]:
        """The log so far, one object a line; lines that are not ours are left out."""
        # What follows the last line feed is still being written.
        *whole, _ = self.log.read_text(errors="replace").split("\n")
        return [json.loads(line) for line in whole if line.startswith("{")]

    def _port(self) -> int | None:
        for event in reversed(self.events()):
            if event.get("event") == "serving" and event.get("pid") == self.process.pid:
                return int(event["port"])
        return None

    @property
    def address(self) -> str:
        """`host:port` of its HTTP paths. It must be serving."""
        return f"127.0.0.1:{self._port()}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of one of its HTTP paths; (0, "") while it does not answer."""
        port = self._port()
        if port is None:
            return 0, ""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that carry these labels; 0 when there are none."""
        total = 0.0
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    total += sample.value
        return total

    def wait_until_ready(self, within: float = 30.0) -> None:
        """Until `/readyz` says 200. Raises AssertionError with the log's end when the process has died."""

        def ready() -> bool:
            assert self.process.poll() is None, f"the pipeline has ended:\n{self.tail()}"
            return self.get("/readyz")[0] == 200

        eventually(ready, within, "the pipeline is ready")

    def wait_until_read(self, messages: int, within: float = 60.0) -> None:
        """Until so many messages have been read in this life."""
        eventually(
            lambda: self.metric("dataflow_messages_total") >= messages,
            within,
            f"{messages} messages are read",
        )

    def wait_until_holding(self, partitions: int, within: float = 60.0) -> None:
        """Until it holds at least so many partitions."""
        eventually(
            lambda: self.metric("dataflow_partition_held") >= partitions,
            within,
            f"{partitions} partitions held",
        )

    def is_stopped(self) -> bool:
        """Whether SIGSTOP holds it."""
        return bool(psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED)

    def tail(self, lines: int = 40) -> str:
        """The log's last lines."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def terminate(self, within: float = 20.0) -> int:
        """SIGTERM; its exit code. Raises AssertionError with every thread's stack when it does not end."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait(10)
            raise AssertionError(f"still there {within:g} s after SIGTERM:\n{self.tail()}") from None

    def kill(self) -> None:
        """SIGKILL, and reap it. Safe when it has ended."""
        self.process.kill()
        self.process.wait(10)
