"""Respelling: what handles and addresses are hidden in, undone, with the way back kept.

Bracketed or spelled-out dots and underscores, letters apart ("i-n-s-t-a"), names with signs for letters
("!nsta"), a digit added in words ("then the number 4").
"""

from __future__ import annotations

import re

from dataflow.detect.data import table
from dataflow.detect.misspell import unleet
from dataflow.detect.normalise import Normal, fold
from dataflow.detect.platforms import PLATFORMS

_PHRASES = table("phrases.toml")
_DOT = "|".join(map(fold, _PHRASES["dot"]))
_AT = "|".join(map(fold, _PHRASES["at"]))
_SLASH = "|".join(map(fold, _PHRASES["slash"]))
_UNDERSCORE = "|".join(map(fold, _PHRASES["underscore"]))

_SPACED = re.compile(
    r"(?<![\w.-])[a-z0-9](?P<gap>[-._*|~/ ]|  |, )[a-z0-9_](?:(?P=gap)[a-z0-9_])+(?![\w])(?!(?P=gap)\w)"
)
_SIGNED = re.compile(r"(?<![\w@.])[a-z0-9]{0,12}[!$@|][a-z0-9!$@|]{0,12}(?![\w.])")
_PUNCTUATION = re.compile(
    rf"(?<=[a-z0-9_])\s{{0,2}}[(\[{{<]\s?"
    rf"(?:(?P<dot>{_DOT}|\.)|(?P<at>{_AT}|@)|(?P<line>{_UNDERSCORE}|_))\s?[)\]}}>]\s{{0,2}}(?=[a-z0-9_])"
    rf"|(?<=[a-z0-9_]) (?:(?P<dot_word>{_DOT})|(?P<slash>{_SLASH})|(?P<line_word>{_UNDERSCORE}|under score)) "
    r"(?=[a-z0-9_])"
)
_NUMBER_ADDED = re.compile(
    r"(?<=[a-z]) (?:then|and|plus|followed by|with|y|und|et|e) (?:the |el |die |le |o |a )?"
    r"(?:numbers?|digits?|numero|nummer|num) (?=[0-9])"
)


def respell(normal: Normal) -> Normal:
    """`normal` with every disguise undone. Linear time."""
    edits = []
    for match in _SPACED.finditer(normal.text):
        letters = match[0].replace(match["gap"], "")
        if len(letters) >= 4 and not letters.isdigit():
            edits.append((match, letters))
    normal = _rejoined(normal, edits)
    normal = normal.rewrite(
        (m.start(), m.end(), name)
        for m in _SIGNED.finditer(normal.text)
        if (name := unleet(m[0])) in PLATFORMS.names or (name in PLATFORMS.words and "@" not in m[0][:1])
    )
    normal = normal.rewrite((m.start(), m.end(), _sign(m)) for m in _PUNCTUATION.finditer(normal.text))
    return normal.rewrite((m.start(), m.end(), "") for m in _NUMBER_ADDED.finditer(normal.text))


def _sign(match: re.Match[str]) -> str:
    if match["dot"] or match["dot_word"]:
        return "."
    return "@" if match["at"] else "/" if match["slash"] else "_"


def _rejoined(normal: Normal, edits: list[tuple[re.Match[str], str]]) -> Normal:
    """Drops the separators one by one, so that each letter keeps its own way back."""
    cuts: list[tuple[int, int, str]] = []
    for match, _ in edits:
        gap = len(match["gap"])
        at = match.start() + 1
        while at < match.end():
            cuts.append((at, at + gap, ""))
            at += gap + 1
    return normal.rewrite(cuts)
