"""Rows: their lines, what is read back from them, and their warnings."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.contract import Contract
from dataflow.enrich import Enricher
from dataflow.fields import NotInFuture, TextField
from dataflow.model import Value
from dataflow.rows import compile_row, horizons_of, warnings_of_rows
from tests.contracts.test_message_schema import CONTRACTS, MESSAGES

MAKE = {contract.name: compile_row(contract) for contract in CONTRACTS}
AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
INSTANTS = ("2026-01-01 11:59:59", "2026-01-01 12:00:00", "2026-01-01 12:05:00.000001", "2027-01-01 00:00:00")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    ["\n", ',\n,[],"],["', "]", "\x00"]
)


def _values(contract: Contract) -> st.SearchStrategy[tuple[Value, ...]]:
    """What the fields' columns may hold, as far as rows care."""
    kinds: list[st.SearchStrategy[Value]] = []
    for field in contract.fields:
        if isinstance(field, TextField):
            kind: st.SearchStrategy[Value] = TEXTS
        elif "at" in field.name.split("_") or field.name.endswith("_on"):
            kind = st.sampled_from(INSTANTS)
        else:
            kind = st.integers(-(2**31), 2**31 - 1) | st.booleans() | st.sampled_from(["0.10", "-7"])
        kinds.append(kind if field.required else st.none() | kind)
    return st.tuples(*kinds)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@given(data=st.data(), offset=st.integers(0, 2**63 - 1))
def test_values_come_back_from_their_line(contract: Contract, data: st.DataObject, offset: int) -> None:
    values = data.draw(_values(contract))
    row = MAKE[contract.name](offset, values, horizons_of(contract)(AT))
    assert json.loads(row.line) == [offset, *values]
    assert row.values == values
    assert [type(value) for value in row.values] == [type(value) for value in values]
    assert b"\n" not in row.line
    scanned = contract.scanned_field
    assert row.text == (values[contract.position(scanned)] if scanned else None)


def test_each_rule_has_its_bit() -> None:
    rule = next(rule for rule in MESSAGES.rules if isinstance(rule, NotInFuture))
    soon, late = (
        (AT + rule.tolerance + more).replace(tzinfo=None).isoformat(" ")
        for more in (timedelta(), timedelta(microseconds=1))
    )
    calm: dict[str, Value] = dict.fromkeys((field.name for field in MESSAGES.fields), "x")
    calm |= {
        "cloudinary_url": None,
        "length_seconds": None,
        "created_at": INSTANTS[0],
        "updated_at": INSTANTS[1],
    }
    odd: dict[str, dict[str, Value]] = {
        "voice_pair_incomplete": {"length_seconds": 3},
        "updated_before_created": {"created_at": INSTANTS[1], "updated_at": INSTANTS[0]},
        rule.code: {"created_at": soon, "updated_at": late},
    }
    enricher, horizons = Enricher(MESSAGES), horizons_of(MESSAGES)(AT)
    codes = [warning.code for warning in warnings_of_rows(MESSAGES)]

    def told(change: dict[str, Value]) -> list[str]:
        row = MAKE[MESSAGES.name](0, tuple({**calm, **change}.values()), horizons)
        return [warning.code for warning in enricher.warnings_of(row)]

    assert told({}) == []
    assert told({"created_at": soon, "updated_at": soon}) == []
    for code in codes:
        assert told(odd[code]) == [code]
    assert told({**odd["voice_pair_incomplete"], **odd[rule.code]}) == [
        code for code in codes if code in ("voice_pair_incomplete", rule.code)
    ]
