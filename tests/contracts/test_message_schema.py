"""The JSON Schema of a message against the validator that really judges."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from dataflow.contract import Contract, load
from dataflow.decode import decode_value
from dataflow.fields import DateField, DecimalField, Field, IntegerField, TextField, TimestampField
from dataflow.model import Violation
from dataflow.published.message_schema import UNSAID, example_message, message_schema
from dataflow.validate import Validator
from tests.core.messages import EXAMPLE, cases
from tests.pipeline import ROOT

MESSAGES = load()
PURCHASES = load(ROOT / "tests" / "contracts" / "purchases.odcs.yaml")
CONTRACTS = (MESSAGES, PURCHASES)
SCHEMAS = {contract.name: Draft7Validator(message_schema(contract)) for contract in CONTRACTS}
ROWS = {contract.name: Validator(contract).row_values for contract in CONTRACTS}
UNSAID_CODES = {
    *("too_long", "lone_surrogate", "not_a_timestamp", "not_a_date", "out_of_range", "too_precise"),
    *("wrong_type", "number_too_large"),
}
"""What the rules that a schema can't say are called; for `wrong_type`, only of whole floats."""

_digits = st.integers(-(2**65), 2**65)
_finite = st.floats(allow_nan=False, allow_infinity=False)
_odd: st.SearchStrategy[Any] = st.none() | st.booleans() | _digits | _finite | st.text()
_odd = _odd | st.lists(st.integers(), max_size=1) | st.dictionaries(st.text(), st.integers(), max_size=1)
_days = st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True) | st.dates().map(str)
_zones = st.sampled_from(["", "Z", "z", "+00:00", "-23:59", "+14:00", "+24:00"])
_times = st.from_regex(r"[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,9})?", fullmatch=True)
_instants = st.builds("{}{}{}{}".format, _days, st.sampled_from("Tt _"), _times | st.just("23:59:60"), _zones)
_numbers = st.decimals(allow_nan=False, allow_infinity=False, places=2).map(str) | _digits.map(str)


def values(field: Field) -> st.SearchStrategy[Any]:
    """Values that are right or nearly so, and some that are anything."""
    match field:
        case TextField():
            near: st.SearchStrategy[Any] = st.sampled_from(field.values or ("", "a"))
            long = st.sampled_from(["a", "é", "\U0001f600"]).map(lambda each: each * field.max_bytes)
            near = near | st.text(max_size=8) | long | _digits | st.just("\x00") | st.just("\ud800")
        case IntegerField():
            near = st.integers(field.minimum - 1, field.maximum + 1) | st.just(30.0)
        case DecimalField():
            near = _numbers | st.floats(-1e4, 1e4) | st.integers(-2, 10**14)
        case TimestampField():
            near = _instants
        case DateField():
            near = _days
        case _:
            near = st.booleans()
    return near | near | near | _odd


def messages(contract: Contract) -> st.SearchStrategy[dict[str, Any]]:
    names = {field.name for field in contract.fields}
    usual = {
        name: value
        for name, value in (EXAMPLE if contract is MESSAGES else GOOD_PURCHASE).items()
        if name in names
    }
    one = st.sampled_from(contract.fields).flatmap(lambda f: values(f).map(lambda value: {f.name: value}))
    most = st.lists(one, min_size=1, max_size=3).map(
        lambda changes: {**usual, **{k: v for change in changes for k, v in change.items()}}
    )
    left_out = st.tuples(most, st.sets(st.sampled_from(sorted(usual)), max_size=3)).map(
        lambda pair: {name: value for name, value in pair[0].items() if name not in pair[1]}
    )
    return most | left_out


GOOD_PURCHASE: dict[str, Any] = {
    "shop": "web",
    "order_number": 9007199254740993,
    "line": 1,
    "bought_on": "2026-02-28",
    "amount": 12.5,
    "exchange_rate": "1.000000000000000001",
    "gift": True,
    "paid_at": "2026-01-31T08:00:00Z",
    "changed_at": "2026-01-31T09:00:00+01:00",
}


def judged(contract: Contract, message: dict[str, Any]) -> tuple[bool, list[Violation]]:
    """Whether the schema takes a message, and what the validator says of it as it comes over the wire."""
    raw = json.dumps(message).encode()
    fields = decode_value(raw)
    if isinstance(fields, Violation):
        return False, [fields]
    found: list[Violation] = []
    ROWS[contract.name](fields, found)
    return SCHEMAS[contract.name].is_valid(json.loads(raw)), found


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_the_schema_is_a_schema_and_takes_the_contracts_example(contract: Contract) -> None:
    Draft7Validator.check_schema(message_schema(contract))
    example = example_message(contract)
    assert bool(example) is (contract is MESSAGES)
    for message in filter(None, (example, GOOD_PURCHASE if contract is PURCHASES else dict(EXAMPLE))):
        assert judged(contract, message) == (True, [])


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_what_the_validator_accepts_the_schema_accepts(contract: Contract, data: st.DataObject) -> None:
    message = data.draw(messages(contract))
    taken, found = judged(contract, message)
    assert taken or found, message


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_what_only_the_validator_refuses_is_among_the_rules_that_the_schema_names(
    contract: Contract, data: st.DataObject
) -> None:
    message = data.draw(messages(contract))
    taken, found = judged(contract, message)
    if taken and found:
        assert {each.code for each in found} <= UNSAID_CODES
        for each in found:
            if each.code in ("wrong_type", "number_too_large"):
                assert isinstance(message[each.field], float)
                assert message[each.field].is_integer()


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_the_description_names_each_rule_that_it_cannot_say(contract: Contract) -> None:
    description = message_schema(contract)["description"]
    for field in contract.fields:
        for rule in UNSAID.get(type(field), ()):
            assert rule in description


def test_the_validators_own_cases_hold_for_the_schema() -> None:
    tried = 0
    for case in cases("validate.jsonl"):
        dropped = case.get("drop", [])
        if "raw" in case or "repeat" in case:
            continue
        fields = {**EXAMPLE, **case.get("change", {})}
        taken, found = judged(MESSAGES, {name: fields[name] for name in fields if name not in dropped})
        assert taken or found, case["name"]
        tried += 1
    assert tried > 50


def test_the_schema_is_written_as_json() -> None:
    assert orjson.loads(orjson.dumps(message_schema(MESSAGES))) == message_schema(MESSAGES)
