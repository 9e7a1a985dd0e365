"""Reports as Markdown: what a run prints, and the sections of RESULTS.md."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill

from tests.bench.figures import Cell, Figure, Report, Table
from tests.bench.machine import Circumstances
from tests.bench.occasion import Benchmark

PREAMBLE = """\
# Benchmarks

Written by `make bench ARGS="--record"`, never by hand; a run replaces the sections of the benchmarks that it
ran. A figure is the median of n repetitions, then the least and the most. Repetitions of what is compared are
taken by turns, and a ratio is the median of the repetitions' own ratios. The machine is shared: trust ratios
and CPU time, wall time less.
"""
_WIDTH = 110


def section(benchmark: Benchmark, report: Report, circumstances: Circumstances, command: str) -> str:
    """One benchmark's section."""
    parts = [
        f"## {benchmark.name}: {benchmark.title}",
        fill(report.measured, _WIDTH, break_on_hyphens=False),
        fill(f"`{command}`: {circumstances}.", _WIDTH, break_on_hyphens=False),
        *(_table(table) for table in report.tables),
        "\n".join(fill(f"* {told}", _WIDTH, subsequent_indent="  ") for told in report.observations),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def record(results: Path, sections: Mapping[str, str], order: Sequence[str]) -> None:
    """Write the sections into the results, in the registry's order, beside those of other runs."""
    there = _sections(results.read_text(encoding="utf-8")) if results.exists() else {}
    kept = {**there, **sections}
    text = "\n".join([PREAMBLE, *(kept[name] for name in order if name in kept)])
    results.write_text(text, encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.removeprefix("## ").partition(":")[0]: part.rstrip("\n") + "\n" for part in parts}


def _table(table: Table) -> str:
    lines = [
        table.columns,
        ("---", *["---:"] * (len(table.columns) - 1)),
        *(tuple(map(_cell, row)) for row in table.rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, str):
        return cell
    if len(cell.values) == 1:
        return _number(cell.median, cell)
    return f"{_number(cell.median, cell)} ({_number(cell.least, cell)} to {_number(cell.most, cell)})"


def _number(value: float, of: Figure) -> str:
    """With as many decimals as give the median three digits."""
    size = abs(of.median)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{decimals}f}"
