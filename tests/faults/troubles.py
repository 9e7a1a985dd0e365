"""Every kind of fault that a run may inject, and how long it lasts."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

from tests.faults.world import World
from tests.pipeline import Pipeline
from tests.standins.trouble import COMMIT, TroubleProxy

MOST_PROCESSES = 3
OBJECTS_DELETED = "staged objects deleted"


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned fault: `target` chooses among the processes, `seconds` is how long it lasts."""

    kind: str
    target: int
    seconds: float


def plan(seed: int, rounds: int, troubles: Collection[str] = ()) -> Sequence[Fault]:
    """The schedule of a run, by its seed and the kinds alone, by default those of `TROUBLES`. Every kind
    comes once before one comes twice."""
    dice = random.Random(seed)
    kinds: list[str] = []
    while len(kinds) < rounds:
        deck = list(troubles or TROUBLES)
        dice.shuffle(deck)
        kinds += deck
    return [Fault(kind, dice.randrange(100), dice.uniform(0.3, 4.0)) for kind in kinds[:rounds]]


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault happens. Waiting for `pace` is the passing of time."""

    fault: Fault
    world: World
    pace: Event

    @property
    def victim(self) -> Pipeline:
        """The process that the fault aims at."""
        return self.world.processes[self.fault.target % len(self.world.processes)]

    def last(self, longer: float = 0.0) -> None:
        """Let the trouble last as planned."""
        self.pace.wait(self.fault.seconds + longer)


Trouble = Callable[[Scene], None]


def inject(fault: Fault, world: World, pace: Event) -> None:
    """Make the trouble and end it."""
    ALL[fault.kind](Scene(fault, world, pace))


def _kill(scene: Scene) -> None:
    scene.victim.kill()


def _terminate(scene: Scene) -> None:
    scene.victim.process.send_signal(signal.SIGTERM)
    scene.last()


def _freeze(scene: Scene) -> None:
    """Longer than the session timeout: it wakes up as a zombie."""
    process = scene.victim.process
    process.send_signal(signal.SIGSTOP)
    scene.last(3.5)
    process.send_signal(signal.SIGCONT)


def _join(scene: Scene) -> None:
    if len(scene.world.processes) < MOST_PROCESSES:
        scene.world.start()
    scene.last()


def _leave(scene: Scene) -> None:
    if len(scene.world.processes) > 1:
        scene.world.leave(scene.victim)


def _kill_all(scene: Scene) -> None:
    for process in scene.world.processes:
        process.kill()


def _broker_restart(scene: Scene) -> None:
    scene.world.kafka.restart(signal.SIGTERM)


def _broker_crash(scene: Scene) -> None:
    scene.world.kafka.restart(signal.SIGKILL)


def _database_crash(scene: Scene) -> None:
    scene.world.redshift.kill()
    scene.last()
    scene.world.redshift.start()


def _lost_commit_answer(scene: Scene) -> None:
    scene.world.redshift_proxy.lose_answer_to(COMMIT)
    scene.last()


def _objects_deleted(scene: Scene) -> None:
    bucket = scene.world.s3
    assert bucket is not None
    client = bucket.server.client()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name):
        for item in page.get("Contents", ()):
            client.delete_object(Bucket=bucket.name, Key=item["Key"])


def _passing(order: Callable[[TroubleProxy], None], door: Callable[[World], TroubleProxy]) -> Trouble:
    """A trouble of one proxy, for as long as the fault lasts."""

    def trouble(scene: Scene) -> None:
        order(door(scene.world))
        scene.last()
        door(scene.world).flow()

    return trouble


def _stall_then_cut(proxy: TroubleProxy) -> None:
    proxy.stall()
    proxy.cut()


_ORDERS: Mapping[str, Callable[[TroubleProxy], None]] = {
    "cut": TroubleProxy.cut,
    "refused": TroubleProxy.refuse,
    "stalled": TroubleProxy.stall,
    "half open": TroubleProxy.swallow,
    "slow": lambda proxy: proxy.delay(0.05),
    "cut, then stalled": _stall_then_cut,
}
_AT_THE_WAREHOUSE = {f"warehouse {name}": order for name, order in _ORDERS.items()}
AT_THE_BROKER = {f"broker {name}": order for name, order in _ORDERS.items()}
"""Troubles on the way to the broker, which itself goes on."""

TROUBLES: Mapping[str, Trouble] = {
    "process killed": _kill,
    "process terminated": _terminate,
    "process frozen beyond its session": _freeze,
    "process joins": _join,
    "process leaves": _leave,
    "all processes killed": _kill_all,
    "broker restarted": _broker_restart,
    "broker crashed": _broker_crash,
    "warehouse crashed": _database_crash,
    "answer to COMMIT lost": _lost_commit_answer,
    **{
        name: _passing(order, lambda world: world.redshift_proxy) for name, order in _AT_THE_WAREHOUSE.items()
    },
    **{name: _passing(order, lambda world: world.kafka_proxy) for name, order in AT_THE_BROKER.items()},
}
BY_S3: Mapping[str, Trouble] = {
    **TROUBLES,
    **{f"s3 {name}": _passing(order, lambda world: world.s3_proxy) for name, order in _ORDERS.items()},
    OBJECTS_DELETED: _objects_deleted,
}
"""With rows by S3 there is one door more."""
ALL: Mapping[str, Trouble] = {**TROUBLES, **BY_S3}
