"""Contacts given away piece by piece, over several messages of one pair.

"415", "555", "0123"; "add me on snap", "luna_moon42". A short memory per pair keeps the texts that could be
a piece, and reads each new one together with those before it. A contact belongs to the message that
completed it.

What is found is a function of the message and of the remembered pieces older than it, by the messages' own
time: nothing here asks for the time, and what came later changes nothing. The memory is lost at a restart: a
contact whose pieces lie on both sides of one is missed, never told twice.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from dataflow.detect.detector import Detector, scan
from dataflow.detect.normalise import normalise
from dataflow.detect.roles import (
    ANYWHERE,
    CHARACTER,
    DIGITS,
    FUSED,
    LATIN,
    MAYBE,
    MIXED,
    NUMERAL,
    ORDINARY,
    POINTED,
    SURE,
)
from dataflow.detect.tokens import tokens
from dataflow.model import Contact

_LONGEST_PIECE = 80
_BETWEEN = "\n"
_FIGURES, _ANNOUNCES, _NAMES = 1, 2, 4
"""What a text may be a piece of: digits; a platform; a chosen name."""
_SPELLS = DIGITS | MIXED | NUMERAL | FUSED | CHARACTER
_PLATFORM = SURE | MAYBE | POINTED | ANYWHERE


class Piece(NamedTuple):
    """A message as the memory sees it."""

    pair: tuple[str, ...]
    """Who writes to whom."""
    at: datetime
    """When, by the message itself."""
    text: str


class _Kept(NamedTuple):
    at: datetime
    text: str
    parts: int


class SplitMemory:
    """The last pieces of each pair. Bounded: so many a pair, so long, so many pairs; the pair that was quiet
    longest is forgotten first. Not for several threads.
    """

    def __init__(
        self,
        detector: Detector,
        pieces: int = 10,
        age: timedelta = timedelta(minutes=10),
        pairs: int = 20_000,
    ) -> None:
        """`pieces`: of one pair, the present message among them. At most about 1 kB of text a pair."""
        self._region = detector.default_region
        self._pieces = pieces
        self._age = age
        self._most_pairs = pairs
        self._pairs: OrderedDict[tuple[str, ...], list[_Kept]] = OrderedDict()

    def __len__(self) -> int:
        """Pairs that are remembered."""
        return len(self._pairs)

    def detect(
        self, messages: Sequence[Piece | None], found: Sequence[tuple[Contact, ...]]
    ) -> list[tuple[Contact, ...]]:
        """`found` (what each message holds by itself), and where that is nothing, what it completes.

        `messages` in the order of their offsets, as long as `found`; None: not to be looked at. A completed
        contact's span lies in its message's text; its rule's name begins with `split_`. Never raises.
        """
        return [
            self._complete(message) if message and not contacts else contacts
            for message, contacts in zip(messages, found, strict=True)
        ]

    def _complete(self, message: Piece) -> tuple[Contact, ...]:
        parts = parts_of(message.text)
        if not parts:
            return ()
        kept = _Kept(message.at, message.text, parts)
        remembered = self._pairs.get(message.pair)
        if remembered is None:
            self._pairs[message.pair] = [kept]
            if len(self._pairs) > self._most_pairs:
                self._pairs.popitem(last=False)
            return ()
        self._pairs.move_to_end(message.pair)
        place = bisect_left(remembered, message.at, key=lambda piece: piece.at)
        recent = remembered[max(0, place - self._pieces + 1) : place]
        before = [piece for piece in recent if message.at - piece.at <= self._age]
        # The same message again (a later version of its row) takes its own place.
        same = place < len(remembered) and remembered[place].at == message.at
        remembered[place : place + same] = [kept]
        if len(remembered) > self._pieces:
            del remembered[0]
        earlier = 0
        for piece in before:
            earlier |= piece.parts
        if parts & earlier & _FIGURES or (parts & _NAMES and earlier & _ANNOUNCES):
            return _across([piece.text for piece in before], message.text, self._region)
        return ()


def parts_of(text: str) -> int:
    """What a short text may be a piece of; 0: nothing."""
    if not 0 < len(text) <= _LONGEST_PIECE:
        return 0
    t = tokens(normalise(text).text)
    parts = (_FIGURES if t.all_roles & _SPELLS else 0) | (_ANNOUNCES if t.all_roles & _PLATFORM else 0)
    if "_" in text or "@" in text or any(not roles & ORDINARY and roles & LATIN for roles in t.roles):
        parts |= _NAMES
    return parts


def _across(before: Sequence[str], text: str, region: str) -> tuple[Contact, ...]:
    """The contacts that `text` completes, in its own offsets."""
    lead = _BETWEEN.join([*before, ""])
    return tuple(
        Contact(
            contact.kind,
            contact.platform,
            contact.value,
            max(0, contact.start - len(lead)),
            contact.end - len(lead),
            f"split_{contact.rule}",
        )
        for contact in scan(lead + text, region)
        if contact.end > len(lead)
    )
