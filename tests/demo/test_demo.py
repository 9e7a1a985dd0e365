"""The demo as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline import ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.demo", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_accounts_for_every_message(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = run("--messages", "2000", "--window", "1", "--report", str(report))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Every message is accounted for exactly once." in ran.stdout
    figures = json.loads(report.read_text())
    assert figures["holds"]
    assert figures["exit_code"] == 0
    assert figures["commits"] >= 2
    assert sum(line["found"] for line in figures["reconciliation"][1:2]) > 1900
    assert len(figures["dead_letters"]) > 10


def test_the_demo_accounts_for_every_message_of_a_topic_with_both_formats(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = run("--messages", "2000", "--window", "1", "--format", "mixed", "--report", str(report))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(report.read_text())
    assert figures["holds"]
    assert {"truncated_json", "truncated_protobuf"} <= figures["dead_letters"].keys()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "xml"), "protobuf"),
        (("--messages", "many"), "whole number"),
        (("--window", "7"), "divide the day"),
        (("--no",), "--no"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[str, ...], told: str) -> None:
    ran = run(*arguments)
    assert ran.returncode == 2
    assert told in ran.stderr
