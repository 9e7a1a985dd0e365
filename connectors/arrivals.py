"""When what waits for the warehouse reached the topic: the clock that the contract's freshness runs on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from threading import Lock

GRAIN = 10.0
"""Seconds within which polls are remembered as one: an outage of a day is at most 8,640 of them a partition.
What waits then counts as older than it is by no more than this."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Rows of one partition, up to the position `next`, that were read and wait for the warehouse."""

    next: int
    rows: int
    arrived_at: float
    """When the first of them reached the topic, Unix time."""
    polled_at: float
    """When the first of them was read, Unix time."""


class Arrivals:
    """What waits, by partition, oldest first. Safe to share between threads."""

    def __init__(self) -> None:
        """Nothing waits."""
        self._waiting: dict[int, deque[Arrival]] = {}
        self._lock = Lock()

    def add(self, partition: int, arrival: Arrival) -> None:
        """Rows were read. What a rewind reads again waits already, and is not counted twice."""
        with self._lock:
            queue = self._waiting.setdefault(partition, deque())
            if queue and arrival.next <= queue[-1].next:
                return
            if queue and _are_one(queue[-1], arrival):
                known = queue.pop()
                arrival = replace(known, next=arrival.next, rows=known.rows + arrival.rows)
            queue.append(arrival)

    def take(self, partition: int, position: int) -> list[Arrival]:
        """What waits no longer, because the warehouse has everything below `position`."""
        taken: list[Arrival] = []
        with self._lock:
            queue = self._waiting.get(partition, deque())
            while queue and queue[0].next <= position:
                taken.append(queue.popleft())
        return taken

    def oldest(self, partition: int) -> float | None:
        """When the first row that waits reached the topic, Unix time; None while none waits."""
        with self._lock:
            queue = self._waiting.get(partition)
            return queue[0].arrived_at if queue else None

    def forget(self, partition: int) -> None:
        """Someone else reads the partition now."""
        with self._lock:
            self._waiting.pop(partition, None)


def _are_one(known: Arrival, arrival: Arrival) -> bool:
    near = abs(arrival.arrived_at - known.arrived_at) < GRAIN
    return near and arrival.polled_at - known.polled_at < GRAIN
