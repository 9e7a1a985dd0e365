"""JSON as COPY reads it: a JSONPaths file, and an object's rows as PostgreSQL's COPY takes them. Pure."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import orjson

VALUE_LIMIT: Final = 4 << 20
"""The largest JSON value that COPY takes, in bytes."""
CHUNK: Final = 1 << 18
"""Bytes of JSON, about, that are converted at a time."""


class BadPaths(Exception):
    """The JSONPaths file does not say what to load; the text says why."""


class BadValue(Exception):
    """A line that COPY cannot read."""

    def __init__(self, line: int, code: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.code = code
        self.message = message


Pick = Callable[[Any], Sequence[Any]]
"""From a JSON value to its columns' values."""

_INDEX: Final = re.compile(r"\$\[(\d+)\]")
_NAME: Final = re.compile(r"\$(?:\.([^\W\d]\w*)|\['([^'\[\]]+)'\])")


def parse_paths(text: bytes, columns: int) -> Pick:
    """What a JSONPaths file picks: elements of an array or members of an object. Raises `BadPaths`.

    A path that leads nowhere is NULL.
    """
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadPaths("Invalid JSONPaths file: not in correct json format") from error
    paths = told.get("jsonpaths") if isinstance(told, dict) else None
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise BadPaths("Invalid JSONPaths file: this stand-in does not fall back to 'auto'")
    if len(paths) != columns:
        raise BadPaths(
            "Number of jsonpaths and the number of columns should match. JSONPath size: "
            f"{len(paths)}, Number of columns in table or column list: {columns}"
        )
    indexes = [int(found[1]) for path in paths if (found := _INDEX.fullmatch(path))]
    if len(indexes) == len(paths):
        return _elements(indexes)
    names = [found[1] or found[2] for path in paths if (found := _NAME.fullmatch(path))]
    if len(names) == len(paths):
        return lambda value: [value.get(name) for name in names] if isinstance(value, dict) else ()
    raise BadPaths("Invalid JSONPath format: this stand-in takes indexes only or names only, of one level")


def _elements(indexes: Sequence[int]) -> Pick:
    in_order = list(range(len(indexes))) == indexes

    def pick(value: Any) -> Sequence[Any]:
        if not isinstance(value, list):
            return ()
        if in_order and len(value) == len(indexes):
            return value
        return [value[index] if index < len(value) else None for index in indexes]

    return pick


@dataclass(frozen=True, slots=True)
class _Mark:
    row: int
    file: str
    line: int


class Places:
    """Which line of which file a row came from."""

    def __init__(self) -> None:
        self.rows = 0
        """How many rows there are so far."""
        self._marks: list[_Mark] = []

    def mark(self, file: str, line: int) -> None:
        """The next row is this line's; those behind it are the lines behind it. Both count from 1."""
        self._marks.append(_Mark(self.rows + 1, file, line))

    def of(self, row: int) -> tuple[str, int]:
        """The file and line of a row; rows count from 1."""
        mark = self._marks[bisect_right(self._marks, row, key=lambda mark: mark.row) - 1]
        return mark.file, mark.line + row - mark.row


class _Verbatim(str):
    """A number as the file writes it."""


def rows_of(stream: BinaryIO, file: str, pick: Pick, width: int, places: Places) -> Iterator[bytes]:
    """The rows of an object, one JSON value a line, in PostgreSQL's text format. Raises `BadValue`.

    Holds about `CHUNK` bytes at a time, and never more than one value beyond them.
    """
    lines: list[str] = []
    held = number = 0
    unmarked = True
    while line := stream.readline(VALUE_LIMIT + 2):
        number += 1
        if len(line) > VALUE_LIMIT + 1:
            raise BadValue(number, 1216, "The JSON value exceeds the maximum size of 4194304 bytes")
        if not line.strip():
            unmarked = True
            continue
        if unmarked:
            places.mark(file, number)
            unmarked = False
        lines.append(_row(line, number, pick, width))
        places.rows += 1
        held += len(line)
        if held >= CHUNK:
            yield "".join(lines).encode()
            lines.clear()
            held = 0
    if lines:
        yield "".join(lines).encode()


def _row(line: bytes, number: int, pick: Pick, width: int) -> str:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadValue(number, 1216, "Invalid value.") from error
    if not isinstance(value, list | dict):
        raise BadValue(number, 1216, "Invalid JSON: neither an object nor an array")
    picked = pick(value) or [None] * width
    if any(type(each) is float for each in picked):
        # A float has forgotten how it was written.
        value = json.loads(line, parse_float=_Verbatim, parse_int=_Verbatim)
        picked = pick(value) or [None] * width
    return "\t".join([_text(each, number) for each in picked]) + "\n"


def _text(value: Any, line: int) -> str:
    if value is None:
        return "\\N"
    if isinstance(value, str):
        if "\0" in value:
            raise BadValue(line, 1220, "String contains invalid or unsupported UTF8 codepoints: 0x00")
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise BadValue(line, 1216, "this stand-in loads no nested JSON into a column")
