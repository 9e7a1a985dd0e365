"""SQL as words: what may be read as a keyword, apart from literals, quoted identifiers and comments. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Final


class Form(Enum):
    """What a token is; BLANK is space and comments, SIGN everything without a form of its own."""

    WORD = auto()
    IDENTIFIER = auto()
    LITERAL = auto()
    BLANK = auto()
    SIGN = auto()


class Token:
    """A piece of a statement; its text may be replaced."""

    __slots__ = ("form", "text")

    def __init__(self, form: Form, text: str) -> None:
        self.form = form
        self.text = text


_TOKEN: Final = re.compile(
    r"""
      (?P<BLANK>\s+|--[^\n]*)
    | (?P<COMMENT>/\*)
    | (?P<LITERAL>'(?:[^'\\]|\\.|'')*'|\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
    | (?P<IDENTIFIER>"(?:[^"]|"")*")
    | (?P<WORD>[^\W\d][\w$]*)
    | (?P<SIGN>\$?\d[\w.]*|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE: Final = re.compile(r"/\*|\*/")


def tokens_of(sql: str) -> Iterator[Token]:
    """The pieces of a text, in order: joined again they are the text. Backslashes escape in literals."""
    at = 0
    while (found := _TOKEN.match(sql, at)) is not None:
        form, end = found.lastgroup, found.end()
        if form == "COMMENT":
            end = _end_of_comment(sql, end)
            form = "BLANK"
        yield Token(Form[form or "SIGN"], sql[at:end])
        at = end


def _end_of_comment(sql: str, at: int) -> int:
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, at)) is not None:
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return len(sql) if depth else at


def statements_of(tokens: Iterator[Token]) -> Iterator[list[Token]]:
    """The tokens of each statement, its semicolon included."""
    gathered: list[Token] = []
    for token in tokens:
        gathered.append(token)
        if token.text == ";" and token.form is Form.SIGN:
            yield gathered
            gathered = []
    yield gathered


class Words:
    """The tokens of one statement that mean something, by index; changing one changes the statement."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = [token for token in tokens if token.form is not Form.BLANK]
        self.upper = [t.text.upper() if t.form is Form.WORD else t.text for t in self._tokens]
        """Words in upper case; everything else, quoted identifiers among it, as written."""
        self.appended: list[str] = []

    def at(self, index: int) -> str:
        """The word there; an empty one beyond the end."""
        return self.upper[index] if index < len(self.upper) else ""

    def name(self, index: int) -> str:
        """The identifier there, as the catalogue spells it."""
        token = self._tokens[index]
        if token.form is Form.IDENTIFIER:
            return token.text[1:-1].replace('""', '"')
        return token.text.lower()

    def written(self, first: int, end: int) -> str:
        """The tokens of `[first, end)` as they are written, without what is between them."""
        return "".join(token.text for token in self._tokens[first:end])

    def is_literal(self, index: int) -> bool:
        """Whether a string literal stands there."""
        return index < len(self._tokens) and self._tokens[index].form is Form.LITERAL

    def replace(self, first: int, end: int, text: str = "") -> None:
        """Write `text` in place of `[first, end)`."""
        for token in self._tokens[first:end]:
            token.text = ""
        if first < end:
            self._tokens[first].text = text

    def after_name(self, index: int) -> int:
        """The index behind the possibly qualified name that begins at `index`."""
        index += 1
        while self.at(index) == ".":
            index += 2
        return index

    def after_group(self, index: int) -> int:
        """The index behind the group whose opening parenthesis stands at `index`."""
        depth = 0
        while index < len(self.upper):
            depth += {"(": 1, ")": -1}.get(self.upper[index], 0)
            index += 1
            if depth == 0:
                break
        return index
