"""One process of the real program against two that share the topic."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.occasion import Occasion, Size
from tests.bench.program import LONGEST, PACE, Sample, Site, a_site, look, pace
from tests.bench.workload import contract_traffic, described
from tests.pipeline import Pipeline
from tests.standins.traffic import PARTITIONS, produce

PROCESSES = (1, 2)
SAMPLING = 0.1


@dataclass(frozen=True, slots=True)
class _Plan:
    messages: int
    copies: int
    repetitions: int


_PLANS = {Size.QUICK: _Plan(2_000, 1, 1), Size.USUAL: _Plan(200_000, 2, 5), Size.LONG: _Plan(200_000, 5, 7)}


@dataclass(frozen=True, slots=True)
class _Run:
    messages_per_second: float
    cpu: float
    """CPU µs per message, of all threads of all processes."""


def run(occasion: Occasion) -> Report:
    """By turns, one process and two, each on a topic of its own, filled when all partitions are held."""
    plan = _PLANS[occasion.size]
    runs: dict[int, list[_Run]] = {processes: [] for processes in PROCESSES}
    with a_site(occasion) as site:
        for number in range(plan.repetitions):
            for processes in PROCESSES:
                occasion.tell(f"{processes} process(es), repetition {number + 1} of {plan.repetitions}")
                runs[processes].append(_once(site, plan, processes))
        broker = site.broker.description
    one, two = runs[1], runs[2]
    gain = quotients([r.messages_per_second for r in two], [r.messages_per_second for r in one])
    return Report(
        measured=(
            f"`python -m dataflow run` once and twice in one consumer group, on {plan.copies} times "
            f"{described(contract_traffic(plan.messages))}; {broker}; n = {plan.repetitions} by turns. "
            "Rates are taken amid the reading, once all is produced. Broker and stand-ins share the cores."
        ),
        tables=(
            Table(
                ("", "1 process", "2 processes", "2 / 1"),
                (
                    _row("messages per second, read", lambda r: r.messages_per_second, one, two),
                    _row("CPU µs per message, all threads", lambda r: r.cpu, one, two),
                ),
            ),
        ),
        observations=(f"Two processes read {gain.median:.2f} times as fast as one.",),
    )


def _row(measure: str, of: Callable[[_Run], float], one: list[_Run], two: list[_Run]) -> tuple[Cell, ...]:
    single, double = [of(r) for r in one], [of(r) for r in two]
    return measure, Figure(tuple(single)), Figure(tuple(double)), quotients(double, single)


def _once(site: Site, plan: _Plan, processes: int) -> _Run:
    wiring = site.wiring(site.topic())
    running = [site.start(wiring, **site.broker.sharing) for _ in range(processes)]
    for pipeline in running:
        pipeline.wait_until_holding(PARTITIONS // processes)
    samples = [_together(running)]
    for _ in range(plan.copies):
        produce(contract_traffic(plan.messages), site.broker.bootstrap, wiring.source, lambda _: None)
    total = plan.messages * plan.copies
    deadline = time.monotonic() + LONGEST
    while samples[-1].read < total:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{samples[-1].read} of {total} messages read in {LONGEST:g} s")
        PACE.wait(SAMPLING)
        samples.append(_together(running))
    for pipeline in running:
        pipeline.kill()
    told = pace(samples, total)
    return _Run(told.messages_per_second, told.cpu)


def _together(running: list[Pipeline]) -> Sample:
    """What several programs did up to about the same moment."""
    looks = [look(pipeline) for pipeline in running]
    return Sample(
        looks[-1].at,
        sum(each.read for each in looks),
        sum(each.cpu for each in looks),
        sum(each.application for each in looks),
    )
