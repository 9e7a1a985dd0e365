"""The real program on a backlog: how fast, at what cost, in how much memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connectors.kafka_access import KafkaAccess
from dataflow.contract import load
from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.job import bare_loop
from tests.bench.occasion import Occasion, Size
from tests.bench.program import SAMPLING, Pace, Site, a_site, finish, pace, peak_memory, watch
from tests.bench.workload import contract_traffic, described
from tests.integration.wiring import ledger_rows
from tests.standins.traffic import produce

SOON = 0.05
"""Seconds between two looks while the first message is awaited."""


@dataclass(frozen=True, slots=True)
class _Backlog:
    messages: int
    repetitions: int
    copies: int = 1
    """How often the messages are in the topic: rows that are committed again, as far as memory goes new."""

    @property
    def total(self) -> int:
        return self.messages * self.copies


_PLANS = {
    Size.QUICK: (_Backlog(2_000, 1),),
    Size.USUAL: (_Backlog(50_000, 5), _Backlog(200_000, 5), _Backlog(200_000, 2, copies=4)),
    Size.LONG: (_Backlog(50_000, 5), _Backlog(200_000, 7), _Backlog(200_000, 3, copies=10)),
}


@dataclass(frozen=True, slots=True)
class _Run:
    pace: Pace
    bare: float
    """CPU µs per message of the bare loop, just before."""
    first_read: float
    """Seconds from the start to the look that saw messages read."""
    committed: float
    """Messages per second, from that look until all was committed and the program had ended."""
    reading_peak: float
    peak: float


def run(occasion: Occasion) -> Report:
    """Read by turns with the bare loop and with one process of the real program."""
    backlogs = _PLANS[occasion.size]
    runs: list[list[_Run]] = []
    with a_site(occasion) as site:
        for backlog in backlogs:
            source = site.topic()
            for _ in range(backlog.copies):
                produce(contract_traffic(backlog.messages), site.broker.bootstrap, source, lambda _: None)
            # Once uncounted: a broker that has just started answers its first readers slowly.
            _bare(site, source, backlog.total)
            runs.append([])
            for number in range(backlog.repetitions):
                occasion.tell(f"{backlog.total:,} messages, repetition {number + 1} of {backlog.repetitions}")
                runs[-1].append(_once(site, source, backlog.total))
        broker = site.broker.description
    return _report(backlogs, runs, broker)


def _once(site: Site, source: str, total: int) -> _Run:
    bare = _bare(site, source, total)
    wiring = site.wiring(source)
    began = time.monotonic()
    pipeline = site.start(wiring)
    samples = watch(pipeline, lambda sample: sample.read > 0, SOON)
    first = samples[-1]
    samples += watch(pipeline, lambda sample: sample.read >= total, SAMPLING)
    reading_peak = peak_memory(pipeline)
    end = finish(pipeline)
    ended = time.monotonic()
    covered = sum(next - first for _, first, next in ledger_rows(wiring, load().table))
    assert covered == total, f"{covered} of {total} offsets are in the ledger"
    return _Run(
        pace=pace(samples, total),
        bare=bare,
        first_read=first.at - began,
        committed=total / (ended - first.at),
        reading_peak=reading_peak,
        peak=max(reading_peak, end.peak),
    )


def _bare(site: Site, source: str, total: int) -> float:
    access = KafkaAccess(site.broker.bootstrap, source, "bare", properties=site.broker.properties)
    return bare_loop(access, total) / total * 1e6


def _report(backlogs: Sequence[_Backlog], runs: Sequence[Sequence[_Run]], broker: str) -> Report:
    def row(measure: str, *cells: Cell) -> tuple[Cell, ...]:
        return (measure, *cells)

    def figures(of: Callable[[_Run], float]) -> list[Figure]:
        return [Figure(tuple(map(of, each))) for each in runs]

    ratios = [quotients([r.pace.application for r in each], [r.bare for r in each]) for each in runs]
    application = figures(lambda r: r.pace.application)
    peak = figures(lambda r: r.peak)
    table = Table(
        ("", *(f"{backlog.total:,} messages" for backlog in backlogs)),
        (
            row("CPU µs per message, application thread", *application),
            row("CPU µs per message, bare loop", *figures(lambda r: r.bare)),
            row("program / bare loop", *ratios),
            row("CPU µs per message, all threads", *figures(lambda r: r.pace.cpu)),
            row("messages per second, read", *figures(lambda r: r.pace.messages_per_second)),
            row("messages per second, until committed", *figures(lambda r: r.committed)),
            row("start to first message read, s", *figures(lambda r: r.first_read)),
            row("peak memory while reading, MB", *figures(lambda r: r.reading_peak)),
            row("peak memory, MB", *peak),
            row("n", *(len(each) for each in runs)),
        ),
    )
    return Report(
        measured=(
            "`python -m dataflow run`, one process, on messages that lie in the topic when it starts: "
            f"{described(contract_traffic(backlogs[-1].messages))}; {broker}; the Redshift stand-in. All "
            "is read, then SIGTERM commits it as one window. Per-message costs and the rate of reading are "
            "taken amid the reading; the bare loop, `consume` and `orjson.loads`, reads the same topic just "
            "before."
        ),
        tables=(table,),
        observations=(
            f"The application thread spends {application[-1].median:.1f} µs a message, "
            f"{ratios[-1].median:.1f} times the bare loop.",
            f"Peak memory on backlogs of rising size: {', '.join(f'{each.median:.0f} MB' for each in peak)}.",
        ),
    )
