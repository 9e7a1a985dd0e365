"""One fault run: traffic, faults by plan, drain, verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event
from typing import Any

from tests.faults.exits import unexplained
from tests.faults.steady import SteadyTraffic, Writer
from tests.faults.troubles import BY_S3, TROUBLES, Fault, inject, plan
from tests.faults.verdict import Verdict, judge
from tests.faults.world import SOURCE, World
from tests.standins.s3 import Bucket

RECOVERY = 120.0
"""Seconds that the pipeline has to read every partition again after a process has ended."""
TIMED = ("process killed", "process terminated", "all processes killed")
CATCH_UP = 180.0
"""Seconds that the pipeline has, after the last fault, to reach the end of the topic."""
BURST = 10


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did and found."""

    seed: int
    rounds: int
    faults: Mapping[str, int]
    messages: int
    exit_codes: Mapping[int, int]
    """How the processes ended, by exit code; negative: by signal."""
    unexplained_exits: Mapping[int, int]
    """Those of them that no fault of this run explains: defects, broken promises."""
    drain_exit_codes: tuple[int, ...]
    catch_up_seconds: float
    recovery_seconds: Mapping[str, float]
    """By fault, the longest time from its end until every partition was read again."""
    verdict: Verdict

    @property
    def kept(self) -> bool:
        """True when every promise held, no process ended by itself, and the last ones drained in peace."""
        return self.verdict.kept and not self.unexplained_exits and not any(self.drain_exit_codes)

    def as_json(self) -> dict[str, Any]:
        """For `--report`."""
        return {**asdict(self), "kept": self.kept}


def run(
    seed: int,
    rounds: int,
    directory: Path,
    tell: Callable[[int, Fault], None],
    s3: Bucket | None = None,
) -> Report:
    """Run `rounds` faults. Data and logs go to `directory`; `tell` hears of each fault. Rows go by the
    bucket, if there is one."""
    pace = Event()
    recovery: dict[str, float] = {}
    faults = plan(seed, rounds, TROUBLES if s3 is None else BY_S3)
    with World(directory, s3) as world:
        for _ in range(2):
            world.start()
        with SteadyTraffic(Writer(seed), world.kafka.bootstrap, SOURCE, BURST) as traffic:
            for number, fault in enumerate(faults, start=1):
                tell(number, fault)
                inject(fault, world, pace)
                world.restart_the_ended()
                if fault.kind in TIMED:
                    took = round(world.seconds_until_read(RECOVERY), 1)
                    recovery[fault.kind] = max(took, recovery.get(fault.kind, 0.0))
                pace.wait(fault.seconds / 2)
        world.heal()
        began = time.monotonic()
        drained = world.drain(lambda: len(traffic.sent), CATCH_UP)
        seconds = time.monotonic() - began
        verdict = judge(traffic.sent, world.arrived())
    kinds = Counter(fault.kind for fault in faults)
    return Report(
        seed,
        rounds,
        dict(kinds),
        len(traffic.sent),
        dict(world.exits),
        unexplained(world.exits, kinds),
        tuple(drained),
        round(seconds, 1),
        recovery,
        verdict,
    )
