"""The whole program on a topic of framed Protobuf and JSON, with a schema registry that is away at times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import orjson
import pytest

from connectors.items import Table
from dataflow.contracts.messages_pb2 import Message
from tests.integration.conftest import Pipelines
from tests.integration.test_outages import assert_waiting_for
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    contacts_of,
    expected_contacts,
    expected_dead_letters,
    expected_rows,
    group_offsets,
    headers_of,
    ledger_rows,
    numbered,
    produce,
    produce_numbered,
    read_committed,
    stored_rows,
)
from tests.pipeline import eventually
from tests.protobuf.writing import by_id, sent
from tests.standins.registry import Registered, Registry, protobuf_schema
from tests.standins.traffic_protobuf import encode

OURS, ANOTHER, UNKNOWN = 7, 8, 99
HALF, ALL = 400, 800


def framed(first: int, next: int) -> Iterator[tuple[int, bytes]]:
    """The numbered messages in Protobuf, each in its frame."""
    for partition, value in numbered(first, next):
        yield partition, by_id(encode(orjson.loads(value)), OURS)


@pytest.fixture
def registry() -> Iterator[Registry]:
    schemas: dict[int | UUID, Registered] = {
        OURS: protobuf_schema(Message),
        ANOTHER: Registered("AVRO", '"string"'),
    }
    with Registry(schemas, user_info="reader:secret", status=503) as stand_in:
        yield stand_in


def test_a_registry_that_is_away_delays_what_names_a_schema_and_loses_nothing_whatever_dies(
    wiring: Wiring, table: Table, pipelines: Pipelines, registry: Registry
) -> None:
    environment = wiring.environment(
        SCHEMA_REGISTRY_URL=registry.url,
        SCHEMA_REGISTRY_USER_INFO="reader:secret",
        SCHEMA_REGISTRY_TIMEOUT="2s",
    )
    produce_numbered(wiring, 0, HALF)
    produce(wiring, framed(HALF, ALL))
    odd = [by_id(sent(), UNKNOWN), by_id(sent(), ANOTHER, b""), b"\0\0\0"]
    produce(wiring, ((number % PARTITIONS, value) for number, value in enumerate(odd)))

    killed = pipelines.start(environment)
    eventually(
        lambda: stored_rows(wiring, table) == expected_rows(HALF), 60, "what needs no schema is committed"
    )
    assert_waiting_for(killed, "registry")
    assert killed.metric("dataflow_retries_total", system="registry", reason="http_503") > 0
    assert killed.metric("dataflow_decoded_messages_total") == HALF
    killed.kill()

    stopped = pipelines.start(environment)
    stopped.wait_until_holding(PARTITIONS)
    assert_waiting_for(stopped, "registry")
    assert stopped.terminate() == 0, stopped.tail()
    assert stored_rows(wiring, table) == expected_rows(HALF)

    last = pipelines.start(environment)
    assert_waiting_for(last, "registry")
    registry.status = 200
    eventually(lambda: stored_rows(wiring, table) == expected_rows(ALL), 60, "all is committed")
    last.wait_until_ready()
    assert last.metric("dataflow_decoded_messages_total", format="protobuf", framing="id") >= ALL - HALF
    assert "secret" not in last.tail(10_000)
    assert last.terminate() == 0, last.tail()

    assert contacts_of(read_committed(wiring, wiring.contacts)) == expected_contacts(ALL)
    letters = read_committed(wiring, wiring.dead_letters)
    told = Counter(headers_of(letter)["dead_letter.codes"] for letter in letters)
    assert told == {
        b"not_in_enumeration": expected_dead_letters(ALL).total(),
        b"unknown_schema": 1,
        b"incompatible_schema": 1,
        b"broken_frame": 1,
    }
    produced = Counter([value for _, value in [*numbered(0, HALF), *framed(HALF, ALL)]] + odd)
    assert not Counter(letter.value() or b"" for letter in letters) - produced
    reached = dict.fromkeys(range(PARTITIONS), 0)
    for partition, first, next in ledger_rows(wiring, table):
        assert first == reached[partition]
        reached[partition] = next
    assert sum(reached.values()) == ALL + len(odd)
    assert group_offsets(wiring) == reached
    assert len([path for path in registry.asked if path.startswith(f"/schemas/ids/{UNKNOWN}")]) < 50
