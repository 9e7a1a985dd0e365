"""The same full job written with what people would use instead, on the same input."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dataflow.contract import load
from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.kafka import a_real_broker
from tests.bench.occasion import Occasion, Size, Unavailable
from tests.bench.peers.environments import PEERS, Peer, python_of
from tests.bench.peers.job import KEY, Figures, Task
from tests.bench.program import LONGEST, Site, a_site, finish, pace, watch
from tests.bench.workload import contract_traffic, described
from tests.integration.wiring import Wiring, headers_of
from tests.pipeline import ROOT
from tests.standins.kafka_reader import read_to_end
from tests.standins.redshift_client import connect
from tests.standins.traffic import produce

TABLE = load().table
COLUMNS = TABLE.message_columns
OURS = "`python -m dataflow run`"


@dataclass(frozen=True, slots=True)
class _Plan:
    messages: int
    repetitions: int


_PLANS = {Size.QUICK: _Plan(2_000, 1), Size.USUAL: _Plan(100_000, 3), Size.LONG: _Plan(200_000, 5)}

Row = tuple[Any, ...]
"""Values that stand for one thing that came out."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came out, for comparison."""

    rows: Mapping[Row, Row]
    """The rows that are left of all versions, by key."""
    events: Counter[Row]
    """Every side message."""


def run(occasion: Occasion) -> Report:
    """Ours and every peer by turns; a figure counts only when all put out the same."""
    plan = _PLANS[occasion.size]
    pythons = {peer: python_of(peer) for peer in PEERS}
    ours: list[Figures] = []
    theirs: dict[Peer, list[Figures]] = {peer: [] for peer in PEERS}
    with a_site(occasion, a_real_broker) as site:
        source = site.topic()
        produce(contract_traffic(plan.messages), site.broker.bootstrap, source, lambda _: None)
        for number in range(plan.repetitions):
            occasion.tell(f"repetition {number + 1} of {plan.repetitions}: ours")
            figures, expected = _run_ours(site, source, plan.messages)
            ours.append(figures)
            for peer, python in pythons.items():
                occasion.tell(f"repetition {number + 1} of {plan.repetitions}: {peer.name}")
                directory = occasion.directory / f"{peer.module}-{number}"
                figures, outcome = _run_peer(site, source, plan.messages, peer, python, directory)
                assert outcome == expected, f"{peer.name} puts out something else"
                theirs[peer].append(figures)
        broker = site.broker.description
    return _report(plan, ours, theirs, broker)


def _run_ours(site: Site, source: str, messages: int) -> tuple[Figures, _Outcome]:
    wiring = site.wiring(source)
    pipeline = site.start(wiring, CONTACT_HMAC_KEY=KEY.decode())
    told = pace(watch(pipeline, lambda sample: sample.read >= messages), messages)
    end = finish(pipeline)
    return Figures(told.messages_per_second, told.cpu, end.peak), _Outcome(_stored(wiring), _events(wiring))


def _run_peer(
    site: Site, source: str, messages: int, peer: Peer, python: Path, directory: Path
) -> tuple[Figures, _Outcome]:
    wiring = site.wiring(source)
    directory.mkdir()
    task = Task(
        wiring.bootstrap,
        source,
        wiring.contacts,
        wiring.dead_letters,
        wiring.group,
        messages,
        str(directory),
    )
    module = f"tests.bench.peers.{peer.module}"
    ran = subprocess.run(
        [str(python), "-m", module, task.as_argument()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST,
    )
    if ran.returncode:
        raise Unavailable(f"{peer.name} ended with {ran.returncode}:\n{ran.stderr[-4000:]}")
    figures = Figures(**json.loads((directory / "figures.json").read_text()))
    return figures, _Outcome(_staged(directory), _events(wiring))


def _stored(wiring: Wiring) -> dict[Row, Row]:
    """The rows in the warehouse."""
    names = ", ".join(column.name for column in COLUMNS)
    with connect(wiring.database) as session:
        return {_key(row): row for row in map(_plain, session.rows(f"SELECT {names} FROM {TABLE.qualified}"))}


def _staged(directory: Path) -> dict[Row, Row]:
    """The rows that a peer has staged, once those are left out that a later version replaces."""
    version = [column.name for column in COLUMNS].index(TABLE.version)
    rows: dict[Row, Row] = {}
    for file in sorted(directory.glob("rows-*")):
        for line in file.read_bytes().splitlines():
            row = _plain(json.loads(line)[1:])
            stored = rows.get(_key(row))
            if stored is None or row[version] >= stored[version]:
                rows[_key(row)] = row
    return rows


def _plain(values: Sequence[Any]) -> Row:
    """Every instant as text of six decimals, from whichever side it comes."""
    return tuple(
        _instant(value) if column.sql_type == "timestamp" else value
        for value, column in zip(values, COLUMNS, strict=True)
    )


def _instant(value: datetime | str) -> str:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.isoformat(" ", "microseconds")


def _key(row: Row) -> Row:
    return tuple(value for value, column in zip(row, COLUMNS, strict=True) if column.name in TABLE.key)


def _events(wiring: Wiring) -> Counter[Row]:
    """Every side message: which topic, key, value, and what its headers say that names it."""
    told = ((0, wiring.contacts, "ce_id"), (1, wiring.dead_letters, "dead_letter.codes"))
    return Counter(
        (topic, message.key(), message.value(), headers_of(message)[header])
        for topic, name, header in told
        for message in read_to_end(wiring.bootstrap, name)
    )


def _report(
    plan: _Plan, ours: Sequence[Figures], theirs: Mapping[Peer, Sequence[Figures]], broker: str
) -> Report:
    def row(name: str, figures: Sequence[Figures]) -> tuple[Cell, ...]:
        rates = [each.messages_per_second for each in figures]
        return (
            name,
            Figure(tuple(rates)),
            quotients([each.messages_per_second for each in ours], rates),
            Figure(tuple(each.cpu for each in figures)),
            Figure(tuple(each.peak for each in figures)),
        )

    rows = [row(OURS, ours), *(row(peer.name, theirs[peer]) for peer in PEERS)]
    ours_rates = [each.messages_per_second for each in ours]
    frameworks = [theirs[peer] for peer in PEERS if peer.framework]
    best = [max(each.messages_per_second for each in together) for together in zip(*frameworks, strict=True)]
    installed = ", ".join(requirement for peer in PEERS for requirement in peer.requirements)
    return Report(
        measured=(
            f"{described(contract_traffic(plan.messages))}; {broker}; n = {plan.repetitions} by turns. Read, "
            "decode, validate, detect, produce contacts and dead letters, stage the row: with the same "
            f"contract, detector and encoders ({installed}), and the same librdkafka settings where there is "
            "one. Only ours also enriches, counts, works exactly once and commits to the warehouse; the "
            "others work at least once and append rows to a file. Where nothing else is said a message is "
            "done at a time, as the framework hands it over; ours does a batch at a time. Rows and side "
            "messages of every run were compared with ours: equal. Rates and CPU, of all threads, are those "
            "of reading."
        ),
        tables=(
            Table(
                ("", "messages per second", "ours / this", "CPU µs per message", "peak memory, MB"),
                tuple(rows),
            ),
        ),
        observations=(
            f"Ours reads {quotients(ours_rates, best).median:.1f} times as fast as the best framework.",
        ),
    )
