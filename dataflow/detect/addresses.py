"""Contacts that need no context: profile links, e-mail, name#1234, u/name, live:name."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from dataflow.detect.data import table
from dataflow.detect.evidence import GAPS, some
from dataflow.detect.lexicon import PUBLIC_ACCOUNTS, ROLES_LISTED
from dataflow.detect.normalise import Normal, fold
from dataflow.detect.ownership import Owner, gives_nothing, owner
from dataflow.detect.platforms import PLATFORMS
from dataflow.detect.roles import AT, LABEL, NAME, ORDINARY
from dataflow.detect.tokens import Tokens
from dataflow.detect.verdicts import Veto

_PHRASES: Final = table("phrases.toml")
_SPELLING: Final = table("handle_context.toml")
_PATH_VETO: Final = frozenset(_PHRASES["path_veto"])
_MAIL: Final = "|".join(sorted(map(re.escape, _PHRASES["mail"]), key=len, reverse=True))
_ENDING: Final = "|".join(sorted(_PHRASES["endings_of_domains"], key=len, reverse=True))
_MAIL_SERVICES: Final = frozenset(_PHRASES["mail"])
_ROLES: Final = frozenset(_PHRASES["mail_roles"])
_UNREAD: Final = tuple(_PHRASES["mail_unread"])
_BEFORE_MAIL: Final = some("before_mail")
_SEPARATORS: Final = str.maketrans("", "", "-_.")
_AT: Final = "|".join({fold(w) for text in _SPELLING["at"].values() for w in text.split()})
_DOT: Final = "|".join({fold(w) for text in _SPELLING["dot"].values() for w in text.split()})
_ENDINGS: Final = frozenset(_PHRASES["endings_of_domains"])
_FEW_OTHERS: Final = 4
_SHORTEST_NAME: Final = 2
_NAME: Final = r"[a-z0-9_$#~@+-][a-z0-9_.$#~@+-]{0,63}"

_LINK: Final = re.compile(
    r"(?<![a-z0-9@.-])((?:[a-z0-9-]{1,40}\.){0,2}[a-z0-9-]{1,40}?)(?:\s?[. ]\s?|,)([a-z]{2,9})\s?/\s?"
    rf"({_NAME})?(?:/({_NAME}))?(?:/({_NAME}))?(?:\?(?:id|phone|number|username|u)=({_NAME}))?"
)
_SITE: Final = re.compile(
    r"(?<![a-z0-9@._-])([a-z0-9][a-z0-9-]{1,40})"
    rf"\.({'|'.join(map(re.escape, PLATFORMS.sites))})(?![a-z0-9-]|\.[a-z])"
)
_PATH: Final = re.compile(r"[^\s,;)\]\"']*")
_EMAIL: Final = re.compile(
    rf"(?<![a-z0-9._%+-])([a-z0-9][a-z0-9._%+-]{{0,63}})(?:@(?=[a-z0-9-])|\s?@\s?(?=(?:{_MAIL})\b))"
    rf"([a-z0-9-]{{1,40}}(?:(?:\.[a-z0-9-]{{2,40}}){{0,2}}\.[a-z]{{2,12}}|\s\.\s?(?:{_ENDING})))(?![a-z0-9-])"
)
_EMAIL_WORDS: Final = re.compile(
    rf"(?<![a-z0-9._%+-])([a-z0-9][a-z0-9._%+-]{{0,62}}[a-z0-9_])(?:\s?@\s?|\s?[-(\[<]?\b(?:{_AT})\b[-)\]>]?\s?)"
    rf"((?:{_MAIL})(?:(?:\s?\.\s?|\s)(?:{_ENDING})\b(?:\.[a-z]{{2}}\b)?)?|[a-z0-9-]{{2,30}}\.(?:{_ENDING})\b(?:\.[a-z]{{2}}\b)?)"
    r"(?![a-z0-9@-]|\.[a-z])"
)
_DISCORD: Final = re.compile(r"(?<![a-z0-9_.#@/])@?([a-z0-9][a-z0-9_.]{1,31}) ?# ?([0-9]{4})(?![0-9a-z])")
_REDDIT: Final = re.compile(r"(?<![a-z0-9_.])/?u/([a-z0-9_-]{3,20})(?![a-z0-9])")
_SKYPE: Final = re.compile(r"(?<![a-z0-9])(live:(?:\.cid\.)?[a-z0-9][a-z0-9_.-]{2,40}[a-z0-9])")
_TAGGED_WORDS: Final = frozenset(_PHRASES["tagged"])
_CALLED: Final = re.compile(
    r"(?:\btel:|\bsms:|\bcallto:|viber://\w+\?number=|whatsapp://send\?phone=)(?:%2b|\+)?([0-9]{7,15})"
)


class Address(NamedTuple):
    """A contact in a respelt text, `[start, end)`. `digits`: it is the path of a link to a phone number."""

    platform: str | None
    value: str
    start: int
    end: int
    rule: str
    cover: tuple[int, int]
    """All that the contact is written with: the whole of a link."""
    digits: bool = False


def _link(match: re.Match[str], cover: tuple[int, int]) -> Address | None:
    host = f"{match[1].removeprefix('www.').removeprefix('m.')}.{match[2]}"
    if match[6]:
        platform = PLATFORMS.domains.get(host) or PLATFORMS.domains.get(f"{host}/{match[3]}")
        parts, depth = [(match[6], match.start(6))], 0
    else:
        parts = [(match[i], match.start(i)) for i in (3, 4, 5) if match[i]]
        platform, depth = None, 0
        for known in range(min(2, len(parts) - 1), -1, -1):
            path = "/".join([host, *[p[0] for p in parts[:known]]])
            if path in PLATFORMS.domains:
                platform, depth = PLATFORMS.domains[path], known
                break
            if known == 0 and parts and f"{host}/{parts[0][0][:1]}" in PLATFORMS.domains:
                platform = PLATFORMS.domains[f"{host}/{parts[0][0][:1]}"]
    if platform is None or depth >= len(parts):
        return None
    name, at = parts[depth]
    bare = name.lstrip("@~$#+")
    at += len(name) - len(bare)
    name = bare.rstrip(".-+@~$#")
    if len(name) < 2:
        return None
    if platform in PLATFORMS.with_numbers and name.isdigit() and len(name) >= 7:
        return Address(platform, name, at, at + len(name), "link_number", cover, digits=True)
    if name in _PATH_VETO or name in PUBLIC_ACCOUNTS or (not any(c.isalpha() for c in name) and not match[6]):
        return None
    return Address(platform, name, at, at + len(name), "link", cover)


def _prose(name: str) -> bool:
    """Whether the part before "at" is only a word of the sentence ("look at gmail")."""
    roles = ROLES_LISTED.get(name, 0)
    return bool(roles & ORDINARY) and not roles & NAME


def addresses(normal: Normal, t: Tokens) -> Iterator[Address | Veto]:
    """Every such contact of the respelt text, and links that are none; where spans overlap, the earlier
    is better. Linear time.
    """
    text = normal.text
    if "/" in text:
        yield from _links(text, t)
        for match in _REDDIT.finditer(text):
            yield Address("reddit", match[1], *match.span(1), "reddit_name", match.span())
    if "." in text and any(site in text for site in PLATFORMS.sites):
        for match in _SITE.finditer(text):
            if match[1] not in _PATH_VETO:
                yield Address(PLATFORMS.sites[match[2]], match[1], *match.span(1), "link", match.span())
    if ":" in text:
        for match in _SKYPE.finditer(text):
            yield Address("skype", match[1], *match.span(1), "skype_name", match.span())
        for match in _CALLED.finditer(text):
            yield Address(None, match[1], *match.span(1), "link_number", match.span(), digits=True)
    if "@" in text:
        for match in _EMAIL.finditer(text):
            address = _cleaned(match[1], "".join(match[2].split()))
            yield _mail(t, address, match.span(), "email")
    if ("@" in text or t.all_roles & AT) and _MAY_BE_MAIL.search(text):
        for match in _EMAIL_WORDS.finditer(text):
            if not _prose(match[1]):
                address = _cleaned(match[1], _domain(match[2]))
                yield _mail(t, address, match.span(), "email_words")
    if "#" in text:
        for match in _DISCORD.finditer(text):
            if match[1] not in _TAGGED_WORDS and not match[1].isdigit():
                value = f"{match[1]}#{match[2]}"
                yield Address("discord", value, match.start(1), match.end(), "discord_tag", match.span())


def _mail(t: Tokens, address: str, span: tuple[int, int], rule: str) -> Address | Veto:
    """An address of mail, unless it is a service's own."""
    name, _, domain = address.partition("@")
    box = name.translate(_SEPARATORS)
    if box.startswith(_UNREAD):
        return Veto("a mailbox that nobody reads", *span)
    if box in _ROLES and domain.partition(".")[0] not in _MAIL_SERVICES:
        first, last = bisect_left(t.ends, span[0] + 1), bisect_left(t.starts, span[1])
        announced = t.words[first - 1] in _BEFORE_MAIL or t.roles[first - 1] & LABEL if first else False
        given = announced or GAPS[t.gaps[first]].joint
        if not given or owner(t, first, last, signed=False) is not Owner.OURS:
            return Veto("a service's mailbox", *span)
    return Address("email", address, *span, rule, span)


