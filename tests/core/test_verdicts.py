from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow import contract as contracts
from dataflow.verdicts import Judge
from tests.core.messages import EXAMPLE, READ_AT

JUDGE = Judge(contracts.load())


def test_the_contracts_example_is_a_row() -> None:
    line = json.dumps(EXAMPLE).encode() + b"\r\n"
    assert JUDGE.judge_line(3, line, READ_AT) == {
        "line": 3,
        "verdict": "row",
        "violations": [],
        "warnings": [],
        "unknown_fields": [],
        "row": {
            "user_id": "1234",
            "subject_id": "5678",
            "message_text": "Please date me",
            "status": "opened",
            "cloudinary_url": "https://someCdnUrlGoesHereWhereTheVoiceTextIsStored.com",
            "length_seconds": 30,
            "created_at": "2023-10-31 03:58:22",
            "updated_at": "2024-01-01 04:21:08",
        },
    }


def test_a_dead_letter_has_every_violation_and_no_row() -> None:
    verdict = JUDGE.judge_line(1, json.dumps({**EXAMPLE, "status": "read", "user_id": 1.5}).encode(), READ_AT)
    assert verdict["verdict"] == "dead_letter"
    assert "row" not in verdict
    assert [(each["field"], each["code"]) for each in verdict["violations"]] == [
        ("user_id", "wrong_type"),
        ("status", "not_in_enumeration"),
    ]
    assert "opened, unread, archived" in verdict["violations"][1]["message"]


def test_a_warning_is_told_and_the_row_kept() -> None:
    verdict = JUDGE.judge_line(1, json.dumps({**EXAMPLE, "length_seconds": None, "x": 1}).encode(), READ_AT)
    assert verdict["verdict"] == "row"
    assert [each["code"] for each in verdict["warnings"]] == ["voice_pair_incomplete"]
    assert verdict["unknown_fields"] == ["x"]


@pytest.mark.parametrize("line", [b"", b"\n", b"\r\n"])
def test_an_empty_line_is_an_empty_value(line: bytes) -> None:
    verdict = JUDGE.judge_line(1, line, READ_AT)
    assert [each["code"] for each in verdict["violations"]] == ["empty_value"]


@given(st.binary(max_size=80))
def test_any_line_gets_a_verdict_that_is_json(line: bytes) -> None:
    verdict = JUDGE.judge_line(1, line, READ_AT)
    assert json.loads(json.dumps(verdict)) == verdict
    assert (verdict["verdict"] == "row") == ("row" in verdict) == (not verdict["violations"])
