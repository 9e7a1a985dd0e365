"""Logs: one line an event, with nothing in it that a person wrote.

A line is `{"ts", "level", "event", "logger", ...}`, what an event tells besides being fields of their own.
Levels say who must act: INFO nobody, WARNING nobody yet (nothing is lost, it is retried), ERROR someone.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

import orjson
from confluent_kafka import KafkaException

from connectors.progress import BrokenPromise
from connectors.redshift_access import WarehouseTrouble

OURS = ("connectors", "dataflow")
"""Packages whose events are worded here, and so are known to hold no personal data."""
CLIENT = "librdkafka"
"""Its lines tell of connections, groups and transactions, never of a message's content."""

DAMPING = 10.0
"""Seconds for which librdkafka's lines of one kind are held back after one: it tells every failed attempt."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_EXPECTED = "CONFWARN"
"""librdkafka's remark that a consumer's setting is of no use to a producer, or the other way round."""

log = logging.getLogger(__name__)


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """What a line says, in the order in which it says it.

    The text of another package's line, and of an exception that is not our own, is left out: nobody knows
    what it quotes. Its place in the code is told instead.
    """
    package = record.name.partition(".")[0]
    level = record.levelname.lower()
    if package == CLIENT and record.levelno > logging.WARNING:
        # It retries whatever it can; what it cannot it tells us, and we decide who must act.
        level = "warning"
    fields: dict[str, object] = {
        "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": level,
    }
    if package in OURS:
        fields["event"] = record.getMessage()
    elif package == CLIENT:
        fields |= {"event": CLIENT, "detail": record.getMessage()}
    else:
        fields |= {"event": "library", "place": f"{record.module}:{record.lineno}"}
    fields["logger"] = record.name
    fields |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
    if record.exc_info and record.exc_info[1] is not None:
        fields["exception"] = _told(record.exc_info[1])
    return fields


def _told(exception: BaseException) -> dict[str, object]:
    frames = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(exception.__traceback__)
    ]
    told: dict[str, object] = {"type": type(exception).__qualname__, "frames": frames}
    if isinstance(exception, BrokenPromise | WarehouseTrouble):
        told["text"] = str(exception)
    elif isinstance(exception, KafkaException):
        told["code"] = exception.args[0].name()
    if exception.__cause__ is not None:
        told["cause"] = _told(exception.__cause__)
    return told


class JsonLines(logging.Formatter):
    """One JSON object a line, for whatever collects the logs."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        return orjson.dumps(fields_of(record), default=str, option=orjson.OPT_NON_STR_KEYS).decode()


class TextLines(logging.Formatter):
    """The same fields for a person's terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's line."""
        fields = fields_of(record)
        stamp, level, event = (fields.pop(name) for name in ("ts", "level", "event"))
        rest = "  ".join(f"{name}={value}" for name, value in fields.items() if name != "logger")
        return f"{stamp} {level:<7} {event}  {rest}".rstrip()


class Damper(logging.Filter):
    """Lets one line of librdkafka's per kind (FAIL, SESSTMOUT, ...) and client through in `DAMPING`."""

    def __init__(self) -> None:
        """Remembers a handful of kinds."""
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """False for what is held back."""
        if record.name != CLIENT:
            return True
        text = record.getMessage()
        kind = text.partition(" [thrd:")[0]
        if kind.startswith(_EXPECTED) or record.created - self._last.get(kind, 0.0) < DAMPING:
            return False
        self._last[kind] = record.created
        return True


FORMS = {"json": JsonLines, "text": TextLines}


def configure(stream: TextIO, level: str, form: str) -> None:
    """Log to a stream from here on, what nobody caught among it.

    `level` is debug, info, warning or error, `form` one of `FORMS`. At debug only our own packages say more.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FORMS[form]())
    handler.addFilter(Damper())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level.upper()], logging.INFO))
    for package in (*OURS, CLIENT):
        logging.getLogger(package).setLevel(level.upper())
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def _uncaught(
    kind: type[BaseException], exception: BaseException | None, frames: TracebackType | None
) -> None:
    if exception is not None and not issubclass(kind, KeyboardInterrupt):
        log.error("crashed", exc_info=(kind, exception, frames))
