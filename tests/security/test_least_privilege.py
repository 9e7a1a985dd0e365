"""What `acls` and `grants` list is enough, and each of it is needed: without it the program says so."""

from __future__ import annotations

import re
import shlex
import uuid
from dataclasses import replace

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported unnamed
    AclBindingFilter,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from connectors.items import Verdict
from connectors.kafka_access import KafkaAccess
from connectors.kafka_acls import Permission, permissions
from connectors.ledger import ByCommit
from connectors.redshift_access import Reason, RedshiftAccess, WarehouseRefused
from connectors.redshift_access import connect as connect_as_the_program_does
from connectors.redshift_check import survey
from connectors.redshift_commit import Committed, commit_once
from connectors.redshift_grants import Grantee, GranteeKind, Privileges, grants
from connectors.redshift_ledger import read_entries
from dataflow.commands.told import told_of
from tests.cli.test_commands import call
from tests.integration.conftest import Pipelines
from tests.integration.wiring import produce_numbered
from tests.redshift.contacts import CONTACTS, KEEPING, giving_span, with_contacts
from tests.redshift.test_contacts import rerun
from tests.redshift.warehouse import INSERTS, NOON, TABLE, Letter, access_to, window
from tests.security.conftest import ROLE_PASSWORD, USER, Secured
from tests.standins.redshift_client import RedshiftServer, Transactions, connect

ALL_ACLS = range(5)
TOLD_BY_CHECK = {
    ResourceType.TOPIC: "or let an ACL allow {operation}",
    ResourceType.GROUP: "GROUP_AUTHORIZATION_FAILED",
    ResourceType.TRANSACTIONAL_ID: "an ACL must allow WRITE on the prefix",
}
TOLD_BY_RUN = {
    ResourceType.TOPIC: "TOPIC_AUTHORIZATION_FAILED",
    ResourceType.GROUP: "GROUP_AUTHORIZATION_FAILED",
    ResourceType.TRANSACTIONAL_ID: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
}


def listed(secured: Secured) -> tuple[Permission, ...]:
    wiring = secured.wiring
    access = KafkaAccess(wiring.bootstrap, wiring.source, wiring.group)
    return permissions(access, (wiring.contacts, wiring.dead_letters))


def take_away(secured: Secured, permission: Permission) -> None:
    administration = AdminClient({"bootstrap.servers": secured.wiring.bootstrap})
    any_kind = AclPermissionType.ANY
    principal = f"User:{USER}"
    taken = AclBindingFilter(
        permission.resource,
        permission.name,
        permission.pattern,
        principal,
        "*",
        permission.operation,
        any_kind,
    )
    for answer in administration.delete_acls([taken]).values():
        assert len(answer.result(30)) == 1


@pytest.mark.parametrize("index", ALL_ACLS)
def test_without_any_one_acl_check_and_run_say_which_is_missing(
    secured: Secured, pipelines: Pipelines, index: int
) -> None:
    secured.allow()
    secured.grant()
    wanted = listed(secured)
    assert len(wanted) == len(ALL_ACLS)
    missing = wanted[index]
    take_away(secured, missing)
    told = call("check", environment=secured.scram())
    assert told.returncode == 1
    wrong = [line for line in told.stdout.splitlines() if line.startswith("WRONG")]
    named = TOLD_BY_CHECK[missing.resource].format(operation=missing.operation.name)
    assert any(missing.name in line and named in line for line in wrong), told.stdout
    produce_numbered(secured.wiring, 0, 100)
    pipeline = pipelines.start(secured.scram())
    assert pipeline.process.wait(60) == 17, pipeline.tail()
    (ended,) = [event for event in pipeline.events() if event["event"] == "ended"]
    assert TOLD_BY_RUN[missing.resource] in ended["exception"]["text"]
    assert "An ACL must allow" in ended["exception"]["text"]


def test_the_printed_acl_commands_say_what_apply_creates(secured: Secured) -> None:
    told = call("acls", "--principal", f"User:{USER}", environment=secured.wiring.environment())
    assert told.returncode == 0, told.stderr
    commands = [shlex.split(line) for line in told.stdout.splitlines() if not line.startswith("#")]
    assert len(commands) == len(ALL_ACLS)
    for words, each in zip(commands, listed(secured), strict=True):
        assert words[0] == "kafka-acls.sh"
        options = dict(zip(words[1::2], words[2::2], strict=False))
        assert "--add" in words
        kind = f"--{each.resource.name.lower().replace('_', '-')}"
        assert words[words.index(kind) + 1] == each.name
        assert words[words.index("--allow-principal") + 1] == f"User:{USER}"
        assert words[words.index("--operation") + 1].upper() == each.operation.name
        prefixed = each.pattern is ResourcePatternType.PREFIXED
        assert ("--resource-pattern-type" in words) == prefixed
        assert options["--bootstrap-server"] == secured.wiring.bootstrap


def test_only_an_administrator_creates_acls_and_others_are_told_what_they_lack(secured: Secured) -> None:
    told = call("acls", "--principal", f"User:{USER}", "--apply", environment=secured.scram())
    assert told.returncode == 1
    (line,) = told.stderr.splitlines()
    assert line.startswith("acls: Kafka, ACLs: CLUSTER_AUTHORIZATION_FAILED: ")
    assert "as an administrator, whom an ACL allows ALTER on the cluster" in line


