"""Respelling: what handles and addresses are hidden in, undone, with the way back kept.

Bracketed or spelled-out dots and underscores, letters apart ("i-n-s-t-a"), names with signs for letters
("!nsta"), a digit added in words ("then the number 4").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from dataflow.detect.data import table
from dataflow.detect.misspell import unleet
from dataflow.detect.normalise import Normal, fold
from dataflow.detect.numerals import LISTED
from dataflow.detect.platforms import PLATFORMS
from dataflow.detect.roles import AT, SINGLE, SPELT
from dataflow.detect.tokens import Tokens

_SPELLING: Final = table("handle_context.toml")
_PHRASES: Final = table("phrases.toml")


def _any(name: str) -> str:
    return "|".join(
        sorted(
            {fold(w).replace("_", " ") for text in _SPELLING[name].values() for w in text.split()},
            key=len,
            reverse=True,
        )
    )


_DOT: Final = _any("dot")
_AT: Final = _any("at")
_SLASH: Final = _any("slash")
_UNDERSCORE: Final = _any("underscore")
_SPACED: Final = re.compile(
    r"(?<![\w.@-])[a-z0-9](?P<gap>[-_*|~/+, ]|  |, | [-*|/.] )[a-z0-9_.](?:(?P=gap)[a-z0-9_.])+(?![\w])|"
    r"(?<![\w.@-])[a-z0-9](?P<dot>\.)[a-z0-9_](?:\.[a-z0-9_])+(?![\w])"
)
_SIGNED: Final = re.compile(r"(?<![\w@.])[a-z0-9]{0,12}+[!$@|][a-z0-9!$@|]{0,12}(?![\w.])")
_BRACKETED: Final = re.compile(
    rf"\s?[(\[{{<]\s?(?:(?P<dot>{_DOT}|\.)|(?P<at>{_AT}|@)|(?P<line>{_UNDERSCORE}|_))\s?[)\]}}>]\s?(?=[a-z0-9_])"
)
_IN_WORDS: Final = re.compile(
    rf"(?<=[a-z0-9_])(?: | ?- ?|\*)(?:(?P<dot>{_DOT})|(?P<slash>{_SLASH}|forward slash)|"
    rf"(?P<line>{_UNDERSCORE}|under score|_)|(?P<dash>hyphen|dash))(?: | ?- ?|\*)(?=[a-z0-9_])"
)
_LINE_AT_END: Final = re.compile(
    rf"(?:(?<![a-z0-9_])(?:{_any('copula')})|[:=@]) ?(?P<before>(?:{_UNDERSCORE}) )(?=[a-z0-9])|"
    rf"(?<=[a-z0-9_])(?P<two> (?:double|doppel|doble|duplo|twee|due|dwa|два) (?:{_UNDERSCORE}) )(?=[a-z0-9])|"
    rf"(?<=[a-z0-9_])(?P<after> (?:{_UNDERSCORE}))(?=$|[\n.,!?)])"
)
_SIGN_AS_WORD: Final = re.compile(r"(?<=\bmy )@(?= |:)|(?<=\bsame )@(?= |:)|^@(?= is )")
_LINES_AROUND: Final = re.compile(r"(?<=[a-z0-9]) _ (?=[a-z0-9])")
_NUMBER_ADDED: Final = re.compile(
    r"(?<=[a-z]) (?:then|and|plus|followed by|with|y|und|et|e) (?:the |el |die |le |o |a )?"
    r"(?:numbers?|digits?|numero|nummer|num) (?=[0-9])"
)
_SIGN_AS_DIGIT: Final = re.compile(r"(?<=[0-9])(?:[|!]|\(\))(?=[0-9|!(])|(?<![^\s-])(?:[|!]|\(\))(?=[0-9])")
_MAIL: Final = "|".join(_PHRASES["mail"])
_ENDING: Final = "|".join(sorted(_PHRASES["endings_of_domains"], key=len, reverse=True))
_SHORT: Final = {
    *PLATFORMS.names,
    *_PHRASES["endings_of_domains"],
    *[w for w, n in LISTED.items() if not n.weak],
}
"""What three letters apart may spell."""
_MAIL_ENDING: Final = re.compile(rf"[.,] ?(?:{_ENDING})\b|(?:{_MAIL})(?:{_DOT})|mail|cloud|look|hoo")
_MAIL_APART: Final = re.compile(
    rf"(?<![a-z0-9])(?:{'|'.join(name.split()[0] for name in _PHRASES['mail_apart'])})(?P<apart>[ -])"
    rf"(?:{'|'.join({name.split()[1] for name in _PHRASES['mail_apart']})})(?![a-z0-9])"
)
_MAIL_DOT: Final = re.compile(
    rf"(?<=[a-z0-9_])(?P<dot> \. )(?=[a-z0-9_])|(?:{_MAIL})(?P<glued>{_DOT}|,)(?=(?:{_ENDING})(?![a-z0-9]))"
)
_FEWEST_LETTERS: Final = 4
_FEWEST_APART: Final = 3
_SHORTEST_PREFIX: Final = 5
_LONGEST_PREFIX: Final = 12


def respell(normal: Normal, t: Tokens) -> Normal:
    """`normal` with every disguise undone; itself when there is none. Linear time."""
    text = normal.text
    if t.all_roles & SINGLE and len([1 for roles in t.roles if roles & SINGLE]) >= _FEWEST_APART:
        normal = normal.rewrite(_cuts(text))
    if "!" in text or "@" in text or "$" in text or "|" in text:
        normal = normal.rewrite(
            [
                (m.start(), m.end(), name)
                for m in _SIGNED.finditer(normal.text)
                if (name := unleet(m[0])) in PLATFORMS.names
                or (name in PLATFORMS.words and "@" not in m[0][:1])
            ]
        )
    if "@" in text:
        normal = normal.rewrite([(m.start(), m.end(), "handle") for m in _SIGN_AS_WORD.finditer(normal.text)])
    if "(" in text or "[" in text or "{" in text or "<" in text:
        normal = normal.rewrite(
            [(m.start(), m.end(), _sign(m)) for m in _BRACKETED.finditer(normal.text) if m.start()]
        )
    if t.all_roles & SPELT:
        normal = normal.rewrite(
            [
                (*m.span(m.lastgroup or 0), "__" if m.lastgroup == "two" else "_")
                for m in _LINE_AT_END.finditer(normal.text)
            ]
        )
        normal = normal.rewrite([(m.start(), m.end(), _sign(m)) for m in _IN_WORDS.finditer(normal.text)])
    if " _ " in text:
        normal = normal.rewrite([(m.start(), m.end(), "_") for m in _LINES_AROUND.finditer(normal.text)])
    if " num" in text or " dig" in text:
        normal = normal.rewrite([(m.start(), m.end(), "") for m in _NUMBER_ADDED.finditer(normal.text)])
    if ("@" in text or t.all_roles & AT) and _MAIL_ENDING.search(normal.text):
        normal = normal.rewrite([(*m.span("apart"), "") for m in _MAIL_APART.finditer(normal.text)])
        normal = normal.rewrite([(*m.span(m.lastgroup or 0), ".") for m in _MAIL_DOT.finditer(normal.text)])
    return normal


def signs_as_digits(normal: Normal) -> Normal:
    """`normal` with signs among digits that look like one ("4|5", "()123") as digits; itself without any."""
    text = normal.text
    if not ("|" in text or "!" in text or "()" in text) or _SIGN_AS_DIGIT.search(text) is None:
        return normal
    return normal.rewrite(
        [(m.start(), m.end(), "0" if m[0] == "()" else "1") for m in _SIGN_AS_DIGIT.finditer(normal.text)]
    )


def _sign(match: re.Match[str]) -> str:
    said = match.lastgroup
    return {"dot": ".", "at": "@", "slash": "/", "line": "_", "dash": "-"}[said or "dot"]


def _named_prefix(letters: str) -> int:
    """How many of the letters are a platform's name that another name follows, or 0."""
    if letters in PLATFORMS.names:
        return 0
    lengths = range(min(len(letters) - 3, _LONGEST_PREFIX), _SHORTEST_PREFIX - 1, -1)
    return next((k for k in lengths if letters[:k] in PLATFORMS.names), 0)


def _cuts(text: str) -> Iterator[tuple[int, int, str]]:
    """The separators between letters that stand apart, so that each letter keeps its own way back.

    Where the letters begin with a platform's name, a space stays after it.
    """
    for match in _SPACED.finditer(text):
        separator = match["gap"] or match["dot"]
        letters = match[0][:: len(separator) + 1]
        if letters.isdigit() or (len(letters) < _FEWEST_LETTERS and letters not in _SHORT):
            continue
        gap = len(separator)
        name = _named_prefix(letters)
        for i in range(1, len(letters)):
            at = match.start() + 1 + (i - 1) * (gap + 1)
            yield at, at + gap, " " if i == name else ""
