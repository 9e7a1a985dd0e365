"""How the cost of a message grows with what is in it: contacts, and length of the text."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import TypeVar

import orjson
from prometheus_client import CollectorRegistry

from connectors.items import Batch, EventBatch
from connectors.metrics import Metrics
from connectors.spool import Backlog, FileSpool, WindowSegments
from tests.bench.figures import Figure, Report, Table
from tests.bench.job import BACKLOG, DETECT, Job, Meter, as_the_program_collects, one_batch
from tests.bench.occasion import Occasion, Size
from tests.bench.workload import DAY, SEED, contract_traffic, gives_a_contact, is_benign, stored_batches
from tests.standins.traffic import Planned, Traffic
from tests.standins.traffic_texts import small_talk

SHARES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Shares of messages that give a contact away."""
LENGTHS = (50, 200, 500, 1_000, 2_000)
"""Bytes of benign text; the contract takes 2,056."""


@dataclass(frozen=True, slots=True)
class _Plan:
    pool: int
    messages: int
    repetitions: int


_PLANS = {
    Size.QUICK: _Plan(2_000, 100, 1),
    Size.USUAL: _Plan(20_000, 1_000, 7),
    Size.LONG: _Plan(50_000, 10_000, 9),
}


def run(occasion: Occasion) -> Report:
    """Every mixture and every length by turns, through the pure steps and the spool, without a broker."""
    plan = _PLANS[occasion.size]
    pool = contract_traffic(plan.pool).messages
    mixtures = {share: _mixed(pool, share, plan.messages) for share in SHARES}
    texts = {length: _long(pool, length, plan.messages) for length in LENGTHS}
    by_share = _measure(occasion, mixtures, plan)
    by_length = _measure(occasion, texts, plan)
    none, each = by_share[SHARES[0]].whole.median, by_share[SHARES[-1]].whole.median
    return Report(
        measured=(
            f"{plan.messages:,} messages of contract traffic in each mixture, and as many benign ones with "
            "texts of each length (chat strung together), from memory in batches of 1,000 through all steps "
            f"up to the spool; reading and producing are left out. n = {plan.repetitions} by turns. CPU µs "
            "per message of the application thread."
        ),
        tables=(
            _table("messages that give a contact away", by_share, lambda share: f"{share:.0%}"),
            _table("bytes of text", by_length, lambda length: f"{length:,}"),
        ),
        observations=(
            f"A message that gives a contact away costs {each:.0f} µs, one that does not {none:.0f} µs.",
            f"A benign one of {LENGTHS[-1]:,} bytes costs {by_length[LENGTHS[-1]].whole.median:,.0f} µs.",
        ),
    )


@dataclass(frozen=True, slots=True)
class _Cost:
    """CPU µs per message."""

    detect: Figure
    rest: Figure
    whole: Figure


Key = TypeVar("Key", float, int)


def _measure(occasion: Occasion, inputs: Mapping[Key, Sequence[Batch]], plan: _Plan) -> Mapping[Key, _Cost]:
    job = Job.of("unused:9092", "unused", {})
    detect: dict[Key, list[float]] = {key: [] for key in inputs}
    rest: dict[Key, list[float]] = {key: [] for key in inputs}
    with as_the_program_collects():
        for number in range(plan.repetitions):
            occasion.tell(f"repetition {number + 1} of {plan.repetitions}")
            for key, batches in inputs.items():
                seconds = _laps(job, batches, occasion.directory)
                detect[key].append(seconds.pop(DETECT) / plan.messages * 1e6)
                rest[key].append(sum(seconds.values()) / plan.messages * 1e6)
    return {
        key: _Cost(
            Figure(tuple(detect[key])),
            Figure(tuple(rest[key])),
            Figure(tuple(a + b for a, b in zip(detect[key], rest[key], strict=True))),
        )
        for key in inputs
    }


def _laps(job: Job, batches: Sequence[Batch], directory: Path) -> dict[str, float]:
    metrics = Metrics(CollectorRegistry(), version="bench", contract_version="bench")
    backlog = Backlog(BACKLOG)
    windows = {"0": WindowSegments(lambda: FileSpool(backlog, directory))}
    meter = Meter()
    for batch in batches:
        one_batch(batch, job.steps, metrics, meter, _nowhere, windows)
    for segment in windows["0"].segments:
        segment.spool.discard()
    return dict(meter.seconds)


def _nowhere(events: list[EventBatch]) -> None:
    """Produces nothing."""


def _table(head: str, costs: Mapping[Key, _Cost], named: Callable[[Key], str]) -> Table:
    return Table(
        (head, "detect", "all else", "together"),
        tuple((named(key), cost.detect, cost.rest, cost.whole) for key, cost in costs.items()),
    )


def _mixed(pool: Sequence[Planned], share: float, messages: int) -> list[Batch]:
    """Benign messages and ones that give a contact away, evenly mixed."""
    benign = cycle(message for message in pool if is_benign(message))
    giving = cycle(message for message in pool if gives_a_contact(message))

    def mixed() -> Iterator[Planned]:
        given = 0
        for number in range(1, messages + 1):
            wanted = given < round(share * number)
            given += wanted
            yield next(giving if wanted else benign)

    return stored_batches(Traffic(tuple(mixed())), DAY)


def _long(pool: Sequence[Planned], length: int, messages: int) -> list[Batch]:
    """Benign messages with chat of about so many bytes for a text."""
    dice = random.Random(SEED)

    def lengthened(message: Planned) -> Planned:
        text = small_talk(dice)
        while len(text.encode()) < length:
            text = f"{text}. {small_talk(dice)}"
        cut = text.encode()[:length].decode(errors="ignore")
        return replace(
            message, value=orjson.dumps({**orjson.loads(message.value or b""), "message_text": cut})
        )

    benign = cycle(message for message in pool if is_benign(message))
    return stored_batches(Traffic(tuple(map(lengthened, islice(benign, messages)))), DAY)
