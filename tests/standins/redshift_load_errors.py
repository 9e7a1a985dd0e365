"""What Redshift says of a load that failed, and what it keeps of it in `sys_load_error_detail`. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from tests.standins.redshift_rows import Places
from tests.standins.redshift_s3 import BadRow, CopyFailed


@dataclass(frozen=True, slots=True)
class Load:
    """One COPY that runs: who runs it, on what."""

    query_id: int
    start_time: datetime
    """UTC, without a zone."""
    user_id: int
    transaction_id: int
    session_id: int
    database_name: str
    table_id: int | None
    columns: Mapping[str, str]
    """Column name to PostgreSQL's name of its type."""


class LoadError(NamedTuple):
    """The value that ended a load."""

    file_name: str
    line_number: int
    column_name: str
    position: int
    error_code: int
    error_message: str


class _Meaning(NamedTuple):
    code: int
    message: str


_MEANINGS: Final = {
    "22001": _Meaning(1204, "String length exceeds DDL length"),
    "22003": _Meaning(1222, "Overflow"),
    "22007": _Meaning(1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
    "22008": _Meaning(1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
    "22021": _Meaning(1220, "String contains invalid or unsupported UTF8 codepoints"),
    "23502": _Meaning(1213, "Missing data for not-null field"),
}
_CONTEXT: Final = re.compile(r'COPY .*?, line (\d+)(?:, column (.*?): (?:"(.*)"|null input))?', re.DOTALL)
_NON_DIGIT: Final = re.compile(r"[^0-9-]|(?<!^)-")


def load_error(fields: Mapping[str, str], places: Places) -> LoadError | None:
    """What PostgreSQL's error says of a row; None when it is about none."""
    found = _CONTEXT.match(fields.get("W", ""))
    if found is None or places.rows == 0 or fields["C"][:2] not in ("22", "23"):
        return None
    file, line = places.of(int(found[1]))
    column, value, position = found[2] or fields.get("c", ""), found[3] or "", 0
    meaning = _MEANINGS.get(fields["C"])
    if meaning is None:
        bad = _NON_DIGIT.search(value)
        position = bad.start() if bad else 0
        meaning = _Meaning(1207, f"Invalid digit, Value '{value[position : position + 1]}', Pos {position}")
    return LoadError(file, line, column, position, *meaning)


def of_bad_row(error: BadRow) -> LoadError:
    """What was wrong with a line that is no row."""
    return LoadError(error.file, error.line, "", 0, error.code, error.message)


_SHORT: Final = {
    "character varying": "varchar",
    "character": "char",
    "integer": "int4",
    "bigint": "int8",
    "smallint": "int2",
    "boolean": "bool",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz",
}
_TYPE: Final = re.compile(r"([^(]*)(?:\((\d+)\))?(.*)")


def as_insert(load: Load, error: LoadError) -> str:
    """The statement that keeps it."""
    found = _TYPE.fullmatch(load.columns.get(error.column_name, ""))
    told: dict[str, Any] = {
        name: getattr(load, name)
        for name in ("user_id", "query_id", "transaction_id", "session_id", "database_name", "table_id")
    }
    told["start_time"] = load.start_time.isoformat(sep=" ")
    told |= error._asdict()
    told["column_type"] = _SHORT.get(found[1] + found[3], found[1]) if found else ""
    told["column_length"] = (found[2] or "") if found else ""
    for name, length in _LENGTHS.items():
        told[name] = str(told[name]).encode()[:length].decode(errors="ignore")
    literal = json.dumps(told, ensure_ascii=False).replace("\\", "\\\\").replace("'", "''")
    return (
        "INSERT INTO pg_catalog.redshift_load_errors "
        f"SELECT * FROM json_populate_record(NULL::pg_catalog.redshift_load_errors, '{literal}')"
    )


_LENGTHS: Final = {
    "database_name": 64,
    "file_name": 256,
    "column_name": 127,
    "column_type": 10,
    "column_length": 10,
    "error_message": 512,
}


def said_of_load(table: str) -> dict[str, str]:
    """The error of a load that a row ended."""
    return {
        "S": "ERROR",
        "C": "XX000",
        "M": f"Load into table '{table}' failed.  Check 'sys_load_error_detail' system table for details.",
    }


def said_of_failure(failed: CopyFailed) -> dict[str, str]:
    """The error of a load that did not get at its rows."""
    rule = "-" * 47
    detail = (
        f"\n  {rule}\n  error:  {failed.message}\n  code:      {failed.code}\n  context:   {failed.context}\n"
        f"  query:     0\n  location:  s3_utility.cpp:0\n  process:   padbmaster [pid=0]\n  {rule}\n"
    )
    return {"S": "ERROR", "C": "XX000", "M": failed.message, "D": detail}
