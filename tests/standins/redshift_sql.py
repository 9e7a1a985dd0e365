"""Redshift's SQL, told in PostgreSQL's. Pure.

What Redshift accepts and PostgreSQL doesn't is rewritten; what PostgreSQL accepts and Redshift doesn't is
refused with Redshift's error, so that nothing passes here that the real one would turn down. Only words
are ever touched: never what stands in a string literal, a quoted identifier or a comment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, NamedTuple

from tests.standins.redshift_copy import Copy, Refused, parse_copy
from tests.standins.redshift_words import Words, statements_of, tokens_of


class Kind(Enum):
    """What the wire has to know of a statement."""

    COMMIT = auto()
    TRUNCATE = auto()
    """Redshift commits after it."""
    ALONE = auto()
    """Runs outside of a transaction only."""
    COPY = auto()
    """Loads from S3: not PostgreSQL's to run."""
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Statement:
    """What PostgreSQL is to run: one statement, or several of a simple query."""

    sql: str
    kinds: tuple[Kind, ...]
    copy: Copy | None = None
    """What a COPY asks for; the SQL then takes the rows from the session."""


def translate(sql: str) -> Statement:
    """PostgreSQL's words for Redshift's. Raises `Refused`."""
    if _TELLING.search(sql) is None and (first := _FIRST_WORD.match(sql)) is not None:
        return Statement(sql, (_KINDS.get(first[1].upper(), Kind.OTHER),))
    written: list[str] = []
    kinds: list[Kind] = []
    copy: Copy | None = None
    for tokens in statements_of(tokens_of(sql)):
        words = Words(tokens)
        if words.upper:
            kinds.append(_kind(words))
            if kinds[-1] is Kind.COPY:
                if len(kinds) > 1:
                    raise Refused("0A000", "this stand-in serves no COPY among other statements")
                copy = parse_copy(words)
                continue
            _rewrite(words)
        written.extend(token.text for token in tokens)
        written.extend(words.appended)
    if copy is not None:
        if len(kinds) > 1:
            raise Refused("0A000", "this stand-in serves no COPY among other statements")
        return Statement(copy.for_postgres(), (Kind.COPY,), copy)
    return Statement("".join(written), tuple(kinds) or (Kind.OTHER,))


_KINDS: Final = {"COMMIT": Kind.COMMIT, "END": Kind.COMMIT, "TRUNCATE": Kind.TRUNCATE, "COPY": Kind.COPY}

_FIRST_WORD: Final = re.compile(r"\s*([A-Za-z]+)\b")

_LEADER_ONLY: Final = frozenset(
    {"NOW", "CLOCK_TIMESTAMP", "STATEMENT_TIMESTAMP", "TRANSACTION_TIMESTAMP", "GENERATE_SERIES"}
)
"""Functions that Redshift runs on its leader node only, never on a table's rows."""

_UNKNOWN_TYPES: Final = frozenset(
    {"JSON", "JSONB", "UUID", "BYTEA", "XML", "INET", "CIDR", "HSTORE", "MONEY", "SERIAL", "BIGSERIAL", "BIT"}
)

_LENGTHLESS: Final = {"VARCHAR": "varchar(256)", "TEXT": "varchar(256)", "NVARCHAR": "varchar(256)"}
"""What Redshift makes of a character type without a length."""

_NEVER: Final[Sequence[tuple[str, ...]]] = (
    ("ON", "CONFLICT"),
    ("RETURNING",),
    ("DISTINCT", "ON", "("),
    ("SAVEPOINT",),
    ("FOR", "UPDATE"),
    ("FOR", "SHARE"),
    ("CREATE", "INDEX"),
    ("CREATE", "UNIQUE", "INDEX"),
    ("UNLOGGED",),
)
"""Words that Redshift's grammar does not have in this order."""

_TELLING: Final = re.compile(
    r";|\b(?:CREATE|ALTER|MERGE|COPY|LOCK|DELETE\s+(?!FROM\b)|SYSDATE|FORCE|CONFLICT|RETURNING|DISTINCT\s+ON"
    r"|SAVEPOINT|FOR\s+(?:UPDATE|SHARE)|NOW|CLOCK_TIMESTAMP|STATEMENT_TIMESTAMP|TRANSACTION_TIMESTAMP"
    r"|GENERATE_SERIES)\b",
    re.IGNORECASE,
)
"""Without one of these a statement means the same to both: a load of many values is not taken apart."""


