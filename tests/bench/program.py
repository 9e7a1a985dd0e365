"""The real program as a child process on servers of its own, and what it costs, seen from outside."""

from __future__ import annotations

import itertools
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import psutil

from tests.bench.kafka import Broker, a_broker, client_setting
from tests.bench.occasion import Occasion
from tests.integration.wiring import Wiring
from tests.pipeline import Pipeline
from tests.standins.redshift_client import Transactions, connect
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.traffic import PARTITIONS

ENVIRONMENT = {
    # Rows wait until SIGTERM, so that reading and committing are told apart.
    "WINDOW": "24h",
    "DRAIN_TIMEOUT": "10m",
    # librdkafka's own, as in production.
    "KAFKA_CONFIG_SESSION_TIMEOUT_MS": "",
    "KAFKA_CONFIG_HEARTBEAT_INTERVAL_MS": "",
}
LONGEST = 600.0
"""Seconds after which a run is given up."""
SAMPLING = 0.2
"""Seconds between two looks at a running program: each costs it about two milliseconds."""
PACE = Event()
"""Never set: what waits a while waits for it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What a look at a running program saw."""

    at: float
    """Monotonic clock, seconds."""
    read: int
    """Messages read from the topic."""
    cpu: float
    """CPU seconds so far, user and system, of all its threads."""
    application: float
    """Of them the application thread's: the one that runs the graph."""


class Site:
    """A broker, a warehouse, and the programs that run on them, until the end of its `with`."""

    def __init__(self, broker: Broker, redshift: RedshiftProcess, directory: Path) -> None:
        self.broker = broker
        self._redshift = redshift
        self._directory = directory
        self._numbers = itertools.count(1)
        self._running: list[Pipeline] = []

    def topic(self, partitions: int = PARTITIONS) -> str:
        """A new, empty source topic."""
        name = f"messages-{next(self._numbers)}-{uuid.uuid4().hex[:8]}"
        self.broker.create((name,), partitions)
        return name

    def wiring(self, source: str) -> Wiring:
        """A source topic, which exists, with an empty database, empty side topics and a new group."""
        name = f"run_{next(self._numbers)}_{uuid.uuid4().hex[:8]}"
        with connect(self._redshift.server, Transactions.EACH_STATEMENT) as administration:
            administration.run(f"CREATE DATABASE {name}")
        contacts, dead_letters = f"{name}.contacts", f"{name}.dead-letters"
        self.broker.create((contacts, dead_letters))
        database = self._redshift.server.within(name)
        wiring = Wiring(self.broker.bootstrap, source, contacts, dead_letters, name, database)
        wiring.create_tables()
        return wiring

    def start(self, wiring: Wiring, **more: str) -> Pipeline:
        """One process of the real program."""
        properties = {client_setting(name): value for name, value in self.broker.properties.items()}
        environment = wiring.environment(**{**ENVIRONMENT, **properties, **more})
        log = self._directory / f"{wiring.group}-{next(self._numbers)}.log"
        pipeline = Pipeline.start(environment, log)
        self._running.append(pipeline)
        return pipeline

    def kill_all(self) -> None:
        """No program is left."""
        for pipeline in self._running:
            pipeline.kill()


@contextmanager
def a_site(
    occasion: Occasion, broker_for: Callable[[Occasion], AbstractContextManager[Broker]] = a_broker
) -> Iterator[Site]:
    """Servers up; every program gone at the end."""
    with ExitStack() as ends:
        broker = ends.enter_context(broker_for(occasion))
        redshift = ends.enter_context(RedshiftProcess())
        site = Site(broker, redshift, occasion.directory)
        ends.callback(site.kill_all)
        yield site


def look(pipeline: Pipeline) -> Sample:
    """A look at a running program. Raises AssertionError with the log's end when it has ended."""
    assert pipeline.process.poll() is None, f"the program has ended:\n{pipeline.tail()}"
    read = int(pipeline.metric("dataflow_messages_total"))
    process = psutil.Process(pipeline.process.pid)
    spent = process.cpu_times()
    threads = {thread.id: thread.user_time + thread.system_time for thread in process.threads()}
    return Sample(time.monotonic(), read, spent.user + spent.system, threads[process.pid])


def watch(pipeline: Pipeline, until: Callable[[Sample], bool], every: float = SAMPLING) -> list[Sample]:
    """Looks, one after the other, up to the first that satisfies `until`. Raises TimeoutError."""
    began = time.monotonic()
    samples = [look(pipeline)]
    while not until(samples[-1]):
        if time.monotonic() - began > LONGEST:
            raise TimeoutError(f"{samples[-1].read} messages read in {LONGEST:g} s:\n{pipeline.tail()}")
        PACE.wait(every)
        samples.append(look(pipeline))
    return samples


@dataclass(frozen=True, slots=True)
class Pace:
    """How a program went through its messages, between two looks in the midst of them."""

    messages_per_second: float
    cpu: float
    """CPU µs per message, of all threads."""
    application: float
    """CPU µs per message, of the application thread."""


def pace(samples: Sequence[Sample], total: int) -> Pace:
    """From the first look that saw messages read to the last that saw some left to read.

    Where it all happened between two looks, from the one to the other.
    """
    amid = [sample for sample in samples if 0 < sample.read < total]
    first, last = (amid[0], amid[-1]) if len(amid) > 1 and amid[0].read < amid[-1].read else _around(samples)
    messages = last.read - first.read
    return Pace(
        messages / (last.at - first.at),
        (last.cpu - first.cpu) / messages * 1e6,
        (last.application - first.application) / messages * 1e6,
    )


def _around(samples: Sequence[Sample]) -> tuple[Sample, Sample]:
    last = samples[-1]
    return max((sample for sample in samples if sample.read < last.read), key=lambda sample: sample.at), last


def peak_memory(pipeline: Pipeline) -> float:
    """The most that a running program has held so far, in MB; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pipeline.process.pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    peak = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(peak[1]) * 1024 / 1e6 if peak else 0.0


@dataclass(frozen=True, slots=True)
class End:
    """How a program ended."""

    seconds: float
    """From SIGTERM to its exit."""
    peak: float
    """The most memory it ever held, MB."""


def finish(pipeline: Pipeline) -> End:
    """SIGTERM, and wait. Raises AssertionError unless it ends with 0 in time."""
    began = time.monotonic()
    peak = peak_memory(pipeline)
    pipeline.process.send_signal(signal.SIGTERM)
    while (code := _exit_code(pipeline, 0.02)) is None:
        peak = max(peak, peak_memory(pipeline))
        assert time.monotonic() - began < LONGEST, f"still there {LONGEST:g} s after SIGTERM"
    assert code == 0, f"exit code {code}:\n{pipeline.tail()}"
    return End(time.monotonic() - began, peak)


def _exit_code(pipeline: Pipeline, within: float) -> int | None:
    try:
        return pipeline.process.wait(within)
    except subprocess.TimeoutExpired:
        return None
