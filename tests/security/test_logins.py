"""Every way to log in to Kafka and Redshift, with exactly the permissions that the program itself lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer

from tests.cli.test_commands import call
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once
from tests.integration.wiring import expected_rows, produce_numbered, stored_rows
from tests.pipeline import eventually
from tests.security.conftest import KAFKA_PASSWORD, USER, Secured
from tests.standins.redshift_client import RedshiftServer
from tests.standins.token_issuer import TokenIssuer, TokenKey

CLIENT_SECRET = "secret-of-the-oauth-client"
TOKEN_SECONDS = 6.0
"""A token's life, shorter than a test: it must be renewed while the pipeline runs."""
PROVIDER = "tests.security.token_provider"


@pytest.fixture
def issuer(secured: Secured) -> Iterator[TokenIssuer]:
    certificate = secured.place.authority.issue("issuer", ["127.0.0.1"])
    with TokenIssuer(secured.place.tokens, certificate, USER, CLIENT_SECRET, TOKEN_SECONDS) as serving:
        yield serving


def by_certificate(secured: Secured) -> dict[str, str]:
    client = secured.place.client
    return secured.environment(
        KAFKA_BOOTSTRAP_SERVERS=secured.place.broker.tls,
        KAFKA_CONFIG_SECURITY_PROTOCOL="ssl",
        KAFKA_CONFIG_SSL_CERTIFICATE_LOCATION=str(client.certificate),
        KAFKA_CONFIG_SSL_KEY_LOCATION=str(client.key),
    )


def by_token(secured: Secured, provider: str, **more: str) -> dict[str, str]:
    return secured.environment(
        KAFKA_CONFIG_SECURITY_PROTOCOL="sasl_ssl",
        KAFKA_CONFIG_SASL_MECHANISM="OAUTHBEARER",
        KAFKA_TOKEN_PROVIDER=f"{PROVIDER}:{provider}",
        **more,
    )


def by_oidc(secured: Secured, issuer: TokenIssuer) -> dict[str, str]:
    return secured.environment(
        KAFKA_CONFIG_SECURITY_PROTOCOL="sasl_ssl",
        KAFKA_CONFIG_SASL_MECHANISM="OAUTHBEARER",
        KAFKA_CONFIG_SASL_OAUTHBEARER_METHOD="oidc",
        KAFKA_CONFIG_SASL_OAUTHBEARER_CLIENT_ID=USER,
        KAFKA_CONFIG_SASL_OAUTHBEARER_CLIENT_SECRET=CLIENT_SECRET,
        KAFKA_CONFIG_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL=issuer.url,
        KAFKA_CONFIG_HTTPS_CA_LOCATION=str(secured.place.authority.certificate),
    )


def write_token(path: Path, key: TokenKey) -> str:
    token, expires = key.token(USER, 3600)
    path.write_text(f"{token}\n{expires}\n", encoding="ascii")
    return str(path)


def assert_runs(secured: Secured, environment: Mapping[str, str], pipelines: Pipelines) -> None:
    """`check` finds nothing wrong and nothing unknown, and `run` keeps every promise."""
    told = call("check", environment=environment)
    assert told.returncode == 0, told.stdout + told.stderr
    assert " 0 wrong, 0 that could not be looked at" in told.stdout, told.stdout
    produce_numbered(secured.wiring, 0, 200)
    pipeline = pipelines.start(dict(environment))
    pipeline.wait_until_ready(60)
    wanted = expected_rows(200).total()
    eventually(lambda: stored_rows(secured.wiring, secured.table).total() == wanted, 30, "rows are committed")
    assert pipeline.terminate() == 0, pipeline.tail()
    assert_exactly_once(secured.wiring, secured.table, 200)


def test_scram_over_tls_with_exactly_the_listed_acls_and_grants(
    secured: Secured, pipelines: Pipelines
) -> None:
    secured.allow()
    secured.grant()
    assert_runs(secured, secured.scram(), pipelines)


def test_a_client_certificate_is_a_login(secured: Secured, pipelines: Pipelines) -> None:
    secured.allow()
    secured.grant()
    assert_runs(secured, by_certificate(secured), pipelines)


def test_tokens_of_a_provider_are_a_login(secured: Secured, pipelines: Pipelines, tmp_path: Path) -> None:
    secured.allow()
    secured.grant()
    file = write_token(tmp_path / "token", secured.place.tokens)
    assert_runs(secured, by_token(secured, "token", TOKEN_FILE=file), pipelines)


