"""What a stranger can and cannot do over HTTP."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from prometheus_client import CollectorRegistry, Counter

from connectors import http_door
from connectors.health import Health, HealthServer
from tests.pipeline import eventually


@pytest.fixture
def server() -> Iterator[HealthServer]:
    served = HealthServer("127.0.0.1", 0, CollectorRegistry(), Health(time.monotonic, ()))
    served.start()
    yield served
    served.stop()


def ask(server: HealthServer, method: str, path: str = "/livez", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers=headers)
    return connection.getresponse()


def said(server: HealthServer, sent: bytes) -> bytes:
    """Everything that comes back for these bytes, until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(4096), b""))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_every_method_that_is_not_a_question_is_refused(server: HealthServer, method: str) -> None:
    answer = ask(server, method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/nowhere"])
def test_head_answers_as_get_without_the_body(server: HealthServer, path: str) -> None:
    get, head = ask(server, "GET", path), ask(server, "HEAD", path)
    assert head.status == get.status
    assert head.headers["Content-Type"] == get.headers["Content-Type"]
    assert head.read() == b""


def test_a_head_that_is_too_large_is_refused(server: HealthServer) -> None:
    line = b"GET /livez HTTP/1.1\r\n"
    fits = line + b"A: " + b"a" * (http_door.MAX_HEAD - len(line) - 7) + b"\r\n\r\n"
    assert len(fits) == http_door.MAX_HEAD
    assert said(server, fits).startswith(b"HTTP/1.0 200")
    assert said(server, fits.replace(b"A: ", b"A: a")).startswith(b"HTTP/1.0 431")
    assert said(server, b"GET /" + b"a" * http_door.MAX_HEAD).startswith(b"HTTP/1.0 431")


def test_too_many_headers_are_refused(server: HealthServer) -> None:
    headers = b"".join(b"h%d: 1\r\n" % number for number in range(150))
    assert said(server, b"GET /livez HTTP/1.1\r\n" + headers + b"\r\n").startswith(b"HTTP/1.0 431")


@pytest.mark.parametrize(
    "sent", [b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_request_is_answered_by_an_error_or_by_nothing(server: HealthServer, sent: bytes) -> None:
    answer = said(server, sent)
    assert answer == b"" or b" 200 " not in answer.splitlines()[0]
    assert ask(server, "GET").status == 200


def test_a_request_that_trickles_in_ends_when_its_time_is_over(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_door, "HEAD_SECONDS", 0.5)
    fed = 0
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nA: ")
        connection.settimeout(0.05)
        while True:
            try:
                assert connection.recv(100) == b""
                break
            except TimeoutError:
                # Each byte would start a timeout of its own anew; together they have only one.
                connection.sendall(b"a")
                fed += 1
            except ConnectionError:
                break
            assert fed < 1000, "it is still being listened to"
    assert fed > 2


def test_a_client_that_takes_no_answer_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_door, "ANSWER_SECONDS", 0.2)
    registry = CollectorRegistry()
    wide = HealthServer("127.0.0.1", 0, registry, Health(time.monotonic, ()))
    counter = Counter("wide", "Wide.", ["label"], registry=registry)
    for number in range(4000):
        counter.labels("x" * 2000 + str(number))
    wide.start()
    before = threading.active_count()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", wide.port))
        connection.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        eventually(lambda: threading.active_count() > before, 10, "it is being answered")
        eventually(lambda: threading.active_count() <= before, 30, "its thread has ended")
    wide.stop()


def test_many_idle_connections_keep_no_probe_out_and_take_a_bounded_number_of_threads(
    server: HealthServer,
) -> None:
    before = threading.active_count()
    with ExitStack() as held:
        for _ in range(4 * http_door.MAX_CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            held.enter_context(connection)
            connection.sendall(b"GET /livez")
        assert ask(server, "GET").status == 200
        eventually(
            lambda: threading.active_count() - before <= http_door.MAX_CONNECTIONS + 1,
            10,
            "the oldest connections have given way",
        )


def test_the_server_does_not_say_what_it_is_made_of(server: HealthServer) -> None:
    assert ask(server, "GET").headers["Server"] == "contract-dataflow"
