"""The pinned packages: what constraints.txt says of each, and what its own metadata says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OWN = "contract-dataflow"
_PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==(\S+?)(?: ;[^\\]*)? \\$((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+)",
    re.MULTILINE,
)
_HASH = re.compile(r"sha256:([0-9a-f]{64})")


class Drift(Exception):
    """Pins and what is installed disagree; the text lists how."""


class Scope(Enum):
    """What a package is for, in CycloneDX's words."""

    REQUIRED = "required"
    """The running program."""
    OPTIONAL = "optional"
    """The running program, with an extra."""
    EXCLUDED = "excluded"
    """Development and tests; not in an image."""


@dataclass(frozen=True, slots=True)
class Package:
    """One pinned package."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """SHA-256 of every file that may be installed for it."""
    licence: str
    """As its metadata says it; empty where it says nothing."""
    needs: tuple[str, ...]
    """Names of pinned packages that it needs here."""
    scope: Scope


def pins_in(text: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Name to version and hashes, from the text of a constraints file."""
    return {
        canonicalize_name(name): (version, tuple(_HASH.findall(hashes)))
        for name, version, hashes in _PIN.findall(text)
    }


def inventory(constraints: Path) -> tuple[Package, ...]:
    """Every pinned package, by name. Raises Drift when an installed version is not the pinned one, when a
    package is pinned without a hash, or when the program needs one that is not pinned."""
    text = constraints.read_text(encoding="utf-8")
    pins = pins_in(text)
    named = {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
    faults = [f"{name}: is pinned without a hash" for name in sorted(named - set(pins))]
    needs: dict[str, tuple[str, ...]] = {}
    for name, (version, _) in pins.items():
        try:
            installed = distribution(name).version
        except PackageNotFoundError:
            # Pinned for another platform or Python.
            needs[name] = ()
            continue
        if installed != version:
            faults.append(f"{name}: {version} is pinned, {installed} is installed")
        needs[name] = tuple(sorted(_needs(name, frozenset()) & set(pins)))
    required = _closure(_needs(OWN, frozenset()), needs)
    optional = _closure(_needs(OWN, frozenset({"msk-iam"})), needs)
    faults += [f"{name}: is needed and not pinned" for name in sorted((required | optional) - set(pins))]
    if faults:
        raise Drift("\n".join(faults))
    return tuple(
        Package(name, version, hashes, licence_of(name), needs[name], _scope(name, required, optional))
        for name, (version, hashes) in sorted(pins.items())
    )


def _scope(name: str, required: Iterable[str], optional: Iterable[str]) -> Scope:
    if name in required:
        return Scope.REQUIRED
    return Scope.OPTIONAL if name in optional else Scope.EXCLUDED


def _needs(name: str, extras: frozenset[str]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in _requirements(name, extras)}


def _requirements(name: str, extras: frozenset[str]) -> Iterator[Requirement]:
    for line in distribution(name).requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _closure(first: Iterable[str], needs: Mapping[str, tuple[str, ...]]) -> set[str]:
    found: set[str] = set()
    waiting = list(first)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs.get(name, ())
    return found


_CLASSIFIED = "License :: OSI Approved :: "


def licence_of(name: str) -> str:
    """What a package's metadata says of its licence: the expression, else the classifiers, else the field."""
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    expression = metadata.get_all("License-Expression")
    if expression:
        return str(expression[0])
    classified = [each.removeprefix(_CLASSIFIED) for each in metadata.get_all("Classifier") or ()]
    told = [each for each in classified if each in _CLASSIFIERS]
    if told:
        return " OR ".join(sorted({_CLASSIFIERS[each] for each in told}))
    (field,) = metadata.get_all("License") or [""]
    return str(field).strip().partition("\n")[0]


_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""The classifiers in use, as SPDX names them."""
