"""Servers that are not there: told in one line, by address, cause and the setting to look at, and soon."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflow.__main__ import main

pytestmark = pytest.mark.timeout(60)
KAFKA = {"KAFKA_TOPIC": "messages", "KAFKA_GROUP": "group"}
WAREHOUSE = {
    "REDSHIFT_HOST": "127.0.0.1",
    "REDSHIFT_DATABASE": "analytics",
    "REDSHIFT_USER": "operator",
    "REDSHIFT_PASSWORD": "nobody hears it",
    "REDSHIFT_SSLMODE": "disable",
}
KEY = {"CONTACT_HMAC_KEY": "sixteen bytes or more"}


@pytest.fixture
def dead() -> Iterator[int]:
    """A port where nobody listens, and nobody will."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and answers nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


class Caller:
    """Calls a command here, with these settings and no others."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch = patch
        self._capture = capture

    def fails(self, code: int, *arguments: str, **settings: str) -> str:
        for name, value in settings.items():
            self._patch.setenv(name, value)
        assert main(arguments) == code
        said = self._capture.readouterr()
        assert not said.out
        return said.err


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Caller:
    monkeypatch.chdir(tmp_path)
    return Caller(monkeypatch, capsys)


@pytest.mark.parametrize(
    "command",
    [
        ("tail",),
        ("dead-letters", "ls"),
        ("dead-letters", "replay"),
        ("acls", "--principal", "User:pipeline", "--apply"),
    ],
)
def test_a_broker_that_is_not_there_is_told_and_the_warehouse_is_not_asked_for(
    caller: Caller, dead: int, command: tuple[str, ...]
) -> None:
    broker = f"127.0.0.1:{dead}"
    said = caller.fails(1, *command, **KAFKA, KAFKA_BOOTSTRAP_SERVERS=broker)
    (line,) = said.splitlines()
    assert line.startswith(f"{command[0]}: Kafka, {broker}: no broker answers: ")
    assert "Connection refused" in line
    assert "KAFKA_BOOTSTRAP_SERVERS must name brokers that are up" in line
    assert "Create it" not in line


def test_a_host_that_nobody_knows_is_told_at_once(caller: Caller) -> None:
    said = caller.fails(1, "dead-letters", "ls", **KAFKA, KAFKA_BOOTSTRAP_SERVERS="broker.invalid:9092")
    assert "Kafka, broker.invalid:9092: no broker answers" in said
    assert "KAFKA_BOOTSTRAP_SERVERS names a host that is not known here" in said


def test_a_ledger_asks_for_both_servers_and_for_no_key(caller: Caller, dead: int) -> None:
    broker = f"127.0.0.1:{dead}"
    said = caller.fails(2, "ledger", **KAFKA, KAFKA_BOOTSTRAP_SERVERS=broker)
    assert "REDSHIFT_HOST: is missing" in said
    assert "CONTACT_HMAC_KEY" not in said
    said = caller.fails(1, "ledger", **WAREHOUSE, REDSHIFT_PORT=str(dead))
    assert f"ledger: Kafka, {broker}: " in said


def test_a_warehouse_that_is_not_there_is_told(caller: Caller, dead: int) -> None:
    settings = KAFKA | WAREHOUSE | KEY | {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{dead}"}
    (line,) = caller.fails(1, "verify", **settings, REDSHIFT_PORT=str(dead)).splitlines()
    assert line.startswith(f"verify: Redshift, 127.0.0.1:{dead}/analytics: Connection refused. ")
    assert "REDSHIFT_HOST and REDSHIFT_PORT must name a warehouse that is up" in line


def test_a_warehouse_that_says_nothing_is_told(caller: Caller, dead: int, silent: int) -> None:
    settings = KAFKA | WAREHOUSE | KEY | {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{dead}"}
    wait = {"REDSHIFT_CONNECT_TIMEOUT": "1s", "REDSHIFT_PORT": str(silent)}
    (line,) = caller.fails(1, "verify", **settings, **wait).splitlines()
    assert line.startswith(f"verify: Redshift, 127.0.0.1:{silent}/analytics: no answer in time. ")
    assert "REDSHIFT_CONNECT_TIMEOUT" in line


@pytest.mark.parametrize(
    ("code", "near"), [("NO_SUCH_CODE", None), ("mising", "missing"), ("Too_Long", "too_long")]
)
def test_a_code_that_no_dead_letter_has_is_refused_with_the_nearest(
    caller: Caller, dead: int, code: str, near: str | None
) -> None:
    broker = f"127.0.0.1:{dead}"
    for action in ("ls", "stats", "replay"):
        said = caller.fails(
            2, "dead-letters", action, "--code", f"null,{code}", **KAFKA, KAFKA_BOOTSTRAP_SERVERS=broker
        )
        assert f"--code {code}: no dead letter has such a code" in said
        assert near is None or f"did you mean {near}?" in said
