"""A stand-in for Redshift: PostgreSQL behind a wire that an unmodified redshift-connector can talk to.

    python -m tests.standins.redshift [--port N] [--data DIR] [--s3-endpoint URL]
        [--tls-certificate PEM --tls-key PEM]

prints one line of JSON (host, port, database, user, password, sslmode) when it is ready and runs until
SIGTERM, or until its parent is gone. With `--data` what was committed is there again at the next start.

Like Redshift: varchar counts bytes, primary keys are not enforced, backslashes escape, transactions see a
snapshot, TRUNCATE commits, the catalogue knows distribution and sort keys, errors carry its codes.
Unlike it: conflicts are found by row, not by table; `length()` counts bytes.

With `--s3-endpoint` (that of `tests.standins.s3`) it serves one form of COPY, and refuses every other:

    COPY table (column, …) FROM 's3://bucket/key/of.manifest'
      IAM_ROLE {'arn:…' | default} | ACCESS_KEY_ID '…' SECRET_ACCESS_KEY '…' [SESSION_TOKEN '…']
      [REGION '…'] MANIFEST [FORMAT [AS]] JSON [AS] 's3://bucket/key/of.jsonpaths' [GZIP]
      TIMEFORMAT [AS] 'auto' COMPUPDATE OFF STATUPDATE OFF

Like Redshift's: it is part of its transaction, the first bad row ends it and is to be seen in
`sys_load_error_detail` after the rollback, too.
Stricter than Redshift's: one JSON value a line, JSONPaths of one level, no nested value into a column, no
ZSTD, a manifest's `content_length` is compared with the object's.
More lenient: timestamps and integers are read as PostgreSQL reads them; an IAM role may be any of the
account 123456789012. Otherwise different: the command tag tells the number of rows (the driver passes it on
of neither: ask `pg_last_copy_count()`); that function falls back with a rollback; a statement timeout that
passes while S3 is waited for strikes with the next rows; each database has a `sys_load_error_detail` of its
own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import ssl
import struct
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from tests.standins.postgres import Postgres
from tests.standins.redshift_client import RedshiftServer
from tests.standins.redshift_copying import Copying, Warehouse
from tests.standins.redshift_s3 import S3Source
from tests.standins.redshift_wire import Conversation, Frames, Moment, Opening, opening, startup_for_postgres

DATABASE: Final = "dev"
USER: Final = "awsuser"
PASSWORD: Final = "Standin-5439"

_LIKE_REDSHIFT: Final = {
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "TimeZone": "UTC",
    "default_transaction_isolation": "repeatable read",
    "enable_nestloop": "off",
    "work_mem": "64MB",
}

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_CHUNK: Final = 1 << 18
_LIFE_CHECK_SECONDS: Final = 0.2


class Cut(Exception):
    """Raised by `Trouble`: the session ends here, without a word to either side."""


class Trouble(Protocol):
    """What a session waits for at each moment. It may wait (a stall) or raise `Cut`."""

    async def strike(self, moment: Moment) -> None:
        """Let the moment pass, delay it, or end the session."""


class NoTrouble:
    """Every moment passes."""

    async def strike(self, moment: Moment) -> None:
        """Let the moment pass."""


class Gateway:
    """Takes clients in and gives each a PostgreSQL session of its own."""

    def __init__(
        self,
        socket: Path,
        tls: ssl.SSLContext | None = None,
        trouble: Trouble | None = None,
        warehouse: Warehouse | None = None,
    ) -> None:
        """Without a warehouse no COPY is served."""
        self._socket = socket
        self._tls = tls
        self._trouble = trouble or NoTrouble()
        self._warehouse = warehouse
        self._sessions: set[asyncio.Task[None]] = set()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen; port 0 takes any free one."""
        return await asyncio.start_server(self._accept, host, port, limit=_CHUNK)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.create_task(self._meet(reader, writer))
        self._sessions.add(session)
        session.add_done_callback(self._sessions.discard)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open(reader, writer)
        except (Cut, OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readexactly(8)
            (length,) = struct.unpack_from("!i", head)
            packet = head + await reader.readexactly(length - 8)
            match opening(packet):
                case Opening.SSL if self._tls is not None:
                    writer.write(b"S")
                    await writer.drain()
                    await writer.start_tls(self._tls)
                case Opening.SSL | Opening.GSS:
                    writer.write(b"N")
                case Opening.CANCEL:
                    _, server = await asyncio.open_unix_connection(str(self._socket))
                    server.write(packet)
                    server.close()
                    await server.wait_closed()
                    return
                case Opening.SESSION:
                    await self._converse(reader, writer, startup_for_postgres(packet))
                    return
                case None:
                    return

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, startup: bytes
    ) -> None:
        from_server, to_server = await asyncio.open_unix_connection(str(self._socket), limit=_CHUNK)
        conversation = Conversation(serves_copy=self._warehouse is not None)
        copying = Copying(self._warehouse) if self._warehouse else None
        to_server.write(startup)
        try:
            ways = [
                asyncio.create_task(self._client_to_server(conversation, copying, reader, to_server)),
                asyncio.create_task(
                    self._server_to_client(conversation, copying, from_server, writer, to_server)
                ),
            ]
            try:
                ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ended:
                    way.result()
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            to_server.close()

    async def _client_to_server(
        self,
        conversation: Conversation,
        copying: Copying | None,
        client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
    ) -> None:
        frames = Frames()
        while data := await client.read(_CHUNK):
            for given in frames.feed(data):
                passage = conversation.from_client(given)
                if passage.moment is not None:
                    await self._trouble.strike(passage.moment)
                if passage.copy is not None and copying is not None:
                    await copying.run(passage.copy, passage.to_server, to_server)
                else:
                    to_server.write(passage.to_server)
            await to_server.drain()

    async def _server_to_client(
        self,
        conversation: Conversation,
        copying: Copying | None,
        server: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
    ) -> None:
        frames = Frames()
        while data := await server.read(_CHUNK):
            said = frames.feed(data)
            if copying is not None and copying.is_running:
                heard = [await copying.hear(each) for each in said]
                said = (each for each in heard if each is not None)
            for passage in conversation.from_server(said):
                if passage.moment is not None:
                    await self._trouble.strike(passage.moment)
                to_client.write(passage.to_client)
                to_server.write(passage.to_server)
            await to_client.drain()


