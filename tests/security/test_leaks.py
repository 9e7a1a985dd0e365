"""Nothing that the program writes holds a secret, a message's text or a contact's value.

By contract the texts are in the table and in the dead letters, and nowhere else.
"""

from __future__ import annotations

import json
import random
import string
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import orjson
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.test_commands import call
from tests.integration.conftest import Pipelines
from tests.integration.wiring import dead_letters, produce, read_committed, stored_rows
from tests.pipeline import Pipeline, eventually
from tests.security.conftest import KAFKA_PASSWORD, ROLE_PASSWORD, Secured
from tests.security.planted import forms_of, found_in

LOUD = ("-m", "tests.security.indiscreet")
HMAC_KEY = "a-key-that-nobody-may-read-7Hq2"
WRONG = {
    "REDSHIFT_PASSWORD": "wrong-warehouse-Pa55-kU4x",
    "KAFKA_CONFIG_SASL_PASSWORD": "wrong-kafka-Pa55-zR8m",
}
SECRETS = (KAFKA_PASSWORD, ROLE_PASSWORD, HMAC_KEY, *WRONG.values())
PHONE, HANDLE = "+1 202 555 0187", "wren_larkspur_93"
CONTACTS = (PHONE, "+12025550187", "2025550187", HANDLE)
NUMBERS = random.Random(20240101)


def phrase() -> str:
    """A text that stands nowhere else, with what encodings treat differently."""
    return "".join(NUMBERS.choices(string.ascii_letters, k=12)) + ' "é<&>\\ ☎' + NUMBERS.choice(string.digits)


TEXTS = {
    kind: phrase()
    for kind in (
        "row", "row with a phone", "row with a handle", "wrong status", "wrong type", "not JSON",
        "unknown value", "unknown name", "duplicate key", "deep", "refused by the warehouse", "too long",
    )
}  # fmt: skip


def messages() -> Iterator[bytes]:
    """Valid rows, contacts, and every kind of dead letter, each with a text of its own."""
    number = 0

    def message(text: object, **more: object) -> bytes:
        nonlocal number
        number += 1
        moment = "2026-01-01T00:00:00Z"
        body = {"user_id": f"u{number}", "subject_id": "s", "message_text": text, "status": "unread"}
        return orjson.dumps(body | {"created_at": moment, "updated_at": moment} | more)

    yield message(TEXTS["row"])
    yield message(f"{TEXTS['row with a phone']} call me on {PHONE}")
    yield message(f"{TEXTS['row with a handle']} my insta is @{HANDLE}")
    yield message("hi", status=TEXTS["wrong status"])
    yield message([TEXTS["wrong type"]])
    yield b'{"message_text": "' + TEXTS["not JSON"].encode()
    yield message("hi", note=TEXTS["unknown value"])
    yield message("hi", **{TEXTS["unknown name"]: 1})
    yield b'{"user_id": "' + TEXTS["duplicate key"].encode() + b'", "user_id": "b"}'
    yield b"[" * 2000 + TEXTS["deep"].encode() + b"]" * 2000
    yield message(TEXTS["too long"] * 500)


def planted() -> list[str]:
    return [*SECRETS, *CONTACTS, *TEXTS.values()]


@given(st.text(min_size=8, max_size=40), st.binary(max_size=5), st.binary(max_size=5))
def test_the_search_finds_a_value_in_every_form(value: str, before: bytes, after: bytes) -> None:
    if len(value.encode()) < 8:
        return
    for form in forms_of(value):
        assert found_in(b"x" + form + b"y", [value]) == [value]
    assert found_in(b64encode(before + value.encode() + after), [value]) == [value]
    assert found_in(json.dumps({"a": value}).encode(), [value]) == [value]


def environment_of(secured: Secured, secrets: Path, **more: str) -> dict[str, str]:
    """With every secret in a file of its own, as in production."""
    environment = secured.scram(
        CONTACT_HMAC_KEY=HMAC_KEY, KAFKA_CONFIG_DEBUG="all", LOG_LEVEL="debug", **more
    )
    for name in ("REDSHIFT_PASSWORD", "KAFKA_CONFIG_SASL_PASSWORD", "CONTACT_HMAC_KEY"):
        file = secrets / name
        file.write_text(environment.pop(name), encoding="utf-8")
        environment[f"{name}_FILE"] = str(file)
    return environment


def of_process(pipeline: Pipeline) -> bytes:
    """What any user of the machine can read of a process, and what its own user can."""
    place = Path(f"/proc/{pipeline.process.pid}")
    return b"\n".join(
        (place / name).read_bytes() for name in ("cmdline", "environ", "comm", "status", "maps")
    )


def served(pipeline: Pipeline) -> bytes:
    return "\n".join(pipeline.get(path)[1] for path in ("/metrics", "/readyz", "/livez", "/")).encode()


