"""What `verify` makes of what it measured: figures to verdicts. Every decision, no I/O.

The names of checks are stable: they are labels of metrics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.items import Verdict
from dataflow.contract import Contract

COMMIT_ALLOWANCE = timedelta(minutes=5)
"""What a commit may take, beyond the contract's freshness, before a row is late."""
LEAST_SHARE, MOST_SHARE = 0.5, 2.0
"""Shares of the contract's daily volume between which a day is ordinary."""
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at."""

    name: str
    verdict: Verdict
    value: float | None
    """None: it could not be measured."""
    limit: str
    detail: str


def _at_most(name: str, value: float, most: float, unit: str, wrong: str, right: str = "") -> Check:
    verdict = Verdict.WRONG if value > most else Verdict.RIGHT
    return Check(name, verdict, value, f"at most {most:g} {unit}", wrong if value > most else right)


def none_of(name: str, count: int, what: str, remedy: str) -> Check:
    """Right when there is none of something."""
    return Check(
        name,
        Verdict.WRONG if count else Verdict.RIGHT,
        count,
        f"0 {what}",
        remedy if count else "",
    )


def something(name: str, count: int, limit: str, remedy: str) -> Check:
    """There must be at least one."""
    return Check(name, Verdict.RIGHT if count else Verdict.WRONG, count, limit, "" if count else remedy)


def unknown(name: str, limit: str, why: str) -> Check:
    """It could not be looked at."""
    return Check(name, Verdict.UNKNOWN, None, limit, why)


def sla(contract: Contract) -> timedelta:
    """How old a row may be that is not in the table."""
    return contract.freshness + COMMIT_ALLOWANCE


@dataclass(frozen=True, slots=True)
class Waiting:
    """The first message of a partition that is not in the table. `at` None: it bears no time."""

    partition: int
    offset: int
    at: datetime | None


def judge_freshness(contract: Contract, waiting: Sequence[Waiting], now: datetime) -> Check:
    """Against the SLA: for how long the oldest message that is not in the table has waited."""
    ages = {each: (now - each.at).total_seconds() for each in waiting if each.at is not None}
    limit = sla(contract).total_seconds()
    if not ages:
        return _at_most("freshness", 0, limit, "s", "", "every message is in the table")
    oldest = max(ages, key=lambda each: ages[each])
    where = f"partition {oldest.partition}, offset {oldest.offset} waits since {oldest.at:%Y-%m-%dT%H:%M:%SZ}"
    return _at_most("freshness", round(ages[oldest], 1), limit, "s", f"{where}: is `run` running?", where)


@dataclass(frozen=True, slots=True)
class CommitTimes:
    """One commit of the pipeline's own."""

    process_id: str
    messages: int
    opens: datetime
    closes: datetime
    committed_at: datetime


def judge_commits(
    contract: Contract, commits: Sequence[CommitTimes], since: datetime, until: datetime
) -> Check:
    """Commits of the window whose oldest row may have been late: from the window's opening to the commit."""
    within = [commit for commit in commits if since <= commit.committed_at < until]
    if not within:
        return unknown("commits_on_time", "0 late commits", "no commit in the window")
    late = [commit for commit in within if commit.committed_at - commit.opens > sla(contract)]
    detail = ""
    if late:
        worst = max(late, key=lambda commit: commit.committed_at - commit.opens)
        took = worst.committed_at - worst.opens
        detail = f"{worst.process_id} came {took} after its window had opened"
    return none_of("commits_on_time", len({commit.process_id for commit in late}), "late commits", detail)


def judge_volume(contract: Contract, commits: Sequence[CommitTimes], now: datetime) -> Check:
    """Offsets committed in the last day against the contract's expectation."""
    low, high = (round(share * contract.daily_volume) for share in (LEAST_SHARE, MOST_SHARE))
    limit = f"{low} to {high} messages a day"
    began = min((commit.opens for commit in commits), default=None)
    if began is None or began > now - DAY:
        return unknown("volume", limit, "the ledger is younger than a day")
    messages = sum(commit.messages for commit in commits if now - DAY < commit.closes <= now + DAY)
    ordinary = low <= messages <= high
    return Check(
        "volume",
        Verdict.RIGHT if ordinary else Verdict.WRONG,
        messages,
        limit,
        "" if ordinary else f"the contract expects {contract.daily_volume}: ask the producer",
    )


