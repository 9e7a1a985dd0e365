"""A real Prometheus: its programs, fetched once from Debian and kept, and a server on loopback."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

UPSTREAM = "2.42.0"
"""The version that is fetched: Debian 12's. apt checks the package against the archive's signed index."""
_FETCH_TIMEOUT = 300.0


class PrometheusUnavailable(Exception):
    """There is no way to run Prometheus on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class PrometheusPrograms:
    """The server and its tool."""

    server: Path
    tool: Path

    def check(self, *arguments: str) -> str:
        """What `promtool` says to these arguments. Raises AssertionError with it when it is not content."""
        ran = subprocess.run([self.tool, *arguments], capture_output=True, text=True, check=False)
        said = ran.stdout + ran.stderr
        assert ran.returncode == 0, said
        return said


def prometheus_programs() -> PrometheusPrograms:
    """The programs, fetched when no earlier run has. Raises `PrometheusUnavailable`.

    `TEST_PROMETHEUS_BIN` names a directory with others. Kept in `$XDG_CACHE_HOME/contract-dataflow`, one
    directory per version, which comes into being complete or not at all.
    """
    named = os.environ.get("TEST_PROMETHEUS_BIN")
    if named:
        return _within(Path(named))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contract-dataflow"
    kept = cache / f"prometheus-{UPSTREAM}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"prometheus-{UPSTREAM}.lock").open("w") as lock:
            # Only so that two runs do not fetch the same; what makes it safe is the rename.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.is_dir():
                _fetch(kept)
    return _within(kept)


def _within(directory: Path) -> PrometheusPrograms:
    programs = PrometheusPrograms(directory / "prometheus", directory / "promtool")
    for program in (programs.server, programs.tool):
        if not os.access(program, os.X_OK):
            raise PrometheusUnavailable(f"{program} is not a program that runs")
    return programs


def _fetch(kept: Path) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PrometheusUnavailable(f"no {tool} here: name a directory with TEST_PROMETHEUS_BIN")
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=f"{kept.name}-") as directory:
        package = f"prometheus={UPSTREAM}*"
        said = _run(["apt-get", "download", package], directory)
        if not list(Path(directory).glob("*.deb")):
            # Without lists, or with old ones, apt knows no package to download.
            _run(["apt-get", "update", "--quiet"], directory)
            said = _run(["apt-get", "download", package], directory)
        for archive in Path(directory).glob("*.deb"):
            said += _run(["dpkg-deb", "--extract", archive.name, "unpacked"], directory)
        found = Path(directory) / "unpacked" / "usr" / "bin"
        if not (found / "promtool").exists():
            raise PrometheusUnavailable(f"apt does not give {package}:\n{said[-1000:]}")
        found.rename(kept)


def _run(command: Sequence[str], directory: str) -> str:
    try:
        ran = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_FETCH_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise PrometheusUnavailable(f"{command[0]} has not ended in {late.timeout:g} s") from None
    return ran.stdout


class QueryFailed(Exception):
    """Prometheus refused an expression; the text is its own."""


class Prometheus:
    """A server in `directory` under the configuration given, ready from `with` to its end."""

    def __init__(self, programs: PrometheusPrograms, directory: Path, configuration: str) -> None:
        """`configuration`: the text of a prometheus.yml; files that it names lie in `directory`."""
        self._programs = programs
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "prometheus.yml").write_text(configuration, encoding="utf-8")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self._port: int = listener.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    self._programs.server,
                    "--config.file=prometheus.yml",
                    "--storage.tsdb.path=data",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                ],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise RuntimeError((self._directory / "prometheus.log").read_text()[-3000:])
            time.sleep(0.05)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(30)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """An instant vector (`metric`, `value`), now or at Unix time `at`. Raises `QueryFailed`."""
        moment = {} if at is None else {"time": str(at)}
        return self._ask("query", {"query": expression, **moment})

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """A range (`metric`, `values`). Raises `QueryFailed`."""
        return self._ask(
            "query_range", {"query": expression, "start": str(start), "end": str(end), "step": str(step)}
        )

    def api(self, path: str) -> Any:
        """The `data` of another path of the HTTP API."""
        return self._get(path, {})

    def _ask(self, path: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        data = self._get(path, parameters)
        found: list[dict[str, Any]] = data["result"]
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        return found

    def _get(self, path: str, parameters: Mapping[str, str]) -> Any:
        address = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise QueryFailed(f"{json.load(refused)['error']}: {parameters}") from None
