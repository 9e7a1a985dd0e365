"""Which exit codes the faults of a run explain. Any other is a defect or a broken promise. No I/O."""

from __future__ import annotations

import signal
from collections.abc import Collection, Mapping

from connectors.event_sink import Fenced
from connectors.spool import SpoolLost
from dataflow.commands.run import HUNG
from tests.faults.troubles import AT_THE_BROKER, OBJECTS_DELETED

_BROKER = frozenset({*AT_THE_BROKER, "broker restarted", "broker crashed"})

EXPLAINED: Mapping[int, frozenset[str]] = {
    # Asked to stop: it drained.
    0: frozenset({"process terminated", "process leaves"}),
    # Asked to stop before Python had run far enough to listen: nothing was begun.
    -signal.SIGTERM: frozenset({"process terminated", "process leaves"}),
    -signal.SIGKILL: frozenset({"process killed", "all processes killed"}),
    # What it had taken up from a dead process was deleted: a restart reads it again.
    SpoolLost.exit_code: frozenset({OBJECTS_DELETED}),
    # Its transaction outlasted TRANSACTION_TIMEOUT: it slept, or the broker could not be reached.
    Fenced.exit_code: _BROKER | {"process frozen beyond its session"},
    # librdkafka's call that never returns (issues 5456, 5511) needs a connection lost at the wrong moment.
    HUNG: _BROKER,
}
"""Exit codes by the kinds of fault that explain them. 17 is not among them: no fault here takes a permission
away or changes what a broker allows."""


def unexplained(exits: Mapping[int, int], faults: Collection[str]) -> dict[int, int]:
    """Of `exits` (code to number of processes) those that none of the faults that occurred explains."""
    return {
        code: count for code, count in exits.items() if EXPLAINED.get(code, frozenset()).isdisjoint(faults)
    }
