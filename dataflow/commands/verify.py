"""`verify`: is the contract kept? In time, in the table, in the ledger, and from source to table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from connectors import redshift_verify_sql as sql
from connectors.items import ToldContact, Verdict
from connectors.kafka_access import KafkaAccess
from connectors.kafka_read import TopicReader
from connectors.kafka_start import BrokerFacts
from connectors.ledger import Entry, Standing, advances, faults, standing
from connectors.redshift_access import Session, connect
from connectors.redshift_commit import Destination
from connectors.redshift_ledger import read_entries
from connectors.redshift_verify import compare, look_at_history, look_through
from connectors.redshift_verify_contacts import count_missing_contacts
from connectors.staging import InsertStaging
from connectors.verify_metrics import Figure, push, verify_registry, write
from dataflow.arguments import TopicSpan
from dataflow.commands.access import Topics, destination, kafka_access, redshift_access, topics_of
from dataflow.commands.dead_letters import origins
from dataflow.commands.reread import Reread, covered
from dataflow.commands.schemas import schemas_of
from dataflow.commands.show import Form, json_line, moment, table
from dataflow.contract import Contract
from dataflow.fields import IntegerField, PresentUnless, TextField
from dataflow.flow import Steps
from dataflow.selection import check_partitions
from dataflow.settings import Settings
from dataflow.told_contacts import read_told
from dataflow.verify import (
    DAY,
    Check,
    CommitTimes,
    Reconciliation,
    Waiting,
    judge_by_commit,
    judge_commits,
    judge_contacts,
    judge_freshness,
    judge_history,
    judge_missing_contacts,
    judge_reconciliation,
    judge_volume,
    none_of,
    sla,
    something,
    unknown,
)

CLOCKS_APART = timedelta(hours=1)
"""By how much an event may seem older than the message that it is from."""


@dataclass(frozen=True, slots=True)
class VerifyOrder:
    """What to verify, and whom to tell."""

    since: datetime | None
    until: datetime | None
    """The window: commits from `since` on, before `until`. None: the last day, until now."""
    offsets: TopicSpan | None
    """The window instead: the commits that cover these."""
    gateway: str | None
    textfile: Path | None

    @property
    def explicit(self) -> bool:
        """Whether somebody named the window, and so expects that it holds something."""
        return bool(self.since or self.until or self.offsets)


def verify(
    settings: Settings,
    contract: Contract,
    steps: Steps,
    order: VerifyOrder,
    now: datetime,
    form: Form,
    out: TextIO,
) -> int:
    """Look, tell, and hand over the figures. 0 when nothing is wrong, else 1.

    Raises KafkaTrouble, WarehouseTrouble, RegistryAway, BrokenPromise, PushFailed, NotKnown.
    """
    began = time.monotonic()
    run = _Run(settings, contract, steps, order, now)
    checks = tuple(run.checks())
    seconds = time.monotonic() - began
    right = all(check.verdict is not Verdict.WRONG for check in checks)
    if form is Form.JSON:
        json_line(
            {
                "at": moment(now),
                "ok": right,
                "seconds": round(seconds, 3),
                "table_rows": run.rows,
                "checks": [
                    {
                        "check": check.name,
                        "verdict": check.verdict.value.lower(),
                        "value": check.value,
                        "limit": check.limit,
                        "detail": check.detail,
                    }
                    for check in checks
                ],
                "reconciliation": None if run.found is None else asdict(run.found),
            },
            out,
        )
    else:
        _tell(checks, run, out)
        print(f"\n{run.rows} rows in {contract.table.qualified}, looked at in {seconds:.1f} s", file=out)
    if order.gateway or order.textfile:
        registry = verify_registry(
            [Figure(check.name, check.verdict, check.value) for check in checks],
            _fates(run.found),
            right,
            seconds,
            now.timestamp() + seconds,
        )
        if order.textfile:
            write(registry, order.textfile)
        if order.gateway:
            push(registry, order.gateway, settings.pipeline)
    return int(not right)


def _fates(found: Reconciliation | None) -> Mapping[str, int]:
    if found is None:
        return {}
    return {
        "row": found.rows,
        "superseded": found.superseded,
        "dead_letter": found.dead_letters,
        "unaccounted": max(0, found.unaccounted),
    }


def _tell(checks: Sequence[Check], run: _Run, out: TextIO) -> None:
    rows = [
        (
            check.verdict.value,
            check.name,
            "-" if check.value is None else f"{check.value:g}" if check.value < 1e6 else f"{check.value:.0f}",
            check.limit,
            check.detail,
        )
        for check in checks
    ]
    table(("verdict", "check", "found", "wanted", ""), rows, out)
    found = run.found
    if found is not None:
        print(f"\nthe source against the table: {found.commits} commits {run.window}", file=out)
        table(
            ("messages", "=", "rows", "+", "superseded", "+", "dead letters", "+", "unaccounted"),
            [
                (
                    found.messages,
                    "=",
                    found.rows,
                    "+",
                    found.superseded,
                    "+",
                    found.dead_letters,
                    "+",
                    found.unaccounted,
                )
            ],
            out,
        )


class _Run:
    """One look at everything."""

    def __init__(
        self, settings: Settings, contract: Contract, steps: Steps, order: VerifyOrder, now: datetime
    ) -> None:
        self._settings = settings
        self._contract = contract
        self._steps = steps
        self._order = order
        self._now = now
        self._topics: Topics = topics_of(settings, contract)
        self._access: KafkaAccess = kafka_access(settings, self._topics)
        self._where: Destination = destination(settings, contract, self._topics)
        self._since = order.since or now - DAY
        self._until = order.until or now
        self.rows = 0
        self.found: Reconciliation | None = None
        self.window = f"from {moment(self._since)} to {moment(self._until)}"
        if order.offsets is not None:
            each = order.offsets
            self.window = (
                f"that cover {each.topic} partition {each.partition}, {each.first} to {each.next - 1}"
            )

    def checks(self) -> Iterator[Check]:
        """Every check, in the order in which they are told."""
        with (
            TopicReader(self._access, self._topics.source) as reader,
            connect(redshift_access(self._settings)) as session,
        ):
            where = self._where
            entries = read_entries(session, where.table, where.pipeline, where.topic)
            # Asked after the warehouse's snapshot was taken: what that covers lies below the topic's end.
            facts = reader.facts()
            asked = self._order.offsets
            if asked is not None:
                option = f"--offsets {asked.topic}:{asked.partition}:{asked.first}-{asked.next}"
                check_partitions(option, asked.topic, (asked.partition,), facts.bounds)
            now = standing(entries)
            yield from self._in_time(reader, facts, entries)
            yield from self._table(session, now)
            yield from self._ledger(now)
            yield from self._reconcile(session, reader, facts, now, advances(entries))
            session.rollback()

    def _in_time(self, reader: TopicReader, facts: BrokerFacts, entries: Sequence[Entry]) -> Iterator[Check]:
        own = [
            CommitTimes(
                entry.process_id, entry.next - entry.first, entry.opens, entry.closes, entry.committed_at
            )
            for entry in advances(entries)
        ]
        yield judge_freshness(self._contract, list(self._waiting(reader, facts, entries)), self._now)
        yield judge_commits(self._contract, own, self._since, self._until)
        yield judge_volume(self._contract, own, self._now)

    def _waiting(
        self, reader: TopicReader, facts: BrokerFacts, entries: Sequence[Entry]
    ) -> Iterator[Waiting]:
        """The first message of each partition that the ledger doesn't cover."""
        for partition, (oldest, end) in facts.bounds.items():
            reached = max((each.next for each in entries if each.partition == partition), default=oldest)
            for polled in reader.read({partition: (max(reached, oldest), end)}):
                record = polled[partition][0]
                kind, milliseconds = record.timestamp()
                at = datetime.fromtimestamp(milliseconds / 1000, UTC) if kind else None
                yield Waiting(partition, record.offset(), at)
                break

    def _table(self, session: Session, now: Standing) -> Iterator[Check]:
        groups = faults_of(self._contract)
        every = [fault for group in groups.values() for fault in group]
        found = look_through(session, self._where, every)
        self.rows = found.rows
        keys = ", ".join(self._contract.table.row_key)
        yield none_of(
            "unique",
            found.surplus,
            f"rows too many by {keys}",
            f"{found.repeated} messages are there more than once",
        )
        if self._contract.table.keeps_history:
            versions = look_at_history(session, self._where)
            yield from judge_history(versions.not_one_current, versions.wrong_intervals)
        for name, group in groups.items():
            wrong = {fault: found.faulty[fault] for fault in group if found.faulty[fault]}
            told = ", ".join(f"{_column(fault)}: {count}" for fault, count in wrong.items())
            yield none_of(name, sum(wrong.values()), "faults", told)
        yield from judge_by_commit(found.by_commit, found.ledger_rows, now.rerun_as)
        if found.stray_contacts is not None:
            yield judge_contacts(found.stray_contacts)

    def _ledger(self, now: Standing) -> Iterator[Check]:
        wrong = faults(now.in_force)
        told = "; ".join(
            f"partition {each.partition}: {each.first} to {each.next - 1} "
            f"{'twice' if each.entries else 'never'}"
            for each in wrong[:3]
        )
        yield none_of("ledger_gaps", len(wrong), "gaps and overlaps", told)

    def _reconcile(
        self,
        session: Session,
        reader: TopicReader,
        facts: BrokerFacts,
        now: Standing,
        own: Sequence[Entry],
    ) -> Iterator[Check]:
        wanted = [entry for entry in now.in_force if self._is_meant(entry)]
        commits = {entry.process_id for entry in wanted}
        taken = [entry for entry in now.in_force if entry.process_id in commits]
        gone = {
            entry.process_id
            for entry in taken
            if not facts.bounds.get(entry.partition, (0, 0))[0] <= entry.first
            or entry.next > facts.bounds.get(entry.partition, (0, 0))[1]
        }
        if self._order.explicit:
            none = f"no commits {self.window}: nothing was compared; `ledger` lists them"
            yield something("window", len(commits), "at least 1 commit", none)
        limit = "every message accounted for"
        if gone:
            yield unknown(
                "source_held", limit, f"the topic no longer holds all that {len(gone)} commits read"
            )
        taken = [entry for entry in taken if entry.process_id not in gone]
        if not taken:
            yield unknown("source_rows_missing", limit, f"no commits {self.window}")
            return
        reading = Reread(
            self._steps,
            schemas_of(self._settings),
            self._settings.spool_dir,
            sla(self._contract),
            own,
            now,
        )
        dead = origins(self._access, self._topics, self._now)
        letters = dead.times
        reading.read(reader, taken, letters)
        commits = commits - gone
        compared = compare(session, self._where, reading.segments, sorted(commits), InsertStaging())
        reading.discard()
        if self._where.contacts is not None:
            # Of a rerun the contacts are what the detector found then: events tell what it found before.
            first = commits - set(now.rerun_as.values())
            yield self._contacts(session, reading.oldest, taken, sorted(first))
        told = letters.keys() & reading.judged
        expected_letters = {place for place in reading.broken if _is_done(place, facts)}
        self.found = Reconciliation(
            commits=len(commits),
            messages=reading.messages,
            dead_letters=len(told),
            superseded=compared.versions - compared.missing - compared.stored + compared.unexplained,
            rows=compared.stored - compared.unexplained,
            missing_rows=compared.missing,
            older_rows=compared.older,
            altered_rows=compared.altered,
            unexplained_rows=compared.unexplained,
            late_messages=reading.late,
            missing_dead_letters=len(expected_letters - letters.keys()),
            repeated_dead_letters=sum(1 for place in told if letters[place] > 1),
            letters_complete=dead.since is None
            or (reading.oldest is not None and dead.since <= reading.oldest),
        )
        yield from judge_reconciliation(self.found)

    def _contacts(
        self, session: Session, oldest: datetime | None, taken: Sequence[Entry], commits: Sequence[str]
    ) -> Check:
        """Of the messages compared: what the side topic tells against what the table keeps."""
        told: dict[str, ToldContact] = {}
        complete = True
        with TopicReader(self._access, self._topics.contacts) as reader:
            held = reader.bounds()
            spans = held if oldest is None else reader.bounds_since(oldest - CLOCKS_APART)
            complete = all(first == 0 or spans[each][0] > first for each, (first, _) in held.items())
            for polled in reader.read(spans):
                for record in (each for records in polled.values() for each in records):
                    contact = read_told(record, self._topics.source)
                    if contact is not None and covered(taken, (contact.partition, contact.offset)):
                        told[f"{contact.event_id} {contact.partition} {contact.offset}"] = contact
        missing = count_missing_contacts(session, self._where, list(told.values()), commits)
        return judge_missing_contacts(missing, complete)

    def _is_meant(self, entry: Entry) -> bool:
        asked = self._order.offsets
        if asked is None:
            return self._since <= entry.committed_at < self._until
        return entry.partition == asked.partition and entry.first < asked.next and asked.first < entry.next


