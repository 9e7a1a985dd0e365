"""Contacts that need no context: profile links, e-mail, name#1234, u/name, live:name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dataflow.detect.data import table
from dataflow.detect.normalise import Normal, fold
from dataflow.detect.platforms import PLATFORMS

_PHRASES = table("phrases.toml")
_PATH_VETO = frozenset(_PHRASES["path_veto"])
_MAIL = "|".join(map(re.escape, _PHRASES["mail"]))
_AT = "|".join(map(fold, _PHRASES["at"]))
_NAME = r"[a-z0-9_$#~@+-][a-z0-9_.$#~@+-]{0,63}"

_LINK = re.compile(
    r"(?<![a-z0-9@.-])((?:[a-z0-9-]{1,40}\.){0,2}[a-z0-9-]{1,40}?)\s?[. ]\s?([a-z]{2,9})\s?/\s?"
    rf"({_NAME})?(?:/({_NAME}))?(?:/({_NAME}))?"
)
_EMAIL = re.compile(
    rf"(?<![a-z0-9._%+-])([a-z0-9][a-z0-9._%+-]{{0,63}})(?:@(?=[a-z0-9-])|\s?@\s?(?={_MAIL}))([a-z0-9-]{{1,40}}(?:\.[a-z0-9-]{{2,40}}){{0,2}}\.[a-z]{{2,12}})(?![a-z0-9-])"
)
_EMAIL_WORDS = re.compile(
    rf"(?<![a-z0-9._%+-])([a-z0-9][a-z0-9._%+-]{{1,63}})\s(?:{_AT})\s((?:{_MAIL})\.[a-z]{{2,3}}(?:\.[a-z]{{2}})?)\b"
)
_DISCORD = re.compile(r"(?<![a-z0-9_.#@/])@?([a-z][a-z0-9_.]{1,31})#([0-9]{4})(?![0-9a-z])")
_REDDIT = re.compile(r"(?<![a-z0-9_.])/?u/([a-z0-9_-]{3,20})(?![a-z0-9])")
_SKYPE = re.compile(r"(?<![a-z0-9])(live:(?:\.cid\.)?[a-z0-9][a-z0-9_.-]{2,40}[a-z0-9])")
_TAGGED_WORDS = frozenset(
    ("order", "apt", "unit", "room", "number", "suite", "ticket", "case", "no", "nr", "pin", "code")
)


@dataclass(frozen=True, slots=True)
class Address:
    """A contact in a respelt text, `[start, end)`. `digits`: it is the path of a link to a phone number."""

    platform: str
    value: str
    start: int
    end: int
    rule: str
    digits: bool = False


def _link(match: re.Match[str]) -> Address | None:
    host = f"{match[1].removeprefix('www.').removeprefix('m.')}.{match[2]}"
    parts = [(match[i], match.start(i)) for i in (3, 4, 5) if match[i]]
    platform, depth, lead = None, 0, ""
    for known in range(min(2, len(parts) - 1), -1, -1):
        path = "/".join([host, *(p[0] for p in parts[:known])])
        if path in PLATFORMS.domains:
            platform, depth = PLATFORMS.domains[path], known
            break
    if platform is None or depth >= len(parts):
        return None
    name, at = parts[depth]
    for sign in "@~$#+":
        lead += sign if name.startswith(sign) else ""
        name = name.removeprefix(sign)
    name = name.rstrip(".-+")
    at += len(lead)
    if len(name) < 2:
        return None
    if platform in PLATFORMS.with_numbers and name.isdigit() and len(name) >= 7:
        return Address(platform, name, at, at + len(name), "link_number", digits=True)
    if name in _PATH_VETO or not any(c.isalpha() for c in name):
        return None
    return Address(platform, name, at, at + len(name), "link")


def addresses(normal: Normal) -> Iterator[Address]:
    """Every such contact of the respelt text; where spans overlap, the earlier is the better. Linear time."""
    text = normal.text
    if "/" in text:
        for match in _LINK.finditer(text):
            found = _link(match)
            if found:
                yield found
        for match in _REDDIT.finditer(text):
            yield Address("reddit", match[1], match.start(1), match.end(1), "reddit_name")
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Address("email", f"{match[1]}@{match[2]}", match.start(), match.end(), "email")
    for match in _EMAIL_WORDS.finditer(text):
        yield Address("email", f"{match[1]}@{match[2]}", match.start(), match.end(), "email_words")
    if "#" in text:
        for match in _DISCORD.finditer(text):
            if match[1] not in _TAGGED_WORDS:
                yield Address("discord", f"{match[1]}#{match[2]}", match.start(1), match.end(), "discord_tag")
    if "live:" in text:
        for match in _SKYPE.finditer(text):
            yield Address("skype", match[1], match.start(1), match.end(1), "skype_name")
