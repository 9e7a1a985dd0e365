"""`make demo`: the real program, unchanged, against embedded stand-ins, and an account of every message."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from tests.demo.evidence import Evidence, collect
from tests.demo.figures import contacts, dead_letters, windows, without_texts
from tests.demo.reconcile import Reconciliation, reconcile
from tests.demo.show import Board, Counts, show_reconciliation, show_results
from tests.demo.stage import KEY, Stage, StageFailed
from tests.pipeline import Pipeline
from tests.standins.redshift_client import connect
from tests.standins.s3 import Bucket, S3Process
from tests.standins.traffic import Form, Traffic, generate, produce

DAY = datetime(2023, 10, 31, tzinfo=UTC)
"""The day of the contract's example, which its query covers."""
QUERY = "SELECT * FROM interactions.messages WHERE created_at BETWEEN '2023-06-01' AND '2024-01-30'"
SHOWN_ROWS = 5
WINDOWS = 4
"""Windows over which the traffic is spread, so that several commits happen."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells tell it."""
SETTLED = 1.5
"""Seconds without a change after which everything has been seen through: an idle source turns each second."""
COUNTED = ("dataflow_warnings_total", "dataflow_rejected_messages_total", "dataflow_contacts_total")
LONGEST = 300.0
"""Seconds after which the demo gives up."""


def main() -> int:
    """0: every message is accounted for exactly once. 1: not. 2: the arguments are wrong. 130: Ctrl-C."""
    options = _options()
    console = Console()
    with ExitStack() as ends:
        directory = ends.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        bucket = None
        if options.staging == "s3":
            server = ends.enter_context(S3Process()).server
            bucket = Bucket(server, server.create_bucket())
        stage = Stage(Path(directory), f"{options.window:g}s", options.format, bucket)
        try:
            return _run(console, options, stage)
        except (StageFailed, TimeoutError, AssertionError) as failure:
            console.print(f"[bold red]The demo could not be finished:[/] {failure}", highlight=False)
            return 1
        except KeyboardInterrupt:
            console.print("Interrupted: nothing was left running.")
            return INTERRUPTED


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
        if options.staging == "s3":
            console.print("[bold]Rows[/] go by S3 and COPY")
        metrics = _feed(console, stage, pipeline, traffic, options.window)
        stopping = time.monotonic()
        code = pipeline.terminate(30)
        console.print(f"[bold]SIGTERM[/]: drained in {time.monotonic() - stopping:.1f} s, exit code {code}\n")
        evidence = collect(
            stage.database,
            stage.table,
            stage.contacts,
            stage.bootstrap,
            stage.topics.contacts,
            stage.topics.dead_letters,
            _by_label(metrics, "dataflow_warnings_total", "code"),
        )
        seconds = time.monotonic() - began
        if options.staging == "s3":
            objects, size = (_sum(metrics, f"dataflow_staged_{name}_total") for name in ("objects", "bytes"))
            console.print(f"[bold]S3[/]: {objects:,} objects of {size:,} bytes before the drain")
        reconciliation = reconcile(traffic, evidence, KEY)
        rows = _query(stage)
        show_results(console, evidence, QUERY, rows)
        show_reconciliation(console, reconciliation)
        console.print(f"{options.messages:,} messages in {seconds:.1f} s, all told.")
        if options.report:
            report = _report(options, evidence, rows, reconciliation, seconds, code)
            options.report.write_text(json.dumps(report, indent=2) + "\n")
        if options.keep:
            _keep(console, stage)
    return 0 if reconciliation.holds and code == 0 else 1


def _feed(
    console: Console, stage: Stage, pipeline: Pipeline, traffic: Traffic, window: float
) -> Mapping[tuple[str, str], float]:
    """Produce the traffic over some windows and wait until all of it was seen through; the metrics then."""
    total = len(traffic.messages)
    produced = 0
    failures: list[Exception] = []
    pace = Event()
    began = time.monotonic()
    steady = _Steady()

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
            if read >= total and steady.since(metrics, time.monotonic()) >= SETTLED:
                return metrics
            if failures:
                raise StageFailed(str(failures[0]))
            if pipeline.process.poll() is not None:
                raise StageFailed(f"the program has ended:\n{pipeline.tail()}")
            if time.monotonic() - began > LONGEST:
                raise StageFailed(f"not finished after {LONGEST:g} s:\n{pipeline.tail()}")
            pace.wait(0.25)


