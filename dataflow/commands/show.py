"""How the operators' commands speak: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, TextIO

import orjson


class Form(Enum):
    """Who reads the answer."""

    TABLE = "table"
    JSON = "json"


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], out: TextIO) -> None:
    """Columns as wide as they need to be; numbers to the right."""
    texts = [[_text(value) for value in row] for row in rows]
    wide = [max(len(line[at]) for line in [list(headings), *texts]) for at in range(len(headings))]
    right = [bool(rows) and all(isinstance(row[at], int) for row in rows) for at in range(len(headings))]
    for line in [list(headings), *texts]:
        cells = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, wide, right, strict=True)
        ]
        print("  ".join(cells).rstrip(), file=out)


def _text(value: object) -> str:
    if value is None:
        return "-"
    return moment(value) if isinstance(value, datetime) else str(value)


def moment(at: datetime | None) -> str:
    """`2026-01-31T08:00:00Z`; `-` for none."""
    return "-" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def json_line(value: Any, out: TextIO) -> None:
    """One JSON value on one line."""
    print(orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS).decode(), file=out, flush=True)


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    raise TypeError(type(value).__name__)
