"""Every benchmark runs and tells what it measured. Its figures are not judged here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.machine import RESULTS
from tests.bench.occasion import When
from tests.bench.registry import BENCHMARKS
from tests.pipeline import ROOT


@pytest.mark.timeout(600)
def test_every_benchmark_runs_at_its_smallest_without_a_real_broker(tmp_path: Path) -> None:
    before = RESULTS.read_bytes()
    told = tmp_path / "told.json"
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--json", str(told)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    results = {result["name"]: result for result in json.loads(told.read_text())}
    assert set(results) == {benchmark.name for benchmark in BENCHMARKS if benchmark.when is When.ALWAYS}
    for name, result in results.items():
        assert f"\n## {name}: " in ran.stdout
        assert "Apache Kafka" not in result["measured"]
        cells = [cell for table in result["tables"] for row in table["rows"] for cell in row]
        figures = [cell for cell in cells if isinstance(cell, dict)]
        assert figures, name
        for figure in figures:
            assert figure["least"] <= figure["median"] <= figure["most"]
    assert RESULTS.read_bytes() == before


def test_every_benchmark_has_its_section_in_the_results() -> None:
    text = RESULTS.read_text(encoding="utf-8")
    found = re.findall(r"^## (\w+): ", text, re.MULTILINE)
    missing = [benchmark.name for benchmark in BENCHMARKS if benchmark.name not in found]
    assert not missing, f'no figures of {missing}: run make bench ARGS="--record"'
    assert found == [benchmark.name for benchmark in BENCHMARKS]
