"""The detector: texts in, contacts out.

prefilter over the batch → normalise → phones; respell → addresses, handles → contacts that don't overlap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

import rphonenumbers

from dataflow.detect.addresses import Address, addresses
from dataflow.detect.handles import handles
from dataflow.detect.lexicon import ENGLISH_REGIONS
from dataflow.detect.mentions import Mention, mentions
from dataflow.detect.normalise import Normal, normalise
from dataflow.detect.numbering import international, warm
from dataflow.detect.phones import DOUBTFUL, Phone, phones
from dataflow.detect.platforms import PLATFORMS
from dataflow.detect.portion import only_prose, portion
from dataflow.detect.prefilter import suspects
from dataflow.detect.respell import respell, signs_as_digits
from dataflow.detect.roles import DIGITS, FUSED, MIXED, NUMERAL, PLATFORM
from dataflow.detect.tokens import Tokens, tokens
from dataflow.detect.verdicts import Veto
from dataflow.model import Contact

DETECTOR_MAJOR_VERSION: Final = 1
"""Part of a contact event's identity: raised when the same text may give other contacts."""

_REACH_BEFORE: Final = 48
_REACH_AFTER: Final = 32
_WORDS_BEFORE: Final = 5
_WORDS_AFTER: Final = 3
_MOST_CONTACTS: Final = 32
_SPELT_NUMBER: Final = NUMERAL | FUSED | MIXED
_START: Final = attrgetter("start")


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a text was read. Vetoed spans are of the original text."""

    normalised: str
    respelt: str
    read: int
    """How many code points of the text were read; all but of long texts that give away a great deal."""
    suspected: bool
    """Whether the prefilter lets the text through."""
    contacts: tuple[Contact, ...]
    vetoes: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in some texts."""

    contacts: list[tuple[Contact, ...]]
    """One tuple per text, by start, apart; offsets in code points of the text."""
    in_part: int
    """How many of the texts were not read to their end."""


class Detector:
    """Finds phone numbers and handles. Immutable: threads may share one."""

    def __init__(self, default_region: str = "US") -> None:
        """`default_region`: ISO 3166-1 alpha-2 code in which national numbers are read.

        Raises ValueError for a region that libphonenumber does not know.
        """
        if default_region not in rphonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"unknown region {default_region!r}: two capital letters, as in US or GB")
        self._default_region = default_region
        for region in {default_region, *ENGLISH_REGIONS}:
            warm(region)

    @property
    def default_region(self) -> str:
        """The region in which national numbers are read that come without one."""
        return self._default_region

    @staticmethod
    def knows(region: str) -> bool:
        """Whether numbers can be read as ones of this region."""
        return region in rphonenumbers.SUPPORTED_REGIONS

    def detect(
        self, texts: Sequence[str | None], regions: Sequence[str | None] | None = None
    ) -> list[tuple[Contact, ...]]:
        """The contacts of each text: see `examine`."""
        return self.examine(texts, regions).contacts

    def examine(self, texts: Sequence[str | None], regions: Sequence[str | None] | None = None) -> Found:
        """The contacts of each text, and how many texts were not read to their end.

        `regions`: as long as `texts`; None or an unknown one is the default region. Never raises on any
        text; takes linear time. Raises ValueError when `regions` has another length.
        """
        if regions is not None and len(regions) != len(texts):
            raise ValueError(f"{len(regions)} regions for {len(texts)} texts")
        found: list[tuple[Contact, ...]] = [()] * len(texts)
        in_part = 0
        for i in suspects(texts):
            text = texts[i] or ""
            normal, t = portion(text)
            in_part += len(normal.original) < len(text)
            if not only_prose(t):
                region = self._region(regions[i] if regions is not None else None)
                found[i] = _Reading(normal, t, region).contacts()
        return Found(found, in_part)

    def explain(self, text: str, region: str | None = None) -> Explanation:
        """How a text is read: its forms, its contacts with their rules, and what spoke against others."""
        normal, t = portion(text)
        reading = _Reading(normal, t, self._region(region))
        vetoes = tuple(
            dict.fromkeys(
                [(veto.reason, *normalised.span(veto.start, veto.end)) for veto, normalised in reading.vetoes]
            )
        )
        return Explanation(
            normalise(text).text,
            reading.respelt.text,
            len(normal.original),
            suspects([text]) == [0],
            reading.contacts(),
            vetoes,
        )

    def _region(self, region: str | None) -> str:
        return region if region and region in rphonenumbers.SUPPORTED_REGIONS else self._default_region


def scan(text: str, region: str) -> tuple[Contact, ...]:
    """The contacts of one text, without the prefilter."""
    normal, t = portion(text)
    return () if only_prose(t) else _Reading(normal, t, region).contacts()


