"""An independent opinion: `datacontract-cli` reads our contracts and looks at the tables made from them.

Skipped with the reason where it can't be had; with REQUIRE_DATACONTRACT_CLI=1 that fails.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.items import HISTORY_FILLS
from connectors.redshift_ddl import objects
from dataflow.contract import Contract, load
from tests.contracts.datacontract_cli import CliUnavailable, datacontract
from tests.contracts.mutations import FILES
from tests.contracts.with_history import history_text
from tests.standins.redshift_client import Connection, RedshiftServer, Transactions, connect
from tests.standins.redshift_process import RedshiftProcess

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("datacontract-cli")]

MESSAGES, PURCHASES = (path.name for path in FILES)
HISTORY = "history.odcs.yaml"
TEXTS = {path.name: path.read_text(encoding="utf-8") for path in FILES} | {HISTORY: history_text()}
"""Every contract that is judged: those of the files, and the packaged one with `scd: 2`."""
ROWS = {
    MESSAGES: "('1', '2', 'hi', 'opened', NULL, NULL, '2023-10-31 03:58:22', '2024-01-01 04:21:08', "
    "getdate(), 'commit', 'interactions.messages')",
    HISTORY: "('1', '2', 'hi', 'opened', NULL, NULL, '2023-10-31 03:58:22', '2024-01-01 04:21:08', "
    "getdate(), 'commit', 'interactions.messages', '2024-01-01 04:21:08', NULL, true)",
    PURCHASES: "('web', 9007199254740993, 1, '2026-02-28', 12.50, 1.08, false, NULL, NULL, NULL, "
    "'2026-02-28 08:00:00+00', '2026-02-28 08:00:00+00', getdate(), 'commit', 'shop.purchases')",
}
CONTACT = (
    "('1', '2', '2023-10-31 03:58:22', 'event', 'phone', NULL, NULL, NULL, NULL, 0, 12, 'rule', 1, "
    "getdate(), 'commit', 'interactions.messages')"
)
"""Given away by the row of the messages."""


@pytest.fixture(scope="module")
def command() -> Path:
    try:
        return datacontract()
    except CliUnavailable as reason:
        if os.environ.get("REQUIRE_DATACONTRACT_CLI") == "1":
            pytest.fail(f"REQUIRE_DATACONTRACT_CLI=1, but: {reason}", pytrace=False)
        pytest.skip(f"no datacontract-cli: {reason}")


@pytest.fixture(scope="module")
def standin() -> Iterator[tuple[RedshiftServer, Path]]:
    """A Redshift stand-in, and the directory of the socket of the PostgreSQL behind it."""
    # Its path must be short: a unix socket lies in it.
    with (
        tempfile.TemporaryDirectory(prefix="judged-") as directory,
        RedshiftProcess(Path(directory)) as process,
    ):
        yield process.server, Path(directory) / "postgres"


@pytest.fixture(params=TEXTS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file of one of the contracts."""
    name: str = request.param
    written = tmp_path / name
    written.write_text(TEXTS[name], encoding="utf-8")
    return written


def test_lint_finds_nothing(command: Path, path: Path) -> None:
    ran = subprocess.run([command, "lint", str(path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "Data contract is valid" in ran.stdout


def judged(
    command: Path, standin: tuple[RedshiftServer, Path], contract: Path, directory: Path
) -> Mapping[str, Any]:
    """What `datacontract test` says of the stand-in's table: its report."""
    server, socket = standin
    document = yaml.safe_load(contract.read_text(encoding="utf-8"))
    document["servers"] = [
        {
            "server": "standin",
            "type": "postgres",
            "host": str(socket),
            "port": 5432,
            "database": server.database,
            "schema": load(contract).table.schema,
        }
    ]
    file, report = directory / "contract.odcs.yaml", directory / "report.json"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    ran = subprocess.run(
        [command, "test", str(file), "--output", str(report), "--output-format", "json"],
        env={
            **os.environ,
            "DATACONTRACT_POSTGRES_USERNAME": server.user,
            "DATACONTRACT_POSTGRES_PASSWORD": server.password,
            "PGCLIENTENCODING": "UTF8",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), ran.stdout
    told: Mapping[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return told


def fill(session: Connection, contract: Contract, row: str) -> None:
    """The contract's tables, of which there are no others in its schema, each with a row."""
    session.run(f"DROP SCHEMA IF EXISTS {contract.table.schema} CASCADE")
    for definition in objects(contract.table, contract.contacts):
        session.run(definition.sql)
    session.run(
        f"INSERT INTO {contract.table.schema}.commit_ledger "
        "VALUES ('commit', 'p', 't', NULL, 'g', 0, 0, 1, 1, 0, getdate(), getdate(), getdate())"
    )
    session.run(f"INSERT INTO {contract.table.qualified} VALUES {row}")
    if contract.contacts is not None:
        session.run(f"INSERT INTO {contract.contacts.qualified} VALUES {CONTACT}")


def test_a_table_made_from_the_contract_passes_and_a_broken_row_does_not(
    command: Path, standin: tuple[RedshiftServer, Path], path: Path, tmp_path: Path
) -> None:
    contract = load(path)
    with connect(standin[0], Transactions.EACH_STATEMENT) as session:
        fill(session, contract, ROWS[path.name])
        told = judged(command, standin, path, tmp_path)
        assert told["result"] == "passed", told["checks"]
        columns = {check["field"] for check in told["checks"] if "physical type" in check["name"]}
        kept = () if contract.contacts is None else contract.contacts.columns
        # The three columns of a history are the program's: `scd: 2` stands for them in the file.
        named = {column for column in contract.table.columns if column.fill not in HISTORY_FILLS}
        assert columns == {column.name for column in (*named, *kept)}
        assert all(check["result"] == "passed" for check in told["checks"])
        session.run(f"INSERT INTO {contract.table.qualified} VALUES {ROWS[path.name]}")
        twice = judged(command, standin, path, tmp_path)
    failed = [check["name"] for check in twice["checks"] if check["result"] != "passed"]
    assert failed
    assert all("duplicate" in name for name in failed)
