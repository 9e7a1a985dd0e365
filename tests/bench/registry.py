"""Every benchmark: a module each, whose `run` takes an occasion and answers a report."""

from __future__ import annotations

from tests.bench import (
    backlog,
    commit,
    contract,
    curve,
    detection,
    drain,
    formats,
    growth,
    history,
    idle,
    latency,
    operators,
    parquet,
    scaling,
    setup,
    stages,
    staging,
    target,
)
from tests.bench.occasion import Benchmark, When
from tests.bench.peers import compare

BENCHMARKS = (
    Benchmark("stages", "CPU per message, stage by stage", stages.run),
    Benchmark(
        "formats", "decode and validate: Protobuf against JSON, compiled against interpreted", formats.run
    ),
    Benchmark("contract", "loading a contract", contract.run),
    Benchmark("curve", "CPU per message, by what is in it", curve.run),
    Benchmark("backlog", "the real program on a backlog", backlog.run),
    Benchmark("scaling", "one process against two", scaling.run),
    Benchmark("growth", "cost by the number of partitions", growth.run),
    Benchmark("commit", "an hourly commit against the same by hand", commit.run),
    Benchmark("target", "a commit by the size of its table", target.run),
    Benchmark("staging", "rows by S3: objects, and a commit by COPY", staging.run),
    Benchmark("parquet", "staged rows as Parquet against the JSON lines", parquet.run, When.ASKED),
    Benchmark("history", "a commit to a history against one to the latest versions", history.run, When.ASKED),
    Benchmark("latency", "from a message to its side event", latency.run),
    Benchmark("idle", "CPU when nothing comes", idle.run),
    Benchmark("drain", "from SIGTERM to the exit", drain.run),
    Benchmark("operators", "the operators' commands", operators.run, When.ASKED),
    Benchmark("detection", "the detector on the labelled sets", detection.run),
    Benchmark("peers", "the same job written with something else", compare.run, When.ASKED),
    Benchmark("setup", "set-up and demo", setup.run, When.ASKED),
)
"""In the order of the results. Names are words: a section's heading begins with one."""
