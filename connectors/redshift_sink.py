"""The end of the main branch: closed windows go to the committer.

Unit of parallelism: one committer per process (Bytewax worker).
Delivery guarantee: exactly once, see `connectors.redshift_commit`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.items import ClosedWindow
from connectors.redshift import Committer, StillWaiting
from connectors.stopping import Stop

log = logging.getLogger(__name__)


class RedshiftSink(DynamicSink[ClosedWindow]):
    """Hands windows over and returns at once: a slow warehouse never blocks the graph.

    At the end of input what waits is committed, until `drain_seconds` after `stop`. Closed otherwise
    (something raised), nothing more is committed.
    """

    def __init__(
        self,
        committer: Committer,
        *,
        stop: Stop,
        drain_seconds: float,
        ended: Callable[[], bool],
        on_closed: Callable[[], None],
    ) -> None:
        """`ended` says whether the end of input was seen; `on_closed` is called when all is done."""
        self._committer = committer
        self._stop = stop
        self._drain_seconds = drain_seconds
        self._ended = ended
        self._on_closed = on_closed

    def build(self, step_id: str, worker_index: int, worker_count: int) -> _RedshiftSinkPartition:
        """The worker's partition."""
        return _RedshiftSinkPartition(
            self._committer, self._stop, self._drain_seconds, self._ended, self._on_closed
        )


class _RedshiftSinkPartition(StatelessSinkPartition[ClosedWindow]):
    def __init__(
        self,
        committer: Committer,
        stop: Stop,
        drain_seconds: float,
        ended: Callable[[], bool],
        on_closed: Callable[[], None],
    ) -> None:
        self._committer = committer
        self._stop = stop
        self._drain_seconds = drain_seconds
        self._ended = ended
        self._on_closed = on_closed

    def write_batch(self, items: list[ClosedWindow]) -> None:
        self._committer.submit(items)

    def close(self) -> None:
        try:
            if self._ended():
                self._drain()
        finally:
            self._committer.stop()
            self._on_closed()

    def _drain(self) -> None:
        outcome = self._committer.drain(self._stop.left(self._drain_seconds))
        if self._committer.failure() is not None:
            # It is logged, and the exit code tells of it: an exception in `close` can abort the process.
            return
        if isinstance(outcome, StillWaiting):
            log.warning("drain_incomplete", extra={"waited_for": "redshift", "segments": outcome.segments})
        else:
            log.info("drained")
