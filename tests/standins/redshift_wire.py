"""The wire between a Redshift client and PostgreSQL: bytes in, bytes out, no I/O.

The protocol is PostgreSQL's, version 3. A `Conversation` sees each frame of one session, in both
directions, and answers what to send where.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, NamedTuple

from tests.standins.redshift_copy import Copy, Refused
from tests.standins.redshift_sql import Kind, Statement, translate

SERVER_VERSION: Final = b"8.0.2"
"""What a Redshift reports as its `server_version`."""

_PROTOCOL_3: Final = 196608
_CANCEL: Final = 80877102
_SSL: Final = 80877103
_GSS: Final = 80877104

_UNDERSTOOD: Final = frozenset({b"user", b"database", b"application_name", b"options"})
"""Startup parameters that PostgreSQL takes; a Redshift client sends more, which it refuses."""


class Opening(Enum):
    """What a client's first packet asks for."""

    SSL = auto()
    GSS = auto()
    CANCEL = auto()
    SESSION = auto()


def opening(packet: bytes) -> Opening | None:
    """What the packet (with its length) asks for; None when it is none of ours."""
    (code,) = struct.unpack_from("!i", packet, 4)
    return {_SSL: Opening.SSL, _GSS: Opening.GSS, _CANCEL: Opening.CANCEL, _PROTOCOL_3: Opening.SESSION}.get(
        code
    )


def startup_for_postgres(packet: bytes) -> bytes:
    """The client's startup packet without what PostgreSQL would refuse, and with UTF-8 as its encoding.

    Over an `SQL_ASCII` database PostgreSQL then checks what it is sent to be UTF-8, as Redshift does.
    """
    words = packet[8:].split(b"\0")
    told = {k: v for k, v in zip(words[::2], words[1::2], strict=False) if k in _UNDERSTOOD}
    told[b"client_encoding"] = b"UTF8"
    body = b"".join(key + b"\0" + value + b"\0" for key, value in told.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, _PROTOCOL_3) + body


class Frame(NamedTuple):
    """One message after the startup: its kind (one byte) and all of its bytes."""

    kind: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        """What follows the kind and the length."""
        return self.raw[5:]


def frame(kind: bytes, body: bytes) -> Frame:
    """A frame of this kind around this body."""
    return Frame(kind, kind + struct.pack("!i", len(body) + 4) + body)


class Frames:
    """Cuts a stream into frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with `data`, which is what came next."""
        self._held += data
        held, at = self._held, 0
        while len(held) - at >= 5:
            end = at + 1 + int.from_bytes(held[at + 1 : at + 5])
            if end > len(held):
                break
            yield Frame(bytes(held[at : at + 1]), bytes(held[at:end]))
            at = end
        del held[:at]


def error_fields(body: bytes) -> dict[str, str]:
    """Field letter to text of an ErrorResponse."""
    fields = (field for field in body.split(b"\0") if field)
    return {chr(field[0]): field[1:].decode(errors="replace") for field in fields}


def error_frame(fields: Mapping[str, str]) -> Frame:
    """An ErrorResponse with these fields."""
    told = b"".join(letter.encode() + text.encode() + b"\0" for letter, text in fields.items())
    return frame(b"E", told + b"\0")


class Moment(Enum):
    """Points of a session at which trouble can strike."""

    STATEMENT = auto()
    """A statement is about to reach the database."""
    COMMIT = auto()
    """A COMMIT is about to reach the database: cut here and nothing of the transaction stays."""
    COMMITTED = auto()
    """The database has committed and the client doesn't know yet: cut here and it cannot tell."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What to do about a frame: wait for trouble at `moment`, then send.

    With `copy`, what goes to the server executes that COPY, which then wants rows.
    """

    to_client: bytes = b""
    to_server: bytes = b""
    moment: Moment | None = None
    copy: Copy | None = None