def _links(text: str, t: Tokens) -> Iterator[Address | Veto]:
    """Links to profiles and to numbers, and those to anything else."""
    past = 0
    for match in _LINK.finditer(text):
        start, end = match.span()
        if start < past:
            continue
        past = end
        if match[0].find(" ") < 0:
            path = _PATH.match(text, end)
            past = end = path.end() if path else end
        found = _link(match, (start, end))
        if found is None:
            if match[2] in _ENDINGS and " " not in match[0]:
                yield Veto("a link to no profile", start, end)
        elif found.digits or not _of_others(t, start, end, found.platform):
            yield found
        else:
            yield Veto("a link to an account that is only spoken of", start, end)


def _of_others(t: Tokens, start: int, end: int, platform: str | None) -> bool:
    """Whether the text around a link, or its platform, says that the account is not the writer's."""
    first, last = bisect_left(t.ends, start + 1), bisect_left(t.starts, end)
    whose = owner(t, first, last, signed=False)
    if whose is Owner.UNSAID:
        if _by_itself(t, first, last):
            return False
        others = len(t.words) - (last - first)
        return gives_nothing(t, first, last) or (platform in PLATFORMS.public and others > _FEW_OTHERS)
    return whose is Owner.THEIRS


def _by_itself(t: Tokens, first: int, last: int) -> bool:
    """Whether a link is a sentence of its own."""
    if first and t.words[first - 1] in ("http", "https"):
        first -= 1
    before = first == 0 or GAPS[t.gaps[first]].breaks
    return before and (last == len(t.words) or GAPS[t.gaps[last]].breaks)


