"""One fault run: traffic, faults by plan, drain, verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

from tests.faults.steady import SteadyTraffic, Writer
from tests.faults.troubles import Fault, inject, plan
from tests.faults.verdict import Verdict, judge
from tests.faults.world import SOURCE, World

CATCH_UP = 180.0
"""Seconds that the pipeline has, after the last fault, to reach the end of the topic."""
BURST = 10


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did and found."""

    seed: int
    faults: Mapping[str, int]
    messages: int
    exit_codes: Mapping[int, int]
    """How the processes ended, by exit code; negative: by signal."""
    drain_exit_codes: tuple[int, ...]
    catch_up_seconds: float
    verdict: Verdict

    @property
    def kept(self) -> bool:
        """True when every promise held and the last processes drained in peace."""
        return self.verdict.kept and not any(self.drain_exit_codes)

    def as_json(self) -> dict[str, Any]:
        """For `--report`."""
        return {**asdict(self), "kept": self.kept}


def run(seed: int, rounds: int, directory: Path, tell: Callable[[int, Fault], None]) -> Report:
    """Run `rounds` faults. Data and logs go to `directory`; `tell` hears of each fault."""
    pace = Event()
    exits: Counter[int] = Counter()
    faults = plan(seed, rounds)
    with World(directory) as world:
        for _ in range(2):
            world.start()
        with SteadyTraffic(Writer(seed), world.kafka.bootstrap, SOURCE, BURST) as traffic:
            for number, fault in enumerate(faults, start=1):
                tell(number, fault)
                inject(fault, world, pace)
                exits.update(world.restart_the_ended())
                pace.wait(fault.seconds / 2)
        world.heal()
        began = time.monotonic()
        drained = world.drain(lambda: len(traffic.sent), CATCH_UP)
        seconds = time.monotonic() - began
        verdict = judge(traffic.sent, world.arrived())
    return Report(
        seed,
        dict(Counter(fault.kind for fault in faults)),
        len(traffic.sent),
        dict(exits),
        tuple(drained),
        round(seconds, 1),
        verdict,
    )