class _Reading:
    """One text, read: what each grammar found, and what it did not take."""

    def __init__(self, normal: Normal, t: Tokens, region: str) -> None:
        figured = signs_as_digits(normal) if t.all_roles & (DIGITS | MIXED) else normal
        if figured is not normal:
            other = tokens(figured.text)
            if any(isinstance(each, Phone) and each.rule not in DOUBTFUL for each in phones(other, region)):
                normal, t = figured, other
        self.found: list[Contact] = []
        self.vetoes: list[tuple[Veto, Normal]] = []
        self.respelt = respell(normal, t)
        numbers = phones(t, region)
        named = mentions(t) if t.all_roles & PLATFORM and (numbers or self.respelt is normal) else []
        standing = self._phones(normal, t, named, numbers)
        if self.respelt is not normal:
            standing = []
            t = tokens(self.respelt.text)
            named = mentions(t) if t.all_roles & PLATFORM else []
            if self.found:
                self._name_platforms(t, named)
            elif t.all_roles & _SPELT_NUMBER:
                standing = self._phones(self.respelt, t, named, phones(t, region))
        for address in addresses(self.respelt, t):
            if isinstance(address, Veto):
                self.vetoes.append((address, self.respelt))
                standing.append((address.start, address.end))
                continue
            contact = _address(self.respelt, address)
            if contact:
                self._add(contact)
                standing.append(address.cover)
        for handle in handles(self.respelt, t, named, standing):
            if isinstance(handle, Veto):
                self.vetoes.append((handle, self.respelt))
                continue
            start, end = self.respelt.span(handle.start, handle.end)
            value = handle.value
            if handle.platform == "email":
                value = _mailbox(value, t)
            self._add(Contact("handle", handle.platform, value, start, end, handle.rule))

    def contacts(self) -> tuple[Contact, ...]:
        """What was found, in the order of the text."""
        if len(self.found) > 1:
            self.found.sort(key=_START)
        return tuple(self.found)

    def _phones(
        self, normal: Normal, t: Tokens, named: Sequence[Mention], numbers: Sequence[Phone | Veto]
    ) -> list[tuple[int, int]]:
        standing: list[tuple[int, int]] = []
        if not numbers:
            return standing
        named = [mention for mention in named if mention.platform in PLATFORMS.with_numbers]
        for number in numbers:
            if isinstance(number, Veto):
                self.vetoes.append((number, normal))
                continue
            start, end = normal.span(*_with_signs(normal.text, number.start, number.end))
            platform = _platform_of(t, number.start, number.end, named)
            if self._add(Contact("phone", platform, number.value, start, end, number.rule)):
                standing.append((number.start, number.end))
        return standing

    def _name_platforms(self, t: Tokens, named: Sequence[Mention]) -> None:
        """Give numbers found before the respelling the platform that only shows after it."""
        named = [mention for mention in named if mention.platform in PLATFORMS.with_numbers]
        origin = self.respelt.origin
        if not named or origin is None:
            return
        for k, found in enumerate(self.found):
            if found.platform is None:
                start, end = bisect_left(origin, found.start), bisect_left(origin, found.end)
                self.found[k] = replace(found, platform=_platform_of(t, start, end, named))

    def _add(self, contact: Contact) -> bool:
        if len(self.found) >= _MOST_CONTACTS:
            return False
        for other in self.found:
            if contact.start < other.end and other.start < contact.end:
                return False
        self.found.append(contact)
        return True


def _with_signs(text: str, start: int, end: int) -> tuple[int, int]:
    """A number's span with the plus sign and the brackets that belong to it."""
    while start and text[start - 1] in "+(":
        start -= 1
    if end < len(text) and text[end] == ")" and text.count("(", start, end) > text.count(")", start, end):
        end += 1
    return start, end


def _address(normal: Normal, address: Address) -> Contact | None:
    start, end = normal.span(address.start, address.end)
    if not address.digits:
        return Contact("handle", address.platform, address.value, start, end, address.rule)
    value = international(address.value)
    return Contact("phone", address.platform, value, start, end, address.rule) if value else None


def _mailbox(name: str, t: Tokens) -> str:
    """The whole address of a name on a mail service that the text mentions."""
    service = next((word for word in t.words if PLATFORMS.names.get(word) == "email"), "gmail")
    return f"{name}@{service}.com"


def _platform_of(t: Tokens, start: int, end: int, named: Sequence[Mention]) -> str | None:
    """The platform that the words around a number at `[start, end)` say it is on."""
    if not named:
        return None
    first, last = bisect_left(t.ends, start + 1), bisect_left(t.starts, end)
    after = None
    for mention in reversed(named):
        if mention.first >= last:
            if mention.first - last < _WORDS_AFTER and t.starts[mention.first] - end <= _REACH_AFTER:
                after = mention.platform
        elif mention.last <= first:
            if first - mention.last < _WORDS_BEFORE and start - t.ends[mention.last - 1] <= _REACH_BEFORE:
                return mention.platform
            break
    return after
