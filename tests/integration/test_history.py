"""The whole program with `scd: 2`: a table of type 1 becomes one of type 2 and goes on, through a kill."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from connectors.items import Table
from connectors.redshift_ddl import TableDiffers
from tests.contents import COLUMNS
from tests.contracts.with_history import history_contract, history_text
from tests.integration.conftest import Pipelines
from tests.integration.wiring import (
    PARTITIONS,
    Numbered,
    Wiring,
    contacts_of,
    expected_contacts,
    expected_dead_letters,
    expected_rows,
    letters_of,
    produce_numbered,
    read_committed,
    row_line,
    stored_rows,
    wait_until_committed,
)
from tests.operate.calling import operate
from tests.standins.redshift_client import connect

BEFORE, ALL = 320, 1200
"""Numbers that the pipeline of type 1 commits; all. Versions of one message lie on both sides."""


def latest_of_type_1() -> dict[str, Numbered]:
    rows: dict[str, Numbered] = {}
    for message in kept(0, BEFORE):
        stored = rows.get(message.user)
        if stored is None or message.updated_at >= stored.updated_at:
            rows[message.user] = message
    return rows


def kept(first: int, next: int) -> Iterator[Numbered]:
    return (each for each in map(Numbered, range(first, next)) if not each.breaks_the_contract)


def history(versions: Iterator[Numbered]) -> list[str]:
    """What the table must say of these messages, a line for each version. Of equal ones the later message."""
    by_user: dict[str, dict[datetime, Numbered]] = {}
    for message in versions:
        by_user.setdefault(message.user, {})[message.updated_at] = message
    lines: list[str] = []
    for of_user in by_user.values():
        known = sorted(of_user)
        for version, next in zip(known, [*known[1:], None], strict=True):
            until = "-" if next is None else f"{next:%H:%M:%S}"
            lines.append(f"{row_line(of_user[version].values)} {version:%H:%M:%S} {until} {next is None}")
    return sorted(lines)


def stored_history(wiring: Wiring, table: Table, of: Callable[[str], bool] = lambda _: True) -> list[str]:
    columns = (*COLUMNS, "valid_from", "valid_to", "is_current")
    lines: list[str] = []
    with connect(wiring.database) as session:
        for row in session.rows(f"SELECT {', '.join(columns)} FROM {table.qualified}"):
            values = dict(zip(columns, row, strict=True))
            until = "-" if values["valid_to"] is None else f"{values['valid_to']:%H:%M:%S}"
            since = f"{values['valid_from']:%H:%M:%S}"
            if of(values["user_id"]):
                lines.append(f"{row_line(values)} {since} {until} {values['is_current']}")
    return sorted(lines)


def test_a_table_becomes_one_of_type_2_and_keeps_every_later_version_once_through_a_kill(
    wiring: Wiring, table: Table, pipelines: Pipelines, tmp_path: Path
) -> None:
    contract = tmp_path / "history.odcs.yaml"
    contract.write_text(history_text(), encoding="utf-8")
    of_type_2 = wiring.environment(CONTRACT=str(contract), WINDOW="1s")
    kept_table = history_contract().table

    produce_numbered(wiring, 0, BEFORE)
    old = pipelines.start(wiring.environment(WINDOW="1s"))
    wait_until_committed(wiring, table, BEFORE)
    shown = operate(wiring, "ddl", "--to-type-2", CONTRACT=str(contract))
    assert shown.returncode == 0, shown.stderr
    assert "Nothing was changed" in shown.stdout
    assert stored_rows(wiring, table) == expected_rows(BEFORE)
    migrated_at = datetime.now(UTC)
    done = operate(wiring, "ddl", "--to-type-2", "--apply", CONTRACT=str(contract))
    assert done.returncode == 0, done.stderr
    assert f"copied        {len(latest_of_type_1())} rows" in done.stdout
    assert stored_history(wiring, kept_table) == history(iter(latest_of_type_1().values()))

    # The old pipeline runs on, and ends before it writes.
    produce_numbered(wiring, BEFORE, BEFORE + 40)
    assert old.process.wait(60) == TableDiffers.exit_code, old.tail()
    victim = pipelines.start(of_type_2)
    victim.wait_until_read(40)
    produce_numbered(wiring, BEFORE + 40, ALL // 2)
    wait_until_committed(wiring, table, BEFORE + 80)
    victim.kill()
    produce_numbered(wiring, ALL // 2, ALL)
    heir = pipelines.start(of_type_2)
    wait_until_committed(wiring, table, ALL)
    assert heir.terminate() == 0, heir.tail()

    def remembered() -> Iterator[Numbered]:
        yield from latest_of_type_1().values()
        yield from kept(BEFORE, ALL)

    assert stored_history(wiring, kept_table) == history(remembered())
    current = f"{table.schema}.messages_current WHERE created_at BETWEEN '2025-12-31' AND '2026-01-30'"
    with connect(wiring.database) as session:
        found = [dict(zip(COLUMNS, row, strict=False)) for row in session.rows(f"SELECT * FROM {current}")]
    assert sorted(map(row_line, found)) == sorted(expected_rows(ALL).elements())

    # Also waits until the broker has ended the transaction of the process that was killed.
    assert letters_of(read_committed(wiring, wiring.dead_letters)) == expected_dead_letters(ALL)
    assert contacts_of(read_committed(wiring, wiring.contacts)) == expected_contacts(ALL)
    verified = operate(wiring, "verify", "--from", migrated_at.isoformat(), CONTRACT=str(contract))
    assert verified.returncode == 0, verified.stdout
    assert "ok       intervals " in verified.stdout

    # What the topic still holds can be read again: versions that type 1 had forgotten come back.
    span = f"{wiring.source}:0:0-{BEFORE // PARTITIONS}"
    again = operate(wiring, "rerun", "--offsets", span, CONTRACT=str(contract))
    assert again.returncode == 0, again.stdout
    mine = [each for each in kept(0, ALL) if each.partition == 0]
    users = {each.user for each in mine}
    assert stored_history(wiring, kept_table, users.__contains__) == history(iter(mine))
