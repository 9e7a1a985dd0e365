"""`validate --format protobuf`: as many answers as lines, each under its line's number."""

from __future__ import annotations

import json
from base64 import b64encode
from io import BytesIO

import pytest

from dataflow.commands.lines import CHUNK
from dataflow.commands.validate import validate
from tests.core.messages import READ_AT
from tests.protobuf.writing import CONTRACT, SCHEMA, sent

GOOD = b64encode(sent())


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_every_line_is_answered_and_an_empty_one_is_a_message_without_bytes(end: bytes) -> None:
    given = [GOOD, b"", GOOD, b"  ", b"*", *[GOOD] * CHUNK, b"", GOOD]
    out = BytesIO()
    assert validate(BytesIO(b"\n".join(given) + end), CONTRACT, READ_AT, out, SCHEMA) == 1
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [each["line"] for each in told] == list(range(1, len(given) + 1))
    codes = {each["line"]: [one["code"] for one in each["violations"]] for each in told if each["violations"]}
    assert codes == {2: ["empty_value"], 4: ["not_base64"], 5: ["not_base64"], CHUNK + 6: ["empty_value"]}


def test_an_empty_line_of_json_lines_is_no_message() -> None:
    out = BytesIO()
    assert validate(BytesIO(b"\n\n{}\n"), CONTRACT, READ_AT, out) == 1
    assert [json.loads(line)["line"] for line in out.getvalue().splitlines()] == [3]
