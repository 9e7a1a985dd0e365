"""JSON Lines in, JSON Lines out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

Line = tuple[int, bytes]
"""A line's number, from 1, and what it holds without its line feed."""

CHUNK = 1000


def chunks(lines: BinaryIO) -> Iterator[list[Line]]:
    """The lines that hold something, in lists of at most `CHUNK`; numbers count the empty ones too.

    Input is read as it comes: a producer may keep the pipe open.
    """
    return _chunked(line for line in _numbered(lines) if line[1].strip())


def chunks_of_all(lines: BinaryIO) -> Iterator[list[Line]]:
    """The same with the empty lines: for an input in which they say something."""
    return _chunked(_numbered(lines))


def _numbered(lines: BinaryIO) -> Iterator[Line]:
    return ((number, line.rstrip(b"\r\n")) for number, line in enumerate(lines, start=1))


def _chunked(lines: Iterator[Line]) -> Iterator[list[Line]]:
    while chunk := list(islice(lines, CHUNK)):
        yield chunk
