"""The roles that a word may play. A role is a bit; a word may have several.

They are `Final`, so that a compiled build holds the numbers themselves.
"""

from __future__ import annotations

from typing import Final

ORDINARY: Final = 1 << 0
"""A word of prose."""
NAME: Final = 1 << 1
"""A first or family name."""

SURE: Final = 1 << 2
"""Names a platform."""
MAYBE: Final = 1 << 3
"""Names a platform, perhaps."""
PHRASE: Final = 1 << 4
"""Begins a platform's name of several words."""
POINTED: Final = 1 << 30
"""Names a platform only right before a colon or the like."""
BEGINNING: Final = 1 << 31
"""What a long name of a platform begins with: it may have been cut there."""
PLATFORM: Final = SURE | MAYBE | PHRASE | POINTED

# What gives a handle, and what says whose account it is: see data/handle_context.toml.
LABEL: Final = 1 << 5
COPULA: Final = 1 << 6
FILLER: Final = 1 << 7
GIVE: Final = 1 << 8
ON: Final = 1 << 9
OTHERS: Final = 1 << 10
OWN: Final = 1 << 11
THEIRS: Final = 1 << 12
CREDIT: Final = 1 << 33
PUBLIC: Final = 1 << 34
AM: Final = 1 << 35
ME: Final = 1 << 36
ANNOUNCE: Final = 1 << 37
ANYWHERE: Final = 1 << 27
"""Begins a phrase that announces a handle on every platform."""

DIGITS: Final = 1 << 13
"""All digits."""
MIXED: Final = 1 << 14
"""Letters and digits."""
NUMERAL: Final = 1 << 15
"""A digit word."""
FUSED: Final = 1 << 16
"""Several digit words without spaces."""
MANY: Final = 1 << 17
"""Begins a digit word of several words."""
CHARACTER: Final = 1 << 26
"""Holds digits of a script that writes them as one character."""
NUMBERLIKE: Final = DIGITS | MIXED | NUMERAL | FUSED | MANY | CHARACTER

# What may stand among numerals: "double", "and", "belas".
SIGN: Final = 1 << 18
JOINER: Final = 1 << 19
SUFFIX: Final = 1 << 20

# What a number near it is: see data/phone_context.toml.
CONTACT: Final = 1 << 21
OTHER: Final = 1 << 22
REVERSE: Final = 1 << 23
LOCAL: Final = 1 << 24

LATIN: Final = 1 << 25
"""Written in Latin letters or digits: may be part of a handle."""
SINGLE: Final = 1 << 29
"""One letter or digit."""
SPELT: Final = 1 << 28
"""A dot, an underscore or a slash in words."""
AT: Final = 1 << 32
"""An "at" in words."""
