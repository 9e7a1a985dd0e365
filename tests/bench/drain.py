"""How long the real program takes to stop."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.figures import Figure, Report, Table
from tests.bench.occasion import Occasion, Size
from tests.bench.program import a_site, finish
from tests.bench.workload import contract_traffic, described
from tests.standins.traffic import produce


@dataclass(frozen=True, slots=True)
class _Plan:
    waiting: tuple[int, ...]
    repetitions: int


_PLANS = {
    Size.QUICK: _Plan((0, 500), 1),
    Size.USUAL: _Plan((0, 1_250, 30_000), 5),
    Size.LONG: _Plan((0, 1_250, 30_000, 100_000), 5),
}
"""1,250: what a window of an hour holds at the contract's 30,000 a day; 30,000: a whole day in one window."""


def run(occasion: Occasion) -> Report:
    """SIGTERM with nothing waiting for the warehouse, and with messages waiting."""
    plan = _PLANS[occasion.size]
    seconds: dict[int, list[float]] = {waiting: [] for waiting in plan.waiting}
    with a_site(occasion) as site:
        for number in range(plan.repetitions):
            occasion.tell(f"repetition {number + 1} of {plan.repetitions}")
            for waiting in plan.waiting:
                wiring = site.wiring(site.topic())
                if waiting:
                    produce(contract_traffic(waiting), site.broker.bootstrap, wiring.source, lambda _: None)
                pipeline = site.start(wiring)
                pipeline.wait_until_ready()
                pipeline.wait_until_read(waiting)
                seconds[waiting].append(finish(pipeline).seconds)
        broker = site.broker.description
    most = Figure(tuple(seconds[plan.waiting[-1]]))
    return Report(
        measured=(
            f"`python -m dataflow run`, one process; {broker}; the Redshift stand-in. The messages have been "
            "read and wait in the open window; SIGTERM commits them, on both sides, and ends it with 0. "
            f"Largest: {described(contract_traffic(plan.waiting[-1]))}. n = {plan.repetitions}."
        ),
        tables=(
            Table(
                ("messages that wait", "seconds from SIGTERM to exit code 0"),
                tuple((f"{waiting:,}", Figure(tuple(seconds[waiting]))) for waiting in plan.waiting),
            ),
        ),
        observations=(f"With {plan.waiting[-1]:,} messages waiting it stops in {most.median:.1f} s.",),
    )
