"""Commits against a plain model: however batches are cut, repeated and broken off, the table is a function of
the messages below the ledger's positions."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from connectors import redshift_sql as sql
from connectors.items import Segment
from connectors.progress import LedgerBroken
from connectors.redshift_access import RedshiftAccess, WarehouseUnavailable, connect
from connectors.redshift_commit import Committed, Destination, NothingNew, commit_once
from connectors.staging import InsertStaging
from tests.redshift.cutting import Break, Wire
from tests.redshift.warehouse import (
    DESTINATION,
    NOON,
    TO_HISTORY,
    Letter,
    access_to,
    at,
    span,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer

PARTITIONS = 2
LETTERS = "sender, written::varchar, changed::varchar, body, weight"
INTERVALS = "since::varchar, until::varchar, newest"
ENTRIES = "kafka_partition, first_offset, next_offset, row_count"
BODIES = st.sampled_from([None, "", "hello", "caf\u00e9", "\U0001f48c", "back\\slash '\" %s", "x" * 64])


class Commits(RuleBasedStateMachine):
    destination: ClassVar[Destination] = DESTINATION
    columns: ClassVar[str] = LETTERS

    def __init__(self, access: RedshiftAccess, wire: Wire) -> None:
        super().__init__()
        self.access = access
        self.wire = wire
        self.messages: list[list[Letter]] = [[] for _ in range(PARTITIONS)]
        self.positions: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.commits = 0

    @initialize()
    def nothing_is_stored(self) -> None:
        self.wire.plan.clear()
        with connect(self.access) as session:
            session.execute(f"DELETE FROM {self.destination.table.qualified}")
            session.execute(f"DELETE FROM {sql.ledger_name(self.destination.table)}")
            session.commit()

    @rule(
        partition=st.integers(0, PARTITIONS - 1),
        told=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), BODIES), min_size=1, max_size=6),
    )
    def produce(self, partition: int, told: list[tuple[int, int, str | None]]) -> None:
        messages = self.messages[partition]
        for written, changed, body in told:
            offset = len(messages)
            messages.append(Letter(offset, f"s{partition}", changed, written, body, offset))

    @rule(data=st.data(), broken=st.sampled_from([None, None, None, *Break]))
    def commit(self, data: st.DataObject, broken: Break | None) -> None:
        """Any cut of what was read: from an earlier offset again, in overlapping pieces."""
        segments: list[Segment] = []
        for partition, messages in enumerate(self.messages):
            position = self.positions.get(partition, 0)
            first = data.draw(st.integers(0, position))
            for _ in range(data.draw(st.integers(0, 2))):
                next = data.draw(st.integers(first, len(messages)))
                segments.append(span(first, next, messages[first:next], partition))
                first = data.draw(st.integers(0, next))
        segments = [segment for segment in segments if segment.next > segment.first]
        cut = data.draw(st.integers(0, len(segments)))
        self.attempt([part for part in (segments[:cut], segments[cut:]) if part], broken)

    @rule(data=st.data(), partition=st.integers(0, PARTITIONS - 1))
    def commit_beyond_the_ledger(self, data: st.DataObject, partition: int) -> None:
        position, end = self.positions.get(partition), len(self.messages[partition])
        if position is None or position + 1 >= end:
            return
        first = data.draw(st.integers(position + 1, end - 1))
        try:
            self.attempt([[span(first, end, self.messages[partition][first:], partition)]], None)
        except LedgerBroken:
            self.compare()
        else:
            raise AssertionError("a gap was committed")

    @rule()
    def restart(self) -> None:
        self.seen = {}

    def attempt(self, windows: list[list[Segment]], broken: Break | None) -> None:
        self.wire.plan[:] = [broken] if broken else []
        after = dict(self.positions)
        for segment in (segment for segments in windows for segment in segments):
            after[segment.partition] = max(segment.next, after.get(segment.partition, 0))
        self.commits += 1
        try:
            with connect(self.access) as session:
                outcome = commit_once(
                    session,
                    self.destination,
                    [window(*segments) for segments in windows],
                    self.seen,
                    InsertStaging(),
                    f"{self.commits:032x}",
                    NOON,
                )
        except WarehouseUnavailable:
            assert broken is not None
            if broken is Break.AFTER_COMMIT:
                self.positions = after
        else:
            assert isinstance(outcome, NothingNew if after == self.positions else Committed)
            assert outcome.positions == after
            self.positions = after
            self.seen |= after
        self.compare()

    def compare(self) -> None:
        with connect(self.access) as session:
            name = self.destination.table
            table = session.rows(f"SELECT {self.columns} FROM {name.qualified} ORDER BY 1, 2, 3")
            entries = session.rows(f"SELECT {ENTRIES} FROM {sql.ledger_name(name)} ORDER BY 1, 2")
            session.rollback()
        assert table == self.expected()
        for partition, position in self.positions.items():
            reached = 0
            for _, first, next, rows in (entry for entry in entries if entry[0] == partition):
                assert (first, rows) == (reached, next - first)
                reached = next
            assert reached == position

    def expected(self) -> list[tuple[Any, ...]]:
        best: dict[tuple[str, int], Letter] = {}
        for partition, position in self.positions.items():
            for letter in self.messages[partition][:position]:
                stored = best.get((letter.sender, letter.written))
                if stored is None or letter.changed >= stored.changed:
                    best[letter.sender, letter.written] = letter
        return [values(letter) for _, letter in sorted(best.items())]


def values(letter: Letter) -> tuple[Any, ...]:
    return (letter.sender, at(letter.written), at(letter.changed), letter.body, letter.weight)


class Histories(Commits):
    """Type 2: each version is a row, and its interval ends where the next begins."""

    destination: ClassVar[Destination] = TO_HISTORY
    columns: ClassVar[str] = f"{LETTERS}, {INTERVALS}"

    def expected(self) -> list[tuple[Any, ...]]:
        versions: dict[tuple[str, int], dict[int, Letter]] = {}
        for partition, position in self.positions.items():
            for letter in self.messages[partition][:position]:
                versions.setdefault((letter.sender, letter.written), {})[letter.changed] = letter
        found: list[tuple[Any, ...]] = []
        for _, of_message in sorted(versions.items()):
            known = sorted(of_message)
            for version, next in zip(known, [*known[1:], None], strict=True):
                until = None if next is None else at(next)
                found.append((*values(of_message[version]), at(version), until, next is None))
        return found


@pytest.mark.parametrize("kind", [Commits, Histories], ids=["type 1", "type 2"])
def test_the_table_is_a_function_of_the_messages_below_the_ledger(
    redshift_database: RedshiftServer, kind: type[Commits]
) -> None:
    with_tables(redshift_database, kind.destination.table)
    with Wire(redshift_database) as wire:
        access = access_to(wire.server)

        class Here(kind):  # type: ignore[valid-type, misc] # a class is made of each
            def __init__(self) -> None:
                super().__init__(access, wire)

        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=60,
                stateful_step_count=14,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