def test_tokens_of_an_oidc_issuer_are_a_login_and_are_renewed(
    secured: Secured, issuer: TokenIssuer, pipelines: Pipelines
) -> None:
    secured.allow()
    secured.grant()
    environment = by_oidc(secured, issuer)
    told = call("check", environment=environment)
    assert told.returncode == 0, told.stdout + told.stderr
    produce_numbered(secured.wiring, 0, 100)
    pipeline = pipelines.start(environment)
    pipeline.wait_until_ready(60)
    first = issuer.served
    clients = 3
    eventually(lambda: issuer.served >= first + 2 * clients, 60, "every client has renewed its token twice")
    produce_numbered(secured.wiring, 100, 200)
    wanted = expected_rows(200).total()
    eventually(lambda: stored_rows(secured.wiring, secured.table).total() == wanted, 30, "rows are committed")
    assert pipeline.terminate() == 0, pipeline.tail()
    assert_exactly_once(secured.wiring, secured.table, 200)


Change = Callable[[Secured, Path], dict[str, str]]

WRONG_FOR_KAFKA: dict[str, tuple[Change, tuple[str, ...]]] = {
    "another authority": (
        lambda it, _: it.scram(KAFKA_CONFIG_SSL_CA_LOCATION=str(it.place.stranger.certificate)),
        ("certificate verify failed", "KAFKA_CONFIG_SSL_CA_LOCATION"),
    ),
    "the authority of the warehouse alone": (
        lambda it, _: {k: v for k, v in it.scram().items() if k != "KAFKA_CONFIG_SSL_CA_LOCATION"},
        ("certificate verify failed", "KAFKA_CONFIG_SSL_CA_LOCATION"),
    ),
    "another host name": (
        lambda it, _: it.scram(
            KAFKA_BOOTSTRAP_SERVERS=it.place.broker.sasl.replace("127.0.0.1", "localhost"),
            KAFKA_CONFIG_BROKER_ADDRESS_FAMILY="v4",
        ),
        ("certificate verify failed", "KAFKA_BOOTSTRAP_SERVERS"),
    ),
    "a port without TLS": (
        lambda it, _: it.scram(KAFKA_BOOTSTRAP_SERVERS=it.place.broker.bootstrap),
        ("PLAINTEXT broker listener", "the broker speaks no TLS at this port"),
    ),
    "plain text to a port with TLS": (
        lambda it, _: it.environment(),
        ("KAFKA_CONFIG_SECURITY_PROTOCOL, now plaintext",),
    ),
    "TLS without a login": (
        lambda it, _: it.environment(KAFKA_CONFIG_SECURITY_PROTOCOL="ssl"),
        ("KAFKA_CONFIG_SECURITY_PROTOCOL, now ssl",),
    ),
    "no certificate where one is wanted": (
        lambda it, _: it.environment(
            KAFKA_BOOTSTRAP_SERVERS=it.place.broker.tls, KAFKA_CONFIG_SECURITY_PROTOCOL="ssl"
        ),
        ("KAFKA_CONFIG_SSL_CERTIFICATE_LOCATION",),
    ),
    "another password": (
        lambda it, _: it.scram(KAFKA_CONFIG_SASL_PASSWORD="not-the-password"),
        ("invalid credentials", "KAFKA_CONFIG_SASL_PASSWORD"),
    ),
    "another mechanism": (
        lambda it, _: it.scram(KAFKA_CONFIG_SASL_MECHANISM="SCRAM-SHA-256"),
        ("Unsupported SASL mechanism", "KAFKA_CONFIG_SASL_MECHANISM, now SCRAM-SHA-256"),
    ),
    "a token that another key signed": (
        lambda it, path: by_token(it, "token", TOKEN_FILE=write_token(path / "token", TokenKey())),
        ("invalid_token", "KAFKA_TOKEN_PROVIDER"),
    ),
    "a provider that gives none": (
        lambda it, _: by_token(it, "broken", QUOTED_SECRET="not-the-password"),
        ("no token", "KAFKA_TOKEN_PROVIDER"),
    ),
    "a host that is not there": (
        lambda it, _: it.scram(KAFKA_BOOTSTRAP_SERVERS="nowhere.invalid:9093"),
        ("Failed to resolve", "KAFKA_BOOTSTRAP_SERVERS"),
    ),
}


@pytest.mark.parametrize("fault", WRONG_FOR_KAFKA)
def test_check_names_the_setting_that_keeps_kafka_away(secured: Secured, tmp_path: Path, fault: str) -> None:
    change, wanted = WRONG_FOR_KAFKA[fault]
    told = call("check", environment=change(secured, tmp_path))
    assert told.returncode == 1
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("WRONG    kafka brokers")]
    for words in wanted:
        assert words in line
    for secret in (KAFKA_PASSWORD, "not-the-password"):
        assert secret not in told.stdout + told.stderr


def test_check_names_the_client_that_the_token_endpoint_does_not_know(
    secured: Secured, issuer: TokenIssuer
) -> None:
    environment = by_oidc(secured, issuer) | {
        "KAFKA_CONFIG_SASL_OAUTHBEARER_CLIENT_SECRET": "not-the-password"
    }
    told = call("check", environment=environment)
    assert told.returncode == 1
    assert "KAFKA_CONFIG_SASL_OAUTHBEARER_CLIENT_ID and _CLIENT_SECRET" in told.stdout
    assert "not-the-password" not in told.stdout + told.stderr


