"""What the contract says of one message, for producers who ask before they send."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors.items import Batch, StoredRecord
from dataflow.contract import Contract
from dataflow.decode import decode
from dataflow.enrich import Enricher
from dataflow.validate import Validator


class Judge:
    """The pipeline's own steps, decode, validate and enrich, on one message at a time."""

    def __init__(self, contract: Contract) -> None:
        """Compile the contract."""
        self._validator = Validator(contract)
        self._enricher = Enricher(contract)
        self._columns = tuple(field.name for field in contract.fields)

    def judge_line(self, number: int, line: bytes, now: datetime) -> dict[str, Any]:
        """The verdict on one line of JSON, without or with its line feed. `now` is aware; never raises.

        `{"line": number, "verdict": "row" | "dead_letter", "violations": [{"field", "code", "message"}],
        "warnings": [{"field", "code", "message"}], "unknown_fields": [name], "row": {column: value}}`;
        a dead letter has no `row`.
        """
        record = StoredRecord(number, line.removesuffix(b"\n").removesuffix(b"\r"))
        batch = Batch("", 0, 0, number, number + 1, now, None, (record,))
        checked = self._validator.validate(decode(batch))
        verdict: dict[str, Any] = {
            "line": number,
            "verdict": "row" if checked.rows else "dead_letter",
            "violations": [
                {"field": each.field, "code": each.code, "message": each.message}
                for letter in checked.dead_letters
                for each in letter.violations
            ],
            "warnings": [
                {"field": each.field, "code": each.code, "message": each.message}
                for row in checked.rows
                for each in self._enricher.warnings_of(row)
            ],
            "unknown_fields": sorted(checked.unknown_fields),
        }
        for row in checked.rows:
            verdict["row"] = dict(zip(self._columns, row.values, strict=True))
        return verdict
