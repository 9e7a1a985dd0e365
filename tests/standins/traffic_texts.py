"""What the generated users say: plain chat, contacts given away, and what only looks like one."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CHAT = tomllib.loads((Path(__file__).parent / "data" / "chat.toml").read_text(encoding="utf-8"))
_OPENERS: Sequence[str] = _CHAT["openers"]
_SENTENCES: Sequence[str] = _CHAT["sentences"]
_OTHER_LANGUAGES: Sequence[str] = _CHAT["other_languages"]
_EMOJI: Sequence[str] = _CHAT["emoji"]
_CAPTIONS: Sequence[str] = _CHAT["captions"]
_HARD_NEGATIVES: Sequence[str] = _CHAT["hard_negatives"]
_PHONE_PHRASES: Sequence[str] = _CHAT["phone_phrases"]
_WHATSAPP_PHRASES: Sequence[str] = _CHAT["whatsapp_phrases"]
_HANDLE_PHRASES: Mapping[str, Sequence[str]] = _CHAT["handle_phrases"]
_HANDLES: Mapping[str, Sequence[str]] = _CHAT["handles"]

_AMERICAN_AREAS = ("202", "206", "212", "305", "312", "415", "617", "702")
_AMERICAN_FORMS = (
    "{area}-555-{line}",
    "({area}) 555-{line}",
    "{area} 555 {line}",
    "{area}.555.{line}",
    "{area}555{line}",
    "+1 {area} 555 {line}",
    "+1 ({area}) 555-{line}",
    "+1{area}555{line}",
    "1-{area}-555-{line}",
)
_AUSTRALIAN = ("570006", "570156", "570157", "570158", "570159", "570110")


@dataclass(frozen=True, slots=True)
class PlantedContact:
    """A contact that a text gives away. `kind` is `phone` or `handle`, `value` E.164 or the plain handle."""

    kind: str
    platform: str | None
    value: str
    start: int
    end: int
    """Where it is written, in code points, half open; a handle's `@` stays outside."""


@dataclass(frozen=True, slots=True)
class Text:
    """A message's text and the contacts in it."""

    text: str
    contacts: tuple[PlantedContact, ...] = ()


def small_talk(dice: random.Random) -> str:
    """One to three sentences in one of many languages, mostly English, some with emoji."""
    if dice.random() < 0.2:
        said = dice.choice(_OTHER_LANGUAGES)
    else:
        said = dice.choice(_SENTENCES)
        if dice.random() < 0.5:
            said = f"{dice.choice(_OPENERS)}, {said}"
        if dice.random() < 0.5:
            said = f"{said} {dice.choice(_SENTENCES)}"
    return f"{said} {dice.choice(_EMOJI)}" if dice.random() < 0.25 else said


def caption(dice: random.Random) -> str:
    """What may go with a voice message."""
    return dice.choice(_CAPTIONS)


def looks_like_a_contact(dice: random.Random) -> str:
    """A text with digits or a platform's name in it that gives nothing away."""
    said = dice.choice(_HARD_NEGATIVES)
    return said.format(
        hour=dice.randrange(18, 23),
        day=dice.randrange(10, 29),
        price=dice.randrange(20, 900),
        order=dice.randrange(1000, 9999),
    )


def gives_a_phone(dice: random.Random) -> Text:
    """A text with a phone number. National forms are American, others carry their country's prefix."""
    written, value = _phone(dice)
    if dice.random() < 0.15:
        return _plant(dice, dice.choice(_WHATSAPP_PHRASES), written, "phone", "whatsapp", value)
    return _plant(dice, dice.choice(_PHONE_PHRASES), written, "phone", None, value)


def gives_a_handle(dice: random.Random) -> Text:
    """A text with a social handle, its platform named before it."""
    platform = dice.choice(tuple(_HANDLE_PHRASES))
    first, second = dice.choice(_HANDLES["first"]), dice.choice(_HANDLES["second"])
    handle = f"{first}_{second}{dice.randrange(10, 100)}"
    phrase = dice.choice(_HANDLE_PHRASES[platform])
    return _plant(dice, phrase, handle, "handle", platform, handle)


def _plant(
    dice: random.Random, phrase: str, written: str, kind: str, platform: str | None, value: str
) -> Text:
    before, after = phrase.split("{contact}")
    if dice.random() < 0.5:
        before = f"{dice.choice(_SENTENCES)} {before}"
    if dice.random() < 0.25:
        after = f"{after} {dice.choice(_EMOJI)}"
    contact = PlantedContact(kind, platform, value, len(before), len(before) + len(written))
    return Text(before + written + after, (contact,))


def _phone(dice: random.Random) -> tuple[str, str]:
    """A number of a range kept for fiction: as written, and in E.164."""
    country = dice.random()
    if country < 0.8:
        area, line = dice.choice(_AMERICAN_AREAS), f"01{dice.randrange(100):02d}"
        return dice.choice(_AMERICAN_FORMS).format(area=area, line=line), f"+1{area}555{line}"
    if country < 0.9:
        number = dice.choice(_AUSTRALIAN)
        return f"+61 491 {number[:3]} {number[3:]}", f"+61491{number}"
    number = str(dice.randrange(605, 700))
    return f"+46 70 174 0{number[0]} {number[1:]}", f"+46701740{number}"
