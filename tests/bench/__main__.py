"""`python -m tests.bench`: run benchmarks, print their figures, and record them when asked to."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.machine import RESULTS, circumstances
from tests.bench.occasion import Benchmark, Occasion, Size, Unavailable, When
from tests.bench.registry import BENCHMARKS
from tests.bench.render import record, section
from tests.compiled import Stale, require_fresh


def main() -> int:
    """0: all ran. 1: one could not run here. 2: the arguments are wrong, or compiled modules are stale."""
    options = _options()
    logging.basicConfig(level=logging.ERROR)
    if options.list:
        for benchmark in BENCHMARKS:
            asked = "" if benchmark.when is When.ALWAYS else " (only when named)"
            print(f"{benchmark.name:10} {benchmark.title}{asked}")
        return 0
    try:
        require_fresh()
    except Stale as reason:
        print(f"not run: {reason}", file=sys.stderr)
        return 2
    results: list[dict[str, Any]] = []
    unavailable = 0
    for benchmark in _chosen(options.names):
        try:
            text, result = _run(benchmark, options.size)
        except Unavailable as reason:
            print(f"{benchmark.name}: not run: {reason}", file=sys.stderr)
            unavailable += 1
            continue
        print(f"\n{text}", flush=True)
        results.append(result)
        # After each one: what has run is kept when a later one fails.
        if options.json:
            options.json.write_text(json.dumps(results, indent=2, default=str) + "\n")
        if options.record:
            record(RESULTS, {benchmark.name: text}, [each.name for each in BENCHMARKS])
    return 1 if unavailable else 0


def _run(benchmark: Benchmark, size: Size) -> tuple[str, dict[str, Any]]:
    """A benchmark's section and its figures as JSON."""
    now = circumstances(datetime.now(UTC))
    flag = "" if size is Size.USUAL else f" --{size.value}"
    command = f'make bench ARGS="{benchmark.name}{flag}"'
    print(f"{benchmark.name}: {benchmark.title}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        report = benchmark.run(Occasion(size, Path(directory), _tell))
    result = {"name": benchmark.name, "command": command, **asdict(now), **report.as_json()}
    return section(benchmark, report, now, command), result


def _tell(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


def _chosen(names: list[str]) -> list[Benchmark]:
    if names:
        return [benchmark for benchmark in BENCHMARKS if benchmark.name in names]
    return [benchmark for benchmark in BENCHMARKS if benchmark.when is When.ALWAYS]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench",
        usage='make bench ARGS="[NAME ...] [--quick | --long] [--json FILE] [--record] [--list]"',
        description=__doc__,
    )
    known = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; none: the usual")
    parser.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value of every figure")
    parser.add_argument("--record", action="store_true", help=f"write the sections into {RESULTS.name}")
    size = parser.add_mutually_exclusive_group()
    for value, text in (
        (Size.QUICK, "as little as shows that it runs; its figures mean nothing"),
        (Size.LONG, "larger sizes and more repetitions as well"),
    ):
        size.add_argument(
            f"--{value.value}", dest="size", action="store_const", const=value, default=Size.USUAL, help=text
        )
    options = parser.parse_args()
    if wrong := [name for name in options.names if name not in known]:
        parser.error(f"no such benchmark: {', '.join(wrong)}; there are {', '.join(known)}")
    if options.record and options.size is Size.QUICK:
        parser.error("--quick measures nothing that is worth --record")
    return options


if __name__ == "__main__":
    sys.exit(main())
