"""Operators' commands: what they are permitted is enough, each of it is needed, and they tell nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported unnamed
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.cli.test_commands import call
from tests.integration.conftest import Pipelines
from tests.integration.wiring import (
    dead_letters,
    produce,
    read_committed,
    stored_rows,
    wait_until_committed,
)
from tests.pipeline import eventually
from tests.security.conftest import KAFKA_PASSWORD, OPERATOR, OPERATOR_PASSWORD, ROLE_PASSWORD, Secured
from tests.security.planted import found_in
from tests.security.test_leaks import CONTACTS, HMAC_KEY, TEXTS, messages

PLANTED = (KAFKA_PASSWORD, OPERATOR_PASSWORD, ROLE_PASSWORD, HMAC_KEY, *CONTACTS, *TEXTS.values())
LETTERS = 6
"""Of `messages()`: those that break the contract."""


class Operator:
    """Calls commands under the operators' login, and keeps all that they write."""

    def __init__(self, secured: Secured, secrets: Path) -> None:
        environment = secured.by_operator(
            CONTACT_HMAC_KEY=HMAC_KEY, KAFKA_CONFIG_DEBUG="all", LOG_LEVEL="debug"
        )
        for name in ("REDSHIFT_PASSWORD", "KAFKA_CONFIG_SASL_PASSWORD", "CONTACT_HMAC_KEY"):
            file = secrets / name
            file.write_text(environment.pop(name), encoding="utf-8")
            environment[f"{name}_FILE"] = str(file)
        self._environment = environment
        self.outputs: list[tuple[str, bytes]] = []

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        told = call(*arguments, environment=self._environment | more)
        assert "Traceback" not in told.stderr, told.stderr
        self.outputs.append((" ".join(arguments), (told.stdout + told.stderr).encode()))
        return told

    def does(self, *arguments: str) -> str:
        told = self.run(*arguments)
        assert told.returncode == 0, (arguments, told.stdout, told.stderr)
        return told.stdout

    def refused(self, *arguments: str) -> str:
        told = self.run(*arguments)
        assert told.returncode == 1, (arguments, told.stdout, told.stderr)
        return told.stderr


@contextmanager
def without(secured: Secured, operation: AclOperation, resource: ResourceType, name: str) -> Iterator[None]:
    """The operators' login less one permission."""
    administration = AdminClient({"bootstrap.servers": secured.wiring.bootstrap})
    where = (resource, name, ResourcePatternType.LITERAL, f"User:{OPERATOR}", "*", operation)
    taken = AclBindingFilter(*where, AclPermissionType.ANY)
    for deleted in administration.delete_acls([taken]).values():
        assert len(deleted.result(30)) == 1
    yield
    for created in administration.create_acls([AclBinding(*where, AclPermissionType.ALLOW)]).values():
        created.result(30)


@pytest.mark.timeout(600)
def test_operators_do_all_with_exactly_what_is_listed_and_nothing_they_see_leaks(
    secured: Secured, pipelines: Pipelines, tmp_path: Path
) -> None:
    wiring, table = secured.wiring, secured.table.qualified
    secured.allow()
    secured.grant()
    secured.allow_operators()
    produce(wiring, [(number % 4, value) for number, value in enumerate(messages())])
    pipeline = pipelines.start(secured.scram(CONTACT_HMAC_KEY=HMAC_KEY))
    eventually(lambda: len(dead_letters(wiring)) == LETTERS, 120, "all dead letters are there")
    wait_until_committed(wiring, secured.table, len(list(messages())))
    assert pipeline.terminate() == 0, pipeline.tail()
    assert len(read_committed(wiring, wiring.contacts)) == 2
    rows = stored_rows(wiring, secured.table)
    operator = Operator(secured, tmp_path)

    # Each command by itself, with what is listed.
    operator.does("verify")
    told = json.loads(operator.does("ledger", "--json"))
    process_id = told["commits"][-1]["process_id"]
    seen = operator.does("tail", "--last", "100", "--count", str(len(list(messages())) + LETTERS + 2))
    for stream in (" rows ", " events ", " dead-letters "):
        assert stream in seen
    operator.does("dead-letters", "stats")
    listed = json.loads(operator.does("dead-letters", "ls", "--json").splitlines()[0])
    # A letter's bytes are shown by no option: `--value-to` writes them, by intent, to a file of one's own.
    value = tmp_path / "value"
    operator.does("dead-letters", "show", listed["place"], "--value-to", str(value))
    assert found_in(value.read_bytes(), TEXTS.values())
    operator.does("rerun", "--process-id", process_id, "--dry-run")
    operator.does("rerun", "--process-id", process_id, "--events")
    assert stored_rows(wiring, secured.table) == rows

    # One fewer.
    topic = ResourceType.TOPIC
    with without(secured, AclOperation.READ, topic, wiring.dead_letters):
        assert "`acls --for operators`" in operator.refused("dead-letters", "ls", "--limit", "1")
    with without(secured, AclOperation.DESCRIBE, ResourceType.GROUP, wiring.group):
        assert "GROUP_AUTHORIZATION_FAILED" in operator.refused("ledger")
    with without(secured, AclOperation.CREATE, topic, f"{wiring.dead_letters}.replayed"):
        assert "Create it with one partition" in operator.refused("dead-letters", "replay")
    with without(secured, AclOperation.WRITE, topic, wiring.source):
        assert wiring.source in operator.refused("dead-letters", "replay", "--rate", "50")
    secured.as_owner(f'REVOKE DELETE ON {table} FROM "{secured.operator.user}"')
    newest = json.loads(operator.does("ledger", "--json"))["commits"][-1]["process_id"]
    refused = operator.refused("rerun", "--process-id", newest)
    assert f"Missing: GRANT DELETE ON {table}." in refused, refused
    assert stored_rows(wiring, secured.table) == rows

    before = len(read_committed(wiring, wiring.source))
    told = json.loads(operator.run("dead-letters", "replay", "--json").stdout)
    assert told["replayed"] == len(read_committed(wiring, wiring.source)) - before > 0

    for name, content in operator.outputs:
        assert content, name
        assert found_in(content, PLANTED) == [], name


def test_what_is_printed_for_operators_names_them_and_where_they_replay_to(secured: Secured) -> None:
    environment = secured.wiring.environment()
    acls = ("acls", "--for", "operators", "--principal", "User:o")
    told = call(*acls, "--to", "trial", environment=environment)
    assert told.returncode == 0, told.stderr
    assert "--operation Write --topic trial" in told.stdout
    assert f"--operation Write --topic {secured.wiring.source}\n" not in told.stdout
    assert call("acls", "--principal", "User:o", "--to", "trial", environment=environment).returncode == 2
    told = call("grants", "--for", "operators", "--group", "o", environment=environment)
    assert f"GRANT SELECT, INSERT, UPDATE, DELETE ON {secured.table.qualified}" in told.stdout
