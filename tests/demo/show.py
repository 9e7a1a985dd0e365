"""What the demo prints: progress while it runs, tables at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from tests.demo.evidence import Evidence
from tests.demo.figures import contacts, dead_letters, windows
from tests.demo.reconcile import Reconciliation

SHOWN_COLUMNS = {"user_id": 8, "subject_id": 8, "message_text": 20, "status": 8, "created_at": 19}
"""Those of the eleven that fit a narrow terminal, with their widths."""
QUIET_INTERVAL = 3.0
"""Seconds between two lines of progress where there is no terminal."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Where the run is."""

    produced: int
    read: int
    committed: int
    events: int


class Board:
    """Progress bars on a terminal, a line now and then elsewhere."""

    def __init__(self, console: Console, messages: int) -> None:
        self._console = console
        self._messages = messages
        self._told_at = 0.0
        self._bars = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<26}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        names = ("messages produced", "messages read", "rows committed", "contacts and dead letters")
        self._tasks = [self._bars.add_task(name, total=messages) for name in names[:2]]
        self._tasks += [self._bars.add_task(name, total=None) for name in names[2:]]

    def __enter__(self) -> Board:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, counts: Counts) -> None:
        """Where the run is now."""
        figures = (counts.produced, counts.read, counts.committed, counts.events)
        for task, figure in zip(self._tasks, figures, strict=True):
            self._bars.update(task, completed=figure)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._told_at >= QUIET_INTERVAL:
            self._told_at = now
            self._console.print(
                f"  produced {counts.produced:,}  read {counts.read:,} of {self._messages:,}  "
                f"rows committed {counts.committed:,}  events {counts.events:,}"
            )


def show_results(
    console: Console,
    evidence: Evidence,
    query: str,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Rows per window, contacts, dead letters, warnings, and the contract's query."""
    _say(console, "Rows committed per window", _windows(evidence))
    _say(console, f"Contact events ({evidence.event_ids:,} different ids)", _contacts(evidence))
    letters = f"Dead letters ({len(evidence.dead_letters):,} messages; one may have several reasons)"
    _say(console, letters, _counts("reason", dead_letters(evidence)))
    _say(console, "Warnings: rows kept, though odd", _counts("warning", evidence.warnings))
    table = Table()
    for name in SHOWN_COLUMNS:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*(_shortened(str(row[name] or ""), width) for name, width in SHOWN_COLUMNS.items()))
    _say(console, f"{query}: its first rows", table)


def show_reconciliation(console: Console, reconciliation: Reconciliation) -> None:
    """The account, line by line."""
    table = Table("subject")
    for name in ("expected", "found", "differing", ""):
        table.add_column(name, justify="right")
    for line in reconciliation.lines:
        mark = "[green]✓[/]" if line.holds else "[bold red]✗[/]"
        table.add_row(line.subject, f"{line.expected:,}", f"{line.found:,}", f"{line.differing:,}", mark)
    _say(console, "Reconciliation: produced against written", table)
    if reconciliation.holds:
        console.print("[bold green]Every message is accounted for exactly once.[/]")
    else:
        console.print("[bold red]The account does not balance.[/]")


def _shortened(text: str, width: int) -> Text:
    shortened = Text(text.partition(".")[0] if text[:4].isdigit() and ":" in text else text)
    shortened.truncate(width, overflow="ellipsis")
    return shortened


def _say(console: Console, title: str, table: Table) -> None:
    console.print(f"\n[bold]{title}[/]", highlight=False)
    console.print(table)


def _windows(evidence: Evidence) -> Table:
    table = Table("window (UTC)")
    for name in ("partitions", "offsets", "rows", "process id"):
        table.add_column(name, justify="right")
    for window in windows(evidence):
        table.add_row(
            f"{window.start:%H:%M:%S} to {window.end:%H:%M:%S}",
            str(window.partitions),
            f"{window.offsets:,}",
            f"{window.rows:,}",
            window.process_id[:8],
        )
    return table


def _contacts(evidence: Evidence) -> Table:
    table = Table("platform")
    for name in ("phone", "handle"):
        table.add_column(name, justify="right")
    counts = contacts(evidence)
    for platform in sorted({platform for platform, _ in counts}):
        table.add_row(platform, *(f"{counts[platform, kind] or '':}" for kind in ("phone", "handle")))
    return table


def _counts(first: str, counts: Counter[str]) -> Table:
    table = Table(first)
    table.add_column("messages", justify="right")
    for name, count in counts.most_common():
        table.add_row(name, f"{count:,}")
    return table
