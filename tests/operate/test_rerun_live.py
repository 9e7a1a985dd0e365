"""Commits rerun on real servers while the pipeline runs."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.items import Table
from tests.faults.struck import Point
from tests.integration.conftest import Pipelines
from tests.integration.wiring import (
    Wiring,
    contacts_of,
    expected_contacts,
    expected_dead_letters,
    expected_kept,
    expected_rows,
    kept_contacts,
    letters_of,
    produce_numbered,
    read_committed,
    stored_rows,
    wait_until_committed,
)
from tests.operate.calling import answer, operate, strike
from tests.pipeline import eventually
from tests.standins.redshift_client import connect


class Trickle:
    """Produces twenty messages at a time until it is stopped."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.produced = 0
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            produce_numbered(self._wiring, self.produced, self.produced + 20)
            self.produced += 20

    def stop(self) -> int:
        """How many there are."""
        self._stop.set()
        self._thread.join()
        return self.produced


@pytest.mark.timeout(900)
def test_reruns_while_the_pipeline_runs_lose_and_repeat_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines, tmp_path: Path
) -> None:
    wiring = replace(wiring, contacts_table="on")
    pipeline = pipelines.start(wiring.environment(WINDOW="1s"))
    pipeline.wait_until_ready(60)
    trickle = Trickle(wiring)
    try:
        eventually(lambda: stored_rows(wiring, table).total() > 100, 120, "rows are committed")
        before = answer(operate(wiring, "ledger", "--json", "--commits", "1000"))["commits"]
        first = before[0]["process_id"]

        # Damage that a bug in a commit might have done.
        with connect(wiring.database) as session:
            session.run(
                f"UPDATE {table.qualified} SET message_text = 'spoilt' WHERE metafield_process_id = %s",
                [first],
            )
            session.run(
                "UPDATE interactions.message_contacts SET kind = 'handle' WHERE metafield_process_id = %s",
                [first],
            )
            session.raw.commit()
        preview = answer(operate(wiring, "rerun", "--process-id", first, "--dry-run", "--json"))
        assert preview["outcome"] == "preview"
        done = answer(operate(wiring, "rerun", "--process-id", first, "--json"))
        assert (done["outcome"], done["removed"], done["older"]) == ("done", 0, 0)
        # Later versions that were committed meanwhile leave less to write.
        assert 0 < done["written"] == done["taken_back"] <= preview["written"]
        refused = operate(wiring, "rerun", "--process-id", first)
        assert refused.returncode == 1
        assert done["process_id"] in refused.stderr

        # Killed at each point: the same command does it, or all of it was done.
        everything = f"{wiring.source}:0:0-{before[-1]['spans'][0][2]}"
        for point in (
            Point.AFTER_STAGING,
            Point.BEFORE_ROW_COMMIT,
            Point.BEFORE_COMMIT_ANSWER,
        ):
            log = tmp_path / "log"
            assert strike(wiring, log, point, 1, "rerun", "--offsets", everything) == -SIGKILL
        again = answer(operate(wiring, "rerun", "--offsets", everything, "--events", "--json"))
        assert again["outcome"] == "done"
        assert again["events_produced"] > 0
    finally:
        produced = trickle.stop()
    wait_until_committed(wiring, table, produced, 120)
    assert pipeline.terminate() == 0, pipeline.tail()

    assert stored_rows(wiring, table) == expected_rows(produced)
    assert kept_contacts(wiring) == expected_kept(produced)
    assert letters_of(read_committed(wiring, wiring.dead_letters)) == expected_dead_letters(produced)
    # Contacts were asked for once more: under the ids that they had.
    events = read_committed(wiring, wiring.contacts)
    ids = {(dict(message.headers() or []))["ce_id"] for message in events}
    expected = expected_contacts(produced)
    assert set(contacts_of(events)) == set(expected)
    assert len(events) == expected.total() + again["events_produced"]
    assert len(ids) <= expected.total()
    with connect(wiring.database) as session:
        assert session.value(f"SELECT count(*) FROM {table.qualified} WHERE message_text = 'spoilt'") == 0
    told = answer(operate(wiring, "verify", "--json"))
    assert told["ok"], told
    assert told["reconciliation"]["messages"] == produced


def test_a_rerun_of_offsets_that_are_gone_or_not_committed_says_which(
    wiring: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(wiring, 0, 400)
    pipeline = pipelines.start(wiring.environment())
    wait_until_committed(wiring, table, 400, 120)
    assert pipeline.terminate() == 0
    ahead = operate(wiring, "rerun", "--offsets", f"{wiring.source}:1:90-120")
    assert ahead.returncode == 1
    assert "offsets 100 to 119 are not in the ledger" in ahead.stderr
    foreign = operate(wiring, "rerun", "--offsets", "elsewhere:1:0-10")
    assert foreign.returncode == 1
    assert wiring.source in foreign.stderr
    unknown = operate(wiring, "rerun", "--process-id", "0" * 32)
    assert unknown.returncode == 1
    assert "no such commit" in unknown.stderr

    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    for answered in administration.delete_records([TopicPartition(wiring.source, 2, 30)]).values():
        answered.result(30)
    gone = operate(wiring, "rerun", "--offsets", f"{wiring.source}:2:50-60")
    assert gone.returncode == 1
    assert "partition 2: 0 to 29" in gone.stderr
    assert stored_rows(wiring, table) == expected_rows(400)
    # What is no longer held can't be reconciled, and is not called wrong.
    told = answer(operate(wiring, "verify", "--json"))
    assert told["ok"], told
    assert [check for check in told["checks"] if check["check"] == "source_held"]
