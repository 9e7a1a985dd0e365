"""Writes a spool's lines as one Parquet object and tells the cost: `parquet_writer.py FILE COMPRESSION`."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

INSTANTS = (6, 7)
"""Places of the timestamps among a message's values."""


def main() -> None:
    """One object in memory, as an upload needs it."""
    path, compression = sys.argv[1:]
    lines = Path(path).read_bytes().splitlines()
    before = _status("VmRSS")
    began = time.process_time()
    columns = [*zip(*map(orjson.loads, lines), strict=True)]
    arrays = [pa.array([0] * len(lines)), pa.array(columns[0])]
    for at, column in enumerate(columns[1:]):
        array = pa.array(column)
        arrays.append(array.cast(pa.timestamp("us")) if at in INSTANTS else array)
    table = pa.table(arrays, names=[f"c{at}" for at in range(len(arrays))])
    written = io.BytesIO()
    pq.write_table(table, written, compression=compression)
    spent = time.process_time() - began
    print(json.dumps({"bytes": written.tell(), "cpu": spent, "grown": _status("VmHWM") - before}))


def _status(name: str) -> int:
    """Bytes. `getrusage` would tell the peak of the process that started this one."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