def judge_history(not_one_current: int, wrong_intervals: int) -> tuple[Check, Check]:
    """The versions of a table of type 2."""
    by_hand = "written by hand, or by a pipeline of type 1"
    return (
        none_of("current_rows", not_one_current, "messages with none or several", by_hand),
        none_of("intervals", wrong_intervals, "rows not valid from version to version", by_hand),
    )


def judge_by_commit(
    by_commit: Mapping[str | None, int], ledger_rows: Mapping[str, int], rerun_as: Mapping[str, str]
) -> tuple[Check, Check, Check]:
    """The table's rows by process id against the ledger."""
    stray = {commit: rows for commit, rows in by_commit.items() if commit not in ledger_rows}
    more = {
        commit: rows - ledger_rows[commit]
        for commit, rows in by_commit.items()
        if commit is not None and rows > ledger_rows.get(commit, rows)
    }
    stale = {commit: rows for commit, rows in by_commit.items() if commit in rerun_as}
    return (
        none_of(
            "known_commits",
            sum(stray.values()),
            "rows of unknown commits",
            f"{_some(stray)}: written by hand, or entries were removed from the ledger",
        ),
        none_of(
            "rows_per_commit",
            sum(more.values()),
            "rows beyond what their commit staged",
            f"{_some(more)}: copied or written by hand",
        ),
        none_of(
            "rerun_rows",
            sum(stale.values()),
            "rows of commits that were rerun",
            f"{_some(stale)}: written after the rerun by hand, or restored",
        ),
    )


def judge_contacts(stray: int) -> Check:
    """The contacts' table against the rows of its messages."""
    return none_of(
        "contacts_agree",
        stray,
        "contacts of no row",
        "their message is absent, or another commit wrote its row: written by hand, or by a process with "
        "CONTACTS_TABLE=off; rerun the row's commit",
    )


def judge_missing_contacts(missing: int, complete: bool) -> Check:
    """The side topic against the contacts' table; not `complete`: it does not reach back to the window."""
    check = none_of(
        "contacts_missing",
        missing,
        "contacts missing",
        "told on the side topic and not in the contacts' table: removed by hand, or committed with "
        "CONTACTS_TABLE=off; rerun their commits",
    )
    if check.verdict is Verdict.RIGHT and not complete:
        return unknown(check.name, check.limit, "the side topic does not reach back so far")
    return check


def _some(commits: Iterable[str | None]) -> str:
    names = [commit or "(no process id)" for commit in commits]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """A window's source against its table: what became of every message."""

    commits: int
    messages: int
    dead_letters: int
    """Messages that are on the topic of dead letters."""
    superseded: int
    """Messages whose row another message's took, within the window or later."""
    rows: int
    """Messages that are the table's rows today."""
    missing_rows: int
    older_rows: int
    altered_rows: int
    unexplained_rows: int
    late_messages: int
    """In the table later than the SLA allows."""
    missing_dead_letters: int
    repeated_dead_letters: int
    letters_complete: bool
    """False: the topic of dead letters no longer reaches back as far as the window."""

    @property
    def unaccounted(self) -> int:
        """Messages of which nothing is known. 0 while nothing is missing."""
        return self.messages - self.dead_letters - self.superseded - self.rows


def judge_reconciliation(found: Reconciliation) -> tuple[Check, ...]:
    """The verdicts on a window's reconciliation."""
    changed = "or the contract has changed since"
    checks = [
        none_of(
            "source_rows_missing",
            found.missing_rows,
            "rows missing",
            "messages of the topic are not in the table: rerun their commits",
        ),
        none_of("source_rows_older", found.older_rows, "rows too old", "a later version was read: rerun"),
        none_of(
            "source_rows_altered",
            found.altered_rows,
            "rows that differ from the source",
            f"changed by hand, {changed}: rerun",
        ),
        none_of(
            "table_rows_unexplained",
            found.unexplained_rows,
            "rows without a message",
            f"written by hand, {changed}: rerun",
        ),
        none_of(
            "messages_late", found.late_messages, "messages late", "in the table after the SLA; see `ledger`"
        ),
    ]
    missing = none_of(
        "dead_letters_missing",
        found.missing_dead_letters,
        "dead letters missing",
        f"removed from their topic, {changed}",
    )
    if missing.verdict is Verdict.WRONG and not found.letters_complete:
        missing = unknown(missing.name, missing.limit, "the topic of dead letters does not reach back so far")
    repeated = none_of(
        "dead_letters_repeated",
        found.repeated_dead_letters,
        "dead letters twice",
        "the topic was written by hand, or by an older release",
    )
    return (*checks, missing, repeated)
