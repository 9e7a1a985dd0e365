"""Commands that read messages again judge them by the schemas that the registry tells, as `run` does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.items import Table
from dataflow.contracts.messages_pb2 import Message
from tests.integration.conftest import Pipelines
from tests.integration.test_schemas import framed
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    expected_dead_letters,
    expected_rows,
    produce,
    read_committed,
    stored_rows,
)
from tests.operate.calling import answer, operate
from tests.pipeline import eventually
from tests.protobuf.writing import by_id, sent
from tests.standins.registry import Registry, protobuf_schema

OURS, UNKNOWN = 7, 99
MESSAGES = 40


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry({OURS: protobuf_schema(Message)}, user_info="reader:secret") as stand_in:
        yield stand_in


@pytest.mark.timeout(300)
def test_a_schema_that_the_registry_does_not_know_is_a_dead_letter_to_every_command(
    wiring: Wiring, table: Table, pipelines: Pipelines, registry: Registry
) -> None:
    asking = {"SCHEMA_REGISTRY_URL": registry.url, "SCHEMA_REGISTRY_USER_INFO": "reader:secret"}
    produce(wiring, framed(0, MESSAGES))
    # By its bytes a message like any other: nothing but its schema is wrong.
    produce(wiring, [(0, by_id(sent(), UNKNOWN))])
    pipeline = pipelines.start(wiring.environment(WINDOW="1s", **asking))
    eventually(lambda: stored_rows(wiring, table) == expected_rows(MESSAGES), 60, "all is committed")
    pipeline.wait_until_read(MESSAGES + 1)
    assert pipeline.terminate() == 0, pipeline.tail()
    broken = expected_dead_letters(MESSAGES).total() + 1
    assert len(read_committed(wiring, wiring.dead_letters)) == broken

    ran = operate(wiring, "verify", "--json", **asking)
    assert ran.returncode == 0, ran.stdout
    assert answer(ran)["reconciliation"]["dead_letters"] == broken

    count = str(MESSAGES + 1)
    seen = operate(wiring, "tail", "--only", "rows", "--last", "1000", "--count", count, **asking)
    assert "message: unknown_schema" in seen.stdout
    assert "secret" not in seen.stdout + seen.stderr

    rerun = ("rerun", "--offsets", f"{wiring.source}:0:0-{MESSAGES // PARTITIONS + 1}", "--dry-run", "--json")
    # Without the registry the frame is taken off, and the message would be a row.
    with_it, without = (answer(operate(wiring, *rerun, **more)) for more in (asking, {}))
    assert with_it["dead_letters"] == without["dead_letters"] + 1

    registry.status = 503
    for command in (("verify",), ("tail", "--only", "rows", "--last", "1000", "--count", count)):
        away = operate(wiring, *command, **asking)
        assert away.returncode == 1
        assert f"{command[0]}: schema registry, {registry.url}: http_503: " in away.stderr
