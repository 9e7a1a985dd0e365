"""`make demo`: the real program, unchanged, against embedded stand-ins, and an account of every message."""

from __future__ import annotations

import argparse
import json
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from tests.demo.evidence import Evidence, collect
from tests.demo.reconcile import Reconciliation, reconcile
from tests.demo.show import Board, Counts, show_reconciliation, show_results
from tests.demo.stage import Stage, StageFailed
from tests.pipeline import Pipeline
from tests.standins.redshift_client import connect
from tests.standins.traffic import Form, Traffic, generate, produce

DAY = datetime(2023, 10, 31, tzinfo=UTC)
"""The day of the contract's example, which its query covers."""
QUERY = "SELECT * FROM interactions.messages WHERE created_at BETWEEN '2023-06-01' AND '2024-01-30'"
SHOWN_ROWS = 5
WINDOWS = 4
"""Windows over which the traffic is spread, so that several commits happen."""
LONGEST = 300.0
"""Seconds after which the demo gives up."""


def main() -> int:
    """0: every message is accounted for exactly once. 1: not. 2: the arguments are wrong."""
    options = _options()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="demo-") as directory:
        stage = Stage(Path(directory), f"{options.window:g}s", options.format)
        try:
            return _run(console, options, stage)
        except (StageFailed, TimeoutError, AssertionError) as failure:
            console.print(f"[bold red]The demo could not be finished:[/] {failure}", highlight=False)
            return 1


def _run(console: Console, options: argparse.Namespace, stage: Stage) -> int:
    began = time.monotonic()
    console.print("[bold]Starting[/] a Kafka and a Redshift stand-in …")
    with stage:
        console.print(f"[bold]Creating[/] what is missing: ddl --apply\n{stage.create_tables()}", end="")
        traffic = generate(options.messages, options.seed, DAY, options.format)
        console.print(
            f"[bold]Running[/] python -m dataflow run, windows of {stage.window}, "
            f"on a contract day of {options.messages:,} messages ({options.format.value}) over "
            f"{len(traffic.ends())} partitions"
        )
        pipeline = stage.start_pipeline()
        pipeline.wait_until_ready(60)
        metrics = _feed(console, stage, pipeline, traffic, options.window)
        stopping = time.monotonic()
        code = pipeline.terminate(30)
        console.print(f"[bold]SIGTERM[/]: drained in {time.monotonic() - stopping:.1f} s, exit code {code}\n")
        evidence = collect(
            stage.database, stage.table, stage.bootstrap, stage.topics.contacts, stage.topics.dead_letters
        )
        seconds = time.monotonic() - began
        reconciliation = reconcile(traffic, evidence)
        show_results(
            console, evidence, _by_label(metrics, "dataflow_warnings_total", "code"), QUERY, _query(stage)
        )
        show_reconciliation(console, reconciliation)
        console.print(f"{options.messages:,} messages in {seconds:.1f} s, all told.")
        if options.report:
            report = _report(options, evidence, reconciliation, seconds, code)
            options.report.write_text(json.dumps(report, indent=2) + "\n")
        if options.keep:
            _keep(console, stage)
    return 0 if reconciliation.holds and code == 0 else 1


def _feed(
    console: Console, stage: Stage, pipeline: Pipeline, traffic: Traffic, window: float
) -> Mapping[tuple[str, str], float]:
    """Produce the traffic over some windows and wait until all of it was read; the metrics then."""
    total = len(traffic.messages)
    produced = 0
    failures: list[Exception] = []
    pace = Event()
    began = time.monotonic()

    def told(handed_over: int) -> None:
        nonlocal produced
        produced = handed_over
        ahead = began + WINDOWS * window * handed_over / total - time.monotonic()
        pace.wait(max(0.0, ahead))

    def run() -> None:
        try:
            produce(traffic, stage.bootstrap, stage.topics.source, told)
        except RuntimeError as failure:
            failures.append(failure)

    producer = Thread(target=run, name="producer", daemon=True)
    producer.start()
    with Board(console, total) as board:
        while True:
            metrics = _metrics(pipeline)
            read = _sum(metrics, "dataflow_messages_total")
            committed = _sum(metrics, "dataflow_rows_committed_total")
            board.show(Counts(produced, read, committed, _sum(metrics, "dataflow_events_committed_total")))
            if read >= total:
                return metrics
            if failures:
                raise StageFailed(str(failures[0]))
            if pipeline.process.poll() is not None:
                raise StageFailed(f"the program has ended:\n{pipeline.tail()}")
            if time.monotonic() - began > LONGEST:
                raise StageFailed(f"not finished after {LONGEST:g} s:\n{pipeline.tail()}")
            pace.wait(0.25)


