"""The hourly `verify` by a login of its own: it reads what is listed, needs all of it, writes nothing."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported unnamed
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
)

from connectors.kafka_access import KafkaAccess
from connectors.kafka_acls import Permission, verify_permissions
from tests.cli.test_commands import call
from tests.integration.conftest import Pipelines
from tests.integration.wiring import dead_letters, produce, read_committed, stored_rows, wait_until_committed
from tests.pipeline import eventually
from tests.security.conftest import VERIFIER, Secured
from tests.security.test_leaks import messages

LETTERS = 6
KEPT = {"CONTACTS_TABLE": "on"}
GRANT = re.compile(r"GRANT (.*) ON (.*) TO (.*);")


def verify(secured: Secured) -> subprocess.CompletedProcess[str]:
    told = call("verify", "--json", environment=secured.by_verifier(**KEPT))
    assert "Traceback" not in told.stderr, told.stderr
    return told


@contextmanager
def without(secured: Secured, permission: Permission) -> Iterator[None]:
    administration = AdminClient({"bootstrap.servers": secured.wiring.bootstrap})
    where = (permission.resource, permission.name, ResourcePatternType.LITERAL, f"User:{VERIFIER}", "*")
    taken = AclBindingFilter(*where, permission.operation, AclPermissionType.ANY)
    for deleted in administration.delete_acls([taken]).values():
        assert len(deleted.result(30)) == 1
    yield
    back = AclBinding(*where, permission.operation, AclPermissionType.ALLOW)
    for created in administration.create_acls([back]).values():
        created.result(30)


@pytest.mark.timeout(600)
def test_verify_does_all_with_exactly_what_is_listed_and_without_any_one_says_so(
    secured: Secured, pipelines: Pipelines
) -> None:
    secured = replace(secured, wiring=replace(secured.wiring, contacts_table="on"))
    wiring = secured.wiring
    administrator = wiring.environment()
    secured.allow()
    for command in (
        ("ddl", "--apply"),
        ("grants", "--user", secured.role.user, "--apply"),
        ("acls", "--for", "verify", "--principal", f"User:{VERIFIER}", "--apply"),
        ("grants", "--for", "verify", "--user", secured.verifier.user, "--apply"),
    ):
        told = call(*command, environment=administrator)
        assert told.returncode == 0, told.stderr
    produce(wiring, [(number % 4, value) for number, value in enumerate(messages())])
    pipeline = pipelines.start(secured.scram(**KEPT))
    eventually(lambda: len(dead_letters(wiring)) == LETTERS, 120, "all dead letters are there")
    wait_until_committed(wiring, secured.table, len(list(messages())))
    assert pipeline.terminate() == 0, pipeline.tail()
    assert len(read_committed(wiring, wiring.contacts)) == 2
    rows = stored_rows(wiring, secured.table)

    told = verify(secured)
    assert told.returncode == 0, told.stdout + told.stderr

    access = KafkaAccess(wiring.bootstrap, wiring.source, wiring.group)
    listed = verify_permissions(access, (wiring.dead_letters, wiring.contacts))
    assert {each.operation for each in listed} == {AclOperation.READ, AclOperation.DESCRIBE}
    for permission in listed:
        with without(secured, permission):
            refused = verify(secured)
            assert refused.returncode == 1, permission
            assert permission.name in refused.stderr, refused.stderr
    printed = call("grants", "--for", "verify", "--user", secured.verifier.user, environment=administrator)
    statements = [found.groups() for found in map(GRANT.fullmatch, printed.stdout.splitlines()) if found]
    assert [privileges for privileges, _, _ in statements] == ["TEMP", "USAGE", *["SELECT"] * 3]
    for privilege, on, to in statements:
        secured.as_owner(f"REVOKE {privilege} ON {on} FROM {to}")
        refused = verify(secured)
        assert refused.returncode == 1, on
        assert f"Missing: GRANT {privilege} ON {on}".replace('"', "") in refused.stderr, refused.stderr
        secured.as_owner(f"GRANT {privilege} ON {on} TO {to}")

    assert verify(secured).returncode == 0
    assert stored_rows(wiring, secured.table) == rows


def test_what_is_printed_for_verify_is_to_read_and_the_topic_of_contacts_only_where_they_are_kept(
    secured: Secured,
) -> None:
    environment = secured.wiring.environment()
    acls = ("acls", "--for", "verify", "--principal", "User:v")
    told = call(*acls, environment=environment)
    assert told.returncode == 0, told.stderr
    assert "--operation Write" not in told.stdout
    assert secured.wiring.contacts not in told.stdout
    assert secured.wiring.contacts in call(*acls, environment=environment | KEPT).stdout
    assert call(*acls, "--to", "trial", environment=environment).returncode == 2
    told = call("grants", "--for", "verify", "--group", "v", environment=environment)
    assert f"GRANT SELECT ON {secured.table.qualified} TO" in told.stdout
    assert not re.search("INSERT|UPDATE|DELETE", told.stdout)
