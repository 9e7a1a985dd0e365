"""The detector: texts in, contacts out.

prefilter over the batch → normalise → phones; respell → addresses, handles → contacts that don't overlap.
"""

from __future__ import annotations

from collections.abc import Sequence

import rphonenumbers

from dataflow.detect.addresses import Address, addresses
from dataflow.detect.handles import handles
from dataflow.detect.normalise import Normal, normalise
from dataflow.detect.phones import Phone, international, phones
from dataflow.detect.platforms import PLATFORMS, mentions, tokens
from dataflow.detect.prefilter import suspects
from dataflow.detect.respell import respell
from dataflow.model import Contact

DETECTOR_MAJOR_VERSION = 1
"""Part of a contact event's identity: raised when the same text may give other contacts."""

_PLATFORM_REACH = 5


class Detector:
    """Finds phone numbers and handles. Immutable: threads may share one."""

    def __init__(self, default_region: str = "US") -> None:
        """`default_region`: ISO 3166-1 alpha-2 code in which national numbers are read.

        Raises ValueError for a region that libphonenumber does not know.
        """
        if default_region not in rphonenumbers.SUPPORTED_REGIONS:
            raise ValueError(f"unknown region {default_region!r}: two capital letters, as in US or GB")
        self._default_region = default_region

    @staticmethod
    def knows(region: str) -> bool:
        """Whether numbers can be read as ones of this region."""
        return region in rphonenumbers.SUPPORTED_REGIONS

    def detect(
        self, texts: Sequence[str | None], regions: Sequence[str | None] | None = None
    ) -> list[tuple[Contact, ...]]:
        """One tuple of contacts per text, by start, apart; offsets in code points of the text.

        `regions`: as long as `texts`; None or an unknown one is the default region. Never raises on any
        text; takes linear time. Raises ValueError when `regions` has another length.
        """
        if regions is not None and len(regions) != len(texts):
            raise ValueError(f"{len(regions)} regions for {len(texts)} texts")
        found: list[tuple[Contact, ...]] = [()] * len(texts)
        for i in suspects(texts):
            region = regions[i] if regions is not None else None
            if region not in rphonenumbers.SUPPORTED_REGIONS:
                region = self._default_region
            text = texts[i]
            if text:
                found[i] = scan(text, region or self._default_region)
        return found


def scan(text: str, region: str) -> tuple[Contact, ...]:
    """The contacts of one text, without the prefilter."""
    normal = normalise(text)
    numbers = phones(normal, region)
    contacts = [_phone(normal, number, _platform_of(normal, number)) for number in numbers]
    respelt = respell(normal)
    standing: list[tuple[int, int]] = []
    for address in addresses(respelt):
        contact = _address(respelt, address)
        if contact and _apart(contact, contacts):
            contacts.append(contact)
            standing.append((address.start, address.end))
    for contact in contacts:
        if contact.kind == "phone" and respelt.origin is None:
            standing.append((contact.start, contact.end))
    for handle in handles(respelt, standing):
        start, end = respelt.span(handle.start, handle.end)
        contact = Contact("handle", handle.platform, handle.value, start, end, handle.rule)
        if _apart(contact, contacts):
            contacts.append(contact)
    contacts.sort(key=lambda contact: contact.start)
    return tuple(contacts)


def _apart(contact: Contact, others: Sequence[Contact]) -> bool:
    return all(contact.end <= other.start or other.end <= contact.start for other in others)


def _phone(normal: Normal, phone: Phone, platform: str | None) -> Contact:
    start, end = normal.span(phone.start, phone.end)
    return Contact("phone", platform, phone.value, start, end, phone.rule)


def _address(normal: Normal, address: Address) -> Contact | None:
    start, end = normal.span(address.start, address.end)
    if not address.digits:
        return Contact("handle", address.platform, address.value, start, end, address.rule)
    value = international(address.value)
    return Contact("phone", address.platform, value, start, end, address.rule) if value else None


def _platform_of(normal: Normal, phone: Phone) -> str | None:
    """The platform that the words around a number say it is on."""
    before = tokens(normal.text[max(0, phone.start - 48) : phone.start])
    for mention in reversed(mentions(before)):
        if mention.platform in PLATFORMS.with_numbers and len(before) - mention.last <= _PLATFORM_REACH:
            return mention.platform
    after = tokens(normal.text[phone.end : phone.end + 32])
    for mention in mentions(after):
        if mention.platform in PLATFORMS.with_numbers and mention.first <= 2:
            return mention.platform
    return None