def _metrics(pipeline: Pipeline) -> Mapping[tuple[str, str], float]:
    """Samples by name and labels."""
    return {
        (sample.name, json.dumps(sample.labels)): sample.value
        for family in text_string_to_metric_families(pipeline.get("/metrics")[1])
        for sample in family.samples
    }


def _sum(metrics: Mapping[tuple[str, str], float], name: str) -> int:
    return int(sum(value for (sample, _), value in metrics.items() if sample == name))


def _by_label(metrics: Mapping[tuple[str, str], float], name: str, label: str) -> Counter[str]:
    return Counter(
        {
            json.loads(labels)[label]: int(value)
            for (sample, labels), value in metrics.items()
            if sample == name
        }
    )


def _query(stage: Stage) -> Sequence[Mapping[str, Any]]:
    """The first rows of the contract's query, by column name."""
    names = [column.name for column in stage.table.columns]
    with connect(stage.database) as session:
        rows = session.rows(f"{QUERY} ORDER BY created_at LIMIT {SHOWN_ROWS}")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _report(
    options: argparse.Namespace,
    evidence: Evidence,
    reconciliation: Reconciliation,
    seconds: float,
    code: int,
) -> dict[str, Any]:
    codes: Counter[str] = Counter()
    for (_, reasons), count in evidence.dead_letters.items():
        for reason in reasons:
            codes[reason] += count
    contacts: Counter[str] = Counter()
    for (_, kind, platform), count in evidence.contacts.items():
        contacts[f"{kind} {platform or 'none'}"] += count
    return {
        "messages": options.messages,
        "seed": options.seed,
        "format": options.format.value,
        "window_seconds": options.window,
        "seconds": round(seconds, 1),
        "exit_code": code,
        "commits": len({span.process_id for span in evidence.spans}),
        "rows": sum(len(versions) for versions in evidence.rows.values()),
        "contacts": dict(contacts),
        "different_event_ids": evidence.event_ids,
        "dead_letters": dict(codes),
        "reconciliation": [{**asdict(line), "holds": line.holds} for line in reconciliation.lines],
        "holds": reconciliation.holds,
    }


def _keep(console: Console, stage: Stage) -> None:
    database = stage.database
    console.print(
        "\n[bold]The stand-ins stay up[/] until Ctrl-C.\n"
        f"Redshift: host {database.host}  port {database.port}  database {database.database}  "
        f"user {database.user}  password {database.password}  sslmode {database.sslmode}\n"
        f"  psql 'host={database.host} port={database.port} dbname={database.database} user={database.user} "
        f"password={database.password} sslmode=disable'\n"
        f"Kafka: {stage.bootstrap}  topics {stage.topics.source}, {stage.topics.contacts}, "
        f"{stage.topics.dead_letters}\n"
        "The program's settings, to run it again or to run `check`:",
        highlight=False,
    )
    for name, value in stage.environment().items():
        console.print(f"  export {name}='{value}'", highlight=False)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make demo",
        usage='make demo ARGS="[--messages N] [--format FORMAT] [--window SECONDS] [--seed N] '
        '[--report FILE] [--keep]"',
        description=__doc__,
    )
    parser.add_argument("--messages", type=_count, default=30_000, help="how many to produce (default 30000)")
    parser.add_argument(
        "--format",
        type=_form,
        default=Form.JSON,
        help=f"what they are written in: {', '.join(form.value for form in Form)} (default json)",
    )
    parser.add_argument("--window", type=_window, default=5.0, help="seconds, such as 5 or 2s (default 5)")
    parser.add_argument("--seed", type=int, default=1, help="decides every message (default 1)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the same figures as JSON")
    parser.add_argument("--keep", action="store_true", help="leave the stand-ins up and tell how to connect")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 200_000:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number from 1 to 200000")
    return int(text)


def _form(text: str) -> Form:
    for form in Form:
        if form.value == text:
            return form
    raise argparse.ArgumentTypeError(f"{text!r}: must be one of {', '.join(form.value for form in Form)}")


def _window(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s?", text)
    if not found or not 1 <= float(found[1]) <= 60 or 86_400 % float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r}: must be from 1 to 60 seconds and divide the day")
    return float(found[1])


if __name__ == "__main__":
    sys.exit(main())
