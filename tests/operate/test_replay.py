"""Dead letters replayed on a real broker: killed at any moment, each comes back once."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import orjson
import pytest
from confluent_kafka import Message

from connectors.items import Table
from dataflow.encode import ATTEMPT
from tests.faults.struck import Point
from tests.integration.conftest import Pipelines
from tests.integration.wiring import CREATED_AT, PARTITIONS, Wiring, headers_of, produce, read_committed
from tests.operate.calling import answer, begin, operate, strike
from tests.pipeline import ROOT, eventually
from tests.standins.redshift_client import connect

LETTERS = 400
CODE = "not_in_enumeration"


def broken(count: int) -> Iterator[tuple[int, bytes]]:
    """Messages whose status the contract does not list."""
    for number in range(count):
        body = {
            "user_id": f"user-{number}",
            "subject_id": "subject",
            "message_text": f"a text that nobody may see {number}",
            "status": "lost",
            "created_at": CREATED_AT,
            "updated_at": CREATED_AT,
        }
        yield number % PARTITIONS, orjson.dumps(body)


def lenient_contract(directory: Path) -> Path:
    """The contract with the word that was missing."""
    text = (ROOT / "dataflow/contracts/messages.odcs.yaml").read_text()
    mended = directory / "mended.odcs.yaml"
    mended.write_text(
        text.replace("          - value: unread\n", "          - value: unread\n          - value: lost\n")
    )
    return mended


def letters_of(wiring: Wiring) -> list[Message]:
    return read_committed(wiring, wiring.dead_letters)


def places(messages: list[Message]) -> Counter[tuple[int | None, bytes | None]]:
    return Counter((message.partition(), message.value()) for message in messages)


@pytest.mark.timeout(900)
def test_a_replay_that_is_killed_again_and_again_repeats_and_loses_nothing(
    wiring: Wiring, table: Table, pipelines: Pipelines, tmp_path: Path
) -> None:
    produce(wiring, broken(LETTERS))
    pipeline = pipelines.start(wiring.environment())
    eventually(lambda: len(letters_of(wiring)) == LETTERS, 120, "all are dead letters")
    assert pipeline.terminate() == 0

    # Looked at: no text, no value; the value only into a file, byte for byte.
    first = letters_of(wiring)[0]
    place, file = f"{first.partition()}:{first.offset()}", tmp_path / "value"
    shown = operate(wiring, "dead-letters", "show", place, "--value-to", str(file))
    assert shown.returncode == 0, shown.stderr
    assert file.read_bytes() == first.value()
    assert file.stat().st_mode & 0o777 == 0o600
    listed = operate(wiring, "dead-letters", "ls", "--limit", "3")
    assert listed.stdout.count(CODE) == 3
    counted = answer(operate(wiring, "dead-letters", "stats", "--json"))
    assert counted["by code"] == {CODE: LETTERS}
    for told in (shown.stdout, listed.stdout):
        assert "nobody may see" not in told
        assert "user-" not in told

    unknown = operate(wiring, "dead-letters", "ls", "--partition", "0,99")
    assert unknown.returncode == 2
    assert f"{wiring.source} has no partition 99, only 0 to 3; did you mean 3?" in unknown.stderr

    # Killed at each point of the protocol and at random moments, with selections that overlap.
    replay = ("dead-letters", "replay", "--rate", "100")
    for point, ordinal in (
        (Point.AFTER_PRODUCE, 30),
        (Point.BEFORE_EVENT_COMMIT, 1),
        (Point.AFTER_EVENT_COMMIT, 1),
    ):
        assert strike(wiring, tmp_path / "log", point, ordinal, *replay, "--code", CODE) == -SIGKILL
    running = begin(wiring, tmp_path / "log", *replay, "--partition", "0,1,2,3")
    killer = threading.Timer(random.Random(7).uniform(1.0, 4.0), running.kill)
    killer.start()
    running.wait(240)
    killer.join()
    last = operate(wiring, "dead-letters", "replay", "--json")
    assert last.returncode == 0, last.stderr
    done = answer(last)
    assert done["replayed"] + done["replayed_earlier"] == LETTERS
    assert done["replayed_earlier"] >= 100
    messages = read_committed(wiring, wiring.source)
    sent = places([message for message in messages if ATTEMPT not in headers_of(message)])
    again = [message for message in messages if ATTEMPT in headers_of(message)]
    assert places(again) == sent
    assert {headers_of(message)[ATTEMPT] for message in again} == {b"1"}

    # The loop guard: what dies again is held back, and told, until the cause is mended.
    pipeline = pipelines.start(wiring.environment())
    eventually(lambda: len(letters_of(wiring)) == 2 * LETTERS, 120, "all have died again")
    assert pipeline.terminate() == 0
    guarded = operate(wiring, "dead-letters", "replay", "--max-attempts", "2", "--json")
    assert guarded.returncode == 1
    assert answer(guarded)["held_back"] == {"too many attempts": LETTERS}

    # Mended: each letter's second life is a row.
    contract = str(lenient_contract(tmp_path))
    pipeline = pipelines.start(wiring.environment(CONTRACT=contract))
    pipeline.wait_until_ready(60)
    assert operate(wiring, "dead-letters", "replay", CONTRACT=contract).returncode == 0

    def rows() -> int:
        with connect(wiring.database) as session:
            return int(session.value(f"SELECT count(DISTINCT user_id) FROM {table.qualified}"))

    eventually(lambda: rows() == LETTERS, 120, "all are rows")
    assert pipeline.terminate() == 0
    assert len(letters_of(wiring)) == 2 * LETTERS


@pytest.mark.usefixtures("table")
def test_a_second_replay_ends_the_first_and_no_letter_comes_twice(
    wiring: Wiring, pipelines: Pipelines, tmp_path: Path
) -> None:
    produce(wiring, broken(400))
    pipeline = pipelines.start(wiring.environment())
    eventually(lambda: len(letters_of(wiring)) == 400, 120, "all are dead letters")
    assert pipeline.terminate() == 0
    slow = begin(wiring, tmp_path / "slow", "dead-letters", "replay", "--rate", "2")
    eventually(lambda: len(read_committed(wiring, wiring.source)) > 400, 120, "the first has begun")
    second = operate(wiring, "dead-letters", "replay")
    assert second.returncode == 0, second.stderr
    assert slow.wait(120) == 1
    assert "another replay took over" in (tmp_path / "slow").read_text()
    assert set(Counter(message.value() for message in read_committed(wiring, wiring.source)).values()) == {2}