@pytest.fixture
def role(redshift_database: RedshiftServer) -> RedshiftServer:
    """A user who is permitted nothing; tables exist, and belong to the administrator."""
    with_contacts(redshift_database)
    user = f"pipeline_{uuid.uuid4().hex[:8]}"
    as_owner(
        redshift_database,
        f"CREATE USER {user} PASSWORD '{ROLE_PASSWORD}'",
        f"REVOKE TEMP ON DATABASE {redshift_database.database} FROM PUBLIC",
    )
    return replace(redshift_database, user=user, password=ROLE_PASSWORD)


def as_owner(server: RedshiftServer, *statements: str) -> None:
    with connect(server, Transactions.EACH_STATEMENT) as session:
        for statement in statements:
            session.run(statement)


def granted(server: RedshiftServer, user: str) -> tuple[str, ...]:
    return grants(TABLE, server.database, Grantee(GranteeKind.USER, user), contacts=CONTACTS)


def wrong_in(access: RedshiftAccess) -> list[str]:
    return [
        f"{each.subject}: {each.detail}"
        for each in survey(access, TABLE, CONTACTS)
        if each.verdict is not Verdict.RIGHT
    ]


def commit(access: RedshiftAccess, first: int) -> object:
    with connect_as_the_program_does(access) as session:
        letters = [Letter(offset, written=offset, body="1") for offset in range(first, first + 4)]
        windows = [window(giving_span(first, first + 4, letters))]
        seen: dict[int, int] = {}
        return commit_once(session, KEEPING, windows, seen, INSERTS, uuid.uuid4().hex, NOON)


SINGLE = re.compile(r"GRANT (.*) ON (.*) TO (.*)")


def test_the_listed_grants_are_enough_and_each_is_told_when_it_is_missing(
    redshift_database: RedshiftServer, role: RedshiftServer
) -> None:
    as_owner(redshift_database, *granted(redshift_database, role.user))
    access = access_to(role)
    assert wrong_in(access) == []
    assert isinstance(commit(access, 0), Committed)
    needed = 0
    for statement in granted(redshift_database, role.user):
        found = SINGLE.fullmatch(statement)
        assert found is not None
        privileges, on, to = found.groups()
        for privilege in privileges.split(", "):
            as_owner(redshift_database, f"REVOKE {privilege} ON {on} FROM {to}")
            wrong = wrong_in(access)
            assert any(f"GRANT {privilege}" in line for line in wrong), (statement, wrong)
            with pytest.raises(WarehouseRefused) as refused:
                commit(access, 4)
            assert refused.value.reason is Reason.PERMISSION, statement
            needed += 1
            as_owner(redshift_database, f"GRANT {privilege} ON {on} TO {to}")
    assert needed == 11
    assert wrong_in(access) == []
    assert isinstance(commit(access, 4), Committed)


def test_a_rerun_needs_each_grant_listed_for_operators_and_is_told_the_missing_one(
    redshift_database: RedshiftServer, role: RedshiftServer
) -> None:
    operators = Grantee(GranteeKind.USER, role.user)
    listed = grants(TABLE, redshift_database.database, operators, Privileges.OPERATORS, CONTACTS)
    as_owner(redshift_database, *listed)
    access = access_to(role)
    done = commit(access, 0)
    assert isinstance(done, Committed)
    (wanted,) = commit_ids(access)
    again = giving_span(0, 4, [Letter(offset, written=offset, body="2") for offset in range(4)])
    needed = 0
    for statement in listed:
        found = SINGLE.fullmatch(statement)
        assert found is not None
        privileges, on, to = found.groups()
        for privilege in privileges.split(", "):
            as_owner(redshift_database, f"REVOKE {privilege} ON {on} FROM {to}")
            with pytest.raises(WarehouseRefused) as refused:
                rerun(access, ByCommit(wanted), again)
            told = told_of(refused.value, access, TABLE, CONTACTS, "rerun")
            missing = f"GRANT {privilege} ON {on}".replace('"', "")
            assert f"Missing: {missing}. " in told, (statement, told)
            needed += 1
            as_owner(redshift_database, f"GRANT {privilege} ON {on} TO {to}")
    assert needed == 12
    rerun(access, ByCommit(wanted), again)


def commit_ids(access: RedshiftAccess) -> list[str]:
    with connect_as_the_program_does(access) as session:
        entries = read_entries(session, TABLE, KEEPING.pipeline, KEEPING.topic)
        session.rollback()
    return [entry.process_id for entry in entries]


def test_grants_are_printed_for_a_user_a_role_or_a_group_whatever_its_name(secured: Secured) -> None:
    environment = secured.wiring.environment()
    for kind, words in (("user", ""), ("role", "ROLE "), ("group", "GROUP ")):
        told = call("grants", f"--{kind}", 'IAMR:etl"; DROP TABLE x', environment=environment)
        assert told.returncode == 0, told.stderr
        lines = told.stdout.splitlines()
        assert len(lines) == 4
        assert all(line.endswith(f' TO {words}"IAMR:etl""; DROP TABLE x";') for line in lines)
