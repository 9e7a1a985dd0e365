"""One case for each technique that is found, and for each look-alike that is not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from dataflow.detect import Detector

CASES = Path(__file__).parent / "cases"
DETECTOR = Detector()


def cases(file: str, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tomllib.loads((CASES / file).read_text(encoding="utf-8"))[key]
    return found


@pytest.mark.parametrize(
    "case", cases("contacts.toml", "contact"), ids=lambda case: f"{case['kind']}: {case['technique']}"
)
def test_a_technique_is_seen_through(case: dict[str, Any]) -> None:
    before, said, _ = case["text"].replace("»", "«").split("«")
    text = case["text"].replace("«", "").replace("»", "")
    ((contact,),) = DETECTOR.detect([text], [case.get("region")])
    assert (contact.kind, contact.platform, contact.value) == (
        case["kind"],
        case.get("platform"),
        case["value"],
    )
    assert (contact.start, contact.end) == (len(before), len(before) + len(said))
    assert contact.rule.startswith(("phone_", "handle_", "link", "email", "discord_", "skype_", "reddit_"))


@pytest.mark.parametrize("case", cases("nothing.toml", "nothing"), ids=lambda case: f"{case['what']}")
def test_what_only_looks_like_a_contact_is_none(case: dict[str, Any]) -> None:
    assert DETECTOR.detect([case["text"]], [case.get("region")]) == [()]


def test_why_something_is_none_is_said_once() -> None:
    said = DETECTOR.explain("order 202 555 0143, but my SNAP is Luna(dot)Moon42").vetoes
    assert said == (("words around it say that it is something else", 6, 18),)


def test_a_region_that_comes_with_a_text_wins_over_the_default_and_an_unknown_one_does_not() -> None:
    text = "ring me on 020 7946 0018"
    in_britain, unknown = Detector("FR").detect([text, text], ["GB", "XX"])
    assert [contact.value for contact in in_britain] == ["+442079460018"]
    assert [contact.value for contact in unknown] == ["+442079460018"]  # by the language of the words
    with pytest.raises(ValueError, match="XX"):
        Detector("XX")
    with pytest.raises(ValueError, match="1 regions for 2 texts"):
        Detector().detect([text, text], ["GB"])
