"""Handles: a platform's mention binds a token near it when the evidence adds up.

Evidence is counted in points: how sure the mention is, what joins it to the token ("is", "id:", "on"),
whether somebody gives ("my", "add me on"), and how much the token looks like a chosen name rather than a
word. A handle needs `_ENOUGH` of them; an ordinary word never is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dataflow.detect.data import table
from dataflow.detect.normalise import Normal, fold
from dataflow.detect.platforms import Mention, Token, mentions, tokens
from dataflow.detect.vocabulary import NAMES, ORDINARY, PUBLIC_ACCOUNTS, compound, ordinary

_PHRASES = table("phrases.toml")


def _entries(key: str) -> frozenset[str]:
    return frozenset(map(fold, _PHRASES[key]))


_LABEL, _COPULA, _FILLER = _entries("label"), _entries("copula"), _entries("filler")
_GIVE, _ON, _OTHERS, _OWN = _entries("give"), _entries("on"), _entries("others"), _entries("own")
_ANYWHERE = sorted((tuple(fold(p).split()) for p in _PHRASES["anywhere"]), key=len, reverse=True)
_ANYWHERE_FIRST = frozenset(phrase[0] for phrase in _ANYWHERE)
_UNIT_LIKE = re.compile(
    rf"[0-9]+(?:\.[0-9]+)?(?:{'|'.join(_PHRASES['units'])})|[a-z][0-9]{{1,2}}|[0-9]{{1,2}}[a-z]|gr8|l8r|m8|w8|h8|b4|2day|2nite|4ever|n8|str8|[0-9]+(?:st|nd|rd|th)"
)
_POINTING = frozenset(":=→➡👉>⇒☞👇⬇'\"«»“")
_LOOSE = frozenset("-~|*()•/_[]")
_ENDS = frozenset(".!?;")
_SHORTEST, _LONGEST = 3, 40
_ENOUGH = 3
_NEVER = -9
_FARTHEST = 9
_FEW_WORDS = 5


@dataclass(frozen=True, slots=True)
class Handle:
    """A handle in a respelt text, `[start, end)`."""

    platform: str | None
    value: str
    start: int
    end: int
    rule: str


@dataclass(frozen=True, slots=True)
class _Text:
    normal: Normal
    tokens: Sequence[Token]
    words: int
    """Latin tokens: what few-word messages are told by."""

    def signed(self, i: int) -> bool:
        """Whether "@" stands right before token i."""
        token = self.tokens[i]
        return i > 0 and self.tokens[i - 1].text == "@" and self.tokens[i - 1].end == token.start

    def shape(self, i: int) -> int:
        """How much token i looks like a chosen name, in points; `_NEVER` for what cannot be one."""
        token = self.tokens[i]
        word = token.text
        if not token.latin or not _SHORTEST <= len(word) <= _LONGEST:
            return _NEVER
        if not any(c.isalpha() for c in word) or not self.normal.plain(token.start, token.end):
            return _NEVER
        signed = 2 if self.signed(i) else 0
        if signed and word in PUBLIC_ACCOUNTS:
            return _NEVER
        if _UNIT_LIKE.fullmatch(word):
            return _NEVER
        if "_" in word or any(c.isdigit() for c in word):
            return 3 + signed
        if "." in word:
            parts = word.split(".")
            if len(parts) > 4 or "" in parts or all(p in ORDINARY and p not in NAMES for p in parts):
                return 1 + signed if signed else _NEVER
            return 3 + signed
        if word in ORDINARY and word not in NAMES:
            return _NEVER + (2 if signed else 0)
        if compound(word):
            return 2 + signed
        if ordinary(word) and word not in NAMES:
            return _NEVER
        return (1 if len(word) >= 5 else 0) + signed


def _gives(text: _Text, first: int) -> int:
    """1 when the words before token `first` give or invite, else 0."""
    for i in range(first - 1, max(-1, first - 5), -1):
        token = text.tokens[i].text
        if token in _ENDS:
            break
        if token in _GIVE:
            return 1
    return 0


def _third_party(text: _Text, at: int) -> bool:
    """Whether the words before token `at` speak of somebody else's account ("i follow @…")."""
    words = [token.text for token in text.tokens[max(0, at - 5) : at]]
    return not _OTHERS.isdisjoint(words) and _OWN.isdisjoint(words)


def _extended(text: _Text, i: int, platform: str | None) -> tuple[int, int]:
    """The span of the handle at token i: hyphens go on with it where the platform allows them."""
    start, end = text.tokens[i].start, text.tokens[i].end
    if platform in ("snapchat", "wechat", "skype"):
        tail = re.compile(r"(?:-[a-z0-9_.]*[a-z0-9_])+").match(text.normal.text, end, end + _LONGEST)
        if tail and any(c.isdigit() or c == "_" for c in tail[0]):
            end = tail.end()
    return start, end


