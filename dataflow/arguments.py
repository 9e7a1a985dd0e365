"""Texts of the command line to values. Each parser says what would be right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dataflow.dead_letters import Place
from dataflow.timestamps import NoInstant, to_utc_text


class WrongArgument(ValueError):
    """An argument that its parser refuses; the text says what would be right."""


_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def instant(text: str, now: datetime) -> datetime:
    """`2026-01-31T08:00:00Z`, a day as `2026-01-31`, or a time ago as `90m`, `6h`, `2d`. Aware, UTC."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if ago:
        return now - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        text += "T00:00:00Z"
    found = to_utc_text(text)
    if isinstance(found, NoInstant):
        raise WrongArgument("must be a time such as 2026-01-31T08:00:00Z, or one ago such as 90m, 6h or 2d")
    return datetime.fromisoformat(found).replace(tzinfo=UTC)


def codes(text: str) -> frozenset[str]:
    """Codes of dead letters, separated by commas. Any word: `dataflow.selection` knows which there are."""
    found = frozenset(code.strip() for code in text.split(","))
    for code in found:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,63}", code):
            raise WrongArgument(
                "must be codes such as missing,too_long; `dead-letters stats` lists those that occur"
            )
    return found


def partitions(text: str) -> frozenset[int]:
    """Partitions, separated by commas."""
    parts = text.split(",")
    if not all(re.fullmatch(r"\s*\d{1,6}\s*", part) for part in parts):
        raise WrongArgument("must be partitions such as 0 or 0,3")
    return frozenset(int(part) for part in parts)


def place(text: str) -> Place:
    """`PARTITION:OFFSET` of one message."""
    found = re.fullmatch(r"(\d{1,6}):(\d{1,18})", text)
    if not found:
        raise WrongArgument("must be PARTITION:OFFSET, as `dead-letters ls` shows it, such as 2:1041")
    return Place(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class TopicSpan:
    """`[first, next)` of one partition of a topic."""

    topic: str
    partition: int
    first: int
    next: int


def span(text: str) -> TopicSpan:
    """`TOPIC:PARTITION:FIRST-NEXT`, half open: NEXT is not part of it."""
    found = re.fullmatch(r"([a-zA-Z0-9._-]{1,249}):(\d{1,6}):(\d{1,18})-(\d{1,18})", text)
    if not found:
        raise WrongArgument(
            "must be TOPIC:PARTITION:FIRST-NEXT, such as interactions.messages:2:1000-2000 for 1000 to 1999"
        )
    first, next = int(found[3]), int(found[4])
    if first >= next:
        raise WrongArgument(f"is empty: the last offset is NEXT - 1, so NEXT must be above {first}")
    return TopicSpan(found[1], int(found[2]), first, next)


def commit_id(text: str) -> str:
    """A process id: 32 hexadecimal digits."""
    if not re.fullmatch(r"[0-9a-f]{32}", text):
        raise WrongArgument("must be 32 hexadecimal digits, as the rows' process id and `ledger` show them")
    return text


def count(text: str) -> int:
    """A whole number from 1 to 1,000,000."""
    if not re.fullmatch(r"\d{1,7}", text) or not 1 <= int(text) <= 1_000_000:
        raise WrongArgument("must be a whole number from 1 to 1000000")
    return int(text)


def topic(text: str) -> str:
    """A topic's name."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", text):
        raise WrongArgument("must be a Kafka topic name: letters, digits, '.', '_' and '-', at most 249")
    return text


def address(text: str) -> str:
    """An address of a Pushgateway."""
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", text):
        raise WrongArgument("must be an address such as http://pushgateway:9091, without user and password")
    return text
