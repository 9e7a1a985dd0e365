"""`ddl --to-type-2`: what it says to a person; what it does is tried in `tests/redshift`."""

from __future__ import annotations

import io
from dataclasses import replace

from connectors.kafka_access import ClientJudge
from dataflow.commands import ddl, to_type_2
from dataflow.contract import load
from dataflow.settings import Settings, Sources, read
from dataflow.settings_table import WAREHOUSE_ONLY
from tests.contracts.with_history import history_contract
from tests.integration.wiring import Wiring
from tests.standins.redshift_client import RedshiftServer, Transactions, connect


def settings_of(server: RedshiftServer) -> Settings:
    environment = Wiring("unused:9092", "m", "m.contacts", "m.dead-letters", "g", server).environment()
    return read(Sources(environment, {}, lambda path: path.read_text()), ClientJudge(), WAREHOUSE_ONLY)


def test_under_a_contract_of_type_1_nothing_becomes_of_type_2(redshift_database: RedshiftServer) -> None:
    settings = settings_of(replace(redshift_database, port=9))
    for deed in (to_type_2.preview, to_type_2.apply):
        out, err = io.StringIO(), io.StringIO()
        assert deed(settings, load(), out, err) == 1
        assert "write scd: 2 there first" in err.getvalue()
        assert not out.getvalue()


def test_it_says_what_it_would_do_then_what_it_did_and_then_that_it_is_done(
    redshift_database: RedshiftServer,
) -> None:
    settings, contract = settings_of(redshift_database), history_contract()
    assert ddl.apply(settings, load(), io.StringIO(), io.StringIO()) == 0
    days = "'2026-01-01', '2026-01-02', '2026-01-02', 'id', 'm'"
    with connect(redshift_database, Transactions.EACH_STATEMENT) as session:
        session.run(
            f"INSERT INTO interactions.messages VALUES ('1', '2', 'hi', 'unread', NULL, NULL, {days})"
        )
    shown, refused = io.StringIO(), io.StringIO()
    assert ddl.preview(settings, contract, refused, io.StringIO()) == 1
    assert "REFUSED       table interactions.messages: is of type 1" in refused.getvalue()
    assert to_type_2.preview(settings, contract, shown, io.StringIO()) == 0
    assert "would copy    1 rows, each as the current version of its message" in shown.getvalue()
    assert "ALTER TABLE interactions.messages RENAME TO messages_type_1;" in shown.getvalue()
    done = io.StringIO()
    assert to_type_2.apply(settings, contract, done, io.StringIO()) == 0
    assert "renamed       table interactions.messages to interactions.messages_type_1" in done.getvalue()
    assert "created       view interactions.messages_current" in done.getvalue()
    assert "`grants --apply`" in done.getvalue()
    again = io.StringIO()
    assert to_type_2.apply(settings, contract, again, io.StringIO()) == 0
    assert again.getvalue() == "interactions.messages is of type 2 already; nothing was changed\n"
    told = io.StringIO()
    assert ddl.preview(settings, load(), told, io.StringIO()) == 1
    assert "REFUSED       table interactions.messages: is of type 2" in told.getvalue()


def test_a_warehouse_that_is_away_is_told_in_one_line(redshift_database: RedshiftServer) -> None:
    err = io.StringIO()
    settings = settings_of(replace(redshift_database, port=9))
    assert to_type_2.preview(settings, history_contract(), io.StringIO(), err) == 1
    assert err.getvalue().startswith("127.0.0.1:9/")
    assert len(err.getvalue().splitlines()) == 1
