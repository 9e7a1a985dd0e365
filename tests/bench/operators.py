"""How long the operators' commands take: a replay, a rerun, and `verify` on a large table."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass

from confluent_kafka import Producer

from connectors.items import StoredRecord
from connectors.redshift_sql import LEDGER_COLUMNS, ledger_name
from dataflow.contract import load
from dataflow.encode import encode_dead_letter
from dataflow.model import DeadLetter, Violation
from tests.bench.figures import Figure, Report, Table
from tests.bench.occasion import Occasion, Size
from tests.bench.program import a_site, finish
from tests.bench.workload import contract_traffic, described
from tests.integration.wiring import PARTITIONS, Wiring
from tests.pipeline import INHERITED, ROOT
from tests.standins.redshift_client import connect
from tests.standins.traffic import produce


@dataclass(frozen=True, slots=True)
class _Plan:
    letters: int
    messages: int
    rows: int
    repetitions: int


_PLANS = {
    Size.QUICK: _Plan(200, 500, 5_000, 1),
    Size.USUAL: _Plan(20_000, 30_000, 1_000_000, 3),
    Size.LONG: _Plan(100_000, 30_000, 5_000_000, 5),
}


@dataclass
class _Spent:
    """Seconds of each repetition: by the clock, and CPU of the command's process."""

    wall: list[float]
    cpu: list[float]


def run(occasion: Occasion) -> Report:
    """Each command as a process, its start included."""
    plan = _PLANS[occasion.size]
    spent: dict[str, _Spent] = {}
    with a_site(occasion) as site:
        traffic = contract_traffic(plan.messages)
        wiring = site.wiring(site.topic())
        produce(traffic, wiring.bootstrap, wiring.source, lambda _: None)
        pipeline = site.start(wiring, WINDOW="1h")
        pipeline.wait_until_read(plan.messages, 600)
        finish(pipeline)
        _fill(wiring, plan.rows)
        for number in range(plan.repetitions):
            occasion.tell(f"repetition {number + 1} of {plan.repetitions}")
            _call(wiring, spent, "verify")
            (newest,) = json.loads(_call(wiring, spent, "ledger", "--json", "--commits", "1"))["commits"]
            _call(wiring, spent, "rerun", "--process-id", newest["process_id"])
            fresh = site.wiring(site.topic())
            _bury(fresh, plan.letters)
            _call(fresh, spent, "dead-letters", "replay", "--rate", "1000000")
        broker = site.broker.description
    names = {
        "verify": f"`verify`, {plan.rows:,} rows, window of {plan.messages:,} messages",
        "rerun": f"`rerun` of a commit of {plan.messages:,} messages, in the same table",
        "dead-letters": f"`dead-letters replay` of {plan.letters:,}, unthrottled",
        "ledger": "`ledger`",
    }
    replay = spent["dead-letters"]
    return Report(
        measured=(
            f"Each command as a process, its start included; {broker}; the Redshift stand-in. "
            f"{described(traffic)}; n = {plan.repetitions}."
        ),
        tables=(
            Table(
                ("command", "seconds", "CPU seconds of the command"),
                tuple(
                    (text, Figure(tuple(spent[name].wall)), Figure(tuple(spent[name].cpu)))
                    for name, text in names.items()
                ),
            ),
        ),
        observations=(
            f"A replay reaches {plan.letters / Figure(tuple(replay.wall)).median:,.0f} messages/s, its start "
            "included.",
        ),
    )


def _call(wiring: Wiring, spent: dict[str, _Spent], *arguments: str) -> str:
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "dataflow", *arguments],
        env={**base, "PYTHONPATH": str(ROOT), **wiring.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    seconds = spent.setdefault(arguments[0], _Spent([], []))
    seconds.wall.append(time.monotonic() - began)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return ran.stdout


def _fill(wiring: Wiring, rows: int) -> None:
    """So many rows in all, the most of them of another pipeline's commit."""
    table = load().table
    names = ", ".join(column.name for column in LEDGER_COLUMNS)
    selected = {
        "created_at": "created_at - %d * INTERVAL '1 day'",
        "metafield_process_id": f"'{'f' * 32}'",
        "metafield_source_id": "'filler'",
    }
    columns = ", ".join(selected.get(column.name, column.name) for column in table.columns)
    with connect(wiring.database) as session:
        there = int(session.value(f"SELECT count(*) FROM {table.qualified}"))
        for day in range(1, rows // there + 1):
            session.run(
                f"INSERT INTO {table.qualified} SELECT {columns % day} FROM {table.qualified} "
                "WHERE metafield_source_id <> 'filler'"
            )
        session.run(
            f"INSERT INTO {ledger_name(table)} ({names}) VALUES ('{'f' * 32}', 'filler', 'filler', NULL, "
            f"'filler', 0, 0, {rows}, {rows}, 0, '2024-01-01', '2024-01-01', '2024-01-01')"
        )
        session.raw.commit()


def _bury(wiring: Wiring, letters: int) -> None:
    """So many dead letters, as the program writes them."""
    producer = Producer({"bootstrap.servers": wiring.bootstrap, "linger.ms": 20, "log_level": 0})
    violations = (Violation("status", "not_in_enumeration", "is none of the allowed words"),)
    for number in range(letters):
        record = StoredRecord(number, b'{"user_id": %d, "status": "lost"}' % number, b"%d" % number)
        letter = encode_dead_letter(
            DeadLetter(record, violations),
            wiring.dead_letters,
            wiring.source,
            number % PARTITIONS,
            "1.0.0",
        )
        producer.produce(letter.topic, letter.value, letter.key, headers=list(letter.headers))
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(60) == 0
