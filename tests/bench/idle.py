"""What the real program costs while nothing comes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from tests.bench.figures import Figure, Report, Table
from tests.bench.occasion import Occasion, Size
from tests.bench.program import PACE, a_site, look, peak_memory


@dataclass(frozen=True, slots=True)
class _Plan:
    seconds: float
    repetitions: int


_PLANS = {Size.QUICK: _Plan(1.0, 1), Size.USUAL: _Plan(15.0, 5), Size.LONG: _Plan(60.0, 5)}


def run(occasion: Occasion) -> Report:
    """One process on an empty topic, looked at again and again."""
    plan = _PLANS[occasion.size]
    with a_site(occasion) as site:
        pipeline = site.start(site.wiring(site.topic()))
        pipeline.wait_until_ready()
        samples = [look(pipeline)]
        for number in range(plan.repetitions):
            occasion.tell(f"{plan.seconds:g} s, {number + 1} of {plan.repetitions}")
            PACE.wait(plan.seconds)
            samples.append(look(pipeline))
        memory = peak_memory(pipeline)
        broker = site.broker.description
    spans = list(pairwise(samples))
    share = Figure(tuple(100 * (b.cpu - a.cpu) / (b.at - a.at) for a, b in spans))
    graph = Figure(tuple(100 * (b.application - a.application) / (b.at - a.at) for a, b in spans))
    return Report(
        measured=(
            f"`python -m dataflow run`, one process that holds four partitions of an empty topic; {broker}; "
            f"n = {plan.repetitions} spans of {plan.seconds:g} s."
        ),
        tables=(
            Table(
                ("", "figure"),
                (
                    ("CPU of a core, all threads, %", share),
                    ("CPU of a core, application thread, %", graph),
                    ("memory, MB", Figure((memory,))),
                ),
            ),
        ),
        observations=(f"Idle, it takes {share.median:.1f}% of a core.",),
    )
