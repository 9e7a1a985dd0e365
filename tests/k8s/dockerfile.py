"""The Dockerfile, read: its instructions stage by stage, and what reaches the builder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction: its name in capitals, and its text with the continuation lines joined."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    instructions: tuple[Instruction, ...]

    def texts(self, name: str) -> list[str]:
        """The text of each instruction of this name."""
        return [each.text for each in self.instructions if each.name == name]

    def last(self, name: str) -> str:
        """The instruction of this name that counts. Raises IndexError when there is none."""
        return self.texts(name)[-1]


@dataclass(frozen=True, slots=True)
class Copy:
    """A COPY: what, from which stage ("" for the context), to where."""

    sources: tuple[str, ...]
    stage: str
    target: str


@dataclass(frozen=True, slots=True)
class Run:
    """A RUN in shell form, and the directories that are kept from build to build."""

    command: str
    caches: tuple[str, ...] = field(default=())

    @property
    def packages(self) -> tuple[str, ...]:
        """What it installs of Debian's."""
        found = re.search(r"\bapt-get install ([^&|;]+)", self.command)
        return tuple(word for word in found[1].split() if not word.startswith("-")) if found else ()


def stages(path: Path) -> list[Stage]:
    """The stages, `${NAME}` replaced by the default of its ARG. Raises ValueError on what can't be read."""
    defaults: dict[str, str] = {}
    found: list[Stage] = []
    for each in _instructions(path.read_text()):
        text = _substituted(each.text, defaults)
        if each.name == "ARG":
            name, _, value = text.partition("=")
            defaults.setdefault(name, value)
        elif each.name == "FROM":
            base, _, name = text.partition(" AS ")
            found.append(Stage(base, name, ()))
        else:
            stage = found.pop()
            found.append(Stage(stage.base, stage.name, (*stage.instructions, Instruction(each.name, text))))
    return found


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        name, _, rest = line.partition(" ")
        yield Instruction(name.upper(), rest.strip())


def _substituted(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)


def as_copy(text: str) -> Copy:
    """A COPY's parts. Raises ValueError for flags that are not known here."""
    words = shlex.split(text)
    stage = ""
    while words[0].startswith("--"):
        name, _, value = words.pop(0).partition("=")
        if name != "--from":
            raise ValueError(f"COPY {name} is not known here")
        stage = value
    return Copy(tuple(words[:-1]), stage, words[-1])


def as_run(text: str) -> Run:
    """A RUN's command and cache mounts."""
    caches: list[str] = []
    while text.startswith("--mount="):
        mount, _, text = text.partition(" ")
        options = dict(part.split("=", 1) for part in mount.removeprefix("--mount=").split(","))
        if options.get("type") != "cache":
            raise ValueError(f"{mount} is not known here")
        caches.append(options["target"])
    return Run(text.strip(), tuple(caches))


@dataclass(frozen=True, slots=True)
class Context:
    """What of a directory reaches the builder."""

    directory: Path
    patterns: tuple[str, ...]

    @classmethod
    def of(cls, directory: Path) -> Context:
        """By the directory's .dockerignore."""
        lines = (directory / ".dockerignore").read_text().splitlines()
        return cls(directory, tuple(line for line in lines if line and not line.startswith("#")))

    def reaches(self, path: str) -> bool:
        """Whether a file, named from the directory, reaches the builder: the last fitting pattern decides."""
        allowed = True
        for pattern in self.patterns:
            if _fits(path, pattern.removeprefix("!")):
                allowed = pattern.startswith("!")
        return allowed

    def files(self, source: str) -> Iterator[str]:
        """The files at or below `source` that reach it."""
        start = self.directory / source
        for file in [start] if start.is_file() else sorted(start.rglob("*")):
            path = str(file.relative_to(self.directory))
            if file.is_file() and self.reaches(path):
                yield path


def _fits(path: str, pattern: str) -> bool:
    """A pattern that fits a directory fits all that is in it."""
    parts = path.split("/")
    if pattern.startswith("**/"):
        return any(fnmatch(part, pattern[3:]) for part in parts)
    depth = pattern.count("/") + 1
    return len(parts) >= depth and fnmatch("/".join(parts[:depth]), pattern)