def test_nothing_written_holds_a_secret_a_text_or_a_contact(
    secured: Secured, pipelines: Pipelines, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    secrets = tmp_path / "secrets"
    for directory in (spool, secrets):
        directory.mkdir()
    secured.allow()
    secured.grant()
    table = secured.table.qualified
    environment = environment_of(secured, secrets, SPOOL_DIR=str(spool))
    outputs: dict[str, bytes] = {}

    def note(name: str, *arguments: str, **more: str) -> None:
        told = call(*arguments, environment=environment | more)
        outputs[name] = (told.stdout + told.stderr).encode()

    def without(name: str) -> dict[str, str]:
        return {key: value for key, value in environment.items() if key != f"{name}_FILE"}

    note("config", "config")
    note("check", "check")
    note("acls", "acls", "--principal", "User:x")
    note("grants", "grants", "--user", "x")
    note("twice", "config", REDSHIFT_PASSWORD=ROLE_PASSWORD)
    note("unfit", "config", KAFKA_CONFIG_SASL_MECHANISM=KAFKA_PASSWORD, WINDOW=HMAC_KEY)
    for name, value in WRONG.items():
        told = call("check", environment=without(name) | {name: value})
        outputs[f"check with another {name}"] = (told.stdout + told.stderr).encode()

    # A row that the warehouse refuses: PostgreSQL's own message quotes it whole.
    refused = TEXTS["refused by the warehouse"]
    secured.as_owner(f"ALTER TABLE {table} ADD CONSTRAINT no_status CHECK (status <> 'archived')")
    pipeline = pipelines.start(environment, LOUD)
    pipeline.wait_until_ready(60)
    produce(secured.wiring, [(number % 4, value) for number, value in enumerate(messages())])
    eventually(lambda: stored_rows(secured.wiring, secured.table).total() >= 5, 60, "rows are committed")
    outputs["served"] = served(pipeline)
    body = {"user_id": "r", "subject_id": "s", "message_text": refused, "status": "archived"}
    moment = "2026-01-01T00:00:00Z"
    produce(secured.wiring, [(0, orjson.dumps(body | {"created_at": moment, "updated_at": moment}))])
    eventually(
        lambda: any(event["event"] == "warehouse_refused" for event in pipeline.events()), 30, "it is refused"
    )
    outputs["served while refused"] = served(pipeline)
    outputs["process"] = of_process(pipeline)
    # What is spooled has no name: nobody else can open it, and it is gone with the process.
    assert not list(spool.rglob("*"))
    secured.as_owner(f"ALTER TABLE {table} DROP CONSTRAINT no_status")
    eventually(lambda: stored_rows(secured.wiring, secured.table).total() >= 6, 60, "it is taken after all")
    assert pipeline.terminate() == 0, pipeline.tail()
    outputs["log"] = pipeline.log.read_bytes()

    # It was all there to be told.
    assert len(dead_letters(secured.wiring)) >= 6
    assert len(read_committed(secured.wiring, secured.wiring.contacts)) == 2
    assert b"SQLSTATE 23514" in outputs["log"]
    assert b'"event":"librdkafka"' in outputs["log"]
    assert not list(spool.rglob("*"))

    for name, content in outputs.items():
        assert content, name
        assert found_in(content, planted()) == [], name


def test_a_crash_whose_exception_quotes_every_message_tells_none(
    secured: Secured, pipelines: Pipelines, tmp_path: Path
) -> None:
    secured.allow()
    secured.grant()
    produce(secured.wiring, [(number % 4, value) for number, value in enumerate(messages())])
    pipeline = pipelines.start(environment_of(secured, tmp_path, LOG_FORMAT="text"), (*LOUD, "crash"))
    assert pipeline.process.wait(60) == 1, pipeline.tail()
    content = pipeline.log.read_bytes()
    assert b"ValueError" in content
    assert found_in(content, planted()) == []


def test_a_refused_login_tells_no_password(secured: Secured, pipelines: Pipelines, tmp_path: Path) -> None:
    environment = environment_of(secured, tmp_path, LOG_FORMAT="text")
    for name, value in WRONG.items():
        (tmp_path / name).write_text(value, encoding="utf-8")
    pipeline = pipelines.start(environment, LOUD)
    for told in (b"kafka_unreachable", b"warehouse_refused"):
        eventually(lambda told=told: told in pipeline.log.read_bytes(), 60, told.decode())  # type: ignore[misc]
    outputs = (pipeline.log.read_bytes(), served(pipeline) + b".", of_process(pipeline))
    assert pipeline.terminate() == 0, pipeline.tail()
    for content in outputs:
        assert found_in(content, SECRETS) == []
