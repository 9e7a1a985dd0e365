"""What a setting's value may be: how each kind is read, and what is told when it can't be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Any

from connectors.progress import AcceptedLoss


class ByInsert(Enum):
    """Rows reach the warehouse in INSERT statements."""

    INSERT = "insert"


@dataclass(frozen=True, slots=True)
class ByS3:
    """Rows reach the warehouse by a bucket, from below a prefix, which may be empty."""

    bucket: str
    prefix: str


class FixedRole(Enum):
    """In whose name the warehouse reads the bucket, when it is no role of a name."""

    DEFAULT = "default"
    """The warehouse's default role."""
    OWN = "own"
    """The process's own credentials, sent with each COPY."""


@dataclass(frozen=True, slots=True)
class NamedRole:
    """A role attached to the warehouse."""

    arn: str


class WrongValue(Exception):
    """A value that its parser refuses; the text says what would be right, and never quotes the value."""


Parser = Callable[[str], Any]


def text(value: str) -> str:
    """As it is."""
    return value


def one_of(kind: type[Enum]) -> Parser:
    """One of an enumeration's values, in letters of either case."""

    def parse(value: str) -> Enum:
        for member in kind:
            if member.value == value.lower():
                return member
        raise WrongValue(f"must be one of {', '.join(member.value for member in kind)}")

    return parse


_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def duration(value: str) -> timedelta:
    """`500ms`, `15s`, `30m`, `1h`: at most a day."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", value)
    if not found:
        raise WrongValue("must be a duration such as 500ms, 15s, 30m or 1h")
    seconds = float(found[1]) * _UNITS[found[2]]
    if not 0 < seconds <= 86_400:
        raise WrongValue("must be longer than nothing and at most 24h")
    return timedelta(seconds=seconds)


def window(value: str) -> timedelta:
    """A duration that divides the day."""
    length = duration(value)
    if length < timedelta(seconds=1) or timedelta(days=1) % length:
        raise WrongValue(
            "must be 1s or longer and divide the day, such as 1h, 30m or 5s: windows keep to the clock"
        )
    return length


_SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def size(value: str) -> int:
    """`512MiB`, in bytes."""
    found = re.fullmatch(r"(\d+)\s*(B|KiB|MiB|GiB)?", value)
    if not found or int(found[1]) == 0:
        raise WrongValue("must be a size such as 512MiB or 1GiB")
    return int(found[1]) * _SIZES[found[2] or ""]


def whole(low: int, high: int) -> Parser:
    """A whole number from `low` to `high`."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"\d{1,10}", value) or not low <= int(value) <= high:
            raise WrongValue(f"must be a whole number from {low} to {high}")
        return int(value)

    return parse


def country(value: str) -> str:
    """An ISO 3166 code."""
    if not re.fullmatch(r"[A-Za-z]{2}", value):
        raise WrongValue("must be an ISO 3166 code of two letters, such as US")
    return value.upper()


def function(value: str) -> str:
    """`module:function`."""
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise WrongValue("must be module:function, such as connectors.msk_iam:token")
    return value


def topic(value: str) -> str:
    """A name as Kafka takes it."""
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,249}", value):
        raise WrongValue("must be a Kafka topic name: letters, digits, '.', '_' and '-', at most 249")
    return value


def name_of(longest: int) -> Parser:
    """A text of at most `longest` bytes."""

    def parse(value: str) -> str:
        if len(value.encode()) > longest:
            raise WrongValue(f"must be at most {longest} bytes long")
        return value

    return parse


def losses(value: str) -> tuple[AcceptedLoss, ...]:
    """`partition:first-next`, several with commas."""
    losses: list[AcceptedLoss] = []
    for part in value.split(","):
        found = re.fullmatch(r"\s*(\d{1,9}):(\d{1,18})-(\d{1,18})\s*", part)
        if not found or int(found[2]) >= int(found[3]):
            raise WrongValue(
                "must be partition:first-next, several with commas, as the refusal to start names it"
            )
        losses.append(AcceptedLoss(int(found[1]), int(found[2]), int(found[3])))
    return tuple(losses)


def registry_url(value: str) -> str:
    """`https://host:port`, several with commas."""
    for url in value.split(","):
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#@]*)?", url.strip()):
            raise WrongValue(
                "must be http://host:port or https://host:port, several with commas; user and password are "
                "SCHEMA_REGISTRY_USER_INFO"
            )
    return value


def user_info(value: str) -> str:
    """`user:password`."""
    if not re.fullmatch(r"[^:]+:.+", value):
        raise WrongValue("must be user:password")
    return value


def secret_key(value: str) -> bytes:
    """A secret that can't be guessed."""
    if len(value.strip().encode()) < 16:
        raise WrongValue("must have at least 16 bytes: a shorter key can be guessed")
    return value.encode()


def staging(value: str) -> ByInsert | ByS3:
    """`insert` or `s3://bucket/prefix`."""
    if value.lower() == ByInsert.INSERT.value:
        return ByInsert.INSERT
    found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/[A-Za-z0-9!_.*()/-]*)?", value)
    prefix = (found[2] or "").strip("/") if found else ""
    if not found or "//" in prefix or {".", ".."} & {*prefix.split("/")} or len(prefix) > 256:
        raise WrongValue(
            "must be insert, or s3://bucket/prefix with a prefix of letters, digits, '-', '_', '.' and '/'"
        )
    return ByS3(found[1], prefix)


def segment(value: str) -> int:
    """Bytes of rows that fill an object."""
    found = size(value)
    if not 1 << 10 <= found <= 256 << 20:
        raise WrongValue("must be a size from 1KiB to 256MiB; 32MiB of rows make an object of about 6 MB")
    return found


def role(value: str) -> FixedRole | NamedRole:
    """`default`, `own`, or a role's ARN."""
    for fixed in FixedRole:
        if fixed.value == value.lower():
            return fixed
    if not re.fullmatch(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", value):
        raise WrongValue("must be default, own, or a role's ARN, arn:aws:iam::123456789012:role/name")
    return NamedRole(value)


def aws_region(value: str) -> str:
    """A region of AWS."""
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", value):
        raise WrongValue("must be an AWS region, such as eu-west-1")
    return value


def endpoint(value: str) -> str:
    """`https://host:port`."""
    if not re.fullmatch(r"https?://[^\s/?#@]+/?", value):
        raise WrongValue("must be http://host:port or https://host:port")
    return value
