"""A real Prometheus and a real Pushgateway: programs fetched once from Debian, servers on loopback."""

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
GATEWAY_UPSTREAM = "1.5.1"
"""The versions that are fetched: Debian 12's. apt checks the packages against the archive's signed index."""
DATA = "data"
"""Where Prometheus keeps its blocks, in its directory."""
_FETCH_TIMEOUT = 300.0


class PrometheusUnavailable(Exception):
    """There is no way to run Prometheus on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class PrometheusPrograms:
    """The server, its tool, and the gateway for what doesn't run for long."""

    server: Path
    tool: Path
    gateway: Path

    def check(self, *arguments: str) -> str:
        """What `promtool` says to these arguments. Raises AssertionError with it when it is not content."""
        ran = subprocess.run([self.tool, *arguments], capture_output=True, text=True, check=False)
        said = ran.stdout + ran.stderr
        assert ran.returncode == 0, said
        return said


def prometheus_programs() -> PrometheusPrograms:
    """The programs, fetched when no earlier run has. Raises `PrometheusUnavailable`.

    `TEST_PROMETHEUS_BIN` names a directory with others. Kept in `$XDG_CACHE_HOME/contract-dataflow`, one
    directory per package and version, which comes into being complete or not at all.
    """
    server, tool = _programs("prometheus", UPSTREAM, "prometheus", "promtool")
    (gateway,) = _programs("prometheus-pushgateway", GATEWAY_UPSTREAM, "prometheus-pushgateway")
    return PrometheusPrograms(server, tool, gateway)


def _programs(package: str, upstream: str, *names: str) -> list[Path]:
    named = os.environ.get("TEST_PROMETHEUS_BIN")
    if named:
        return _within(Path(named), names)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contract-dataflow"
    kept = cache / f"{package}-{upstream}"
    if not kept.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"{package}-{upstream}.lock").open("w") as lock:
            # Only so that two runs do not fetch the same; what makes it safe is the rename.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.is_dir():
                _fetch(f"{package}={upstream}*", kept)
    return _within(kept, names)


def _within(directory: Path, names: Sequence[str]) -> list[Path]:
    programs = [directory / name for name in names]
    for program in programs:
        if not os.access(program, os.X_OK):
            raise PrometheusUnavailable(f"{program} is not a program that runs")
    return programs


def _fetch(package: str, kept: Path) -> None:
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise PrometheusUnavailable(f"no {tool} here: name a directory with TEST_PROMETHEUS_BIN")
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=f"{kept.name}-") as directory:
        said = _run(["apt-get", "download", package], directory)
        if not list(Path(directory).glob("*.deb")):
            # Without lists, or with old ones, apt knows no package to download.
            _run(["apt-get", "update", "--quiet"], directory)
            said = _run(["apt-get", "download", package], directory)
        for archive in Path(directory).glob("*.deb"):
            said += _run(["dpkg-deb", "--extract", archive.name, "unpacked"], directory)
        found = Path(directory) / "unpacked" / "usr" / "bin"
        if not found.is_dir():
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


class WatchedServer:
    """A program of Prometheus's family in `directory`, listening at `address`, from `with` to its end."""

    def __init__(self, program: Path, arguments: Sequence[str], directory: Path, address: str) -> None:
        """`address`: host:port; everything the program says goes to a log in `directory`."""
        self._command = [str(program), *arguments, f"--web.listen-address={address}"]
        self._directory = directory
        self._log = directory / f"{program.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"http://{address}"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._stop()
                raise RuntimeError(self._log.read_text()[-3000:])
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
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=5):
                return True
        except OSError:
            return False


def free_address() -> str:
    """host:port on loopback that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


class Pushgateway(WatchedServer):
    """What was pushed last, by key."""

    def __init__(self, programs: PrometheusPrograms, directory: Path, address: str | None = None) -> None:
        """`address`: host:port; by default one that is free."""
        super().__init__(programs.gateway, (), directory, address or free_address())

    def samples(self) -> dict[str, float]:
        """Every sample that it would tell Prometheus, by the text of its series."""
        with urllib.request.urlopen(f"{self.address}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        told = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {series: float(value) for series, _, value in told}


class Prometheus(WatchedServer):
    """A server in `directory` under the configuration given, ready from `with` to its end."""

    def __init__(self, programs: PrometheusPrograms, directory: Path, configuration: str) -> None:
        """`configuration`: the text of a prometheus.yml; files that it names lie in `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "prometheus.yml").write_text(configuration, encoding="utf-8")
        super().__init__(
            programs.server,
            ("--config.file=prometheus.yml", f"--storage.tsdb.path={DATA}"),
            directory,
            free_address(),
        )

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
        address = f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise QueryFailed(f"{json.load(refused)['error']}: {parameters}") from None