def _syntax_error(near: str) -> Refused:
    return Refused("42601", f'syntax error at or near "{near}"')


def _rewrite(words: Words) -> None:
    _refuse_what_redshift_lacks(words)
    for index, word in enumerate(words.upper):
        if (
            word == "SYSDATE"
            and words.at(index + 1) not in ("(", ".")
            and words.upper[index - 1] not in (".", "AS")
        ):
            words.replace(index, index + 1, "pg_catalog.sysdate()")
    rule = _RULES.get(words.upper[0])
    if rule is not None:
        rule(words)


def _refuse_what_redshift_lacks(words: Words) -> None:
    on_rows = words.upper[0] not in ("SELECT", "SET", "SHOW") or "FROM" in words.upper
    for index, word in enumerate(words.upper):
        for never in _NEVER:
            if word == never[0] and tuple(words.upper[index : index + len(never)]) == never:
                raise _syntax_error(never[-1])
        if on_rows and word in _LEADER_ONLY and words.at(index + 1) == "(":
            raise Refused(
                "0A000",
                "Specified types or functions (one per INFO message) not supported on Redshift tables.",
            )


def _kind(words: Words) -> Kind:
    if words.upper[:2] == ["ALTER", "TABLE"] and _alters_column(words):
        return Kind.ALONE
    return _KINDS.get(words.upper[0], Kind.OTHER)


def _alters_column(words: Words) -> bool:
    return "ALTER" in words.upper[2:] and "COLUMN" in words.upper


def _alter(words: Words) -> None:
    """One change a statement; a length of varchar, and no other type; no NOT NULL without a default."""
    if words.at(1) != "TABLE":
        return
    at = words.after_name(2)
    action, what = words.at(at), words.at(at + 1)
    depth = 0
    for word in words.upper[at:]:
        depth += (word == "(") - (word == ")")
        if word == "," and not depth:
            raise _syntax_error(",")
    if action == "ADD" and what == "COLUMN":
        rest = words.upper[at + 2 :]
        if "NULL" in rest and "NOT" in rest and "DEFAULT" not in rest:
            raise Refused(
                "42601", "ALTER TABLE ADD COLUMN defined as NOT NULL must have a non-null default expression"
            )
    if action == "ALTER" and what == "COLUMN":
        after = words.after_name(at + 2)
        if words.at(after) == "ENCODE":
            raise Refused("0A000", "this stand-in changes no encoding")
        if words.at(after) != "TYPE":
            raise _syntax_error(words.at(after))
        if words.at(after + 1) not in ("VARCHAR", "CHARACTER"):
            raise Refused("0A000", "ALTER COLUMN TYPE is only supported for VARCHAR columns")


def _delete(words: Words) -> None:
    if words.at(1) != "FROM":
        words.replace(0, 1, "DELETE FROM")


def _drop(words: Words) -> None:
    if words.at(1) == "DATABASE" and words.at(3) == "FORCE":
        words.replace(3, 4, "WITH (FORCE)")


def _lock(words: Words) -> None:
    if "IN" in words.upper:
        raise _syntax_error("IN")


def _merge(words: Words) -> None:
    target = 2 if words.at(1) == "INTO" else 1
    using = words.after_name(target)
    if words.at(using) != "USING":
        raise _syntax_error(words.at(using))
    if words.at(using + 1) == "(":
        raise Refused("0A000", "MERGE source must be a table")
    actions: list[str] = []
    index = using
    while index < len(words.upper):
        word = words.upper[index]
        if word == "(":
            index = words.after_group(index)
            continue
        if word == "WHEN" and words.at(index + 1) in ("MATCHED", "NOT"):
            then = index + 2 if words.at(index + 1) == "MATCHED" else index + 3
            if words.at(then) != "THEN":
                raise _syntax_error(words.at(then))
            actions.append(" ".join([*words.upper[index + 1 : then], words.at(then + 1)]))
        index += 1
    if actions not in (["MATCHED UPDATE", "NOT MATCHED INSERT"], ["MATCHED DELETE", "NOT MATCHED INSERT"]):
        raise Refused("42601", "MERGE needs one WHEN MATCHED and one WHEN NOT MATCHED clause")


