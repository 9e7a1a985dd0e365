"""How a commit's cost grows with the table that it goes into."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from tests.bench.commit import KNOWN, CommitBench, timed
from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.occasion import Occasion, Size
from tests.bench.workload import contract_traffic, described
from tests.standins.redshift_process import RedshiftProcess


@dataclass(frozen=True, slots=True)
class _Plan:
    messages: int
    times: tuple[int, ...]
    """How many times as many rows as come are in the table."""
    repetitions: int


_PLANS = {
    Size.QUICK: _Plan(200, (1, 2), 1),
    Size.USUAL: _Plan(36_000, (1, 4, 16, 64), 5),
    Size.LONG: _Plan(36_000, (1, 4, 16, 64, 256), 7),
}


def run(occasion: Occasion) -> Report:
    """The same rows onto tables of rising size, each made anew, by turns."""
    plan = _PLANS[occasion.size]
    seconds: defaultdict[int, list[float]] = defaultdict(list)
    with RedshiftProcess() as redshift:
        bench = CommitBench(redshift.server, plan.messages, occasion.directory)
        for number in range(plan.repetitions):
            for times in plan.times:
                occasion.tell(f"onto {times} times as many, repetition {number + 1} of {plan.repetitions}")
                bench.fill(times)
                seconds[times].append(timed(bench.commit).seconds)
    first, last = plan.times[0], plan.times[-1]
    rows: list[tuple[Cell, ...]] = [
        (f"{times * bench.rows:,}", Figure(tuple(spent)), quotients(spent, seconds[first]))
        for times, spent in seconds.items()
    ]
    growth = quotients(seconds[last], seconds[first]).median
    return Report(
        measured=(
            f"`commit_once` with INSERT staging of {bench.rows:,} rows of "
            f"{described(contract_traffic(plan.messages))} onto tables of rising size, every {KNOWN}th row a "
            "newer version of one that is there, on the Redshift stand-in (PostgreSQL on the same machine, "
            "which reads the whole table; Redshift skips blocks by the sort key). "
            f"n = {plan.repetitions} by turns."
        ),
        tables=(Table(("rows in the table", "commit, s", "against the first"), tuple(rows)),),
        observations=(f"{last // first} times the table takes {growth:.1f} times as long.",),
    )
