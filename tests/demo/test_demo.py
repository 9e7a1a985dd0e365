"""The demo as a user runs it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dataflow.decode import CODES as DECODE_CODES
from dataflow.validate import CODES as VALIDATE_CODES
from tests.demo.stage import KEY
from tests.pipeline import ROOT
from tests.test_traffic_agrees import OF_OTHER_TYPES


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.demo", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_accounts_for_every_message_with_rows_by_s3() -> None:
    ran = run("--messages", "2000", "--window", "1", "--staging", "s3")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Every message is accounted for exactly once." in ran.stdout
    assert "objects of" in ran.stdout


def test_the_demo_accounts_for_every_message(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = run("--messages", "2000", "--window", "1", "--report", str(report))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Every message is accounted for exactly once." in ran.stdout
    figures = json.loads(report.read_text())
    assert figures["holds"]
    assert figures["exit_code"] == 0
    assert len({window["process_id"] for window in figures["windows"]}) >= 2
    committed = sum(window["rows"] for window in figures["windows"])
    assert committed == figures["reconciliation"][1]["found"] > 1900
    assert figures["different_event_ids"] >= figures["contacts_in_the_table"] > 20
    assert set(figures["dead_letters"]) == (DECODE_CODES | VALIDATE_CODES) - OF_OTHER_TYPES
    assert sum(figures["warnings"].values()) == figures["reconciliation"][-1]["found"] > 0
    assert len(figures["query_first_rows"]) == 5
    assert all("message_text" not in row for row in figures["query_first_rows"])


def test_the_report_s_place_is_looked_at_before_anything_starts(tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    kept.write_text("{}")
    run("--report", str(kept), "--messages", "many")
    assert kept.read_text() == "{}"
    refused = run("--report", str(tmp_path / "nowhere" / "report.json"))
    assert refused.returncode == 2
    assert "can't be written: No such file or directory" in refused.stderr
    assert not refused.stdout


def started(*arguments: str) -> subprocess.Popen[str]:
    """In a process group of its own, as a terminal gives it; stdout and stderr are one."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.demo", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell has what it starts in the background ignore Ctrl-C, and the tests may be that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def read_until(demo: subprocess.Popen[str], told: str) -> list[str]:
    assert demo.stdout is not None
    found: list[str] = []
    for line in demo.stdout:
        found.append(line.rstrip("\n"))
        if told in line:
            return found
    raise AssertionError("\n".join(found))


def test_ctrl_c_ends_it_with_one_line() -> None:
    demo = started("--messages", "2000", "--window", "5")
    read_until(demo, "Running")
    os.killpg(demo.pid, signal.SIGINT)
    rest, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, rest
    assert rest.splitlines()[-1] == "Interrupted: nothing was left running."
    assert "Traceback" not in rest


def test_what_keep_prints_can_be_pasted() -> None:
    demo = started("--messages", "20", "--window", "1", "--keep")
    read_until(demo, "Redshift:")
    commands = [line.strip() for line in read_until(demo, "export WINDOW=")]
    (psql,) = (line for line in commands if " psql " in line)
    assert shlex.split(psql)[2] == "psql"
    exports = [line for line in commands if line.startswith("export ")]
    asked = "; ".join([*exports, 'printf "%s" "$CONTACT_HMAC_KEY"'])
    assert subprocess.run(["/bin/sh", "-c", asked], capture_output=True, text=True, check=True).stdout == KEY
    os.killpg(demo.pid, signal.SIGINT)
    rest, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0, rest
    assert "Traceback" not in rest


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
