"""The packaged contract, its table of type 2 instead of type 1: what a person changes in the file."""

from __future__ import annotations

from importlib import resources

from dataflow.contract import Contract, parse

_CHANGES = (
    ("property: scd\n        value: 1", "property: scd\n        value: 2"),
    (
        "properties: [user_id, subject_id, created_at]",
        "properties: [user_id, subject_id, created_at, updated_at]",
    ),
)


def history_text() -> str:
    text = resources.files("dataflow").joinpath("contracts", "messages.odcs.yaml").read_text(encoding="utf-8")
    for old, new in _CHANGES:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def history_contract() -> Contract:
    return parse(history_text(), "history.odcs.yaml")
