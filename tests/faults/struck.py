"""The program, struck by a signal at a chosen point of the protocol.

    python -m tests.faults.struck POINT SIGNAL WHEN run

runs `dataflow run` as it is. A profiler hears of every call and return on its threads, and raises the signal
when the point is reached: WHEN is a number, for that time, or SIGUSR1, for the first time after that signal.
Nothing of the program is replaced. It says so in the log before it strikes.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from enum import Enum
from types import FrameType
from typing import Any

from dataflow.__main__ import main

COMMITTED = b"COMMIT\0"
READY = b"Z\0\0\0\5"
"""What is in PostgreSQL's answer to COMMIT, and how each of its answers ends."""


class Point(Enum):
    """Where a signal may strike, each named by what has just happened or is just about to."""

    AFTER_POLL = "after poll"
    AFTER_PRODUCE = "after produce, in the transaction"
    BEFORE_OFFSETS = "before the offsets are sent to the transaction"
    BEFORE_EVENT_COMMIT = "after produce, before the transaction's commit"
    AFTER_EVENT_COMMIT = "after the transaction's commit"
    AFTER_SPOOL = "after rows were spooled"
    AFTER_UPLOAD = "after an upload to S3"
    IN_STAGING = "in staging"
    AFTER_STAGING = "after staging"
    BEFORE_LEDGER = "after the merge, before the ledger entry"
    BEFORE_ROW_COMMIT = "before COMMIT"
    BEFORE_COMMIT_ANSWER = "after COMMIT, before its answer is read"
    AFTER_ROW_COMMIT = "after COMMIT"
    IN_DRAIN = "in the drain"


BY_S3_ONLY = (Point.AFTER_UPLOAD,)
AFTER_SIGUSR1 = signal.SIGUSR1.name
STRUCK = "struck"
"""The log's event that tells of the strike."""

Event = str
_CALLS: dict[tuple[Event, str], Point] = {
    ("call", "InsertStaging.stage"): Point.IN_STAGING,
    ("return", "InsertStaging.stage"): Point.AFTER_STAGING,
    ("return", "Uploads._upload"): Point.AFTER_UPLOAD,
    ("call", "S3Staging.stage"): Point.IN_STAGING,
    ("return", "S3Staging.stage"): Point.AFTER_STAGING,
    ("call", "append_to_ledger"): Point.BEFORE_LEDGER,
    ("return", "FileSpool.append"): Point.AFTER_SPOOL,
    ("call", "Session.commit"): Point.BEFORE_ROW_COMMIT,
    ("return", "Session.commit"): Point.AFTER_ROW_COMMIT,
    ("call", "Committer.drain"): Point.IN_DRAIN,
}
_CLIENT_CALLS: dict[tuple[Event, str], Point] = {
    ("c_return", "produce"): Point.AFTER_PRODUCE,
    ("c_call", "send_offsets_to_transaction"): Point.BEFORE_OFFSETS,
    ("c_call", "commit_transaction"): Point.BEFORE_EVENT_COMMIT,
    ("c_return", "commit_transaction"): Point.AFTER_EVENT_COMMIT,
}


def point_of(frame: FrameType, event: Event, subject: Any) -> Point | None:
    """The point that a profiler's event is, if it is one. `subject` is as `sys.setprofile` gives it."""
    if event.startswith("c_"):
        return _CLIENT_CALLS.get((event, subject.__name__))
    name = frame.f_code.co_qualname
    if (event, name) == ("return", "Membership.poll"):
        return Point.AFTER_POLL if any(batch.records for batch in subject or ()) else None
    if (event, name) == ("call", "Connection.handle_messages"):
        return Point.BEFORE_COMMIT_ANSWER if _is_commit_answered(frame) else None
    return _CALLS.get((event, name))


def _is_commit_answered(frame: FrameType) -> bool:
    """Whether the driver is about to read the answer to COMMIT, and it is there."""
    caller: FrameType | None = frame
    while caller is not None and caller.f_code.co_qualname != "Session.commit":
        caller = caller.f_back
    if caller is None:
        return False
    wire: socket.socket = frame.f_locals["self"]._usock
    answer = b""
    while READY not in answer:
        select.select([wire], [], [])
        answer = wire.recv(65_536, socket.MSG_PEEK)
    return COMMITTED in answer


Profiler = Callable[[FrameType, Event, Any], None]


def profiler(point: Point, ordinal: int, armed: threading.Event, strike: Callable[[], None]) -> Profiler:
    """Strikes once, when the point is reached for the `ordinal`-th time while it is `armed`."""
    left = ordinal

    def on_event(frame: FrameType, event: Event, subject: Any) -> None:
        nonlocal left
        if left and armed.is_set() and point_of(frame, event, subject) is point:
            left -= 1
            if not left:
                strike()

    return on_event


def _main(point: str, how: str, when: str, *arguments: str) -> int:
    armed = threading.Event()
    if when == AFTER_SIGUSR1:
        signal.signal(signal.SIGUSR1, lambda *_: armed.set())
    else:
        armed.set()

    def strike() -> None:
        os.write(sys.stderr.fileno(), f'{{"event":"{STRUCK}","point":"{point}"}}\n'.encode())
        os.kill(os.getpid(), signal.Signals[how])

    profile = profiler(Point(point), 1 if when == AFTER_SIGUSR1 else int(when), armed, strike)
    threading.setprofile(profile)
    sys.setprofile(profile)
    return main(arguments)


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
