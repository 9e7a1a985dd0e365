"""Staged rows as Parquet, against the JSON lines that the program stages.

The writer has an environment and a process to itself (`parquet_writer.py`): nothing else needs pyarrow.
"""

from __future__ import annotations

import json
import subprocess
import time
from importlib.metadata import version
from pathlib import Path

from connectors.s3_uploads import GZIP_LEVEL, pack
from tests.bench.figures import Cell, Figure, Report, Table
from tests.bench.job import Job
from tests.bench.occasion import Occasion, Size
from tests.bench.peers.environments import environment
from tests.bench.workload import DAY, contract_traffic, described, stored_batches

PYARROW = "pyarrow==26.0.1"
WRITER = Path(__file__).with_name("parquet_writer.py")
COMPRESSIONS = ("gzip", "zstd", "snappy")
"""Of those that Redshift's COPY reads."""
_REPETITIONS = {Size.QUICK: 1, Size.USUAL: 9, Size.LONG: 15}
_MESSAGES = {Size.QUICK: 1_000, Size.USUAL: 36_000, Size.LONG: 200_000}


def run(occasion: Occasion) -> Report:
    """Write the rows of one window in each way, by turns. Raises Unavailable without pyarrow."""
    python = environment("parquet", [PYARROW, f"orjson=={version('orjson')}"])
    traffic = contract_traffic(_MESSAGES[occasion.size])
    lines = _lines(len(traffic.messages))
    spooled = occasion.directory / "rows"
    spooled.write_bytes(b"".join(line + b"\n" for line in lines))
    chunks = [spooled.read_bytes()]
    cpu: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    peaks: dict[str, list[float]] = {}
    for number in range(_REPETITIONS[occasion.size]):
        occasion.tell(f"repetition {number + 1} of {_REPETITIONS[occasion.size]}")
        began = time.process_time()
        sizes["JSON, gzip"] = len(pack(chunks, 0).body)
        cpu.setdefault("JSON, gzip", []).append(time.process_time() - began)
        for compression in COMPRESSIONS:
            ran = subprocess.run(
                [str(python), str(WRITER), str(spooled), compression], stdout=subprocess.PIPE, check=True
            )
            told = json.loads(ran.stdout)
            name = f"Parquet, {compression}"
            sizes[name] = told["bytes"]
            cpu.setdefault(name, []).append(told["cpu"])
            peaks.setdefault(name, []).append(told["grown"] / 1e6)
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            f"{size / len(lines):.1f}",
            Figure(tuple(seconds / len(lines) * 1e6 for seconds in cpu[name])),
            Figure(tuple(peaks[name])) if name in peaks else None,
        )
        for name, size in sizes.items()
    ]
    return Report(
        measured=(
            f"The {len(lines):,} rows of {described(traffic)}, from the spool's lines: as the program packs "
            f"them (gzip, level {GZIP_LEVEL}), and as Parquet by {PYARROW}, each time in a new process: the "
            "lines parsed to columns, instants among them, and one row group written. CPU of all threads, "
            f"without imports; n = {_REPETITIONS[occasion.size]} by turns. Memory: what the process grew by."
        ),
        tables=(Table(("object", "bytes per row", "CPU, µs per row", "memory, MB"), tuple(rows)),),
        observations=(
            f"pyarrow takes {_installed(python) / 1e6:.0f} MB of an image.",
            "Parquet must have a group of rows in memory; JSON lines are packed as they come.",
        ),
    )


def _lines(messages: int) -> list[bytes]:
    steps = Job.of("localhost:1", "bench", {}).steps
    return [
        line
        for batch in stored_batches(contract_traffic(messages), DAY)
        for line in steps.lines(steps.validate.validate(steps.decode.decode(batch)), 0)
    ]


def _installed(python: Path) -> int:
    """Bytes of pyarrow in its environment."""
    files = python.parents[1].glob("lib*/python*/site-packages/pyarrow*/**/*")
    return sum(file.stat().st_size for file in files if file.is_file())
