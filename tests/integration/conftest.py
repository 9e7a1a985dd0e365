"""A broker's topics, a database with its tables, and the processes that a test starts."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from connectors.items import Table
from tests.integration.wiring import Wiring
from tests.pipeline import PROGRAM, Pipeline


class Pipelines:
    """Starts processes that share one log; all of them are gone after the test."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._running: list[Pipeline] = []

    def start(self, environment: dict[str, str], program: Sequence[str] = PROGRAM) -> Pipeline:
        """One more process."""
        log = self._log.with_name(f"{self._log.name}.{len(self._running)}")
        pipeline = Pipeline.start(environment, log, program)
        self._running.append(pipeline)
        return pipeline

    def kill_all(self) -> None:
        """The end of the test."""
        for pipeline in self._running:
            pipeline.process.send_signal(signal.SIGCONT)
            pipeline.kill()


@pytest.fixture
def table(wiring: Wiring) -> Table:
    return wiring.create_tables()


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[Pipelines]:
    started = Pipelines(tmp_path / "log")
    yield started
    started.kill_all()
