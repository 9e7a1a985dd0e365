"""The source: batches of the consumer group's partitions.

Unit of parallelism: one subscribed consumer per process (Bytewax worker). Delivery guarantee: see
`connectors.kafka`. At the end of input it sends one last batch per partition before it stops, so that the
sinks learn of it from the data.
"""

from __future__ import annotations

from collections.abc import Callable

from bytewax.inputs import DynamicSource, StatelessSourcePartition

from connectors.items import Batch
from connectors.kafka import Membership
from connectors.stopping import Stop

POLL_TIMEOUT = 0.1
"""Seconds a poll may block: what a window's close or a stop waits at most."""


class KafkaSource(DynamicSource[Batch]):
    """Batches of one topic through a consumer group, until `stop` is set."""

    def __init__(self, membership: Membership, stop: Stop, on_poll: Callable[[], None]) -> None:
        """`on_poll` is called at every turn of the loop: the heartbeat."""
        self._membership = membership
        self._stop = stop
        self._on_poll = on_poll

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _KafkaSourcePartition:
        """Join the group. Raises ValueError with more than one worker: threads would share one consumer."""
        if worker_count != 1:
            raise ValueError(
                f"step {step_id}: run one worker per process, not {worker_count}; scale by processes"
            )
        self._membership.subscribe()
        return _KafkaSourcePartition(self._membership, self._stop, self._on_poll)


class _KafkaSourcePartition(StatelessSourcePartition[Batch]):
    def __init__(self, membership: Membership, stop: Stop, on_poll: Callable[[], None]) -> None:
        self._membership = membership
        self._stop = stop
        self._on_poll = on_poll

    def next_batch(self) -> list[Batch]:
        self._on_poll()
        if self._membership.ended:
            raise StopIteration
        if self._stop.is_set():
            return self._membership.end()
        return self._membership.poll(POLL_TIMEOUT)