def _is_done(place: tuple[int, int], facts: BrokerFacts) -> bool:
    """Whether the side branch has come past a message."""
    reached = facts.events.get(place[0])
    return reached is None or place[1] < reached.position


def faults_of(contract: Contract) -> Mapping[str, Sequence[sql.Fault]]:
    """What a row of the table must not be, by the name of the check, as the contract's fields say."""
    groups: dict[str, list[sql.Fault]] = {
        name: [] for name in ("nulls", "lengths", "enumerations", "ranges", "presence")
    }
    groups["nulls"] += [sql.Null(column.name) for column in contract.table.columns if column.required]
    for field in contract.fields:
        if isinstance(field, TextField):
            groups["lengths"].append(sql.Longer(field.name, field.max_bytes))
            if field.min_bytes:
                groups["lengths"].append(sql.Shorter(field.name, field.min_bytes))
            if field.values:
                groups["enumerations"].append(sql.NotAmong(field.name, field.values))
        elif isinstance(field, IntegerField):
            groups["ranges"].append(sql.Outside(field.name, field.minimum, field.maximum))
    for rule in contract.rules:
        if isinstance(rule, PresentUnless):
            groups["presence"].append(sql.AllAbsent((rule.field, *rule.fields)))
    return groups


def _column(fault: sql.Fault) -> str:
    return "/".join(fault.columns) if isinstance(fault, sql.AllAbsent) else fault.column
