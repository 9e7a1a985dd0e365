"""A broker and a warehouse as production has them: TLS, logins, and nothing permitted that nobody granted.

Both are children of the run, whatever TEST_KAFKA_BOOTSTRAP and TEST_REDSHIFT_DSN say: they need keys.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connectors.items import Table
from tests.cli.test_commands import call
from tests.fixtures_kafka import PARTITIONS, create_topics
from tests.integration.conftest import Pipelines
from tests.integration.wiring import Wiring
from tests.standins.certificates import Authority, Certificate
from tests.standins.kafka_real import KafkaUnavailable
from tests.standins.kafka_secured import MECHANISM, SecuredKafka
from tests.standins.redshift_client import RedshiftServer, Transactions, connect
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.token_issuer import TokenKey

USER = "pipeline"
OPERATOR = "operator"
VERIFIER = "verifier"
KAFKA_PASSWORD = "kafka-pa$$word-of-tests"
OPERATOR_PASSWORD = "kafka-Pa55word-of-0perators"
VERIFIER_PASSWORD = "kafka-Pass-0f-the-Verifier"
ROLE_PASSWORD = "Warehouse-password-0f-tests"


@dataclass(frozen=True, slots=True)
class Place:
    """Broker, warehouse and who certifies both."""

    authority: Authority
    stranger: Authority
    """An authority that nobody trusts."""
    client: Certificate
    """For a client that logs in by certificate, under the name `pipeline`."""
    tokens: TokenKey
    broker: SecuredKafka
    warehouse: RedshiftServer
    """By its certified name, as its administrator."""


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("secured")
    authority = Authority(directory / "ca")
    tokens = TokenKey()
    passwords = {USER: KAFKA_PASSWORD, OPERATOR: OPERATOR_PASSWORD, VERIFIER: VERIFIER_PASSWORD}
    try:
        broker = SecuredKafka(directory / "kafka", authority, passwords, tokens)
    except KafkaUnavailable as reason:
        if os.environ.get("REQUIRE_REAL_KAFKA") == "1":
            pytest.fail(f"REQUIRE_REAL_KAFKA=1, but: {reason}", pytrace=False)
        pytest.skip(f"no real Kafka: {reason}")
    issued = authority.issue("warehouse", ["localhost"])
    tls = ("--tls-certificate", str(issued.certificate), "--tls-key", str(issued.key))
    with broker, RedshiftProcess(arguments=tls) as redshift:
        yield Place(
            authority,
            Authority(directory / "stranger", "Nobody"),
            authority.issue(USER),
            tokens,
            broker,
            replace(redshift.server, host="localhost"),
        )


@dataclass(frozen=True, slots=True)
class Secured:
    """Topics and a database of one test, where nobody is permitted anything yet."""

    place: Place
    wiring: Wiring
    """The administrator's ways in: plain text on loopback, and the database's owner."""
    role: RedshiftServer
    """Who the pipeline is in the warehouse."""
    operator: RedshiftServer
    """Who its operators are there."""
    verifier: RedshiftServer
    """Who the hourly `verify` is there."""
    table: Table

    def environment(self, **more: str) -> dict[str, str]:
        """The pipeline's own, but for its login to Kafka."""
        return (
            self.wiring.environment(
                KAFKA_BOOTSTRAP_SERVERS=self.place.broker.sasl,
                KAFKA_CONFIG_SSL_CA_LOCATION=str(self.place.authority.certificate),
                REDSHIFT_HOST=self.role.host,
                REDSHIFT_USER=self.role.user,
                REDSHIFT_PASSWORD=self.role.password,
                REDSHIFT_SSLMODE="verify-full",
                REDSHIFT_CA_FILE=str(self.place.authority.certificate),
            )
            | more
        )

    def scram(self, **more: str) -> dict[str, str]:
        """The same, with a SCRAM login."""
        return (
            self.environment(
                KAFKA_CONFIG_SECURITY_PROTOCOL="sasl_ssl",
                KAFKA_CONFIG_SASL_MECHANISM=MECHANISM,
                KAFKA_CONFIG_SASL_USERNAME=USER,
                KAFKA_CONFIG_SASL_PASSWORD=KAFKA_PASSWORD,
            )
            | more
        )

    def by_operator(self, **more: str) -> dict[str, str]:
        """An operator's own, with a SCRAM login, as the same pipeline."""
        environment = self.scram(
            KAFKA_CONFIG_SASL_USERNAME=OPERATOR,
            KAFKA_CONFIG_SASL_PASSWORD=OPERATOR_PASSWORD,
            REDSHIFT_USER=self.operator.user,
        )
        return environment | more

    def by_verifier(self, **more: str) -> dict[str, str]:
        """The hourly `verify`'s own, with a SCRAM login, and without the key of the contacts' hashes."""
        environment = self.scram(
            KAFKA_CONFIG_SASL_USERNAME=VERIFIER,
            KAFKA_CONFIG_SASL_PASSWORD=VERIFIER_PASSWORD,
            REDSHIFT_USER=self.verifier.user,
        )
        del environment["CONTACT_HMAC_KEY"]
        return environment | more

    def allow_operators(self) -> None:
        """What `acls` and `grants` give to operators."""
        for command, *whom in (
            ("acls", "--principal", f"User:{OPERATOR}"),
            ("grants", "--user", self.operator.user),
        ):
            arguments = (command, "--for", "operators", *whom, "--apply")
            told = call(*arguments, environment=self.wiring.environment())
            assert told.returncode == 0, told.stderr

    def allow(self) -> None:
        """What `acls --apply` creates."""
        told = call("acls", "--principal", f"User:{USER}", "--apply", environment=self.wiring.environment())
        assert told.returncode == 0, told.stderr

    def grant(self) -> None:
        """What `grants --apply` grants."""
        told = call("grants", "--user", self.role.user, "--apply", environment=self.wiring.environment())
        assert told.returncode == 0, told.stderr

    def as_owner(self, *statements: str) -> None:
        with connect(self.wiring.database, Transactions.EACH_STATEMENT) as session:
            for statement in statements:
                session.run(statement)


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[Pipelines]:
    started = Pipelines(tmp_path / "log")
    yield started
    started.kill_all()


@pytest.fixture
def secured(place: Place) -> Iterator[Secured]:
    run = uuid.uuid4().hex[:12]
    names = (f"messages-{run}", f"contacts-{run}", f"dead-letters-{run}")
    create_topics(place.broker.bootstrap, dict.fromkeys(names, PARTITIONS))
    owner = replace(place.warehouse, sslmode="disable", database=f"test_{run}")
    role = replace(place.warehouse, database=owner.database, user=f"pipeline {run}", password=ROLE_PASSWORD)
    operator, verifier = replace(role, user=f"operator {run}"), replace(role, user=f"verifier {run}")
    with connect(replace(owner, database="dev"), Transactions.EACH_STATEMENT) as administration:
        administration.run(f"CREATE DATABASE {owner.database}")
        for user in (role.user, operator.user, verifier.user):
            administration.run(f"""CREATE USER "{user}" PASSWORD '{ROLE_PASSWORD}'""")
        administration.run(f"REVOKE TEMP ON DATABASE {owner.database} FROM PUBLIC")
        wiring = Wiring(place.broker.bootstrap, *names, f"group-{run}", owner)
        yield Secured(place, wiring, role, operator, verifier, wiring.create_tables())
        administration.run(f"DROP DATABASE {owner.database} FORCE")
    client = AdminClient({"bootstrap.servers": place.broker.bootstrap})
    for deleted in client.delete_topics(list(names)).values():
        deleted.result(30)
