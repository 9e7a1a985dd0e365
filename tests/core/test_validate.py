from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.items import Fill
from dataflow import contract as contracts
from dataflow.decode import decode
from dataflow.enrich import Enricher
from dataflow.fields import IntegerField, TextField, TimestampField
from dataflow.model import Checked
from dataflow.published.tables import takes
from dataflow.validate import CODES, MAX_UNKNOWN_NAMES, OTHER_NAMES, Validator
from tests.core.messages import EXAMPLE, batch_of, cases
from tests.pipeline import ROOT

CONTRACT = contracts.load()
VALIDATOR = Validator(CONTRACT)
ENRICHER = Enricher(CONTRACT)
NAMES = [field.name for field in CONTRACT.fields]


def _message(case: dict[str, Any]) -> bytes:
    fields = {**EXAMPLE, **case.get("change", {})}
    fields |= {name: text * times for name, (text, times) in case.get("repeat", {}).items()}
    raw = case.get("raw", {})
    parts = [
        f"{json.dumps(name)}:{json.dumps(value)}"
        for name, value in fields.items()
        if name not in case.get("drop", []) and name not in raw
    ]
    parts += [f'"{name}":{text}' for name, text in raw.items()]
    return ("{" + ",".join(parts) + "}").encode()


def _checked(*values: bytes | None) -> Checked:
    return ENRICHER.enrich(VALIDATOR.validate(decode(batch_of(values))))


@pytest.mark.parametrize("case", cases("validate.jsonl"), ids=lambda case: case["name"])
def test_each_message_is_read_as_the_contract_says(case: dict[str, Any]) -> None:
    checked = _checked(_message(case))
    found = [f"{each.field} {each.code}" for letter in checked.dead_letters for each in letter.violations]
    assert found == case["codes"]
    assert len(checked.rows) == (0 if case["codes"] else 1)
    for row in checked.rows:
        assert case.get("row", {}).items() <= dict(zip(NAMES, row.values, strict=True)).items()
    if "warnings" in case:
        assert sorted(checked.warnings) == case["warnings"]
    assert checked.unknown_fields == case.get("unknown", {})


PURCHASE = {
    "shop": "web",
    "order_number": 9007199254740993,
    "line": 1,
    "bought_on": "2026-02-28",
    "amount": 12.5,
    "gift": False,
    "paid_at": "2026-02-28T10:00:00Z",
    "changed_at": "2026-02-28T10:00:01Z",
}
PURCHASES_TEXT = (ROOT / "tests" / "contracts" / "purchases.odcs.yaml").read_text(encoding="utf-8")
PURCHASES = contracts.parse(PURCHASES_TEXT, "purchases.odcs.yaml")
PURCHASE_VALIDATOR = Validator(PURCHASES)


@pytest.mark.parametrize("case", cases("purchases.jsonl"), ids=lambda case: case["name"])
def test_each_purchase_is_read_as_its_contract_says(case: dict[str, Any]) -> None:
    fields = {**PURCHASE, **case.get("change", {})}
    value = json.dumps({name: fields[name] for name in fields if name not in case.get("drop", [])})
    checked = PURCHASE_VALIDATOR.validate(decode(batch_of([value.encode()])))
    found = [f"{each.field} {each.code}" for letter in checked.dead_letters for each in letter.violations]
    assert found == case["codes"]
    names = [field.name for field in PURCHASES.fields]
    for row in checked.rows:
        assert case.get("row", {}).items() <= dict(zip(names, row.values, strict=True)).items()


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.booleans())
def test_an_amount_is_stored_exactly_or_refused(amount: Decimal, text: bool) -> None:
    written = f"{amount:f}"
    value = json.dumps({**PURCHASE, "amount": 0}).replace(
        '"amount": 0', f'"amount": "{written}"' if text else f'"amount": {written}'
    )
    checked = PURCHASE_VALIDATOR.validate(decode(batch_of([value.encode()])))
    fits = 0 <= amount < 10**10 and amount == round(amount, 2)
    assert bool(checked.rows) is fits
    for row in checked.rows:
        stored = row.values[[field.name for field in PURCHASES.fields].index("amount")]
        assert isinstance(stored, str)
        assert Decimal(stored) == amount


