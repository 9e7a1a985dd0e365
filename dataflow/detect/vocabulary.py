"""What is an ordinary word, what is a name, and what is made up of them."""

from __future__ import annotations

from dataflow.detect.data import words
from dataflow.detect.misspell import misspellings, squeezed

ENGLISH = words("words_en.txt")
ORDINARY = ENGLISH | words("words_chat.txt")
NAMES = words("names.txt")
PUBLIC_ACCOUNTS = words("public_accounts.txt")
_PARTS = frozenset(w for w in ENGLISH if len(w) > 3) | NAMES
_GLUE = words("glue.txt")
_LONGEST_COMPOUND = 32


def ordinary(word: str) -> bool:
    """Whether a letters-only token is a word of prose, a drawn-out one or one slip of the pen away."""
    if word in ORDINARY:
        return True
    if any(short in ORDINARY for short in squeezed(word)):
        return True
    if not 5 <= len(word) <= 12 or word in NAMES or compound(word):
        return False
    return any(slip in ORDINARY for slip in misspellings(word))


def compound(word: str) -> bool:
    """Whether a letters-only token is made of two or more words or names, as chosen handles are."""
    if not 6 <= len(word) <= _LONGEST_COMPOUND:
        return False
    # best[i]: a number of parts that spell word[:i], 0 when there is none.
    best = [0] * (len(word) + 1)
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - 12), end):
            if start and not best[start]:
                continue
            part = word[start:end]
            if part in _PARTS or part in _GLUE:
                best[end] = max(best[end], best[start] + 1)
    return best[len(word)] >= 2
