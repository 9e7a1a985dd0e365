"""The whole job in this process, on this thread, with its CPU time told stage by stage; and the bare loop.

CPU time is the calling thread's own: librdkafka's threads are not in it, nor is waiting. As a program
(`python -m tests.bench.job`, arguments and answer in JSON) it has a process to itself: the messages that a
benchmark has made and keeps would scatter the job's own objects over the memory.
"""

from __future__ import annotations

import gc
import json
import logging
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import orjson
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main
from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry

from connectors.event_sink import EventTransaction, connect_producer
from connectors.holding import LedgerAnswer
from connectors.items import Batch, ClosedWindow, EventBatch
from connectors.kafka import MAX_POLL_MESSAGES, Membership
from connectors.kafka_access import ClientJudge, KafkaAccess
from connectors.metrics import Metrics
from connectors.spool import Backlog, FileSpool, WindowSegments
from connectors.steady_clock import SteadyClock, SteadyTime
from connectors.stopping import Stop
from dataflow.commands.access import Topics, kafka_access, topics_of
from dataflow.commands.run import NO_SNAPSHOTS, observe, steps_of
from dataflow.contract import load
from dataflow.flow import Steps, graph
from dataflow.settings import Sources, read
from tests.bench.kafka import client_setting
from tests.pipeline import ROOT
from tests.standins.traffic import PARTITIONS

POLL = 0.1
BACKLOG = 1 << 40
"""Bytes: no run reaches it."""
DETECT = "detect"


@contextmanager
def as_the_program_collects() -> Iterator[None]:
    """What is alive already is left out of garbage collections, as `run` does before it starts."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class Meter:
    """CPU seconds of this thread by stage."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._at = time.thread_time()

    def start(self) -> None:
        """Forget what was spent since the last lap."""
        self._at = time.thread_time()

    def lap(self, stage: str) -> None:
        """What was spent since the last lap was spent on this stage."""
        now = time.thread_time()
        self.seconds[stage] += now - self._at
        self._at = now


class NothingCommitted:
    """A ledger without entries, whose owner has no trouble."""

    def read_ledger(self, partitions: Collection[int] = ()) -> LedgerAnswer:
        """No partition has an entry."""
        answer: LedgerAnswer = Future()
        answer.set_result({})
        return answer

    def failure(self) -> BaseException | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class Job:
    """The program's parts as `run` makes them of its settings."""

    steps: Steps
    access: KafkaAccess
    topics: Topics

    @classmethod
    def of(cls, bootstrap: str, group: str, properties: Mapping[str, str]) -> Job:
        """The parts for a broker and a group that nobody has joined."""
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "KAFKA_GROUP": group,
            "REDSHIFT_HOST": "unused",
            "REDSHIFT_DATABASE": "unused",
            "REDSHIFT_USER": "unused",
            "REDSHIFT_PASSWORD": "unused",
            "CONTACT_HMAC_KEY": "only a benchmark's key",
            **{client_setting(name): value for name, value in properties.items()},
        }
        settings = read(Sources(environment, {}, Path.read_text), ClientJudge())
        contract = load()
        topics = topics_of(settings, contract)
        return cls(steps_of(settings, contract, topics), kafka_access(settings, topics), topics)


def bare_loop(access: KafkaAccess, messages: int) -> float:
    """CPU seconds to read and parse so many messages with the program's own consumer settings.

    `consume` and `orjson.loads`, nothing else: the floor.
    """
    consumer = Consumer(access.consumer_config())
    consumer.assign([TopicPartition(access.topic, partition, 0) for partition in range(PARTITIONS)])
    count = 0
    spent = 0.0
    loads = orjson.loads
    while count < messages:
        began = time.thread_time()
        records = consumer.consume(MAX_POLL_MESSAGES, POLL)
        for record in records:
            try:
                loads(record.value() or b"null")
            except orjson.JSONDecodeError:
                continue
        if count or records:
            spent += time.thread_time() - began
        count += len(records)
    consumer.close()
    return spent


@dataclass(frozen=True, slots=True)
class Spent:
    """What the whole job cost."""

    seconds: Mapping[str, float]
    """CPU seconds by stage, in the order of the data's way."""
    batches: int
    """Batches that the messages came in."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to measure, in a process of its own."""

    bootstrap: str
    group: str
    properties: Mapping[str, str]
    messages: int
    directory: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was measured: CPU seconds, all of them for so many messages."""

    bare: float
    seconds: Mapping[str, float]
    """By stage."""
    empty: float
    """Of the graph alone."""
    batches: int


def measured(order: Order) -> Answer:
    """Carry out an order, in a new process. Raises CalledProcessError."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench.job", json.dumps(asdict(order))],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    return Answer(**json.loads(ran.stdout))