def _forward(text: _Text, mention: Mention, taken: frozenset[int]) -> tuple[int, int] | None:
    """The token after a mention that is its handle, and the points; None when there is none."""
    points = (1 if mention.sure else 0) + _gives(text, mention.first)
    if text.words <= _FEW_WORDS:
        points += 1
    joint, asked = 0, False
    for i in range(mention.last, min(len(text.tokens), mention.last + _FARTHEST)):
        token = text.tokens[i].text
        if i in taken:
            return None
        if len(token) == 1 and not token.isalnum() and token != "_":
            if token in _POINTING:
                joint = max(joint, 2 if token != "'" else joint)
            elif token in _LOOSE:
                joint = max(joint, 1)
            elif token in _ENDS:
                asked = asked or not (i == mention.last and "." in text.tokens[i - 1].text)
            continue
        if text.signed(i):
            joint = max(joint, 1)
        elif token in _LABEL and not _ends_message(text, i):
            joint, asked = max(joint, 2), False
            continue
        elif token in _COPULA:
            joint, asked = max(joint, 1), asked and token not in ("mine", "mines", "its", "it's", "im", "i'm")
            continue
        elif token in _FILLER or not text.tokens[i].latin:
            continue
        if asked and not text.signed(i):
            return None
        shape = text.shape(i)
        if shape < 0 or points + joint + shape < _ENOUGH:
            return None
        if text.signed(i) and _third_party(text, mention.first):
            return None
        return i, points + joint + shape
    return None


def _ends_message(text: _Text, i: int) -> bool:
    return i + 1 >= len(text.tokens)


def _backward(text: _Text, mention: Mention, taken: frozenset[int]) -> tuple[int, int] | None:
    """The token before a mention that is its handle ("… on insta"), and the points."""
    i = mention.first - 1
    joined = mention.first > 0 and text.tokens[mention.first].text in _ON and mention.last - mention.first > 1
    loose = False
    while i >= 0 and mention.first - i <= 5:
        token = text.tokens[i].text
        if token in _ON:
            joined = True
        elif token in ("my", "the", "meu", "mi", "mon", "mein", "mijn", "'", "s"):
            pass
        elif len(token) == 1 and not token.isalnum() and token in "(-,|/:=@":
            loose = True
        else:
            break
        i -= 1
    if i < 0 or i in taken or not (joined or loose):
        return None
    shape = text.shape(i)
    points = shape + (1 if mention.sure else 0)
    before = text.tokens[i - 1].text if i else ""
    if before in _LABEL or before in ("im", "i'm", "its", "it's", "add"):
        points += 2
    elif text.words <= _FEW_WORDS:
        points += 1
    if shape < 2 or points < _ENOUGH or (loose and not joined and shape < 3):
        return None
    return None if _third_party(text, i) else (i, points)


def _loose(text: _Text, found: Sequence[Mention], taken: frozenset[int]) -> Iterator[tuple[int, Mention]]:
    """Names that a label or "@" marks, somewhere in a text that mentions a platform."""
    for i in range(1, len(text.tokens)):
        before = text.tokens[i - 1].text
        marked = text.signed(i) or before in _LABEL or before in ("its", "add", "im", ":")
        if i in taken or not marked:
            continue
        if text.shape(i) >= (3 if text.signed(i) else 2) and not _third_party(text, i):
            yield i, min(found, key=lambda m: abs(m.first - i))


def _anywhere(text: _Text) -> list[Mention]:
    """Phrases that announce a handle without a platform ("same name on all socials")."""
    found = []
    words = [(i, token.text) for i, token in enumerate(text.tokens) if token.text != "'"]
    for at, (first, word) in enumerate(words):
        if word not in _ANYWHERE_FIRST:
            continue
        for phrase in _ANYWHERE:
            part = words[at : at + len(phrase)]
            if tuple(w for _, w in part) == phrase:
                found.append(Mention(None, first, part[-1][0] + 1, True))
                break
    return found


def _bare(text: _Text, taken: frozenset[int]) -> int | None:
    """A lone "@name" in a message that says little else."""
    marked = [i for i in range(1, len(text.tokens)) if text.signed(i) and i not in taken]
    if len(marked) != 1 or _third_party(text, marked[0]):
        return None
    shape = text.shape(marked[0])
    return marked[0] if shape >= 5 or (shape >= 3 and text.words <= 3) else None


def handles(normal: Normal, free: Sequence[tuple[int, int]]) -> list[Handle]:
    """The handles of a respelt text, outside the spans of `free`-standing contacts. Linear time."""
    sequence = tokens(normal.text)
    text = _Text(normal, sequence, sum(token.latin for token in sequence))
    taken = frozenset(
        i for i, token in enumerate(sequence) if any(a < token.end and token.start < b for a, b in free)
    )
    named = [m for m in mentions(sequence) if m.first not in taken]
    taken |= {i for m in named for i in range(m.first, m.last)}
    found: list[Handle] = []

    def take(i: int, platform: str | None, rule: str) -> None:
        nonlocal taken
        start, end = _extended(text, i, platform)
        found.append(Handle(platform, normal.text[start:end], start, end, rule))
        taken |= {i}

    for mention in named:
        best = _forward(text, mention, taken)
        back = _backward(text, mention, taken)
        if back and (not best or back[1] > best[1]):
            take(back[0], mention.platform, "handle_backward")
        elif best:
            take(best[0], mention.platform, "handle_forward")
    if named and not found:
        for i, mention in _loose(text, named, taken):
            take(i, mention.platform, "handle_marked")
            break
    if not found:
        for mention in _anywhere(text):
            best = _forward(text, mention, taken)
            if best:
                take(best[0], None, "handle_anywhere")
                break
    if not found and (lone := _bare(text, taken)) is not None:
        take(lone, None, "handle_bare")
    return found
