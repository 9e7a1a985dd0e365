"""What only the stand-in does: it stops, falls and comes back, and offers TLS when told to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from queue import Queue

import psutil
import pytest
from redshift_connector.error import Error, InterfaceError

from tests.standins.redshift import DATABASE, PASSWORD, USER, Cut, Gateway, Trouble, start_cluster
from tests.standins.redshift_client import RedshiftServer, Transactions, connect
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.redshift_sql import Kind, translate
from tests.standins.redshift_wire import Conversation, Frames, Moment, frame


def postgres_of(pid: int) -> psutil.Process:
    (server,) = (child for child in psutil.Process(pid).children() if child.name() == "postgres")
    return server


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more; an orphan may stay in the process table until somebody collects it."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_committed_data_survives_a_stop_and_a_kill(tmp_path: Path) -> None:
    with RedshiftProcess(tmp_path / "data") as process:
        before = process.server
        with connect(before, Transactions.EACH_STATEMENT) as connection:
            connection.run("CREATE TABLE t (a int)")
            connection.run("INSERT INTO t VALUES (1)")
            assert process.stop() == 0
        process.start()
        assert process.server == before
        with connect(before) as connection:
            connection.run("INSERT INTO t VALUES (2)")
            connection.commit()
            connection.run("INSERT INTO t VALUES (3)")
            process.kill()
        with pytest.raises(Error), connect(before):
            pass
        process.start()
        with connect(before) as connection:
            assert connection.rows("SELECT a FROM t ORDER BY a") == [(1,), (2,)]


def test_it_ends_with_its_parent() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from tests.standins.redshift_process import RedshiftProcess as R; r = R();"
            " print(r.pid, flush=True); sys.stdin.read()",
        ],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    standin = psutil.Process(int(parent.stdout.readline()))
    postgres = postgres_of(standin.pid)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 20
    while not (has_ended(standin) and has_ended(postgres)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_ends_when_postgresql_does() -> None:
    with RedshiftProcess() as process:
        postgres_of(process.pid).kill()
        assert psutil.Process(process.pid).wait(20) is not None


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate for localhost, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True)
    return paths


def test_tls_is_offered_and_the_name_is_checked(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pem, key = map(str, certificate)
    with RedshiftProcess(arguments=("--tls-certificate", pem, "--tls-key", key)) as process:
        server = replace(process.server, host="localhost")
        assert server.sslmode == "verify-full"
        with pytest.raises(Error), connect(server):
            pass
        monkeypatch.setitem(os.environ, "SSL_CERT_FILE", pem)
        with connect(server) as connection:
            assert connection.value("SELECT 1") == 1
        with pytest.raises(Error), connect(replace(server, host="127.0.0.1")):
            pass
        with connect(replace(server, sslmode="disable")) as connection:
            assert connection.value("SELECT 1") == 1


def test_without_a_certificate_tls_is_refused() -> None:
    with RedshiftProcess() as process, pytest.raises(InterfaceError, match="refuses SSL"):  # noqa: SIM117
        with connect(replace(process.server, sslmode="verify-full")):
            pass


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES ('CREATE TABLE x (a int) DISTKEY(a)')",
        "SELECT 'it\\'s SYSDATE', \"SYSDATE\", E'sysdate' /* SYSDATE /* nested */ ' */ FROM t -- SYSDATE",
        "SELECT t.sysdate, $1, 'a;b', $$ sysdate; $$ FROM t; SELECT ';'",
        "SELECT 'unfinished sysdate",
    ],
)
def test_only_words_are_translated(sql: str) -> None:
    assert translate(sql).sql.split("'unfinished")[0] == sql.split("'unfinished")[0]


def test_a_script_is_translated_statement_by_statement() -> None:
    script = translate("begin; delete t; truncate t; /* done */ commit")
    assert script.sql == "begin; DELETE FROM t; truncate t; /* done */ commit"
    assert script.kinds == (Kind.OTHER, Kind.OTHER, Kind.TRUNCATE, Kind.COMMIT)


def test_frames_are_cut_wherever_the_stream_is() -> None:
    sent = [frame(b"P", b"\0select 1\0\0\0"), frame(b"S", b""), frame(b"D", b"x" * 300)]
    stream = b"".join(f.raw for f in sent)
    for width in (1, 4, 5, 6, 100, 1000):
        frames = Frames()
        got = [f for at in range(0, len(stream), width) for f in frames.feed(stream[at : at + width])]
        assert got == sent


def test_a_commit_shows_its_two_moments() -> None:
    conversation = Conversation()
    conversation.from_client(frame(b"P", b"s\0commit\0\0\0"))
    conversation.from_client(frame(b"B", b"\0s\0\0\0\0\0\0\0"))
    assert conversation.from_client(frame(b"E", b"\0\0\0\0\0")).moment is Moment.COMMIT
    answers = [frame(b"2", b""), frame(b"C", b"COMMIT\0"), frame(b"Z", b"I")]
    passages = list(conversation.from_server(answers))
    assert [p.moment for p in passages] == [None, Moment.COMMITTED, None]
    assert b"".join(p.to_client for p in passages) == b"".join(f.raw for f in answers)


@contextlib.contextmanager
def served(data: Path, trouble: Trouble) -> Iterator[RedshiftServer]:
    """A stand-in within this process, in trouble."""
    postgres = start_cluster(data)
    ready: Queue[int] = Queue()
    loop = asyncio.new_event_loop()
    stopped = asyncio.Event()

    async def serve() -> None:
        listening = await Gateway(postgres.socket, trouble=trouble).serve("127.0.0.1", 0)
        ready.put(listening.sockets[0].getsockname()[1])
        await stopped.wait()
        listening.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield RedshiftServer("127.0.0.1", ready.get(timeout=30), DATABASE, USER, PASSWORD, "disable")
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()
        postgres.stop()


@pytest.mark.parametrize(("moment", "left"), [(Moment.COMMIT, 0), (Moment.COMMITTED, 1)])
def test_trouble_around_a_commit_leaves_what_its_moment_says(
    tmp_path: Path, moment: Moment, left: int
) -> None:
    class Strikes:
        armed = False

        async def strike(self, now: Moment) -> None:
            if self.armed and now is moment:
                self.armed = False
                raise Cut

    trouble = Strikes()
    with served(tmp_path, trouble) as server:
        with connect(server) as connection:
            connection.run("CREATE TABLE t (a int)")
            connection.commit()
            connection.run("INSERT INTO t VALUES (1)")
            trouble.armed = True
            with pytest.raises(Error):
                connection.commit()
        with connect(server) as connection:
            assert connection.value("SELECT count(*) FROM t") == left