class Conversation:
    """One session's frames, in order."""

    def __init__(self, serves_copy: bool = False) -> None:
        self._serves_copy = serves_copy
        self._prepared: dict[bytes, Statement] = {}
        self._portals: dict[bytes, Statement] = {}
        self._logged_in = False
        self._in_transaction = False
        self._truncated = False
        self._committing = False

    def from_client(self, given: Frame) -> Passage:
        """What becomes of a frame the client sent."""
        body = given.body
        match given.kind:
            case b"P":
                name, sql, rest = body.split(b"\0", 2)
                statement = self._allowed(_translated(sql))
                self._prepared[name] = statement
                given = frame(b"P", name + b"\0" + statement.sql.encode() + b"\0" + rest)
            case b"B":
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal] = self._prepared.get(name, _UNKNOWN)
            case b"E":
                return self._runs(self._portals.get(body.split(b"\0", 1)[0], _UNKNOWN), given)
            case b"Q":
                statement = self._allowed(_translated(body[:-1]))
                if statement.copy is not None:
                    statement = _refused(Refused("0A000", "this stand-in serves no COPY in a simple query"))
                return self._runs(statement, frame(b"Q", statement.sql.encode() + b"\0"))
            case b"H" if not self._logged_in:
                # The driver sends a Flush behind its password. A PostgreSQL that has refused the password
                # closes without reading it, and that would destroy the refusal on its way to the client.
                return Passage()
            case b"C" if body[:1] == b"S":
                self._prepared.pop(body[1:-1], None)
            case _:
                pass
        return Passage(to_server=given.raw)

    def _allowed(self, statement: Statement) -> Statement:
        if statement.copy is not None and not self._serves_copy:
            return _refused(Refused("0A000", "this stand-in has no S3 to COPY from"))
        if Kind.ALONE in statement.kinds and (self._in_transaction or len(statement.kinds) > 1):
            return _refused(
                Refused("25001", "ALTER TABLE ALTER COLUMN cannot run inside a transaction block")
            )
        return statement

    def _runs(self, statement: Statement, given: Frame) -> Passage:
        kinds = statement.kinds
        self._truncated = self._truncated or Kind.TRUNCATE in kinds
        moment = Moment.COMMIT if Kind.COMMIT in kinds else Moment.STATEMENT
        return Passage(to_server=given.raw, moment=moment, copy=statement.copy)

    def from_server(self, given: Iterable[Frame]) -> Iterator[Passage]:
        """What becomes of the frames the server sent."""
        waiting: list[bytes] = []
        for answer in given:
            if answer.kind not in b"SECZ":
                if not self._committing:
                    waiting.append(answer.raw)
                continue
            passage = self._from_server(answer)
            if passage.moment is not None or passage.to_server:
                yield Passage(to_client=b"".join(waiting))
                yield passage
                waiting.clear()
            else:
                waiting.append(passage.to_client)
        yield Passage(to_client=b"".join(waiting))

    def _from_server(self, answer: Frame) -> Passage:
        if answer.kind == b"Z":
            self._logged_in = True
            self._in_transaction = answer.body != b"I"
        match answer.kind:
            case b"Z" if self._truncated:
                self._truncated = False
                if answer.body == b"T":
                    self._committing = True
                    return Passage(to_server=frame(b"Q", b"COMMIT\0").raw, moment=Moment.COMMIT)
            case b"Z":
                self._committing = False
            case _ if self._committing:
                return Passage()
            case b"C" if answer.body == b"COMMIT\0":
                return Passage(to_client=answer.raw, moment=Moment.COMMITTED)
            case b"S" if answer.body.startswith(b"server_version\0"):
                return Passage(to_client=frame(b"S", b"server_version\0" + SERVER_VERSION + b"\0").raw)
            case b"E":
                return Passage(to_client=error_frame(_as_redshift(error_fields(answer.body))).raw)
            case _:
                pass
        return Passage(to_client=answer.raw)


_UNKNOWN: Final = Statement("", ())
"""One that the session has not prepared: PostgreSQL will say so."""

_REFUSAL: Final = re.compile(r'"redshift refuses (\w{5}) ([0-9a-f]*)"')


def _translated(sql: bytes) -> Statement:
    """What PostgreSQL is to run; for a refused statement, one that makes it fail with just that refusal.

    PostgreSQL must fail itself: it then aborts the transaction and skips to the next Sync as it should.
    Its complaint repeats the word it does not understand, and that word is the refusal.
    """
    try:
        return translate(sql.decode())
    except Refused as refused:
        return _refused(refused)


def _refused(refused: Refused) -> Statement:
    return Statement(f'"redshift refuses {refused.sqlstate} {refused.message.encode().hex()}"', (Kind.OTHER,))


def _as_redshift(fields: dict[str, str]) -> dict[str, str]:
    """PostgreSQL's error as Redshift words it."""
    told = {letter: text for letter, text in fields.items() if letter not in "VPH"}
    refusal = _REFUSAL.search(fields["M"])
    if refusal is not None:
        return {**told, "C": refusal[1], "M": bytes.fromhex(refusal[2]).decode()}
    match fields["C"]:
        case "40001":
            cycle = "Serializable isolation violation on table - 0, transactions forming the cycle are: 0, 0"
            return {**told, "C": "XX000", "M": "1023", "D": cycle}
        case "28P01":
            return {**told, "C": "28000"}
        case _:
            return told
