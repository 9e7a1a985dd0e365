"""The same program under another contract: other topic, other table, other types, nothing to scan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from dataflow.contract import load
from tests.cli.test_commands import call, lines
from tests.integration.conftest import Pipelines
from tests.integration.wiring import PARTITIONS, Wiring, dead_letters, group_offsets, ledger_rows, produce
from tests.pipeline import ROOT, eventually
from tests.standins.redshift_client import connect

CONTRACT = ROOT / "tests" / "contracts" / "purchases.odcs.yaml"
BROKEN_EVERY = 20
FIRST_DAY = date(2026, 1, 1)
PAID = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[Pipelines]:
    started = Pipelines(tmp_path / "log")
    yield started
    started.kill_all()


@dataclass(frozen=True, slots=True)
class Purchase:
    """Line `line` of order `order`, in its `version`: what is sent, and what is stored."""

    order: int
    line: int
    version: int = 0

    @property
    def message(self) -> Mapping[str, Any]:
        """As a producer writes it: amounts as numbers and as text, instants with other offsets."""
        amount = Decimal(self.order * 100 + self.version) / 100
        changed = (PAID + timedelta(hours=2, seconds=self.version)).replace(tzinfo=None)
        return {
            "shop": ("web", "ios", "android")[self.order % 3],
            "order_number": 2**53 + self.order,
            "line": self.line,
            "bought_on": str(FIRST_DAY + timedelta(days=self.order % 28)),
            "amount": float(amount) if self.line % 2 else str(amount),
            "exchange_rate": f"1.{self.order:018}",
            "gift": self.order % 2 == 0,
            "refunded": None if self.order % 5 else False,
            "note": "für dich" if self.order % 7 == 0 else None,
            "paid_at": PAID.isoformat(),
            "changed_at": f"{changed.isoformat()}+02:00",
        }

    @property
    def row(self) -> tuple[object, ...]:
        """As it is stored, in the order of `COLUMNS`."""
        return (
            ("web", "ios", "android")[self.order % 3],
            2**53 + self.order,
            self.line,
            FIRST_DAY + timedelta(days=self.order % 28),
            Decimal(self.order * 100 + self.version) / 100,
            Decimal(f"1.{self.order:018}"),
            self.order % 2 == 0,
            None if self.order % 5 else False,
            "für dich" if self.order % 7 == 0 else None,
            PAID,
            PAID + timedelta(seconds=self.version),
            f"{PAID.isoformat(' ')}"[:19],
        )


COLUMNS = (
    "shop, order_number, line, bought_on, amount, exchange_rate, gift, refunded, note, paid_at, changed_at, "
    "to_char(paid_at, 'YYYY-MM-DD HH24:MI:SS')"
)


def purchases(first: int, next: int) -> list[Purchase]:
    """Two lines of each order, and a second version of every fourth order's first line."""
    found = [Purchase(order, line) for order in range(first, next) for line in (1, 2)]
    return found + [Purchase(order, 1, 1) for order in range(first, next) if order % 4 == 0]


def is_broken(purchase: Purchase) -> bool:
    return purchase.order % BROKEN_EVERY == 3


def values(sent: list[Purchase]) -> Iterator[tuple[int, bytes]]:
    for purchase in sent:
        message = dict(purchase.message)
        if is_broken(purchase):
            message |= {"gift": "yes", "bought_on": "2026-02-30"}
        yield purchase.order % PARTITIONS, orjson.dumps(message)


def stored(wiring: Wiring) -> list[tuple[object, ...]]:
    with connect(wiring.database) as session:
        return session.rows(f"SELECT {COLUMNS} FROM shop.purchase_lines ORDER BY order_number, line")


def expected(sent: list[Purchase]) -> list[tuple[object, ...]]:
    latest: dict[tuple[int, int], Purchase] = {}
    for each in sent:
        if not is_broken(each):
            latest[each.order, each.line] = each
    return [latest[key].row for key in sorted(latest)]


def test_another_contract_is_validated_created_checked_and_kept_exactly_once_through_a_kill(
    wiring: Wiring, pipelines: Pipelines
) -> None:
    environment = wiring.environment(
        CONTRACT=str(CONTRACT), PIPELINE="purchases", CONTACT_VALUES="omitted", CONTACT_HMAC_KEY=""
    )
    environment = {
        name: value
        for name, value in environment.items()
        if name not in ("CONTACT_HMAC_KEY", "KAFKA_CONTACTS_TOPIC")
    }
    good, broken = (next(values([Purchase(order, 1)]))[1].decode() for order in (0, 3))
    judged = call("validate", text=f"{good}\n{broken}", environment={"CONTRACT": str(CONTRACT)})
    assert [line["verdict"] for line in lines(judged.stdout)] == ["row", "dead_letter"]
    assert call("check", environment=environment).returncode == 1
    created = call("ddl", "--apply", environment=environment)
    assert created.returncode == 0, created.stderr
    checked = call("check", environment=environment)
    assert checked.returncode == 0, checked.stdout
    assert "table shop.purchase_lines, distribution key: order_number" in checked.stdout
    assert ".contacts" not in checked.stdout

    first, second = purchases(0, 200), purchases(200, 400)
    produce(wiring, values(first))
    victim = pipelines.start(environment)
    victim.wait_until_read(len(first))
    victim.kill()
    produce(wiring, values(second))
    heir = pipelines.start(environment)
    wanted = expected(first + second)
    eventually(lambda: len(stored(wiring)) == len(wanted), 60, "every purchase is committed")
    assert heir.terminate() == 0, heir.tail()

    assert stored(wiring) == wanted
    sent = first + second
    letters = dead_letters(wiring)
    assert len(letters) == sum(map(is_broken, sent))
    for headers in letters:
        told = json.loads(headers["dead_letter.violations"] or b"")
        assert [(each["field"], each["code"]) for each in told] == [
            ("bought_on", "not_a_date"),
            ("gift", "wrong_type"),
        ]
        assert headers["dead_letter.contract_version"] == b"2.1.0"
    position = dict.fromkeys(range(PARTITIONS), 0)
    for partition, begins, ends in ledger_rows(wiring, load(CONTRACT).table):
        assert begins == position[partition]
        position[partition] = ends
    assert sum(position.values()) == len(sent)
    assert group_offsets(wiring) == position
