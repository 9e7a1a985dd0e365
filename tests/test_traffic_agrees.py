"""The generated traffic and the program agree about every message."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from connectors.items import Batch, StoredRecord
from dataflow.contract import load
from dataflow.decode import CODES as DECODE_CODES
from dataflow.decoder import Decoder
from dataflow.detect import Detector
from dataflow.enrich import Enricher
from dataflow.fields import PresentUnless
from dataflow.model import MessageFormat, MessageFraming
from dataflow.protobuf import schema
from dataflow.validate import CODES as VALIDATE_CODES
from dataflow.validate import Validator
from tests.contents import row_digest
from tests.standins.traffic import PARTITIONS, DeadLetterOutcome, Form, RowOutcome, Traffic, generate

DAY = datetime(2026, 1, 1, tzinfo=UTC)
OF_OTHER_TYPES = {"not_a_date", "not_a_number", "too_precise"}
"""Codes of field types that this contract does not use."""


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return generate(6000, 7, DAY)


FORMS = (
    (Form.JSON, MessageFormat.JSON),
    (Form.JSON, MessageFormat.AUTO),
    (Form.PROTOBUF, MessageFormat.PROTOBUF),
    (Form.PROTOBUF, MessageFormat.AUTO),
    (Form.MIXED, MessageFormat.AUTO),
)


@pytest.mark.parametrize(("form", "read_as"), FORMS)
def test_every_message_has_the_outcome_that_its_maker_expects(form: Form, read_as: MessageFormat) -> None:
    contract = load()
    traffic = generate(6000, 7, DAY, form)
    decoder = Decoder(contract, schema.load(contract, None), read_as, MessageFraming.AUTO)
    validator, enricher, detector = Validator(contract, decoder.message_rows), Enricher(contract), Detector()
    read_at = DAY + timedelta(days=1)
    for number, message in enumerate(traffic.messages):
        batch = Batch("t", message.partition, 1, 0, 1, read_at, 0, (StoredRecord(0, message.value),))
        checked = enricher.enrich(validator.validate(decoder.decode(batch)))
        told = f"message {number}: {message.outcome}"
        if isinstance(message.outcome, DeadLetterOutcome):
            (letter,) = checked.dead_letters
            assert Counter(each.code for each in letter.violations) == Counter(message.outcome.codes), told
            continue
        (row,) = checked.rows
        values = dict(zip((field.name for field in contract.fields), row.values, strict=True))
        outcome = message.outcome
        assert (values["user_id"], values["subject_id"]) == (
            outcome.identity.user_id,
            outcome.identity.subject_id,
        )
        assert _six(values["created_at"]) == outcome.identity.created_at, told
        assert _six(values["updated_at"]) == outcome.updated_at, told
        assert values["status"] == outcome.status
        assert dict(checked.warnings) == dict(Counter(outcome.warnings)), told
        text = values["message_text"]
        (found,) = detector.detect([text if isinstance(text, str) else None])
        assert [(c.kind, c.platform, c.value, c.start, c.end) for c in found] == [
            (c.kind, c.platform, c.value, c.start, c.end) for c in outcome.contacts
        ], told
        instants = {name: _six(values[name]) for name in ("created_at", "updated_at")}
        assert row_digest({**values, **instants}) == outcome.content, told


def _six(instant: object) -> str:
    text = str(instant)
    return text if "." in text else f"{text}.000000"


def test_a_day_says_the_same_in_either_format() -> None:
    json, protobuf = generate(500, 1, DAY).messages, generate(500, 1, DAY, Form.PROTOBUF).messages
    pairs = [
        (one, other) for one, other in zip(json, protobuf, strict=True) if isinstance(one.outcome, RowOutcome)
    ]
    assert pairs
    assert all(one.outcome == other.outcome for one, other in pairs)


def test_the_same_seed_makes_the_same_day_and_another_seed_another() -> None:
    assert generate(500, 1, DAY) == generate(500, 1, DAY)
    assert generate(500, 1, DAY) != generate(500, 2, DAY)


def test_a_day_holds_everything_that_the_contract_speaks_of(traffic: Traffic) -> None:
    expected = traffic.expected()
    rows = [message.outcome for message in traffic.messages if isinstance(message.outcome, RowOutcome)]
    assert len(traffic.ends()) == PARTITIONS
    assert len(rows) == expected.versions
    assert len(rows) - len(set(rows)) > 10, "exact duplicates"
    assert expected.superseded > 500
    assert {kind for kind, _ in expected.contacts} == {"phone", "handle"}
    assert len(expected.contacts) >= 8
    assert set(expected.dead_letters) == (DECODE_CODES | VALIDATE_CODES) - OF_OTHER_TYPES
    assert set(expected.warnings) == {
        rule.code for rule in load().rules if not isinstance(rule, PresentUnless)
    }
    assert any(not (message.value or b"").isascii() for message in traffic.messages)


def test_versions_of_one_message_share_a_partition(traffic: Traffic) -> None:
    where: dict[object, int] = {}
    for message in traffic.messages:
        if isinstance(message.outcome, RowOutcome):
            assert where.setdefault(message.outcome.identity, message.partition) == message.partition
