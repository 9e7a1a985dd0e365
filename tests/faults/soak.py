"""`python -m tests.faults.soak`: a long stream while the warehouse is away half of the time.

Shows that memory stays flat, that what waits is bounded, and that nothing is lost. One process, real broker.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import psutil
from confluent_kafka import Producer

from tests.faults.world import CONTACTS, SOURCE, World
from tests.integration.wiring import PARTITIONS, numbered
from tests.pipeline import Pipeline, eventually
from tests.standins.kafka_reader import read_to_end
from tests.standins.redshift_client import connect

AWAY = PRESENT = 30.0
"""Seconds for which the warehouse is away, and back."""
SAMPLE = 0.5
AHEAD = 300_000
"""Messages that the producer may be ahead of the ledger: the topic need not hold the whole stream."""
SPOOL_LIMIT = 32 << 20


@dataclass(frozen=True, slots=True)
class Soak:
    """What a soak found. Memory is the process's resident set, in MiB."""

    messages: int
    seconds: float
    outages: int
    paused_seconds: float
    peak_backlog_mib: float
    memory_mib: tuple[float, ...]
    """The highest in each tenth of the run."""
    threads: tuple[int, int]
    descriptors: tuple[int, int]
    """At the first sample and at the last."""
    rows_missing: int
    rows_repeated: int
    contacts_missing: int
    contacts_repeated: int

    @property
    def kept(self) -> bool:
        """Nothing lost, nothing twice."""
        wrong = (self.rows_missing, self.rows_repeated, self.contacts_missing, self.contacts_repeated)
        return not any(wrong)


def soak(messages: int, directory: Path, tell: Callable[[str], None]) -> Soak:
    """Run it. Data and logs go to `directory`."""
    stop = threading.Event()
    with World(directory) as world:
        pipeline = world.start(WINDOW="5s", SPOOL_LIMIT=str(SPOOL_LIMIT), REDSHIFT_STATEMENT_TIMEOUT="120s")
        pipeline.wait_until_holding(PARTITIONS)
        outages = threading.Thread(target=_outages, args=(world, stop, counted := [0]))
        produced = threading.Thread(target=_produce, args=(world, messages))
        began = time.monotonic()
        outages.start()
        produced.start()
        watch = _Watch(pipeline)
        while world.rows_position() < messages:
            watch.sample()
            tell(f"{world.rows_position():>9} of {messages} committed, {watch.memory[-1]:.0f} MiB")
        stop.set()
        outages.join()
        produced.join()
        seconds = time.monotonic() - began
        paused = pipeline.metric("dataflow_paused_seconds_total")
        world.heal()
        assert world.remove(pipeline) == 0
        return _judged(world, messages, seconds, counted[0], paused, watch)


def _outages(world: World, stop: threading.Event, counted: list[int]) -> None:
    while not stop.wait(PRESENT):
        world.redshift_proxy.refuse()
        counted[0] += 1
        stop.wait(AWAY)
        world.redshift_proxy.flow()


def _produce(world: World, messages: int) -> None:
    producer = Producer(
        {"bootstrap.servers": world.kafka.bootstrap, "linger.ms": 20, "compression.type": "lz4"}
    )
    for number, (partition, value) in enumerate(numbered(0, messages)):
        while True:
            try:
                producer.produce(SOURCE, value, partition=partition)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 50_000 == 0:
            eventually(lambda sent=number: sent - world.rows_position() < AHEAD, 600, "the ledger follows")  # type: ignore[misc]  # a loop's own value
    assert producer.flush(120) == 0


class _Watch:
    """Samples of the process."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._process = psutil.Process(pipeline.process.pid)
        self._next = time.monotonic()
        self.memory: list[float] = []
        self.backlog = 0.0
        self.threads: list[int] = []
        self.descriptors: list[int] = []

    def sample(self) -> None:
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + SAMPLE
        self.memory.append(self._process.memory_info().rss / 2**20)
        self.threads.append(self._process.num_threads())
        self.descriptors.append(self._process.num_fds())
        self.backlog = max(self.backlog, self._pipeline.metric("dataflow_backlog_bytes") / 2**20)


def _judged(world: World, messages: int, seconds: float, outages: int, paused: float, watch: _Watch) -> Soak:
    tenth = max(1, len(watch.memory) // 10)
    with connect(world.direct.database) as session:
        rows, different = session.rows("SELECT count(*), count(DISTINCT user_id) FROM interactions.messages")[
            0
        ]
    contacts = [
        orjson.loads(m.value() or b"{}")["user_id"] for m in read_to_end(world.kafka.bootstrap, CONTACTS)
    ]
    expected_rows = messages - messages // 25 - (messages % 25 > 7)
    expected_contacts = sum(1 for number in range(0, messages, 10) if number % 25 != 7)
    return Soak(
        messages,
        round(seconds, 1),
        outages,
        round(paused, 1),
        round(watch.backlog, 1),
        tuple(round(max(watch.memory[at : at + tenth]), 1) for at in range(0, len(watch.memory), tenth)),
        (watch.threads[0], watch.threads[-1]),
        (watch.descriptors[0], watch.descriptors[-1]),
        expected_rows - int(different),
        int(rows) - int(different),
        expected_contacts - len(set(contacts)),
        len(contacts) - len(set(contacts)),
    )


def main() -> int:
    """0: memory was sampled and every promise held. 1: one did not."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000_000, help="default 2,000,000")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as directory:
        found = soak(options.messages, Path(directory), lambda line: print(f"\r{line}", end="", flush=True))
    print()
    for name, value in asdict(found).items():
        print(f"{name.replace('_', ' '):<20} {value}")
    if options.report:
        options.report.write_text(json.dumps({**asdict(found), "kept": found.kept}, indent=2) + "\n")
    print("every promise held" if found.kept else "A PROMISE DID NOT HOLD")
    return 0 if found.kept else 1


if __name__ == "__main__":
    sys.exit(main())
