"""CPU per message by stage, against the bare loop that only reads and parses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.job import Job, Order, measured
from tests.bench.kafka import Mock
from tests.bench.occasion import Occasion, Size
from tests.bench.workload import BATCH, contract_traffic, described
from tests.standins.kafka_mock import MockCluster
from tests.standins.traffic import produce

MICRO = 1e6
BARE = "bare loop: consume, orjson.loads"
GRAPH = "graph"


@dataclass(frozen=True, slots=True)
class _Plan:
    messages: int
    repetitions: int


_PLANS = {Size.QUICK: _Plan(2_000, 2), Size.USUAL: _Plan(100_000, 9), Size.LONG: _Plan(200_000, 15)}


def run(occasion: Occasion) -> Report:
    """Read the same topic by turns with the bare loop and with the program's own parts."""
    plan = _PLANS[occasion.size]
    traffic = contract_traffic(plan.messages)
    bare: list[float] = []
    stages: defaultdict[str, list[float]] = defaultdict(list)
    lengths: list[float] = []
    with MockCluster() as cluster:
        broker = Mock(cluster)
        first = Job.of(broker.bootstrap, "bench", broker.properties)
        broker.create((first.topics.source, first.topics.contacts, first.topics.dead_letters))
        produce(traffic, broker.bootstrap, first.topics.source, lambda _: None)
        for number in range(plan.repetitions):
            occasion.tell(f"repetition {number + 1} of {plan.repetitions}")
            group = f"bench-{number}"
            order = Order(broker.bootstrap, group, broker.properties, plan.messages, str(occasion.directory))
            answer = measured(order)
            bare.append(answer.bare / plan.messages * MICRO)
            for stage, seconds in answer.seconds.items():
                stages[stage].append(seconds / plan.messages * MICRO)
            stages[GRAPH].append(answer.empty / plan.messages * MICRO)
            lengths.append(plan.messages / answer.batches)
    return _report(described(traffic), bare, stages, Figure(tuple(lengths)))


def _report(
    traffic: str, bare: Sequence[float], stages: Mapping[str, Sequence[float]], length: Figure
) -> Report:
    whole = [sum(parts) for parts in zip(*stages.values(), strict=True)]
    ratio = quotients(whole, bare)
    rows: list[tuple[Cell, ...]] = [
        (stage, Figure(tuple(values)), _share(values, whole)) for stage, values in stages.items()
    ]
    rows.append(("**the whole job**", Figure(tuple(whole)), None))
    rows.append((BARE, Figure(tuple(bare)), None))
    rows.append(("the whole job / bare loop", ratio, None))
    ordered = sorted(stages, key=lambda stage: -Figure(tuple(stages[stage])).median)
    total = Figure(tuple(whole)).median
    most = [f"{stage} {Figure(tuple(stages[stage])).median / total:.0%}" for stage in ordered[:3]]
    return Report(
        measured=(
            f"{traffic}, read from librdkafka's mock cluster in batches of {length.median:.0f}, "
            f"n = {len(bare)} new processes, the bare loop first in each. CPU time of the application "
            f"thread. `{GRAPH}` is a batch without records through the whole Bytewax graph, over {BATCH:,} "
            "messages."
        ),
        tables=(Table(("stage", "CPU µs per message", "of the whole"), tuple(rows)),),
        observations=(
            f"The whole job costs {total:.1f} µs a message, {ratio.median:.1f} times the bare loop.",
            f"Most of it: {', '.join(most)}.",
        ),
    )


def _share(values: Sequence[float], whole: Sequence[float]) -> str:
    return f"{Figure(tuple(values)).median / Figure(tuple(whole)).median:.0%}"
