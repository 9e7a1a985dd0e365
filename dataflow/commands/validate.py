"""`validate`: messages against the contract, for a producer's own CI."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, BinaryIO

import orjson

from connectors.items import Batch, StoredRecord
from dataflow.commands.lines import Line, chunks, chunks_of_all
from dataflow.contract import Contract
from dataflow.decoder import Decoder
from dataflow.enrich import Enricher
from dataflow.model import ContractWarning, DeadLetter, MessageFormat, MessageFraming, Row, Violation
from dataflow.protobuf.schema import ProtobufSchema
from dataflow.validate import Validator


def validate(
    lines: BinaryIO, contract: Contract, now: datetime, out: BinaryIO, protobuf: ProtobufSchema | None = None
) -> int:
    """Judge each line as the pipeline would a message with this value; 1 when any is a dead letter, else 0.

    A line is a message in JSON, and an empty one is none; with `protobuf`, the base64 of one in Protobuf, in
    a frame or not, and an empty line is the message of 0 bytes. One JSON line out for each message:
    `{"line", "verdict": "row" | "dead_letter", "violations": [{"field", "code", "message"}],
    "warnings": [...], "row": {...}}`; a dead letter has no row. `now` is what timestamps in the
    future are measured against.
    """
    judge = _Judge(contract, now, protobuf)
    worst = 0
    for chunk in chunks(lines) if protobuf is None else chunks_of_all(lines):
        for judged in judge.judge(chunk):
            worst |= judged["verdict"] == "dead_letter"
            out.write(orjson.dumps(judged, option=orjson.OPT_APPEND_NEWLINE))
        out.flush()
    return int(worst)


NOT_BASE64 = Violation("", "not_base64", "the line is not base64; write one message a line, base64 -w0")


class _Judge:
    def __init__(self, contract: Contract, now: datetime, protobuf: ProtobufSchema | None) -> None:
        self._is_base64 = protobuf is not None
        if protobuf is None:
            self._decoder = Decoder(contract)
        else:
            self._decoder = Decoder(contract, protobuf, MessageFormat.PROTOBUF, MessageFraming.AUTO)
        self._validator = Validator(contract, self._decoder.message_rows)
        self._enricher = Enricher(contract)
        self._names = tuple(field.name for field in contract.fields)
        self._now = now

    def judge(self, chunk: list[Line]) -> list[dict[str, Any]]:
        """The lines' judgements, in their order. A line's number stands for its offset."""
        records: list[StoredRecord] = []
        judged: dict[int, dict[str, Any]] = {}
        for number, body in chunk:
            try:
                records.append(
                    StoredRecord(number, b64decode(body, validate=True) if self._is_base64 else body)
                )
            except binascii.Error:
                judged[number] = _dead_letter(DeadLetter(StoredRecord(number, body), (NOT_BASE64,)))
        first, last = chunk[0][0], chunk[-1][0]
        batch = Batch("", 0, 0, first, last + 1, self._now, None, records)
        checked = self._validator.validate(self._decoder.decode(batch))
        judged |= {row.offset: self._row(row) for row in checked.rows}
        judged |= {letter.record.offset(): _dead_letter(letter) for letter in checked.dead_letters}
        return [judged[number] for number, _ in chunk]

    def _row(self, row: Row) -> dict[str, Any]:
        return {
            "line": row.offset,
            "verdict": "row",
            "violations": [],
            "warnings": [_told(each) for each in self._enricher.warnings_of(row)],
            "row": dict(zip(self._names, row.values, strict=True)),
        }


def _dead_letter(letter: DeadLetter) -> dict[str, Any]:
    return {
        "line": letter.record.offset(),
        "verdict": "dead_letter",
        "violations": [_told(each) for each in letter.violations],
        "warnings": [],
    }


def _told(odd: Violation | ContractWarning) -> Mapping[str, str]:
    return {"field": odd.field, "code": odd.code, "message": odd.message}
