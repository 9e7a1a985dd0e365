"""The program at its most talkative: every line of librdkafka's is logged, none is held back.

    python -m tests.security.indiscreet [crash] run

With `crash` it ends by an exception whose text holds every message of a batch.
"""

from __future__ import annotations

import sys

from connectors import logs
from connectors.metrics import Metrics
from dataflow.__main__ import main
from dataflow.commands import run
from dataflow.model import Checked


def _crash(metrics: Metrics, checked: Checked) -> None:
    if checked.dead_letters:
        raise ValueError(f"{metrics!r} {checked!r}")


if __name__ == "__main__":
    logs.DAMPING = 0.0
    arguments = sys.argv[1:]
    if arguments[0] == "crash":
        run.observe = _crash
        arguments = arguments[1:]
    sys.exit(main(arguments))