class _Steady:
    """For how long the counts have not changed. What was polled last is counted before it is seen through."""

    def __init__(self) -> None:
        self._seen: Mapping[str, int] = {}
        self._since = 0.0

    def since(self, metrics: Mapping[tuple[str, str], float], now: float) -> float:
        """Seconds; 0 while the side branch is behind."""
        seen = {name: _sum(metrics, name) for name in COUNTED}
        if seen != self._seen or _sum(metrics, "dataflow_events_lag_messages"):
            self._seen, self._since = seen, now
        return now - self._since


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
    rows: Sequence[Mapping[str, Any]],
    reconciliation: Reconciliation,
    seconds: float,
    code: int,
) -> dict[str, Any]:
    return {
        "messages": options.messages,
        "seed": options.seed,
        "format": options.format.value,
        "window_seconds": options.window,
        "seconds": round(seconds, 1),
        "exit_code": code,
        "windows": [
            {**asdict(window), "start": f"{window.start}", "end": f"{window.end}"}
            for window in windows(evidence)
        ],
        "rows": sum(len(versions) for versions in evidence.rows.values()),
        "contacts": {f"{kind} {platform}": n for (platform, kind), n in sorted(contacts(evidence).items())},
        "different_event_ids": evidence.event_ids,
        "contacts_in_the_table": evidence.kept_contacts.total(),
        "dead_letters": dict(dead_letters(evidence).most_common()),
        "warnings": dict(evidence.warnings.most_common()),
        "query": QUERY,
        "query_first_rows": without_texts(rows),
        "reconciliation": [{**asdict(line), "holds": line.holds} for line in reconciliation.lines],
        "holds": reconciliation.holds,
    }


def _keep(console: Console, stage: Stage) -> None:
    stop = Event()
    # Before the first line is out: whoever reads it may press Ctrl-C at once.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    console.print("\n[bold]The stand-ins stay up[/] until Ctrl-C.")
    for line in _connecting(stage):
        # As it is, however long: it is to be pasted.
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    stop.wait()


def _connecting(stage: Stage) -> Iterator[str]:
    """How to connect, in commands for a shell."""
    database = stage.database
    secret = f"PGPASSWORD={shlex.quote(database.password)} PGSSLMODE={database.sslmode}"
    where = ("-h", database.host, "-p", str(database.port), "-U", database.user, database.database)
    yield "Redshift:"
    yield f"  {secret} psql {shlex.join(where)}"
    yield f"Kafka: {stage.bootstrap}, topics {', '.join(astuple(stage.topics))}"
    yield "The program's settings, to run it again or to run `check`:"
    for name, value in stage.environment().items():
        yield f"  export {name}={shlex.quote(value)}"


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
    parser.add_argument(
        "--staging",
        choices=("insert", "s3"),
        default="insert",
        help="how rows reach the warehouse: INSERT, or COPY from an embedded S3 (default insert)",
    )
    parser.add_argument("--seed", type=int, default=1, help="decides every message (default 1)")
    parser.add_argument("--report", type=_writable, metavar="FILE", help="write the same figures as JSON")
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


def _writable(text: str) -> Path:
    path = Path(text)
    is_new = not path.exists()
    try:
        # Asked now, not after a minute's work. What is there already stays until there are figures.
        with path.open("a"):
            pass
        if is_new:
            path.unlink()
    except OSError as refused:
        raise argparse.ArgumentTypeError(f"{text!r} can't be written: {refused.strerror}") from None
    return path


def _window(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)s?", text)
    if not found or not 1 <= float(found[1]) <= 60 or 86_400 % float(found[1]):
        raise argparse.ArgumentTypeError(f"{text!r}: must be from 1 to 60 seconds and divide the day")
    return float(found[1])


if __name__ == "__main__":
    sys.exit(main())
