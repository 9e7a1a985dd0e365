"""`check` and `ddl --apply`: what they say of servers that are right, wrong, and not there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from connectors.redshift_ddl import TableDiffers
from tests.cli.test_commands import call
from tests.integration.conftest import Pipelines
from tests.integration.wiring import Wiring, by_s3, commit_group_offsets, produce_numbered
from tests.pipeline import ROOT
from tests.standins.kafka_mock import MockCluster
from tests.standins.redshift_client import RedshiftServer, Transactions, connect
from tests.standins.s3 import Bucket


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[Pipelines]:
    started = Pipelines(tmp_path / "log")
    yield started
    started.kill_all()


@pytest.fixture
def mocked(mock_kafka: MockCluster, redshift_database: RedshiftServer) -> Wiring:
    """The stand-ins, with topics and without tables."""
    for name in ("m", "m.contacts", "m.dead-letters"):
        mock_kafka.create_topic(name, 4)
    return Wiring(mock_kafka.bootstrap, "m", "m.contacts", "m.dead-letters", "g", redshift_database)


@pytest.fixture
def ready(mocked: Wiring) -> Wiring:
    """The same with tables."""
    mocked.create_tables()
    return mocked


def run(wiring: Wiring, **more: str) -> tuple[int, str]:
    told = call("check", environment=wiring.environment(**more))
    assert "Traceback" not in told.stderr, told.stderr
    return told.returncode, told.stdout


def altered(wiring: Wiring, *statements: str) -> None:
    with connect(wiring.database, Transactions.EACH_STATEMENT) as session:
        for statement in statements:
            session.run(statement)


def wrong(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("WRONG")]


def test_with_rows_by_s3_it_tries_the_bucket_and_leaves_nothing_there(ready: Wiring, s3: Bucket) -> None:
    code, output = run(replace(ready, staging=by_s3(s3)))
    assert code == 0, output
    assert f"ok       objects in s3://{s3.name}/stage/messages/m/: may be put, read and removed" in output
    assert "Contents" not in s3.server.client().list_objects_v2(Bucket=s3.name)
    code, output = run(replace(ready, staging=by_s3(s3)), STAGING="s3://no-such-bucket-here/stage")
    assert code == 1
    (line,) = wrong(output)
    assert "create the bucket, or mend STAGING" in line


def test_where_all_is_right_it_says_so_line_by_line(ready: Wiring) -> None:
    code, output = run(ready)
    assert code == 0, output
    for subject in (
        "ok       messages: MESSAGE_FORMAT=auto; Protobuf form interactions.v1.Message",
        "ok       kafka brokers",
        "ok       topic m: 4 partitions",
        "ok       redshift login",
        "ok       table interactions.messages, columns",
        "ok       table interactions.messages, distribution key: user_id",
        "ok       table interactions.messages, sort key: created_at",
        "ok       table interactions.commit_ledger, columns",
        "ok       partition 3: would start at 0",
    ):
        assert subject in output
    assert not wrong(output)


def test_a_copy_of_the_contract_without_its_protobuf_form_is_told(ready: Wiring, tmp_path: Path) -> None:
    copied = tmp_path / "copy.odcs.yaml"
    copied.write_bytes((ROOT / "dataflow" / "contracts" / "messages.odcs.yaml").read_bytes())
    code, output = run(ready, CONTRACT=str(copied))
    assert code == 0, output
    assert f"no Protobuf form lies beside {copied}: every message is read as JSON" in output


def test_missing_tables_are_named_with_the_command_that_creates_them(mocked: Wiring) -> None:
    code, output = run(mocked)
    assert code == 1
    assert any("ddl --apply" in line for line in wrong(output))


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (("ALTER TABLE interactions.messages DROP COLUMN length_seconds",), "column length_seconds: missing"),
        (("DROP TABLE interactions.commit_ledger",), "table interactions.commit_ledger: missing"),
    ],
)
def test_a_table_unlike_the_contract_is_told_column_by_column(
    ready: Wiring, statements: tuple[str, ...], told: str
) -> None:
    altered(ready, *statements)
    code, output = run(ready)
    assert code == 1
    assert any(told in line for line in wrong(output)), output


def test_a_topic_with_other_partitions_than_the_contract_s_is_wrong(
    ready: Wiring, mock_kafka: MockCluster
) -> None:
    mock_kafka.create_topic("narrow", 3)
    code, output = run(replace(ready, source="narrow"))
    assert code == 1
    assert "WRONG    topic narrow: 3 partitions; the contract says 4" in output


def test_a_missing_topic_is_not_created_by_the_asking(ready: Wiring) -> None:
    lost = replace(ready, contacts="nowhere")
    for _ in range(2):
        code, output = run(lost)
        assert code == 1
        assert "WRONG    topic nowhere: missing" in output


def test_servers_that_are_not_there_are_told_side_by_side(redshift_database: RedshiftServer) -> None:
    nobody = Wiring("127.0.0.1:9", "m", "c", "d", "g", replace(redshift_database, port=9))
    code, output = run(nobody)
    assert code == 1
    assert "WRONG    kafka brokers: 127.0.0.1:9" in output
    assert "WRONG    redshift login: 127.0.0.1:9" in output


def test_a_wrong_password_is_told_without_the_password(ready: Wiring) -> None:
    code, output = run(ready, REDSHIFT_PASSWORD="not-the-password")
    assert code == 1
    assert "WRONG    redshift login" in output
    assert "not-the-password" not in output


@pytest.fixture
def real(wiring: Wiring) -> Wiring:
    """A real broker, and tables."""
    wiring.create_tables()
    return wiring


def test_a_real_broker_tells_permissions_and_where_each_partition_would_start(real: Wiring) -> None:
    produce_numbered(real, 0, 40)
    commit_group_offsets(real, {0: 3, 1: 10, 2: 0, 3: 7})
    code, output = run(real)
    assert code == 0, output
    assert f"ok       topic {real.source}, permission to read: permitted" in output
    assert f"ok       topic {real.contacts}, permission to write: permitted" in output
    assert f"ok       group {real.group}, permission to read: permitted" in output
    assert (
        "ok       partition 0: would start at 0 (events from 3, rows from 0); the topic holds 0 to 10"
        in output
    )


def test_progress_beyond_the_topic_is_foretold(real: Wiring) -> None:
    commit_group_offsets(real, {0: 99})
    code, output = run(real)
    assert code == 1
    assert any("partition 0" in line and "created anew" in line for line in wrong(output))


def test_ddl_apply_creates_what_is_missing_once(mocked: Wiring) -> None:
    foreseen = call("ddl", "--dry-run", environment=mocked.environment())
    assert foreseen.returncode == 0, foreseen.stderr
    assert foreseen.stdout.count("would create ") == 3
    first = call("ddl", "--apply", environment=mocked.environment())
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("created ") == 3
    second = call("ddl", "--apply", environment=mocked.environment())
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("already there") == 3


def test_ddl_apply_adds_a_nullable_column_and_widens_a_text_after_showing_both(ready: Wiring) -> None:
    altered(
        ready,
        "ALTER TABLE interactions.messages DROP COLUMN length_seconds",
        "ALTER TABLE interactions.messages ALTER COLUMN cloudinary_url TYPE varchar(32)",
    )
    foreseen = call("ddl", "--apply", "--dry-run", environment=ready.environment())
    assert foreseen.returncode == 0, foreseen.stderr
    assert "ALTER TABLE interactions.messages ADD COLUMN length_seconds integer" in foreseen.stdout
    assert "ALTER TABLE interactions.messages ALTER COLUMN cloudinary_url TYPE varchar(64)" in foreseen.stdout
    assert len(wrong(run(ready)[1])) == 2
    applied = call("ddl", "--apply", environment=ready.environment())
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout.count("altered ") == 2
    assert not wrong(run(ready)[1])
    again = call("ddl", "--apply", environment=ready.environment())
    assert "altered" not in again.stdout


def test_ddl_apply_changes_nothing_when_a_person_must_act_and_says_how(ready: Wiring) -> None:
    altered(
        ready,
        "ALTER TABLE interactions.messages DROP COLUMN length_seconds",
        "ALTER TABLE interactions.messages DROP COLUMN status",
        "ALTER TABLE interactions.messages ADD COLUMN mood varchar(8)",
    )
    before = wrong(run(ready)[1])
    for arguments in (("--dry-run",), ("--apply",)):
        refused = call("ddl", *arguments, environment=ready.environment())
        assert refused.returncode == 1
        assert "REFUSED       table interactions.messages, column status: missing" in refused.stdout
        assert "make the field optional in the contract" in refused.stdout
        assert (
            "REFUSED       table interactions.messages, column mood: is not in the contract" in refused.stdout
        )
        assert "not altered   table interactions.messages, column length_seconds" in refused.stdout
        assert "2 difference(s) for a person to settle; nothing was changed" in refused.stderr
    assert wrong(run(ready)[1]) == before


def test_ddl_refuses_a_table_with_another_sort_key_and_says_how(ready: Wiring, tmp_path: Path) -> None:
    packaged = (ROOT / "dataflow" / "contracts" / "messages.odcs.yaml").read_text()
    key = "property: sortKey\n        value: "
    other = tmp_path / "other.odcs.yaml"
    other.write_text(packaged.replace(f"{key}created_at", f"{key}updated_at", 1))
    for argument in ("--dry-run", "--apply"):
        environment = ready.environment(CONTRACT=str(other))
        refused = call("ddl", argument, environment=environment)
        assert refused.returncode == 1, refused.stdout
        told = "table interactions.messages, sort key: is created_at; wanted updated_at"
        assert f"REFUSED       {told}" in refused.stdout
        assert "ALTER TABLE interactions.messages ALTER COMPOUND SORTKEY (updated_at)" in refused.stdout


def test_a_pipeline_whose_table_lacks_columns_refuses_to_start_and_names_them(
    ready: Wiring, pipelines: Pipelines
) -> None:
    altered(
        ready,
        "ALTER TABLE interactions.messages DROP COLUMN length_seconds",
        "ALTER TABLE interactions.messages DROP COLUMN cloudinary_url",
    )
    pipeline = pipelines.start(ready.environment())
    assert pipeline.process.wait(30) == TableDiffers.exit_code, pipeline.tail()
    told = [event["exception"]["text"] for event in pipeline.events() if event["event"] == "ended"]
    assert told
    assert "interactions.messages lacks cloudinary_url, length_seconds" in told[0]
    assert "ddl --dry-run" in told[0]


def test_ddl_apply_tells_in_one_line_that_the_warehouse_is_not_there(mocked: Wiring) -> None:
    told = call("ddl", "--apply", environment=mocked.environment(REDSHIFT_PORT="9"))
    assert told.returncode == 1
    assert told.stderr.startswith("127.0.0.1:9/")
    assert "Traceback" not in told.stderr


def test_the_check_leaves_a_real_broker_as_it_was(real: Wiring) -> None:
    administration = AdminClient({"bootstrap.servers": real.bootstrap})

    def own() -> set[str]:
        """Of this test alone: others' topics come and go, and brokers make their internal ones when asked."""
        named = (real.source, real.contacts, real.dead_letters)
        return {name for name in administration.list_topics(timeout=10).topics if name.startswith(named)}

    before = own()
    assert len(before) == 3
    run(replace(real, contacts=f"{real.contacts}-not-there"))
    assert own() == before