def _measure(order: Order) -> Answer:
    job = Job.of(order.bootstrap, order.group, order.properties)
    directory = Path(order.directory)
    with as_the_program_collects():
        bare = bare_loop(job.access, order.messages)
        spent = whole_job(job, order.messages, directory)
        empty = empty_graph(job, order.messages // MAX_POLL_MESSAGES, directory)
    return Answer(bare, spent.seconds, empty, spent.batches)


def whole_job(job: Job, messages: int, directory: Path) -> Spent:
    """Read so many messages and do with each what `run` does, up to its row in the spool."""
    metrics = Metrics(CollectorRegistry(), version="bench", contract_version="bench")
    stop = Stop()
    membership = Membership(
        job.access,
        ledger=NothingCommitted(),
        paused=lambda: False,
        metrics=metrics,
        now=lambda: datetime.now(UTC),
    )
    producer = connect_producer(job.access, f"{job.access.group}-events", stop, metrics, lambda: None)
    assert producer is not None
    transaction = EventTransaction(
        membership,
        producer,
        metrics,
        interval=1.0,
        transaction_timeout=job.access.transaction_timeout,
        drain_seconds=job.access.transaction_timeout,
        now=lambda: datetime.now(UTC),
        stop=stop,
        on_wait=lambda: None,
        on_hang=lambda: None,
        on_closed=membership.leave,
    )
    membership.transaction = transaction
    backlog = Backlog(BACKLOG)
    windows = {
        str(partition): WindowSegments(lambda: FileSpool(backlog, directory))
        for partition in range(PARTITIONS)
    }
    membership.subscribe()
    meter = Meter()
    count = batches = 0
    while count < messages:
        meter.start()
        polled = membership.poll(POLL)
        if not count and not any(batch.records for batch in polled):
            continue
        meter.lap("consume")
        for batch in polled:
            count += len(batch.records)
            batches += 1
            one_batch(batch, job.steps, metrics, meter, transaction.write_batch, windows)
    transaction.write_batch([])
    transaction.settle()
    meter.lap("side events, produce and commit")
    transaction.close()
    for window in windows.values():
        for segment in window.segments:
            segment.spool.discard()
    return Spent(dict(meter.seconds), batches)


def one_batch(
    batch: Batch,
    steps: Steps,
    metrics: Metrics,
    meter: Meter,
    write_events: Callable[[list[EventBatch]], None],
    windows: Mapping[str, WindowSegments],
) -> None:
    """A batch on its way through the steps, with a lap after each."""
    decoded = steps.decode.decode(batch)
    meter.lap("decode")
    valid = steps.validate.validate(decoded)
    meter.lap("validate")
    enriched = steps.enrich.enrich(valid)
    meter.lap("enrich")
    detected = steps.detect(enriched)
    meter.lap(DETECT)
    observe(metrics, detected)
    meter.lap("metrics")
    events = steps.events(detected)
    meter.lap("side events, encode")
    write_events([events])
    meter.lap("side events, produce and commit")
    keyed = steps.rows(detected)
    meter.lap("rows, lines and contacts")
    if keyed is not None:
        partition, rows = keyed
        windows[partition].add(rows)
    meter.lap("rows, spool")


def empty_graph(job: Job, batches: int, directory: Path) -> float:
    """CPU seconds of the real graph for so many batches that hold no record.

    Each passes every step, the window among them: this is what Bytewax and the steps cost per batch.
    """
    metrics = Metrics(CollectorRegistry(), version="bench", contract_version="bench")
    backlog = Backlog(BACKLOG)
    now = datetime.now(UTC)
    given = [
        Batch("messages", number % PARTITIONS, 1, at, at + MAX_POLL_MESSAGES, now, 0)
        for number in range(batches)
        for at in (number // PARTITIONS * MAX_POLL_MESSAGES,)
    ]
    flow = graph(
        _Given(given),
        job.steps,
        _Ignored[EventBatch](),
        _Ignored[ClosedWindow](),
        lambda: WindowSegments(lambda: FileSpool(backlog, directory)),
        SteadyClock(SteadyTime(lambda: datetime.now(UTC), time.monotonic)),
        lambda checked: observe(metrics, checked),
    )
    began = time.thread_time()
    cli_main(flow, epoch_interval=NO_SNAPSHOTS)  # type: ignore[no-untyped-call]  # built in Rust
    return time.thread_time() - began


class _Given(DynamicSource[Batch]):
    """Batches from a list, one at a time."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _GivenPartition:
        return _GivenPartition(iter(self._batches))


class _GivenPartition(StatelessSourcePartition[Batch]):
    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches

    def next_batch(self) -> list[Batch]:
        return [next(self._batches)]


T = TypeVar("T")


class _Ignored(DynamicSink[T]):
    """Takes everything and does nothing with it."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _IgnoredPartition[T]:
        return _IgnoredPartition()


class _IgnoredPartition(StatelessSinkPartition[T]):
    def write_batch(self, items: list[T]) -> None:
        pass


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    print(json.dumps(asdict(_measure(Order(**json.loads(sys.argv[1]))))))
