"""Settings: where each comes from, what it becomes, and that every fault is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.kafka_access import ClientJudge
from connectors.progress import AcceptedLoss, StartPolicy
from dataflow.settings import Settings, SettingsError, Sources, read
from dataflow.settings_table import (
    KAFKA_ONLY,
    SETTINGS,
    WAREHOUSE_ONLY,
    ContactValues,
    LogForm,
    LogLevel,
    RedshiftAuth,
    SplitContacts,
)
from dataflow.settings_values import ByInsert, ByS3, FixedRole, NamedRole

SECRET = "a secret of enough bytes"
LEAST = {
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "REDSHIFT_HOST": "warehouse",
    "REDSHIFT_DATABASE": "dev",
    "REDSHIFT_USER": "loader",
    "REDSHIFT_PASSWORD": "correct horse",
    "CONTACT_HMAC_KEY": SECRET,
}

ROLE = "arn:aws:iam::123456789012:role/loader"


def settings(
    environment: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    least: Mapping[str, str] = LEAST,
) -> Settings:
    """Read with the least that is needed, unless told otherwise."""

    def read_file(path: Path) -> str:
        if files is None or str(path) not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[str(path)]

    return read(Sources({**least, **(environment or {})}, dotenv or {}, read_file), ClientJudge())


def faults(environment: Mapping[str, str], **more: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as wrong:
        settings(environment, **more)
    return wrong.value.faults


def test_the_least_gives_every_default() -> None:
    found = settings()
    assert found.window == timedelta(hours=1)
    assert found.group == found.pipeline == "messages"
    assert found.redshift_port == 5439
    assert found.redshift_sslmode.value == "verify-full"
    assert found.redshift_auth is RedshiftAuth.PASSWORD
    assert found.contact_values is ContactValues.HMAC
    assert found.start is StartPolicy.EARLIEST
    assert found.spool_limit == 1 << 30
    assert (found.log_level, found.log_form) == (LogLevel.INFO, LogForm.JSON)
    assert found.accepted_losses == ()
    assert found.topic is None


@pytest.mark.parametrize(
    ("name", "value", "field", "becomes"),
    [
        ("KAFKA_TOPIC", "m", "topic", "m"),
        ("KAFKA_CONTACTS_TOPIC", "c", "contacts_topic", "c"),
        ("KAFKA_DEAD_LETTERS_TOPIC", "d", "dead_letters_topic", "d"),
        ("KAFKA_GROUP", "g", "group", "g"),
        ("TRANSACTION_TIMEOUT", "30s", "transaction_timeout", timedelta(seconds=30)),
        ("EVENT_COMMIT_INTERVAL", "250ms", "event_commit_interval", timedelta(milliseconds=250)),
        ("REDSHIFT_PORT", "5440", "redshift_port", 5440),
        ("REDSHIFT_CONNECT_TIMEOUT", "3s", "redshift_connect_timeout", timedelta(seconds=3)),
        ("REDSHIFT_STATEMENT_TIMEOUT", "1h", "redshift_statement_timeout", timedelta(hours=1)),
        ("STAGING", "s3://some-bucket/a/b/", "staging", ByS3("some-bucket", "a/b")),
        ("STAGING", "s3://some.bucket", "staging", ByS3("some.bucket", "")),
        ("STAGING", "INSERT", "staging", ByInsert.INSERT),
        ("STAGING_ROLE", ROLE, "staging_role", NamedRole(ROLE)),
        ("STAGING_ROLE", "own", "staging_role", FixedRole.OWN),
        ("STAGING_SEGMENT", "8MiB", "staging_segment", 8 << 20),
        ("CONTACT_HMAC_KEY_ID", "2026-01", "contact_key_id", "2026-01"),
        ("DEFAULT_REGION", "gb", "default_region", "GB"),
        ("SPLIT_CONTACTS", "on", "split_contacts", SplitContacts.ON),
        ("CONTRACT", "/etc/contract.yaml", "contract", Path("/etc/contract.yaml")),
        ("PIPELINE", "p", "pipeline", "p"),
        ("SOURCE_ID", "s", "source_id", "s"),
        ("WINDOW", "30m", "window", timedelta(minutes=30)),
        ("START", "latest", "start", StartPolicy.LATEST),
        ("ACCEPT_LOSS", "2:10-20,3:0-5", "accepted_losses", (AcceptedLoss(2, 10, 20), AcceptedLoss(3, 0, 5))),
        ("SPOOL_DIR", "/spool", "spool_dir", Path("/spool")),
        ("SPOOL_LIMIT", "64MiB", "spool_limit", 64 << 20),
        ("DRAIN_TIMEOUT", "20s", "drain_timeout", timedelta(seconds=20)),
        ("METRICS_HOST", "127.0.0.1", "metrics_host", "127.0.0.1"),
        ("METRICS_PORT", "0", "metrics_port", 0),
        ("LOG_LEVEL", "DEBUG", "log_level", LogLevel.DEBUG),
        ("LOG_FORMAT", "text", "log_form", LogForm.TEXT),
    ],
)
def test_each_setting_is_taken_from_the_environment_and_from_dotenv(
    name: str, value: str, field: str, becomes: object
) -> None:
    assert getattr(settings({name: value}), field) == becomes
    assert getattr(settings(dotenv={name: value}), field) == becomes


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("KAFKA_TOPIC", "with space"),
        ("KAFKA_GROUP_PROTOCOL", "modern"),
        ("TRANSACTION_TIMEOUT", "15"),
        ("EVENT_COMMIT_INTERVAL", "0s"),
        ("REDSHIFT_PORT", "70000"),
        ("REDSHIFT_AUTH", "kerberos"),
        ("REDSHIFT_SSLMODE", "prefer"),
        ("STAGING", "https://bucket/prefix"),
        ("STAGING", "s3://Bucket/prefix"),
        ("STAGING", "s3://bucket/it's"),
        ("STAGING", "s3://bucket/a/../b"),
        ("STAGING_ROLE", "loader"),
        ("STAGING_SEGMENT", "1GiB"),
        ("S3_REGION", "Frankfurt"),
        ("S3_ENDPOINT", "localhost:9000"),
        ("CONTACT_VALUES", "yes"),
        ("CONTACT_HMAC_KEY", "short"),
        ("DEFAULT_REGION", "USA"),
        ("PIPELINE", "p" * 129),
        ("WINDOW", "7m"),
        ("WINDOW", "500ms"),
        ("START", "now"),
        ("ACCEPT_LOSS", "2:20-10"),
        ("SPOOL_LIMIT", "lots"),
        ("METRICS_PORT", "-1"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_names_its_setting_and_what_would_be_right_and_is_not_quoted(
    name: str, wrong: str
) -> None:
    (fault,) = faults({name: wrong})
    assert fault.startswith(f"{name}: must ")
    assert f'"{wrong}"' not in fault


def test_every_fault_is_told_at_once() -> None:
    told = "\n".join(
        faults({"WINDOW": "7m", "REDSHIFT_PORT": "x", "KAFKA_BOOTSTRAP": "b:1"}, least={"START": "now"})
    )
    for name in (
        "KAFKA_BOOTSTRAP_SERVERS: is missing",
        "REDSHIFT_HOST: is missing",
        "REDSHIFT_DATABASE: is missing",
        "REDSHIFT_USER: is missing",
        "REDSHIFT_PASSWORD: is missing",
        "CONTACT_HMAC_KEY: is missing",
        "WINDOW: must",
        "REDSHIFT_PORT: must",
        "START: must",
        "KAFKA_BOOTSTRAP: is not a setting; did you mean KAFKA_BOOTSTRAP_SERVERS?",
    ):
        assert name in told


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("REDSHIFT_SSL_MODE", "REDSHIFT_SSLMODE"),
        ("CONTACT_HMAC_KEYFILE", "CONTACT_HMAC_KEY_FILE"),
        ("DRAIN_TIMEOUTS", "DRAIN_TIMEOUT"),
        ("METRIC_PORT", "METRICS_PORT"),
        ("REDSHFT_PORT", "REDSHIFT_PORT"),
        ("SPOOL_SIZE_LIMIT", "SPOOL_LIMIT"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_known_one(name: str, near: str) -> None:
    (fault,) = faults({name: "1"})
    assert f"did you mean {near}?" in fault


def test_names_that_others_put_into_the_environment_are_let_be() -> None:
    settings(
        {
            "KAFKA_SERVICE_HOST": "10.0.0.1",
            "KAFKA_PORT": "tcp://10.0.0.1:9092",
            "REDSHIFT_PORT_5439_TCP": "x",
            "WINDOWID": "7",
            "PATH": "/bin",
        }
    )


def test_a_transaction_must_outlast_the_interval_at_which_it_is_committed() -> None:
    (fault,) = faults({"EVENT_COMMIT_INTERVAL": "15s", "TRANSACTION_TIMEOUT": "15s"})
    assert fault.startswith("EVENT_COMMIT_INTERVAL: must be shorter than TRANSACTION_TIMEOUT")


def test_a_command_for_the_warehouse_needs_no_other_settings() -> None:
    warehouse = {name: value for name, value in LEAST.items() if name.startswith("REDSHIFT_")}
    found = read(Sources(warehouse, {}, Path.read_text), ClientJudge(), WAREHOUSE_ONLY)
    assert (found.redshift_host, found.bootstrap) == ("warehouse", "")


def test_a_command_for_kafka_needs_neither_a_warehouse_nor_a_key() -> None:
    brokers = {name: value for name, value in LEAST.items() if name == "KAFKA_BOOTSTRAP_SERVERS"}
    found = read(Sources(brokers, {}, Path.read_text), ClientJudge(), KAFKA_ONLY)
    assert (found.redshift_host, found.contact_key) == ("", None)


def test_the_environment_wins_over_dotenv() -> None:
    assert settings({"WINDOW": "30m"}, {"WINDOW": "15m"}).window == timedelta(minutes=30)


def test_a_secret_may_come_from_a_file() -> None:
    least = {name: value for name, value in LEAST.items() if name != "REDSHIFT_PASSWORD"}
    found = settings({"REDSHIFT_PASSWORD_FILE": "/s"}, files={"/s": "from a file\n"}, least=least)
    assert found.redshift_password == "from a file"


@pytest.mark.parametrize(("files", "told"), [({}, "No such file"), ({"/s": "\n"}, "the file is empty")])
def test_a_secrets_file_that_is_not_there_or_empty_is_told(files: dict[str, str], told: str) -> None:
    least = {name: value for name, value in LEAST.items() if name != "REDSHIFT_PASSWORD"}
    assert any(
        fault.startswith("REDSHIFT_PASSWORD_FILE: ") and told in fault
        for fault in faults({"REDSHIFT_PASSWORD_FILE": "/s"}, files=files, least=least)
    )


def test_a_secret_given_twice_is_told() -> None:
    (fault,) = faults({"REDSHIFT_PASSWORD_FILE": "/s"}, files={"/s": "x"})
    assert "given twice" in fault


def test_without_a_key_values_must_be_omitted_in_so_many_words() -> None:
    least = {name: value for name, value in LEAST.items() if name != "CONTACT_HMAC_KEY"}
    (fault,) = faults({}, least=least)
    assert "CONTACT_VALUES=omitted" in fault
    assert settings({"CONTACT_VALUES": "omitted"}, least=least).contact_key is None


def test_what_belongs_to_a_bucket_is_refused_without_one() -> None:
    (fault,) = faults({"S3_REGION": "eu-west-1"})
    assert "STAGING=s3://bucket/prefix" in fault
    found = settings({"STAGING": "s3://bucket/p", "S3_REGION": "eu-west-1", "S3_ENDPOINT": "https://s3"})
    assert (found.s3_region, found.s3_endpoint) == ("eu-west-1", "https://s3")


def test_iam_needs_its_own_names_and_tls() -> None:
    told = "\n".join(faults({"REDSHIFT_AUTH": "iam-serverless", "REDSHIFT_SSLMODE": "disable"}))
    assert "REDSHIFT_WORKGROUP: is missing" in told
    assert "REDSHIFT_REGION: is missing" in told
    assert "IAM needs TLS" in told


def test_librdkafka_s_properties_are_passed_on_by_their_own_names() -> None:
    found = settings(
        {
            "KAFKA_CONFIG_SECURITY_PROTOCOL": "sasl_ssl",
            "KAFKA_CONFIG_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_CONFIG_SASL_USERNAME": "u",
            "KAFKA_CONFIG_SASL_PASSWORD_FILE": "/s",
            "KAFKA_CONFIG_LOG_LEVEL": "3",
        },
        files={"/s": "hush"},
    )
    assert found.client_properties == {
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "u",
        "sasl.password": "hush",
        "log_level": "3",
    }


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("KAFKA_CONFIG_SECURITY_PROTOKOL", "ssl", "did you mean security.protocol?"),
        ("KAFKA_CONFIG_SECURITY_PROTOCOL", "tls", "librdkafka refuses security.protocol"),
        ("KAFKA_CONFIG_GROUP_ID", "g", "set KAFKA_GROUP"),
        ("KAFKA_CONFIG_ENABLE_AUTO_COMMIT", "true", "exactly-once"),
        ("KAFKA_CONFIG_SOCKET_TIMEOUT_MS", "60000", "transaction.timeout.ms"),
    ],
)
def test_what_librdkafka_would_refuse_is_refused_before_anything_connects(
    name: str, value: str, told: str
) -> None:
    (fault,) = faults({name: value})
    assert told in fault


def test_secrets_show_neither_in_the_settings_nor_in_what_is_in_force() -> None:
    found = settings({"KAFKA_CONFIG_SSL_KEY_PASSWORD": "hush-hush"})
    told = repr(found) + "".join(each.shown for each in found.effective)
    for secret in ("correct horse", SECRET, "hush-hush"):
        assert secret not in told


def test_every_setting_is_in_force_by_name() -> None:
    shown = {each.name for each in settings().effective}
    assert shown == {setting.name for setting in SETTINGS}
    assert len(fields(Settings)) >= len(SETTINGS)
