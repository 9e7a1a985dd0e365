"""The trouble proxy makes each of its troubles, and ends them."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.standins.trouble import TroubleProxy

SOON = 0.2


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        with suppress(ConnectionError):
            while said := self.request.recv(1000):
                self.request.sendall(said)


@pytest.fixture
def proxy() -> Iterator[TroubleProxy]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Echo) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with TroubleProxy(("127.0.0.1", server.server_address[1])) as proxy:
            yield proxy
        server.shutdown()


def dial(proxy: TroubleProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(connection: socket.socket, what: bytes) -> bytes:
    connection.sendall(what)
    return connection.recv(1000)


def test_what_is_said_is_passed_on(proxy: TroubleProxy) -> None:
    with dial(proxy) as connection:
        assert ask(connection, b"hello") == b"hello"


def test_a_cut_resets_the_connection_and_the_next_one_works(proxy: TroubleProxy) -> None:
    with dial(proxy) as connection:
        assert ask(connection, b"1") == b"1"
        proxy.cut()
        with pytest.raises(ConnectionError):
            ask(connection, b"2")
    with dial(proxy) as connection:
        assert ask(connection, b"3") == b"3"


def test_refusing_ends_with_flow(proxy: TroubleProxy) -> None:
    proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        dial(proxy)
    proxy.flow()
    with dial(proxy) as connection:
        assert ask(connection, b"1") == b"1"


def test_what_was_said_into_a_stall_arrives_after_it(proxy: TroubleProxy) -> None:
    with dial(proxy) as connection:
        proxy.stall()
        connection.sendall(b"1")
        connection.settimeout(SOON)
        with pytest.raises(TimeoutError):
            connection.recv(1000)
        proxy.flow()
        connection.settimeout(5)
        assert connection.recv(1000) == b"1"


def test_swallowed_answers_are_lost_for_good(proxy: TroubleProxy) -> None:
    with dial(proxy) as connection:
        assert ask(connection, b"1") == b"1"
        proxy.swallow()
        connection.sendall(b"2")
        connection.settimeout(SOON)
        with pytest.raises(TimeoutError):
            connection.recv(1000)
        proxy.flow()
        connection.settimeout(5)
        assert ask(connection, b"3") == b"3"


def test_the_answer_to_one_request_is_lost_with_its_connection(proxy: TroubleProxy) -> None:
    proxy.lose_answer_to(re.compile(rb"commit"))
    with dial(proxy) as connection:
        assert ask(connection, b"insert") == b"insert"
        with pytest.raises(ConnectionError):
            ask(connection, b"commit")
    assert proxy.lost_answers == 1
    with dial(proxy) as connection:
        assert ask(connection, b"commit") == b"commit"
