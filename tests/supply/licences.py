"""Which licences may come in."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tests.supply.inventory import Package

ALLOWED = frozenset(
    {
        *("Apache-2.0", "MIT", "MIT-0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "PSF-2.0"),
        # Python's own of old, in `regex`: as free as the others, if not to be mixed into the GPL's.
        "CNRI-Python",
        # Weak copyleft, by file: used unchanged.
        "MPL-2.0",
    }
)
NOT_TOLD = {
    "antlr4-python3-runtime": ("BSD", "BSD-3-Clause", "its source says which"),
    "ahocorasick-rs": ("Apache 2.0", "Apache-2.0", "the same, spelt otherwise"),
    "kubernetes-validate": ("Apache", "Apache-2.0", "its classifier says Apache Software License"),
    "protobuf": ("3-Clause BSD License", "BSD-3-Clause", "the same, spelt otherwise"),
    "bytewax": ("", "Apache-2.0", "its metadata says nothing; the file LICENSE of its source does"),
}
"""Package: what its metadata says, what that means, and why. Read again when the metadata changes."""


def licence(package: Package) -> str:
    """A package's licence as an SPDX expression."""
    told, meant, _ = NOT_TOLD.get(package.name, (None, "", ""))
    return meant if package.licence == told else package.licence


def not_allowed(packages: Iterable[Package]) -> list[str]:
    """A line for each package whose licence, or one that it joins with AND, is not on the list."""
    return [
        f"{package.name} {package.version}: {licence(package) or 'no licence told'}"
        for package in packages
        # Not installed here: pinned for another platform.
        if (package.licence or package.name in NOT_TOLD) and not _is_allowed(licence(package))
    ]


def _is_allowed(expression: str) -> bool:
    """Every name is allowed, or one side of an OR is. Parentheses hold alternatives only."""
    bare = expression.replace("(", "").replace(")", "")
    return all(
        any(name.strip() in ALLOWED for name in re.split(r"\bOR\b", part))
        for part in re.split(r"\bAND\b", bare)
    )
