"""The COPY statement: what the stand-in serves of it, and Redshift's refusal of the rest. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tests.standins.redshift_words import Words


class Refused(Exception):
    """Redshift would not take the statement."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role to read S3 with; without an ARN the cluster's default."""

    arn: str | None


@dataclass(frozen=True, slots=True)
class Keys:
    """Access keys to read S3 with."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None


@dataclass(frozen=True, slots=True)
class Location:
    """An object in S3."""

    bucket: str
    key: str

    @staticmethod
    def of(url: str) -> Location | None:
        """From `s3://bucket/key`; None when it is none."""
        found = _LOCATION.fullmatch(url)
        return Location(found[1], found[2]) if found else None

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY from S3 by a manifest, of JSON by a JSONPaths file."""

    table: str
    """As the statement writes it."""
    columns: tuple[str, ...]
    """As the catalogue spells them."""
    manifest: Location
    paths: Location
    credentials: Role | Keys
    region: str | None
    gzip: bool

    def for_postgres(self) -> str:
        """The statement that takes the rows from the session itself."""
        columns = ", ".join('"' + column.replace('"', '""') + '"' for column in self.columns)
        return f"COPY {self.table} ({columns}) FROM STDIN"


_LOCATION: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)", re.DOTALL)
_ROLE: Final = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_ESCAPED: Final = re.compile(r"\\(.)|''", re.DOTALL)


def _syntax_error(near: str) -> Refused:
    return Refused("42601", f'syntax error at or near "{near}"')


def _not_here(what: str) -> Refused:
    return Refused("0A000", f"this stand-in serves no COPY {what}")


def parse_copy(words: Words) -> Copy:
    """What a COPY statement asks for. Raises `Refused`."""
    at = words.after_name(1)
    table = words.written(1, at)
    if words.at(at) != "(":
        if words.at(at) != "FROM":
            raise _syntax_error(words.at(at))
        raise _not_here("without a list of columns")
    end = words.after_group(at)
    columns = tuple(words.name(index) for index in range(at + 1, end - 1) if words.at(index) != ",")
    if words.at(end) != "FROM" or not words.is_literal(end + 1):
        raise _syntax_error(words.at(end if words.at(end) != "FROM" else end + 1))
    manifest = _location(_literal(words, end + 1))
    return _Options(words, end + 2).copy(table, columns, manifest)


def _literal(words: Words, index: int) -> str:
    if not words.is_literal(index):
        raise _syntax_error(words.at(index))
    return _ESCAPED.sub(lambda found: found[1] or "'", words.at(index)[1:-1])


def _location(url: str) -> Location:
    location = Location.of(url)
    if location is None:
        if url.startswith("s3://"):
            raise Refused("XX000", "COPY with MANIFEST parameter requires full path of an S3 object.")
        raise _not_here("from elsewhere than S3")
    return location


class _Options:
    """The words behind the source, each read once and in any order."""

    def __init__(self, words: Words, at: int) -> None:
        self._words = words
        self._at = at
        self._given: dict[str, str] = {}
        self._flags: set[str] = set()
        while (word := words.at(self._at)) not in ("", ";"):
            self._at += 1
            self._take(word)

    def copy(self, table: str, columns: tuple[str, ...], manifest: Location) -> Copy:
        """The statement with these options. Raises `Refused` when one is missing."""
        for needed in ("MANIFEST", "TIMEFORMAT", "COMPUPDATE", "STATUPDATE"):
            if needed not in self._flags:
                raise _not_here(f"without {needed}")
        if "JSON" not in self._given:
            raise _not_here("of anything but JSON")
        if not self._given["JSON"].startswith("s3://"):
            raise _not_here("of JSON without a JSONPaths file")
        if "ZSTD" in self._flags:
            raise _not_here("of ZSTD")
        return Copy(
            table=table,
            columns=columns,
            manifest=manifest,
            paths=_location(self._given["JSON"]),
            credentials=self._credentials(),
            region=self._given.get("REGION"),
            gzip="GZIP" in self._flags,
        )

    def _credentials(self) -> Role | Keys:
        keys = "ACCESS_KEY_ID" in self._given or "SECRET_ACCESS_KEY" in self._given
        if "IAM_ROLE" in self._given:
            if keys:
                raise Refused("42601", "conflicting or redundant options")
            role = self._given["IAM_ROLE"]
            if role and _ROLE.fullmatch(role) is None:
                raise Refused("XX000", "Invalid credentials. Must be of the format: an IAM role's ARN")
            return Role(role or None)
        if "ACCESS_KEY_ID" not in self._given or "SECRET_ACCESS_KEY" not in self._given:
            raise Refused("XX000", "Must specify credentials.")
        return Keys(
            self._given["ACCESS_KEY_ID"],
            self._given["SECRET_ACCESS_KEY"],
            self._given.get("SESSION_TOKEN"),
        )

    def _take(self, word: str) -> None:
        if word == "FORMAT":
            self._pass("AS")
            if self._words.at(self._at) != "JSON":
                raise _not_here("of anything but JSON")
            self._at += 1
            word = "JSON"
        if word in self._given or word in self._flags:
            raise Refused("42601", "conflicting or redundant options")
        match word:
            case "MANIFEST" | "GZIP" | "ZSTD":
                self._flags.add(word)
            case "COMPUPDATE" | "STATUPDATE":
                if self._words.at(self._at) not in ("OFF", "FALSE"):
                    raise _not_here(f"with {word} on")
                self._at += 1
                self._flags.add(word)
            case "TIMEFORMAT":
                self._pass("AS")
                if self._text().lower() != "auto":
                    raise _not_here("with a TIMEFORMAT but 'auto'")
                self._flags.add(word)
            case "IAM_ROLE" if self._words.at(self._at) == "DEFAULT":
                self._at += 1
                self._given[word] = ""
            case "JSON" | "REGION":
                self._pass("AS")
                self._given[word] = self._text()
            case "IAM_ROLE" | "ACCESS_KEY_ID" | "SECRET_ACCESS_KEY" | "SESSION_TOKEN":
                self._given[word] = self._text()
            case _ if word in _OF_REDSHIFT:
                raise _not_here(f"with {word}")
            case _:
                raise _syntax_error(word)

    def _pass(self, word: str) -> None:
        if self._words.at(self._at) == word:
            self._at += 1

    def _text(self) -> str:
        self._at += 1
        return _literal(self._words, self._at - 1)


_OF_REDSHIFT: Final = frozenset(
    {
        "ACCEPTANYDATE", "ACCEPTINVCHARS", "AVRO", "BLANKSASNULL", "BZIP2", "COMPROWS", "CREDENTIALS", "CSV",
        "DATEFORMAT", "DELIMITER", "EMPTYASNULL", "ENCODING", "ENCRYPTED", "ESCAPE", "EXPLICIT_IDS",
        "FILLRECORD", "FIXEDWIDTH", "IGNOREBLANKLINES", "IGNOREHEADER", "LZOP", "MASTER_SYMMETRIC_KEY",
        "MAXERROR", "NOLOAD", "NULL", "ORC", "PARQUET", "QUOTE", "READRATIO", "REMOVEQUOTES", "ROUNDEC",
        "SSH", "TRIMBLANKS", "TRUNCATECOLUMNS",
    }
)  # fmt: skip
"""What Redshift's COPY has and nothing here needs."""
