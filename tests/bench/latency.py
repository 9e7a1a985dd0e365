"""How long after a message its side event is there for a reader of committed messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

import orjson
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tests.bench.figures import Figure, Report, Table, percentile
from tests.bench.occasion import Occasion, Size
from tests.bench.program import PACE, Site, a_site
from tests.bench.workload import contract_traffic, described, is_benign
from tests.integration.wiring import Wiring, headers_of
from tests.standins.traffic import PARTITIONS, Planned

RATE = 1_000
"""Messages per second."""
TICK = 0.01
"""Seconds between two small bursts of the producer."""
LATEST = 30.0
"""Seconds that the last event may take."""

EDGE = 2
"""Seconds at either end of the stream whose messages are not counted: at first nothing is warm, and what
comes last waits for an idle source's next look."""

Place = tuple[int, int]
"""Partition and offset of a message."""


@dataclass(frozen=True, slots=True)
class _Plan:
    seconds: int
    repetitions: int


_PLANS = {Size.QUICK: _Plan(1, 1), Size.USUAL: _Plan(20, 5), Size.LONG: _Plan(60, 5)}


def run(occasion: Occasion) -> Report:
    """A steady stream in; what comes out on the side topics, timed."""
    plan = _PLANS[occasion.size]
    latencies: list[list[float]] = []
    with a_site(occasion) as site:
        for number in range(plan.repetitions):
            occasion.tell(f"repetition {number + 1} of {plan.repetitions}")
            latencies.append(_once(site, plan.seconds))
        broker = site.broker.description
    p50, p99, most = (
        Figure(tuple(percentile(each, share) for each in latencies)) for share in (0.5, 0.99, 1.0)
    )
    return Report(
        measured=(
            f"`python -m dataflow run`, one process, events committed once a second; {broker}; "
            f"{described(contract_traffic((plan.seconds + 2 * EDGE) * RATE))} at {RATE:,} a second, "
            f"n = {plan.repetitions} runs of about {len(latencies[0]):,} events. From `produce` of the "
            "message to the arrival of its contact event or dead letter at a read_committed consumer; the "
            f"first and the last {EDGE} s are left out."
        ),
        tables=(
            Table(
                ("seconds", "figure"),
                (("p50", p50), ("p99", p99), ("the latest", most)),
            ),
        ),
        observations=(
            f"Half of the events are there after {p50.median:.2f} s, 99% after {p99.median:.2f} s: what is "
            "waited for is the commit, once a second.",
        ),
    )


def _once(site: Site, seconds: int) -> list[float]:
    """How long every event took, in seconds, over so many seconds of a steady stream."""
    wiring = site.wiring(site.topic())
    pipeline = site.start(wiring)
    pipeline.wait_until_holding(PARTITIONS)
    traffic = contract_traffic((seconds + 2 * EDGE) * RATE)
    sides = sum(not is_benign(message) for message in traffic.messages)
    with _Reader(wiring) as reader:
        sent = _send(traffic.messages, wiring)
        deadline = time.monotonic() + LATEST
        while len({place for place, _ in reader.arrived}) < sides:
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"events are missing {LATEST:g} s after the last message:\n{pipeline.tail()}"
                )
            PACE.wait(TICK)
    pipeline.kill()
    begin, end = min(sent.values()) + EDGE, max(sent.values()) - EDGE
    return [at - sent[place] for place, at in reader.arrived if begin <= sent[place] <= end]


def _send(messages: Sequence[Planned], wiring: Wiring) -> dict[Place, float]:
    """Produce at the rate; when each message was handed over, by its place."""
    sent: dict[Place, float] = {}
    refused: list[str] = []
    producer = Producer({"bootstrap.servers": wiring.bootstrap, "linger.ms": 0, "log_level": 0})

    def delivery(at: float) -> Callable[[KafkaError | None, Message], None]:
        def told(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                refused.append(error.name())
            else:
                sent[message.partition() or 0, message.offset() or 0] = at

        return told

    began = time.monotonic()
    for number, message in enumerate(messages):
        while (ahead := began + number / RATE - time.monotonic()) > 0:
            producer.poll(0)
            PACE.wait(min(ahead, TICK))
        producer.produce(
            wiring.source,
            message.value,
            message.key,
            partition=message.partition,
            on_delivery=delivery(time.monotonic()),
        )
    if producer.flush(LATEST) or refused:
        raise RuntimeError(f"the broker did not take every message: {set(refused)}")
    return sent


class _Reader:
    """Reads both side topics on a thread of its own, from `with` to its end."""

    def __init__(self, wiring: Wiring) -> None:
        self.arrived: list[tuple[Place, float]] = []
        """Where the message of each event lies, and when the event was there."""
        self._wiring = wiring
        self._stop = Event()
        self._thread = Thread(target=self._read, name="reader")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        consumer = Consumer(
            {
                "bootstrap.servers": self._wiring.bootstrap,
                "group.id": "reader",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        topics = (self._wiring.contacts, self._wiring.dead_letters)
        consumer.assign([TopicPartition(topic, p, 0) for topic in topics for p in range(PARTITIONS)])
        while not self._stop.is_set():
            messages = consumer.consume(1000, TICK)
            now = time.monotonic()
            self.arrived += [(self._origin(message), now) for message in messages if message.error() is None]
        consumer.close()

    def _origin(self, message: Message) -> Place:
        if message.topic() == self._wiring.contacts:
            origin = orjson.loads(message.value() or b"")["origin"]
            return origin["partition"], origin["offset"]
        headers = headers_of(message)
        return int(headers["__connect.errors.partition"] or 0), int(headers["__connect.errors.offset"] or 0)
