"""The statements of the way by S3: COPY into the staging table, and what its errors are. Pure.

COPY reads JSON, because JSON tells NULL from the empty string and from every text, and because the options
that would alter data in silence (NULL AS, ESCAPE, TRUNCATECOLUMNS, ACCEPTINVCHARS, MAXERROR, BLANKSASNULL,
EMPTYASNULL, TRIMBLANKS) are not there with it, or are left out here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from connectors.items import Table
from connectors.redshift_sql import POSITION_COLUMNS, STAGED, names

LITERAL = re.compile(r"[ -&(-\[\]-~]*")
"""What is the same in a literal of Redshift's and of PostgreSQL's: no quote, no backslash, no control."""


@dataclass(frozen=True, slots=True)
class Role:
    """The warehouse reads the bucket in a role that is attached to it. `arn` None: its default role."""

    arn: str | None


@dataclass(frozen=True, slots=True)
class TemporaryCredentials:
    """The warehouse reads the bucket with somebody's credentials, which stand in the statement."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


Authorization = Role | TemporaryCredentials


def copy_staged(
    table: Table, manifest: str, jsonpaths: str, authorization: Authorization, region: str | None
) -> str:
    """COPY what a manifest names into the staging table. `manifest`, `jsonpaths`: s3:// addresses.

    `region`: the bucket's, when it is not the warehouse's. Raises ValueError for what no literal can hold.
    """
    columns = (*table.message_columns, *POSITION_COLUMNS)
    parts = [
        f"COPY {STAGED} ({names(columns)})",
        f"FROM {_literal(manifest)}",
        _authorization(authorization),
        *([f"REGION {_literal(region)}"] if region else []),
        f"MANIFEST FORMAT JSON {_literal(jsonpaths)}",
        "GZIP TIMEFORMAT 'auto' COMPUPDATE OFF STATUPDATE OFF",
    ]
    return " ".join(parts)


def _authorization(authorization: Authorization) -> str:
    match authorization:
        case Role(arn):
            return "IAM_ROLE default" if arn is None else f"IAM_ROLE {_literal(arn)}"
        case TemporaryCredentials(access_key_id, secret, token):
            session = f" SESSION_TOKEN {_literal(token)}" if token else ""
            return f"ACCESS_KEY_ID {_literal(access_key_id)} SECRET_ACCESS_KEY {_literal(secret)}{session}"


def _literal(value: str) -> str:
    if not LITERAL.fullmatch(value):
        # Not quoted: it may be a secret.
        raise ValueError("a quote, a backslash or a control character cannot be told to COPY")
    return f"'{value}'"


def read_load_errors() -> str:
    """The newest errors of COPYs from below an address. Parameters: the address's length, the address.

    (file, line, column, error code, message). What is longer than 256 bytes is cut there.
    """
    return (
        "SELECT file_name, line_number, column_name, error_code, error_message FROM sys_load_error_detail "
        "WHERE left(file_name, CAST(%s AS integer)) = %s ORDER BY start_time DESC, line_number LIMIT 20"
    )


@dataclass(frozen=True, slots=True)
class LoadError:
    """One row that a COPY did not take, without its values."""

    file: str
    line: int
    column: str
    code: int
    message: str


FILE_NAME_LENGTH = 256
_QUOTED = re.compile(r"['\"].*", re.DOTALL)


def load_error(file: str, line: int, column: str, code: int, message: str) -> LoadError:
    """An error as the view tells it. A message may quote a value: what follows a quotation mark is cut."""
    told = _QUOTED.sub("…", message.strip())
    return LoadError(file.strip(), int(line), column.strip(), int(code), told)
