"""`detect`: the contacts in texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO

import orjson

from dataflow.commands.lines import Line, chunks
from dataflow.detect import Detector
from dataflow.model import Contact

KEYS = frozenset({"id", "text", "region"})


@dataclass(frozen=True, slots=True)
class Request:
    """A text to look at."""

    name: str | int
    text: str
    region: str | None
    unread: bool
    """Whether it says more than is read."""


class Unfit(Exception):
    """A line that is no request; the text says why and never quotes it."""


def detect(lines: BinaryIO, region: str, out: BinaryIO, err: TextIO) -> int:
    """For each `{"id", "text", "region"?}` a line `{"id", "detections": [...]}`, a detection being
    `{"type", "platform", "value", "start", "end", "rule"}`: the value is E.164, or the handle in lower case
    without @; offsets in code points, half open.

    A line that is not fit is told on `err` by its number and left out; the answer is then 1, else 0. Other
    keys, as labelled sets have them, are let pass and told once. Raises ValueError for a default `region`
    that libphonenumber does not know.
    """
    detector = Detector(region)
    unfit = unread = 0
    for chunk in chunks(lines):
        requests: list[Request] = []
        for line in chunk:
            try:
                requests.append(asked := request(line, detector))
                unread += asked.unread
            except Unfit as reason:
                unfit += 1
                print(f"line {line[0]}: {reason}", file=err)
        found = detector.detect([each.text for each in requests], [each.region for each in requests])
        for each, contacts in zip(requests, found, strict=True):
            answer = {"id": each.name, "detections": [_told(contact) for contact in contacts]}
            out.write(orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE))
        out.flush()
    if unread:
        print(f"{unread} lines have keys besides id, text and region, which were not read", file=err)
    return int(unfit > 0)


def request(line: Line, detector: Detector) -> Request:
    """What a line asks for. Raises Unfit."""
    try:
        said = orjson.loads(line[1])
    except orjson.JSONDecodeError as trouble:
        raise Unfit(f"is not JSON (column {trouble.colno})") from None
    if not isinstance(said, dict):
        raise Unfit('must be an object such as {"id": 1, "text": "hello"}')
    name, text, region = said.get("id"), said.get("text"), said.get("region")
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise Unfit("id must be a text or a whole number")
    if not isinstance(text, str):
        raise Unfit("text must be a text")
    if region is not None and not (isinstance(region, str) and detector.knows(region)):
        raise Unfit("region must be an ISO 3166 code of two capital letters, such as US")
    return Request(name, text, region, not said.keys() <= KEYS)


def _told(contact: Contact) -> dict[str, Any]:
    return {
        "type": contact.kind,
        "platform": contact.platform,
        "value": contact.value,
        "start": contact.start,
        "end": contact.end,
        "rule": contact.rule,
    }
