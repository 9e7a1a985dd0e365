"""`python -m tests.faults.soak`: a long stream while the warehouse is away half of the time.

Judges that memory stays flat, that what waits, threads and descriptors are bounded, and that every row and
event is there once, in all that it says. One process, real broker.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from confluent_kafka import Producer

from connectors.spool import MEMORY_PER_SPOOL, SEGMENT_BYTES
from tests.contents import stored
from tests.faults.world import CONTACTS, SOURCE, World
from tests.integration.wiring import (
    PARTITIONS,
    contacts_of,
    expected_contacts,
    expected_rows,
    numbered,
    read_committed,
    row_line,
)
from tests.pipeline import Pipeline, eventually
from tests.standins.kafka_real import KafkaUnavailable
from tests.standins.redshift_client import connect

AWAY = PRESENT = 30.0
"""Seconds for which the warehouse is away, and back."""
SAMPLE = 0.5
AHEAD = 300_000
"""Messages that the producer may be ahead of the ledger: the topic need not hold the whole stream."""
SPOOL_LIMIT = 32 << 20
TENTHS = 10


MIB = 2**20
MOST_BACKLOG = (SPOOL_LIMIT + SEGMENT_BYTES) / MIB
"""The source pauses at the limit; what it had polled by then is at most a segment."""
GROWTH = 1.15
"""Memory in the last tenths against the third one, by when the limit has been reached: more is a leak."""
MORE_THREADS = 8
"""Beyond the first sample's: librdkafka keeps one for each broker connection, whatever its state."""
MORE_DESCRIPTORS = 16
"""Beyond the first sample's: connections that come and go."""
SPOOLS = SPOOL_LIMIT // MEMORY_PER_SPOOL + PARTITIONS
"""Files that what waits may lie in."""
PARTS = "0123456789"
"""Last digits of user ids: rows are compared by tenths."""


@dataclass(frozen=True, slots=True)
class Bounded:
    """A count at the first sample and at the last, and the highest between."""

    first: int
    last: int
    most: int

    @classmethod
    def of(cls, samples: Sequence[int]) -> Bounded:
        """Of all samples, in order."""
        return cls(samples[0], samples[-1], max(samples))


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
    threads: Bounded
    descriptors: Bounded
    rows_missing: int
    rows_unexpected: int
    """Twice there, or other than what was produced last."""
    contacts_missing: int
    contacts_unexpected: int

    def broken(self) -> Sequence[str]:
        """Each promise that did not hold, in words."""
        found = [
            f"{name.replace('_', ' ')}: {getattr(self, name)}"
            for name in ("rows_missing", "rows_unexpected", "contacts_missing", "contacts_unexpected")
            if getattr(self, name)
        ]
        if len(self.memory_mib) > TENTHS // 2:
            third, late = self.memory_mib[2], max(self.memory_mib[-3:])
            if late > third * GROWTH:
                found.append(
                    f"memory is not flat: {third} MiB in the third tenth, {late} MiB in the last ones"
                )
        else:
            found.append("too few samples to judge memory: run it with more messages")
        if self.peak_backlog_mib > MOST_BACKLOG:
            found.append(f"{self.peak_backlog_mib} MiB waited, at most {MOST_BACKLOG:g} may")
        if self.threads.most > self.threads.first + MORE_THREADS:
            found.append(f"threads grow: {self.threads}")
        if self.descriptors.most > self.descriptors.first + SPOOLS + MORE_DESCRIPTORS:
            found.append(f"descriptors without bound: {self.descriptors}")
        if self.descriptors.last > self.descriptors.first + MORE_DESCRIPTORS:
            found.append(f"descriptors are not given back: {self.descriptors}")
        return found


def soak(messages: int, directory: Path, tell: Callable[[str], None]) -> Soak:
    """Run it. Data and logs go to `directory`."""
    stop = threading.Event()
    with World(directory) as world:
        pipeline = world.start(WINDOW="5s", SPOOL_LIMIT=str(SPOOL_LIMIT), REDSHIFT_STATEMENT_TIMEOUT="120s")
        pipeline.wait_until_holding(PARTITIONS)
        expected = Expected(messages)
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
        return _found(world, expected, seconds, counted[0], paused, watch)


class Expected:
    """What must come of the stream, worked out before it begins: it takes a while."""

    def __init__(self, messages: int) -> None:
        self.messages = messages
        self.rows = expected_rows(messages)
        self.contacts = expected_contacts(messages)


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
        self.backlog = max(self.backlog, self._pipeline.metric("dataflow_backlog_bytes") / MIB)


def _found(
    world: World, expected: Expected, seconds: float, outages: int, paused: float, watch: _Watch
) -> Soak:
    rows: Counter[str] = Counter()
    with connect(world.direct.database) as session:
        for part in PARTS:
            rows.update(map(row_line, stored(session, world.table, f"user_id LIKE '%{part}'")))
    contacts = contacts_of(read_committed(world.direct, CONTACTS))
    tenth = -(-len(watch.memory) // TENTHS)
    return Soak(
        expected.messages,
        round(seconds, 1),
        outages,
        round(paused, 1),
        round(watch.backlog, 1),
        tuple(round(max(watch.memory[at : at + tenth]), 1) for at in range(0, len(watch.memory), tenth)),
        Bounded.of(watch.threads),
        Bounded.of(watch.descriptors),
        (expected.rows - rows).total(),
        (rows - expected.rows).total(),
        (expected.contacts - contacts).total(),
        (contacts - expected.contacts).total(),
    )


def _tell(line: str) -> None:
    print(f"\r{line}", end="", flush=True)


def main() -> int:
    """0: every promise held. 1: one did not. 2: no broker can be run here."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000_000, help="default 2,000,000")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-", ignore_cleanup_errors=True) as directory:
        try:
            found = soak(options.messages, Path(directory), _tell)
        except KafkaUnavailable as reason:
            print(f"no broker can be run here: {reason}", file=sys.stderr)
            return 2
    print()
    for name, value in asdict(found).items():
        print(f"{name.replace('_', ' '):<20} {value}")
    broken = found.broken()
    if options.report:
        options.report.write_text(json.dumps({**asdict(found), "broken": broken}, indent=2) + "\n")
    print("\n".join(["A PROMISE DID NOT HOLD", *broken]) if broken else "every promise held")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