def test_a_run_that_kafka_does_not_let_in_says_why_and_waits(
    secured: Secured, pipelines: Pipelines, tmp_path: Path
) -> None:
    secured.allow()
    secured.grant()
    file = write_token(tmp_path / "token", TokenKey())
    pipeline = pipelines.start(by_token(secured, "token", TOKEN_FILE=file))

    def told() -> str | None:
        found = [event for event in pipeline.events() if event.get("event") == "kafka_unreachable"]
        return next((event["fix"] for event in found if "fix" in event), None)

    assert "KAFKA_TOKEN_PROVIDER" in str(eventually(told, 30, "the log names the fix"))
    assert pipeline.get("/readyz")[0] == 503
    assert pipeline.get("/livez")[0] == 200
    assert pipeline.terminate() == 0, pipeline.tail()


WRONG_FOR_REDSHIFT: dict[str, tuple[Change, tuple[str, ...]]] = {
    "another host name": (
        lambda it, _: it.scram(REDSHIFT_HOST="127.0.0.1"),
        ("mismatch", "REDSHIFT_HOST must be a name that stands in the server's certificate"),
    ),
    "another authority": (
        lambda it, _: it.scram(REDSHIFT_CA_FILE=str(it.place.stranger.certificate)),
        ("is not believed", "REDSHIFT_CA_FILE must name"),
    ),
    "another password": (
        lambda it, _: it.scram(REDSHIFT_PASSWORD="not-the-password"),
        ("redshift login", "SQLSTATE 28"),
    ),
}


@pytest.mark.parametrize("fault", WRONG_FOR_REDSHIFT)
def test_check_names_the_setting_that_keeps_redshift_away(
    secured: Secured, tmp_path: Path, fault: str
) -> None:
    change, wanted = WRONG_FOR_REDSHIFT[fault]
    told = call("check", environment=change(secured, tmp_path))
    assert told.returncode == 1
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("WRONG    redshift login")]
    for words in wanted:
        assert words in line
    assert "not-the-password" not in told.stdout + told.stderr


def test_a_warehouse_without_tls_is_refused_before_the_password_is_sent(
    secured: Secured, redshift_database: RedshiftServer
) -> None:
    plain = {"REDSHIFT_PORT": str(redshift_database.port), "REDSHIFT_DATABASE": redshift_database.database}
    told = call("check", environment=secured.scram(**plain))
    assert told.returncode == 1
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("WRONG    redshift login")]
    assert "the server speaks no TLS" in line
    assert "REDSHIFT_SSLMODE=disable is for a tunnel or a test only" in line


def test_a_run_that_the_warehouse_s_certificate_does_not_convince_says_why_and_goes_on_asking(
    secured: Secured, pipelines: Pipelines
) -> None:
    secured.allow()
    pipeline = pipelines.start(secured.scram(REDSHIFT_HOST="127.0.0.1"))

    def told() -> str | None:
        found = [event for event in pipeline.events() if event.get("event") == "warehouse_refused"]
        return next((event["fix"] for event in found), None)

    assert "REDSHIFT_HOST must be a name" in str(eventually(told, 30, "the log names the fix"))
    assert pipeline.metric("dataflow_retries_total", system="redshift", reason="tls") > 0
    assert '"redshift": "tls"' in pipeline.get("/readyz")[1]
    assert pipeline.terminate() == 0, pipeline.tail()


@pytest.mark.parametrize(("content", "fault"), [("no certificate", "holds no certificate"), (None, "read")])
def test_a_ca_file_that_is_none_is_a_fault_of_the_settings(
    secured: Secured, tmp_path: Path, content: str | None, fault: str
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content, encoding="ascii")
    told = call("check", environment=secured.scram(REDSHIFT_CA_FILE=str(file)))
    assert told.returncode == 2
    assert "REDSHIFT_CA_FILE: " in told.stderr
    assert fault in told.stderr


def test_the_broker_of_these_tests_believes_no_token_of_another_key(secured: Secured) -> None:
    """Left to its default, the validator of Kafka 4.1.0 believes any key."""
    place = secured.place

    def topics_with(key: TokenKey, seconds: float) -> object:
        config: dict[str, Any] = {
            "bootstrap.servers": place.broker.sasl,
            "security.protocol": "sasl_ssl",
            "ssl.ca.location": str(place.authority.certificate),
            "sasl.mechanism": "OAUTHBEARER",
            "oauth_cb": lambda _: key.token(USER, 60),
            "log_level": 0,
        }
        return Producer(config).list_topics(timeout=seconds)

    assert topics_with(place.tokens, 10)
    with pytest.raises(KafkaException):
        topics_with(TokenKey(), 2)