def start_cluster(data: Path) -> Postgres:
    """The PostgreSQL behind a stand-in, running: what `data` holds, or a new one with Redshift's catalogue.

    Raises `PostgresFailed`.
    """
    data.mkdir(parents=True, exist_ok=True)
    prepared = data / "prepared"
    if not prepared.exists():
        shutil.rmtree(data / "postgres", ignore_errors=True)
    postgres = Postgres(data / "postgres", _LIKE_REDSHIFT)
    postgres.start()
    if not prepared.exists():
        try:
            _prepare(postgres)
        except BaseException:
            postgres.stop()
            raise
        prepared.touch()
    return postgres


def _prepare(postgres: Postgres) -> None:
    catalogue = Path(__file__).with_name("redshift_catalogue.sql").read_text(encoding="ascii")
    postgres.sql("template1", catalogue)
    postgres.sql("template1", f"CREATE ROLE {USER} LOGIN CREATEDB CREATEROLE PASSWORD '{PASSWORD}'")
    postgres.sql("postgres", f"CREATE DATABASE {DATABASE} OWNER {USER}")


async def _serve(
    options: argparse.Namespace, postgres: Postgres, tls: ssl.SSLContext | None, parent: int
) -> int:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, stopped.set)
    warehouse = Warehouse(S3Source(options.s3_endpoint), postgres) if options.s3_endpoint else None
    gateway = Gateway(postgres.socket, tls, warehouse=warehouse)
    listening = await gateway.serve(options.host, options.port)
    host, port = listening.sockets[0].getsockname()[:2]
    server = RedshiftServer(host, port, DATABASE, USER, PASSWORD, "verify-full" if tls else "disable")
    print(json.dumps(dataclasses.asdict(server)), flush=True)
    while not stopped.is_set() and os.getppid() == parent and postgres.is_running():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), _LIFE_CHECK_SECONDS)
    listening.close()
    # Told is told: a second signal would meet a loop that is being closed.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    for number in _ENDING:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    return 0 if stopped.is_set() else 1


def main(arguments: Sequence[str]) -> int:
    """Run until told to stop. Answers the exit code: 0 when told, 1 when the parent or PostgreSQL ended."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.standins.redshift", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: any free one)")
    parser.add_argument("--data", type=Path, help="directory that keeps the data (default: a temporary one)")
    parser.add_argument("--s3-endpoint", help="the S3 that COPY loads from (default: COPY is refused)")
    parser.add_argument("--tls-certificate", type=Path, help="certificate chain, PEM: TLS is then offered")
    parser.add_argument("--tls-key", type=Path, help="the certificate's key, PEM")
    options = parser.parse_args(arguments)
    parent = os.getppid()
    for number in _ENDING:
        signal.signal(number, lambda *_: sys.exit(0))
    tls = None
    if options.tls_certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(options.tls_certificate, options.tls_key)
    with contextlib.ExitStack() as left:
        data = options.data
        if data is None:
            data = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="redshift-")))
        postgres = start_cluster(data)
        left.callback(postgres.stop)
        return asyncio.run(_serve(options, postgres, tls, parent))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
