"""The full job for one message, as every peer does it: the same contract, detector and encoders.

Runs in each peer's own environment, so it imports the domain alone.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Self

from connectors.items import Batch, OutgoingMessage, StoredRecord
from dataflow.contract import load
from dataflow.decode import decode_value
from dataflow.detect import DETECTOR_MAJOR_VERSION, Detector
from dataflow.encode import ContactEncoder, DeadLetterEncoder, Hashed
from dataflow.model import DeadLetter, Row, Sighting, Violation
from dataflow.rows import compile_row, horizons_of
from dataflow.validate import Validator

CLIENT = {
    "fetch.wait.max.ms": 50,
    "fetch.queue.backoff.ms": 5,
    "queued.max.messages.kbytes": 8192,
}
"""The program's own consumer settings: every peer on librdkafka gets them."""
PRODUCER = {"linger.ms": 5, "compression.type": "lz4"}
Read = tuple[int, int, bytes | None, bytes | None, Any]
"""Partition, offset, key, value and headers of a message."""
KEY = b"only a benchmark's key"


@dataclass(frozen=True, slots=True)
class Task:
    """What a peer is told."""

    bootstrap: str
    source: str
    contacts: str
    dead_letters: str
    group: str
    messages: int
    directory: str
    """Where rows go, a file for each partition, and the figures."""

    @classmethod
    def told(cls) -> Self:
        """From the command line."""
        return cls(**json.loads(sys.argv[1]))

    def as_argument(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Figures:
    """What a peer measured of itself, from its first message to its last."""

    messages_per_second: float
    cpu: float
    """CPU µs per message, of all its threads."""
    peak: float
    """MB."""


class Job:
    """Does the job, and counts."""

    def __init__(self, task: Task) -> None:
        contract = load()
        self._task = task
        self._row_values = Validator(contract).row_values
        self._make_row = compile_row(contract)
        self._horizons = horizons_of(contract)(datetime.now(UTC))
        self._detector = Detector()
        self._contacts = ContactEncoder(contract, task.contacts, Hashed(KEY, "1"), DETECTOR_MAJOR_VERSION)
        self._dead_letters = DeadLetterEncoder(task.dead_letters, contract.version)
        self._origins: dict[int, Batch] = {}
        self._files: dict[int, BinaryIO] = {}
        self._count = 0
        self._began = self._spent = 0.0

    def one(self, read: Read) -> list[OutgoingMessage]:
        """As `many`, for one message."""
        return self.many((read,))

    def many(self, read: Sequence[Read]) -> list[OutgoingMessage]:
        """Messages: their rows are staged, and what must be produced for them comes back."""
        if not self._count:
            self._began, self._spent = time.monotonic(), time.process_time()
        self._count += len(read)
        produced: list[OutgoingMessage] = []
        rows: list[tuple[int, Row]] = []
        found: list[Violation] = []
        for partition, offset, key, value, headers in read:
            fields = decode_value(value)
            if isinstance(fields, Violation):
                found.append(fields)
            else:
                values = self._row_values(fields, found)
            if found:
                letter = DeadLetter(StoredRecord(offset, value, key, tuple(headers or ())), tuple(found))
                produced.append(self._dead_letters.encode(letter, self._origin(partition)))
                found.clear()
            else:
                rows.append((partition, self._make_row(offset, values, self._horizons)))
        contacts = self._detector.detect([row.text for _, row in rows])
        for (partition, row), given in zip(rows, contacts, strict=True):
            for contact in given:
                produced.append(self._contacts.encode(Sighting(row, contact), self._origin(partition)))
        self._stage(rows)
        return produced

    @property
    def done(self) -> bool:
        """True once every message was seen."""
        return self._count >= self._task.messages

    def finish(self) -> None:
        """Close the files and leave the figures. To be called when the last message was seen."""
        seconds, spent = time.monotonic() - self._began, time.process_time() - self._spent
        for file in self._files.values():
            file.close()
        # Not getrusage: its peak includes that of the process which started this one.
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        assert peak is not None
        figures = Figures(self._count / seconds, spent / self._count * 1e6, int(peak[1]) * 1024 / 1e6)
        (Path(self._task.directory) / "figures.json").write_text(json.dumps(asdict(figures)))

    def _origin(self, partition: int) -> Batch:
        origin = self._origins.get(partition)
        if origin is None:
            origin = Batch(self._task.source, partition, 0, 0, 0, datetime.now(UTC), None)
            self._origins[partition] = origin
        return origin

    def _stage(self, rows: Sequence[tuple[int, Row]]) -> None:
        by_partition: dict[int, list[Row]] = {}
        for partition, row in rows:
            by_partition.setdefault(partition, []).append(row)
        for partition, some in by_partition.items():
            if partition not in self._files:
                self._files[partition] = (Path(self._task.directory) / f"rows-{partition}").open("wb")
            self._files[partition].write(b"\n".join([row.line for row in some]) + b"\n")
