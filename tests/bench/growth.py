"""How cost grows with the number of partitions that one process holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from confluent_kafka import Producer

from tests.bench.backlog import SOON
from tests.bench.figures import Figure, Report, Table
from tests.bench.occasion import Occasion, Size
from tests.bench.program import PACE, SAMPLING, Site, a_site, finish, look, pace, peak_memory, watch
from tests.bench.workload import contract_traffic, described
from tests.standins.traffic import Traffic, produce

RATE = 1_000
"""Messages per second of the steady stream: 86 million a day."""
TICK = 0.05
"""Seconds between two small bursts of the producer."""


@dataclass(frozen=True, slots=True)
class _Plan:
    partitions: Sequence[int]
    messages: int
    """In the topic when the program starts."""
    seconds: float
    """Of the steady stream, and of the silence after it."""
    repetitions: int


_PLANS = {
    Size.QUICK: _Plan((4, 16), 2_000, 1.0, 1),
    Size.USUAL: _Plan((4, 64, 512), 100_000, 10.0, 3),
    Size.LONG: _Plan((4, 64, 512), 200_000, 30.0, 7),
}


@dataclass(frozen=True, slots=True)
class _Run:
    first_read: float
    """Seconds from the start to the look that saw messages read."""
    backlog: float
    """CPU µs per message of the application thread, amid a backlog."""
    steady: float
    """The same, of a stream of `RATE`."""
    idle: float
    """Per cent of a core, all threads, while nothing comes."""
    memory: float
    """The most it held, MB."""
    drain: float
    """Seconds from SIGTERM to the exit, all committed."""


def run(occasion: Occasion) -> Report:
    """By turns: a topic of so many partitions each, its backlog, a steady stream, silence, SIGTERM."""
    plan = _PLANS[occasion.size]
    runs: dict[int, list[_Run]] = {partitions: [] for partitions in plan.partitions}
    with a_site(occasion) as site:
        for number in range(plan.repetitions):
            for partitions in plan.partitions:
                occasion.tell(f"{partitions} partitions, repetition {number + 1} of {plan.repetitions}")
                runs[partitions].append(_once(site, plan, partitions))
        broker = site.broker.description

    def row(measure: str, of: Callable[[_Run], float]) -> tuple[str | Figure, ...]:
        return measure, *(Figure(tuple(map(of, each))) for each in runs.values())

    most = plan.partitions[-1]
    idle = Figure(tuple(each.idle for each in runs[most]))
    return Report(
        measured=(
            "`python -m dataflow run`, one process that holds all partitions of a topic, over which "
            f"{described(contract_traffic(plan.messages))} are spread evenly; {broker}; n = "
            f"{plan.repetitions} by turns. After the backlog {RATE:,} messages a second for "
            f"{plan.seconds:g} s, then {plan.seconds:g} s of silence, then SIGTERM commits it all as one "
            "window."
        ),
        tables=(
            Table(
                ("", *(f"{partitions} partitions" for partitions in plan.partitions)),
                (
                    row("CPU µs per message, application thread, backlog", lambda r: r.backlog),
                    row(f"the same, at {RATE:,} messages a second", lambda r: r.steady),
                    row("CPU of a core when idle, all threads, %", lambda r: r.idle),
                    row("start to first message read, s", lambda r: r.first_read),
                    row("peak memory, MB", lambda r: r.memory),
                    row("SIGTERM to exit, s", lambda r: r.drain),
                ),
            ),
        ),
        observations=(f"Idle, one process that holds {most} partitions takes {idle.median:.1f}% of a core.",),
    )


@cache
def _spread(messages: int, partitions: int) -> Traffic:
    planned = contract_traffic(messages).messages
    return Traffic(tuple(replace(each, partition=at % partitions) for at, each in enumerate(planned)))


def _once(site: Site, plan: _Plan, partitions: int) -> _Run:
    source = site.topic(partitions)
    traffic = _spread(plan.messages, partitions)
    produce(traffic, site.broker.bootstrap, source, lambda _: None)
    began = time.monotonic()
    pipeline = site.start(site.wiring(source))
    samples = watch(pipeline, lambda sample: sample.read > 0, SOON)
    first_read = samples[-1].at - began
    samples += watch(pipeline, lambda sample: sample.read >= plan.messages, SAMPLING)
    pipeline.wait_until_holding(partitions)
    before = look(pipeline)
    streamed = _stream(site.broker.bootstrap, source, traffic, plan.seconds)
    after = watch(pipeline, lambda sample: sample.read >= plan.messages + streamed, SAMPLING)[-1]
    silent = look(pipeline)
    PACE.wait(plan.seconds)
    still = look(pipeline)
    memory = peak_memory(pipeline)
    end = finish(pipeline)
    return _Run(
        first_read=first_read,
        backlog=pace(samples, plan.messages).application,
        steady=(after.application - before.application) / streamed * 1e6,
        idle=100 * (still.cpu - silent.cpu) / (still.at - silent.at),
        memory=max(memory, end.peak),
        drain=end.seconds,
    )


def _stream(bootstrap: str, topic: str, traffic: Traffic, seconds: float) -> int:
    """Produce `RATE` messages a second; how many. Raises RuntimeError when the broker has not taken all."""
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "log_level": 0})
    began, sent = time.monotonic(), 0
    while (passed := time.monotonic() - began) < seconds:
        for message in traffic.messages[sent : int(passed * RATE)]:
            producer.produce(topic, message.value, message.key, partition=message.partition)
            sent += 1
        producer.poll(0)
        PACE.wait(TICK)
    if unsent := producer.flush(60):
        raise RuntimeError(f"the broker did not take {unsent} messages")
    return sent
