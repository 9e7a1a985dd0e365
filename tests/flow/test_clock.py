"""The graph's windows while the wall clock is set: forwards, backwards, by an hour."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from bytewax.inputs import DynamicSource, StatelessSourcePartition
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from connectors.items import Batch, ClosedWindow, EventBatch, StoredRecord
from connectors.spool import Backlog, FileSpool, OpenWindows
from connectors.steady_clock import SteadyClock, SteadyTime
from dataflow.contract import load
from dataflow.decoder import Decoder
from dataflow.detect import Detector
from dataflow.encode import ContactEncoder, DeadLetterEncoder, Omitted
from dataflow.enrich import Enricher
from dataflow.flow import Scan, Steps, graph
from dataflow.validate import Validator
from tests.core.messages import EXAMPLE

HOUR = timedelta(hours=1)
TEN_PAST = datetime(2026, 1, 1, 12, 10, tzinfo=UTC)
BATCH = 10


class Clocks:
    """A wall clock that can be set, and a monotonic one that cannot."""

    def __init__(self) -> None:
        self.wall = TEN_PAST
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def pass_by(self, minutes: float) -> None:
        self.wall += timedelta(minutes=minutes)
        self.seconds += 60 * minutes

    def set_wall(self, step: timedelta) -> None:
        self.wall += step


Deed = Callable[[Clocks], None]


def minutes(number: float) -> Deed:
    return lambda clocks: clocks.pass_by(number)


def step(by: timedelta) -> Deed:
    return lambda clocks: clocks.set_wall(by)


@dataclass
class Scripted(DynamicSource[Batch], StatelessSourcePartition[Batch]):
    """One batch after each deed."""

    clocks: Clocks
    deeds: list[Deed]
    at: int = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Scripted:
        return self

    def next_batch(self) -> list[Batch]:
        if self.at == len(self.deeds):
            raise StopIteration
        self.deeds[self.at](self.clocks)
        first = self.at * BATCH
        self.at += 1
        records = tuple(StoredRecord(first + n, json.dumps(EXAMPLE).encode()) for n in range(BATCH))
        return [Batch("topic", 0, 1, first, first + BATCH, self.clocks.now(), 0, records)]


class Kept(DynamicSink[ClosedWindow], StatelessSinkPartition[ClosedWindow]):
    """Closed windows, in the order in which they closed."""

    def __init__(self) -> None:
        self.windows: list[ClosedWindow] = []

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Kept:
        return self

    def write_batch(self, items: list[ClosedWindow]) -> None:
        self.windows += items


class Dropped(DynamicSink[EventBatch], StatelessSinkPartition[EventBatch]):
    def build(self, step_id: str, worker_index: int, worker_count: int) -> Dropped:
        return self

    def write_batch(self, items: list[EventBatch]) -> None:
        """The side branch is not looked at here."""


def closed_by(deeds: Sequence[Deed]) -> list[ClosedWindow]:
    contract, clocks, kept = load(), Clocks(), Kept()
    steps = Steps(
        Decoder(contract),
        Validator(contract),
        Enricher(contract),
        Scan(
            Detector("US"),
            None,
            ContactEncoder(contract, "contacts", Omitted(), 1),
        ),
        DeadLetterEncoder("dead-letters", contract.version),
        HOUR,
    )
    windows = OpenWindows(lambda: FileSpool(Backlog(1 << 30)))
    clock = SteadyClock(SteadyTime(clocks.now, clocks.monotonic))
    source = Scripted(clocks, list(deeds))
    flow = graph(source, steps, Dropped(), kept, windows.new, clock, lambda _checked: None)
    run_main(flow)  # type: ignore[no-untyped-call]  # built in Rust
    return kept.windows


def spans(windows: Sequence[ClosedWindow]) -> list[tuple[int, int]]:
    return [(segment.first, segment.next) for window in windows for segment in window.segments]


def test_windows_close_at_the_full_hour() -> None:
    windows = closed_by([minutes(0), minutes(20), minutes(40), minutes(60)])
    assert [window.opens.hour for window in windows] == [12, 13, 14]
    assert spans(windows) == [(0, 20), (20, 30), (30, 40)]


@pytest.mark.parametrize(
    "deeds",
    [
        [minutes(0), step(-HOUR), minutes(10), minutes(20), minutes(30), minutes(30), minutes(60)],
        [minutes(0), step(HOUR), minutes(10), minutes(20), minutes(30), minutes(30), minutes(60)],
        [
            minutes(0),
            step(HOUR),
            minutes(10),
            step(-HOUR),
            minutes(20),
            minutes(30),
            minutes(60),
            minutes(60),
        ],
        [minutes(0), step(-HOUR), minutes(55), step(HOUR), minutes(20), minutes(40), minutes(60)],
    ],
    ids=["back", "forth", "forth and back", "back and forth"],
)
def test_when_the_clock_is_set_by_an_hour_rows_close_in_the_order_of_their_offsets(deeds: list[Deed]) -> None:
    windows = closed_by(deeds)
    found = spans(windows)
    assert [first for first, _ in found] == [0, *(next for _, next in found[:-1])]
    assert found[-1][1] == len(deeds) * BATCH
    assert [window.opens for window in windows] == sorted({window.opens for window in windows})


def test_after_a_step_back_no_window_is_open_for_longer_than_an_hour() -> None:
    clocks = Clocks()
    time = SteadyTime(clocks.now, clocks.monotonic)
    assert time.now() == TEN_PAST
    clocks.set_wall(-HOUR)
    clocks.pass_by(50)
    assert time.now() == TEN_PAST + timedelta(minutes=50)
    assert time.to_wall(TEN_PAST + HOUR) == clocks.wall + timedelta(minutes=10)
    clocks.pass_by(120)
    clocks.set_wall(HOUR)
    assert time.now() == clocks.wall
