"""The moment in which even the abort of a replay is refused: another process has taken its place."""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported unnamed
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from connectors.items import OutgoingMessage
from connectors.kafka_access import KafkaAccess
from connectors.kafka_replay import Outgoing, ReplayProducer, ensure_marker_topic, read_markers
from connectors.kafka_trouble import KafkaTrouble
from tests.integration.wiring import Wiring, read_committed
from tests.pipeline import eventually

ALL = 40
LIMIT = 2_000
"""Bytes of a message that the destination takes."""


class Interrupted(tuple[Outgoing, ...]):
    """Messages to produce; whoever has read the last of them waits while something else happens."""

    meanwhile: Callable[[], None]

    def __iter__(self) -> Iterator[Outgoing]:
        yield from super().__iter__()
        self.meanwhile()


class Heard:
    """What became of the client's calls, by their names: as Python tells a profiler."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()

    def __enter__(self) -> Heard:
        sys.setprofile(self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _hear(self, _frame: FrameType, event: str, subject: Any) -> None:
        if event.startswith("c_"):
            self.calls[event, subject.__name__] += 1


def limit(wiring: Wiring, size: int) -> None:
    """From now on the source topic takes no message that is larger."""
    entry = ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, wiring.source, incremental_configs=[entry])
    administration = AdminClient({"bootstrap.servers": wiring.bootstrap})
    for altered in administration.incremental_alter_configs([topic]).values():
        altered.result(30)


def produced(wiring: Wiring) -> int:
    """Messages of every partition, committed or not."""
    consumer = Consumer({"bootstrap.servers": wiring.bootstrap, "group.id": "looks"})
    try:
        partitions = consumer.list_topics(wiring.source, 10).topics[wiring.source].partitions
        return sum(
            consumer.get_watermark_offsets(TopicPartition(wiring.source, each), 10)[1] for each in partitions
        )
    finally:
        consumer.close()


def test_a_replay_whose_abort_is_refused_leaves_nothing_and_the_next_sends_each_once(wiring: Wiring) -> None:
    markers = f"{wiring.dead_letters}.replayed"
    limit(wiring, LIMIT)
    access = KafkaAccess(wiring.bootstrap, wiring.source, wiring.group)
    ensure_marker_topic(access, markers)
    values = [b"letter %d" % number for number in range(ALL)]
    chunk = [
        Outgoing(OutgoingMessage(wiring.source, b"key", value, (), -1), number % 4, value, b"")
        for number, value in enumerate(values)
    ]
    # The first thing of its transaction that the broker answers is a refusal.
    refused = random.Random(7).randbytes(2 * LIMIT)
    broken = Interrupted([replace(chunk[0], message=replace(chunk[0].message, value=refused)), *chunk[1:]])
    second: list[ReplayProducer] = []

    def another_takes_over() -> None:
        eventually(lambda: produced(wiring) > 0, 30, "a part of the transaction is at the broker")
        second.append(ReplayProducer(access, access.replay_id, markers))

    broken.meanwhile = another_takes_over
    first = ReplayProducer(access, access.replay_id, markers)
    with Heard() as heard, pytest.raises(KafkaTrouble, match="another replay took over; this one ends"):
        first.produce(broken)
    assert heard.calls["c_call", "abort_transaction"] > 0
    assert heard.calls["c_exception", "abort_transaction"] == heard.calls["c_call", "abort_transaction"]
    assert produced(wiring) > 0
    assert read_committed(wiring, wiring.source) == []
    assert read_markers(access, markers) == set()

    (successor,) = second
    successor.produce(chunk)
    assert Counter(message.value() for message in read_committed(wiring, wiring.source)) == Counter(values)
    assert read_markers(access, markers) == set(values)
    # Whoever was ended stays so, and brings nothing back.
    with pytest.raises(KafkaTrouble, match="another replay took over"):
        first.produce(chunk)
    assert len(read_committed(wiring, wiring.source)) == ALL