@dataclass(slots=True)
class _Keys:
    """What Redshift knows of a table and PostgreSQL has no place for."""

    table: str
    diststyle: str = "AUTO"
    distkey: str | None = None
    sortkey: list[str] = field(default_factory=list)
    interleaved: bool = False
    encodings: dict[str, str] = field(default_factory=dict)

    def as_comment(self) -> str:
        """For the catalogue's trigger, which reads it in the statement that creates the table."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return f"\n/*redshift {json.dumps(told).replace('/', chr(92) + 'u002f')}*/"


class _Clause(NamedTuple):
    first: int
    end: int


def _create(words: Words) -> None:
    index = 1
    while words.at(index) in ("LOCAL", "GLOBAL", "TEMP", "TEMPORARY"):
        index += 1
    if words.at(index) != "TABLE":
        return
    index += 1
    if words.at(index) == "IF":
        index += 3
    end = words.after_name(index)
    keys = _Keys(words.name(end - 1))
    index = end
    if words.at(index) == "(":
        end = words.after_group(index)
        _columns(words, _Clause(index, end), keys)
        index = end
    _attributes(words, index, keys)
    words.appended.append(keys.as_comment())


def _columns(words: Words, clause: _Clause, keys: _Keys) -> None:
    kept = 0
    start = index = clause.first + 1
    while index < clause.end:
        if words.at(index) == "(":
            index = words.after_group(index)
        elif words.at(index) == "," or index == clause.end - 1:
            if words.at(start) in ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT"):
                words.replace(start - 1 if kept else start, index)
            else:
                kept += 1
                _column(words, _Clause(start, index), keys)
            start = index = index + 1
        else:
            index += 1


def _column(words: Words, clause: _Clause, keys: _Keys) -> None:
    """One column: Redshift informs itself of its keys and does not enforce them."""
    if words.at(clause.first) == "LIKE" or clause.end - clause.first < 2:
        return
    name = words.name(clause.first)
    kind = clause.first + 1
    if words.at(kind) in _UNKNOWN_TYPES:
        raise Refused("0A000", f'Column "{keys.table}.{name}" has unsupported type "{words.name(kind)}".')
    if words.at(kind) in _LENGTHLESS and words.at(kind + 1) != "(":
        words.replace(kind, kind + 1, _LENGTHLESS[words.at(kind)])
    index = kind + 1
    while index < clause.end:
        word = words.at(index)
        end = index + 1
        if word == "(":
            if words.at(index + 1) == "MAX":
                words.replace(index + 1, index + 2, "65535")
            end = words.after_group(index)
        elif word == "[":
            raise _syntax_error("[")
        elif word == "CHECK":
            raise _syntax_error("CHECK")
        elif word == "DISTKEY":
            keys.diststyle, keys.distkey = "KEY", name
            words.replace(index, end)
        elif word == "SORTKEY":
            keys.sortkey = [name]
            words.replace(index, end)
        elif word == "ENCODE":
            end = index + 2
            keys.encodings[name] = words.name(index + 1)
            words.replace(index, end)
        elif word == "PRIMARY":
            end = index + 2
            words.replace(index, end, "NOT NULL")
        elif word == "UNIQUE":
            words.replace(index, end)
        elif word == "REFERENCES":
            end = words.after_name(index + 1)
            end = words.after_group(end) if words.at(end) == "(" else end
            words.replace(index, end)
        index = end


def _attributes(words: Words, index: int, keys: _Keys) -> None:
    while index < len(words.upper) and words.at(index) not in ("AS", ";"):
        word = words.at(index)
        end = index + 1
        if word == "DISTSTYLE":
            end = index + 2
            keys.diststyle = words.at(index + 1)
        elif word in ("BACKUP", "ENCODE"):
            end = index + 2
        elif word == "DISTKEY":
            end = words.after_group(index + 1)
            keys.diststyle, keys.distkey = "KEY", words.name(index + 2)
        elif word in ("COMPOUND", "INTERLEAVED"):
            keys.interleaved = word == "INTERLEAVED"
        elif word == "SORTKEY" and words.at(index + 1) == "(":
            end = words.after_group(index + 1)
            keys.sortkey = [words.name(at) for at in range(index + 2, end - 1) if words.at(at) != ","]
        elif word == "SORTKEY":
            end = index + 2
        else:
            raise _syntax_error(word)
        words.replace(index, end)
        index = end


_RULES: Final[dict[str, Callable[[Words], None]]] = {
    "ALTER": _alter,
    "CREATE": _create,
    "DELETE": _delete,
    "DROP": _drop,
    "LOCK": _lock,
    "MERGE": _merge,
}
