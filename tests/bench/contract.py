"""Loading a contract: what every start of the program, and every command, pays before anything else."""

from __future__ import annotations

import time
from collections import defaultdict
from importlib.resources import as_file, files
from pathlib import Path

from dataflow.contract import load
from dataflow.strict_yaml import read
from tests.bench.figures import Cell, Figure, Report, Table
from tests.bench.job import as_the_program_collects
from tests.bench.occasion import Occasion, Size
from tests.pipeline import ROOT

_MILLI = 1e3
_REPETITIONS = {Size.QUICK: 3, Size.USUAL: 51, Size.LONG: 201}
_PURCHASES = ROOT / "tests" / "contracts" / "purchases.odcs.yaml"


def run(occasion: Occasion) -> Report:
    """The packaged contract, with its table of contacts, and the tests' other one, by turns."""
    repetitions = _REPETITIONS[occasion.size]
    with as_file(files("dataflow") / "contracts" / "messages.odcs.yaml") as packaged:
        paths = (packaged, _PURCHASES)
        spent: defaultdict[tuple[Path, str], list[float]] = defaultdict(list)
        with as_the_program_collects():
            for _ in range(repetitions):
                for path in paths:
                    for part, seconds in _spent(path).items():
                        spent[path, part].append(seconds * _MILLI)
        rows: list[tuple[Cell, ...]] = [
            (
                load(path).name,
                path.stat().st_size,
                len(load(path).table.columns),
                Figure(tuple(spent[path, "yaml"])),
                Figure(tuple(spent[path, "load"])),
            )
            for path in paths
        ]
        first = Figure(tuple(spent[packaged, "load"])).median
        share = Figure(tuple(spent[packaged, "yaml"])).median / first
    return Report(
        measured=(
            f"Both contracts, from file to a checked `Contract`, n = {repetitions} by turns in one process "
            "that has loaded them before. CPU time of the thread; the YAML alone is part of the whole."
        ),
        tables=(
            Table(("contract", "bytes", "columns", "YAML alone, ms", "the whole load, ms"), tuple(rows)),
        ),
        observations=(
            f"A start spends {first:.0f} ms on the packaged contract, {share:.0%} of it on reading YAML "
            "strictly.",
        ),
    )


def _spent(path: Path) -> dict[str, float]:
    """CPU seconds of reading the file's YAML, and of a load of the whole."""
    text = path.read_text(encoding="utf-8")
    began = time.thread_time()
    read(text)
    between = time.thread_time()
    load(path)
    return {"yaml": between - began, "load": time.thread_time() - between}
