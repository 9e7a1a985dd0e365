"""`verify` on real servers: a contract's traffic is accounted for, and every planted damage is found."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from prometheus_client.parser import text_string_to_metric_families

from connectors.items import Table
from connectors.kafka_access import ClientJudge
from connectors.redshift_sql import ledger_name
from connectors.verify_metrics import PushFailed
from dataflow.arguments import TopicSpan
from dataflow.commands.access import topics_of
from dataflow.commands.run import judging_steps
from dataflow.commands.show import Form
from dataflow.commands.verify import VerifyOrder, verify
from dataflow.contract import load
from dataflow.selection import NotKnown
from dataflow.settings import Settings, Sources, read
from tests.integration.conftest import Pipelines
from tests.integration.wiring import Wiring, read_committed, stored_rows
from tests.operate.calling import operate
from tests.pipeline import ROOT, Pipeline, eventually
from tests.standins.redshift_client import Transactions, connect
from tests.standins.traffic import Expected, RowOutcome, Traffic, generate, produce

DAY = datetime(2026, 1, 1, tzinfo=UTC)
CONTRACT = load()
OPERATING = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
WHOLE_DAY = VerifyOrder(None, None, None, None, None)


def settings_of(wiring: Wiring) -> Settings:
    return read(Sources(wiring.environment(), {}, lambda path: path.read_text()), ClientJudge())


@dataclass
class Verifying:
    """The command, called without the command line."""

    settings: Settings

    def run(self, order: VerifyOrder = WHOLE_DAY, now: datetime | None = None) -> dict[str, Any]:
        out = io.StringIO()
        steps = judging_steps(self.settings, CONTRACT, topics_of(self.settings, CONTRACT))
        code = verify(self.settings, CONTRACT, steps, order, now or datetime.now(UTC), Form.JSON, out)
        told: dict[str, Any] = json.loads(out.getvalue())
        assert code == int(not told["ok"])
        return told

    def wrong(self, order: VerifyOrder = WHOLE_DAY, now: datetime | None = None) -> set[str]:
        told = self.run(order, now)
        return {check["check"] for check in told["checks"] if check["verdict"] == "wrong"}


ONE = "(SELECT min(created_at) FROM {table})"
DAMAGES = {
    "a deleted row": ("DELETE FROM {table} WHERE created_at = " + ONE, "source_rows_missing"),
    "a copied row": (
        "INSERT INTO {table} SELECT * FROM {table} WHERE created_at = " + ONE,
        "unique",
    ),
    "a value longer than the contract's": (
        "UPDATE {table} SET cloudinary_url = repeat('x', 65) WHERE created_at = " + ONE,
        "lengths",
    ),
    "an empty user": ("UPDATE {table} SET user_id = '' WHERE created_at = " + ONE, "lengths"),
    "another word": ("UPDATE {table} SET status = 'lost' WHERE created_at = " + ONE, "enumerations"),
    "a number out of range": (
        "UPDATE {table} SET length_seconds = 61 WHERE created_at = " + ONE,
        "ranges",
    ),
    "a null": ("UPDATE {table} SET status = NULL WHERE created_at = " + ONE, "nulls"),
    "neither text nor voice": (
        "UPDATE {table} SET message_text = '', cloudinary_url = NULL, length_seconds = NULL "
        "WHERE created_at = " + ONE,
        "presence",
    ),
    "another text": (
        "UPDATE {table} SET message_text = 'not what was said' WHERE created_at = " + ONE,
        "source_rows_altered",
    ),
    "an older version": (
        "UPDATE {table} SET updated_at = updated_at - INTERVAL '1 day' WHERE created_at = " + ONE,
        "source_rows_older",
    ),
    "a row of no commit": (
        "UPDATE {table} SET metafield_process_id = 'nobody' WHERE created_at = " + ONE,
        "known_commits",
    ),
    "a row that nobody sent": (
        "UPDATE {table} SET created_at = created_at - INTERVAL '1 year' WHERE created_at = " + ONE,
        "table_rows_unexplained",
    ),
    "rows of all commits in the name of one": (
        "UPDATE {table} SET metafield_process_id = (SELECT min(process_id) FROM {ledger})",
        "rows_per_commit",
    ),
    "a contact of another commit's row": (
        "UPDATE {contacts} SET metafield_process_id = 'nobody'",
        "contacts_agree",
    ),
    "a contact that is gone": (
        "DELETE FROM {contacts} WHERE event_id = (SELECT min(event_id) FROM {contacts})",
        "contacts_missing",
    ),
    "no contacts at all": ("DELETE FROM {contacts}", "contacts_missing"),
    "an entry removed": (
        "DELETE FROM {ledger} WHERE kafka_partition = 1 AND first_offset = "
        "(SELECT min(first_offset) FROM {ledger} WHERE kafka_partition = 1 AND first_offset > 0)",
        "ledger_gaps",
    ),
    "a commit long after its window": (
        "UPDATE {ledger} SET window_start = window_start - INTERVAL '3 hours'",
        "commits_on_time",
    ),
    "a commit long after its messages": (
        "UPDATE {ledger} SET committed_at = committed_at + INTERVAL '2 hours'",
        "messages_late",
    ),
}
LOOSER = (
    "ALTER TABLE {table} ALTER COLUMN cloudinary_url TYPE varchar(200)",
    "ALTER TABLE {table} ADD COLUMN loose varchar(16)",
    "UPDATE {table} SET loose = status",
    "ALTER TABLE {table} DROP COLUMN status",
    "ALTER TABLE {table} RENAME COLUMN loose TO status",
)
"""What a table lacks that was not made by `ddl`."""


@contextmanager
def damaged(wiring: Wiring, table: Table, statement: str) -> Iterator[None]:
    """The tables after a statement, and afterwards as they were."""
    names = {
        "table": table.qualified,
        "ledger": ledger_name(table),
        "contacts": "interactions.message_contacts",
    }
    with connect(wiring.database) as session:
        for name in names.values():
            session.run(f"CREATE TABLE {name}_before AS SELECT * FROM {name}")
        assert session.run(statement.format(**names)) > 0
        session.raw.commit()
        yield
        for name in names.values():
            session.run(f"DELETE FROM {name}")
            session.run(f"INSERT INTO {name} SELECT * FROM {name}_before")
            session.run(f"DROP TABLE {name}_before")
        session.raw.commit()


class Gateway:
    """Takes what is pushed, as a Pushgateway does."""

    def __init__(self) -> None:
        pushed: list[tuple[str, str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                pushed.append((self.command, self.path, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.pushed = pushed
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def commit_up_to(wiring: Wiring, table: Table, pipeline: Pipeline, traffic: Traffic, end: int) -> None:
    """Produce five hundred more messages and wait until all so far are in the table."""
    produce(Traffic(traffic.messages[end - 500 : end]), wiring.bootstrap, wiring.source, lambda _: None)
    pipeline.wait_until_read(end)
    wanted = len(Traffic(traffic.messages[:end]).expected().rows)
    eventually(lambda: stored_rows(wiring, table).total() == wanted, 120, "all are rows")


def assert_accounted(told: dict[str, Any], expected: Expected, produced: int) -> None:
    found = told["reconciliation"]
    assert found["messages"] == produced
    assert found["rows"] == len(expected.rows) == told["table_rows"]
    assert found["superseded"] == expected.superseded
    assert found["dead_letters"] == expected.dead_letter_messages


@pytest.mark.timeout(900)
def test_traffic_is_accounted_for_and_every_damage_is_found(
    wiring: Wiring, table: Table, pipelines: Pipelines, tmp_path: Path
) -> None:
    traffic = generate(1500, 3, DAY)
    expected = traffic.expected()
    wiring = replace(wiring, contacts_table="on")
    pipeline = pipelines.start(wiring.environment(WINDOW="1s"))
    pipeline.wait_until_ready(60)
    for end in (500, 1000, 1500):
        commit_up_to(wiring, table, pipeline, traffic, end)
    assert pipeline.terminate() == 0
    verifying = Verifying(settings_of(wiring))

    told = verifying.run()
    assert told["ok"], told
    assert_accounted(told, expected, 1500)
    part_of_it = VerifyOrder(None, None, TopicSpan(wiring.source, 1, 0, 1), None, None)
    assert 0 < verifying.run(part_of_it)["reconciliation"]["messages"] < 1500
    beyond = VerifyOrder(None, None, TopicSpan(wiring.source, 1, 10_000, 10_001), None, None)
    long_ago = VerifyOrder(DAY, DAY + timedelta(hours=1), None, None, None)
    for empty in (beyond, long_ago):
        assert verifying.wrong(empty) == {"window"}
    with pytest.raises(NotKnown, match="no partition 99, only 0 to 3; did you mean 3"):
        verifying.run(VerifyOrder(None, None, TopicSpan(wiring.source, 99, 0, 1), None, None))

    with connect(wiring.database, Transactions.EACH_STATEMENT) as session:
        for statement in LOOSER:
            session.run(statement.format(table=table.qualified))
    later = datetime.now(UTC) + timedelta(hours=3)
    missed = []
    for name, (statement, check) in DAMAGES.items():
        with damaged(wiring, table, statement):
            if check not in verifying.wrong(now=later):
                missed.append(name)
    assert not missed
    assert not verifying.wrong(now=later)

    # As a CronJob calls it: exit code, table, metrics.
    gateway = Gateway()
    textfile = tmp_path / "verify.prom"
    ran = operate(wiring, "verify", "--push-gateway", gateway.address, "--textfile", str(textfile))
    gateway.stop()
    assert ran.returncode == 0, ran.stdout + ran.stderr
    ((_, path, body),) = gateway.pushed
    assert path == "/metrics/job/dataflow-verify/pipeline/messages"
    assert body == textfile.read_text()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }
    assert samples["dataflow_verify_ok",] == 1
    assert samples["dataflow_verify_window_messages", "row"] == len(expected.rows)
    assert samples["dataflow_verify_window_messages", "unaccounted"] == 0
    told_of = set(re.findall(r"`(\w+)`", OPERATING))
    assert {"window", *(check["check"] for check in told["checks"])} <= told_of
    assert {name for name, *_ in samples} <= set(re.findall(r"`(dataflow_verify_\w+)", OPERATING))
    checks = {check["check"] for check in told["checks"] if check["verdict"] != "unknown"}
    assert {labels[0] for name, *labels in samples if name == "dataflow_verify_check_ok"} == checks
    unreachable = VerifyOrder(None, None, None, "http://127.0.0.1:9", None)
    with pytest.raises(PushFailed):
        verifying.run(unreachable)

    # What waits longer than the SLA allows; a dead letter that is there twice.
    (letter, *_) = read_committed(wiring, wiring.dead_letters)
    producer = Producer({"bootstrap.servers": wiring.bootstrap})
    producer.produce(wiring.dead_letters, letter.value(), letter.key(), headers=letter.headers())
    (late, *_) = (each for each in traffic.messages if isinstance(each.outcome, RowOutcome))
    producer.produce(wiring.source, late.value, late.key, partition=late.partition)
    assert producer.flush(10) == 0
    assert verifying.wrong() == {"dead_letters_repeated"}
    assert verifying.wrong(now=later) == {"dead_letters_repeated", "freshness"}

    # Nothing that a person wrote is ever shown.
    watched = operate(wiring, "tail", "--last", "1000", "--count", "1550", "--json")
    assert watched.returncode == 0, watched.stderr
    seen = [json.loads(line) for line in watched.stdout.splitlines()]
    assert {each["stream"] for each in seen} == {"rows", "events", "dead-letters"}
    texts = {
        json.loads(message.value)["message_text"]
        for message in traffic.messages
        if message.value is not None
        and isinstance(message.outcome, RowOutcome)
        and "message_text" in json.loads(message.value)
    }
    shown = watched.stdout + operate(wiring, "ledger").stdout + ran.stdout
    assert not {text for text in texts if len(text) > 12 and text in shown}