@given(st.integers(1, 38).flatmap(lambda digits: st.tuples(st.just(digits), st.integers(0, min(digits, 37)))))
@settings(deadline=None)
def test_a_decimals_limits_are_exact_whatever_its_digits(digits: tuple[int, int]) -> None:
    precision, scale = digits
    contract = contracts.parse(
        PURCHASES_TEXT.replace("decimal(38,18)", f"decimal({precision},{scale})"), "purchases.odcs.yaml"
    )
    at = contract.position("exchange_rate")
    whole, fraction = "9" * (precision - scale) or "0", "9" * scale
    largest = f"{whole}.{fraction}" if scale else whole
    limits = f"from -{largest} to {largest}"
    rates = [largest, f"-{largest}", f"1{'0' * (precision - scale)}", f"-1{'0' * (precision - scale)}"]
    batch = batch_of([json.dumps({**PURCHASE, "exchange_rate": rate}).encode() for rate in rates])
    checked = Validator(contract).validate(decode(batch))
    assert [row.values[at] for row in checked.rows] == rates[:2]
    for letter in checked.dead_letters:
        (violation,) = letter.violations
        # The form takes 38 digits before the point, which is one fewer than 10 to the power of 38 has.
        assert violation.code == ("not_a_number" if precision - scale == 38 else "out_of_range")
        assert limits in violation.message or violation.code == "not_a_number"
    described = next(each for each in contract.terms.properties if each.name == "exchange_rate")
    assert limits in takes(contract, described)


@pytest.mark.parametrize("limit", ["99999999999999999998", "-99999999999999999998"])
def test_a_limit_of_twenty_digits_is_the_one_that_was_written(limit: str) -> None:
    options = f"logicalTypeOptions:\n          {'minimum' if limit[0] == '-' else 'maximum'}: {limit}"
    typed = "physicalType: decimal(38,18)"
    text = PURCHASES_TEXT.replace(typed, f"{options}\n        {typed}")
    contract = contracts.parse(text, "purchases.odcs.yaml")
    beyond = limit.replace("98", "99")
    batch = batch_of([json.dumps({**PURCHASE, "exchange_rate": each}).encode() for each in (limit, beyond)])
    checked = Validator(contract).validate(decode(batch))
    assert [row.offset for row in checked.rows] == [0]
    fraction = text.replace(f": {limit}", f": {limit[:-2]}.98")
    with pytest.raises(contracts.ContractError, match="more digits than 64 bits hold"):
        contracts.parse(fraction, "purchases.odcs.yaml")


def test_every_code_has_a_case() -> None:
    given_codes = {
        code.split()[1]
        for file in ("validate.jsonl", "purchases.jsonl")
        for case in cases(file)
        for code in case["codes"]
    }
    assert given_codes == CODES


def test_the_contracts_example_becomes_this_row() -> None:
    (row,) = _checked(json.dumps(EXAMPLE).encode()).rows
    assert row.offset == 0
    assert row.values == (
        *("1234", "5678", "Please date me", "opened"),
        *("https://someCdnUrlGoesHereWhereTheVoiceTextIsStored.com", 30),
        *("2023-10-31 03:58:22", "2024-01-01 04:21:08"),
    )


def test_unknown_names_are_bounded_in_number_and_length() -> None:
    values = [json.dumps({**EXAMPLE, f"extra{at}": 1, "y" * 5000: 1}).encode() for at in range(500)]
    unknown = _checked(*values).unknown_fields
    assert MAX_UNKNOWN_NAMES <= len(unknown) <= MAX_UNKNOWN_NAMES + 1
    assert sum(unknown.values()) == 1000
    assert unknown[OTHER_NAMES] >= 500


@pytest.mark.parametrize(
    "name", ["+1 202 555 0143", "n2025550143", "jane@example.org", "\ud800", "x" * 65, ""]
)
def test_an_unknown_name_that_may_be_data_is_counted_but_not_told(name: str) -> None:
    value = json.dumps({**EXAMPLE, name: 1}).encode()
    assert _checked(value).unknown_fields == {OTHER_NAMES: 1}


def test_dead_letters_of_both_steps_stand_in_the_order_of_their_offsets() -> None:
    good = json.dumps(EXAMPLE).encode()
    checked = _checked(b"{}", None, good, b"[]", b'{"status": 1}')
    assert [letter.record.offset() for letter in checked.dead_letters] == [0, 1, 3, 4]
    assert [row.offset for row in checked.rows] == [2]


