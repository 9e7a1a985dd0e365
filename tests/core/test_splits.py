"""Rows of the contract, read with a pair's earlier messages."""

from __future__ import annotations

from dataflow.contract import load
from dataflow.detect import Detector, SplitMemory
from dataflow.model import Contact, Row, Value
from dataflow.rows import compile_row
from dataflow.splits import Splits

CONTRACT = load()
DETECTOR = Detector()
MAKE_ROW = compile_row(CONTRACT)


def row(offset: int, sender: str, text: str | None, second: int) -> Row:
    values: list[Value] = [""] * len(CONTRACT.fields)
    for name in CONTRACT.identity:
        values[CONTRACT.position(name)] = sender
    values[CONTRACT.position(CONTRACT.event_time)] = f"2026-01-01 20:00:{second:02}"
    values[CONTRACT.position(CONTRACT.scanned_field)] = text
    return MAKE_ROW(offset, tuple(values), ("",) * len(CONTRACT.rules))


def completed(splits: Splits, rows: list[Row]) -> list[list[str]]:
    alone: list[tuple[Contact, ...]] = [()] * len(rows)
    return [[contact.value for contact in contacts] for contacts in splits.complete(rows, alone)]


def test_a_contact_in_two_batches_belongs_to_the_row_that_completes_it() -> None:
    splits = Splits(CONTRACT, SplitMemory(DETECTOR))
    assert completed(splits, [row(0, "ada", "415 555", 1), row(1, "bob", "0199", 2)]) == [[], []]
    assert completed(splits, [row(2, "ada", None, 3), row(3, "ada", "0123", 4)]) == [[], ["+14155550123"]]


def test_a_row_that_was_read_before_gives_the_same_again() -> None:
    splits = Splits(CONTRACT, SplitMemory(DETECTOR))
    rows = [row(0, "ada", "add me on snap", 1), row(1, "ada", "luna_moon42", 2), row(2, "ada", "ok?", 3)]
    assert completed(splits, rows) == [[], ["luna_moon42"], []]
    assert completed(splits, rows[1:]) == [["luna_moon42"], []]