_MAY_BE_MAIL: Final = re.compile(
    rf"(?:{_AT}|@)[-)\]>]?\s?(?:(?:{_MAIL})\b|[a-z0-9-]{{2,30}}\.(?:{_ENDING})\b)"
)


def _domain(said: str) -> str:
    """A domain as it is written; a mail service's name alone is at .com."""
    domain = ".".join(said.replace(".", " ").split())
    return domain if "." in domain else f"{domain}.com"


_INSERT: Final = "|".join(
    sorted((re.escape(each).replace("\\ ", "[-_.]?") for each in _PHRASES["inserts"]), key=len, reverse=True)
)
_BEFORE_NAME: Final = re.compile(rf"(?:{_INSERT})[-_.]?")
_AFTER_NAME: Final = re.compile(rf"[-_.]?(?:{_INSERT})$")


def _cleaned(name: str, domain: str) -> str:
    """An address without what was put into it to be taken out again."""
    return f"{_without(name)}@{'.'.join(filter(None, map(_without_all, domain.split('.'))))}"


def _without(word: str) -> str:
    """A word without an insert at one of its ends, unless it is too short then."""
    match = _BEFORE_NAME.match(word)
    bare = word[match.end() :] if match else _AFTER_NAME.sub("", word)
    return bare if len(bare) >= _SHORTEST_NAME else word


def _without_all(label: str) -> str:
    """A part of a domain without an insert; empty when it is one."""
    return "" if re.fullmatch(_INSERT, label) else _without(label)