def test_warnings_count_rows() -> None:
    odd = json.dumps({**EXAMPLE, "length_seconds": None}).encode()
    far = json.dumps({**EXAMPLE, "created_at": "2033-01-01T00:00:00Z"}).encode()
    assert _checked(odd, odd, far, json.dumps(EXAMPLE).encode()).warnings == {
        "voice_pair_incomplete": 2,
        "updated_before_created": 1,
        "timestamp_in_future": 1,
    }


instants = st.datetimes().map(lambda instant: instant.isoformat() + "Z")
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=80)
    | st.text("aé😀\x00\ud800", min_size=100, max_size=700)
    | st.sampled_from(["opened", "unread", "archived", "2023-10-31T03:58:22Z", "2023-10-31", "", 0, 60, 61])
    | instants
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
objects = st.builds(
    lambda base, change, drop: {k: v for k, v in {**base, **change}.items() if k not in drop},
    st.sampled_from([dict(EXAMPLE), {}]),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), values, max_size=4),
    st.sets(st.sampled_from(NAMES), max_size=2),
)


def _fits(checked: Checked) -> None:
    stamp = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?", re.ASCII)
    for row in checked.rows:
        assert len(row.values) == len(CONTRACT.table.message_columns)
        for field, value in zip(CONTRACT.fields, row.values, strict=True):
            if value is None:
                assert not field.required
            elif isinstance(field, TextField):
                assert isinstance(value, str)
                assert field.min_bytes <= len(value.encode()) <= field.max_bytes
                assert "\x00" not in value
                assert not field.values or value in field.values
            elif isinstance(field, IntegerField):
                assert type(value) is int
                assert field.minimum <= value <= field.maximum
            else:
                assert isinstance(field, TimestampField)
                assert isinstance(value, str)
                assert stamp.fullmatch(value)
                datetime.fromisoformat(value)


@given(st.lists(objects, max_size=5))
def test_every_message_is_exactly_one_row_that_fits_the_table_or_one_dead_letter(
    messages: list[dict[str, Any]],
) -> None:
    checked = _checked(*(json.dumps(message).encode() for message in messages))
    offsets = [row.offset for row in checked.rows] + [each.record.offset() for each in checked.dead_letters]
    assert sorted(offsets) == list(range(len(messages)))
    assert all(letter.violations for letter in checked.dead_letters)
    _fits(checked)


@given(st.lists(st.none() | st.binary(max_size=80), max_size=6))
def test_any_bytes_are_rows_or_dead_letters(bodies: list[bytes | None]) -> None:
    checked = _checked(*bodies)
    assert len(checked.rows) + len(checked.dead_letters) == len(bodies)
    _fits(checked)


@given(st.datetimes(), st.integers(-1439, 1439))
def test_an_instant_written_with_any_offset_is_stored_as_the_same_instant(
    instant: datetime, minutes: int
) -> None:
    sign, ahead = "-" if minutes < 0 else "+", abs(minutes)
    text = f"{instant.isoformat()}{sign}{ahead // 60:02}:{ahead % 60:02}"
    checked = _checked(json.dumps({**EXAMPLE, "created_at": text}).encode())
    for row in checked.rows:
        stored = datetime.fromisoformat(f"{row.values[NAMES.index('created_at')]}+00:00")
        assert stored == datetime.fromisoformat(text)
    for letter in checked.dead_letters:
        assert [violation.code for violation in letter.violations] == ["out_of_range"]


@given(st.sampled_from(NAMES), st.text("qxzé\x00", min_size=5, max_size=300))
def test_a_violation_never_quotes_the_value(name: str, secret: str) -> None:
    for value in (secret, [secret], {secret: 1}):
        for letter in _checked(json.dumps({**EXAMPLE, name: value}).encode()).dead_letters:
            assert not [each for each in letter.violations if secret in each.message]


def test_the_commit_fills_what_the_message_does_not() -> None:
    fills = [column.fill for column in CONTRACT.table.columns if column.fill is not Fill.MESSAGE]
    assert fills == [Fill.COMMIT_TIME, Fill.COMMIT_ID, Fill.SOURCE_NAME]
