"""How much of a long text is read."""

from __future__ import annotations

from operator import attrgetter

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dataflow.detect import Detector
from dataflow.detect.normalise import normalise
from dataflow.detect.portion import SHORT, portion
from dataflow.detect.tokens import tokens
from tests.detect.test_properties import CHAT, GIVEN, mixtures

DETECTOR = Detector()
LONGEST = 2056
"""Bytes that the contract allows a text."""
PHONE, NAME = "call me on 415-555-0123", "my snap is luna_moon42"
PARTS = attrgetter("text", "words", "gaps", "starts", "ends", "roles", "all_roles", "said")
DECOYS = ("order 84 ", "snap or insta ", "one two three ", "s n a p ", "12:30 ")


def repeated(unit: str) -> str:
    return (unit * (LONGEST // len(unit) + 1))[:LONGEST]


@pytest.mark.parametrize("said", [said for said, _, _ in GIVEN])
def test_six_contacts_of_any_kind_are_read_wherever_the_reading_ends(said: str) -> None:
    explained = DETECTOR.explain(repeated(f"{said}. "))
    assert explained.read < LONGEST
    assert len(explained.contacts) >= 6


@pytest.mark.parametrize("between", [". ", " ", "\n"])
def test_ordinary_chat_of_the_greatest_length_is_read_to_its_end(between: str) -> None:
    chat = repeated(between.join(CHAT) + between)[: -len(NAME) - 10]
    found = DETECTOR.examine([f"{chat} . {NAME}"])
    assert [contact.value for contact in found.contacts[0]] == ["luna_moon42"]
    assert found.in_part == 0


@pytest.mark.parametrize("decoy", DECOYS)
def test_a_text_full_of_decoys_is_counted_as_read_in_part(decoy: str) -> None:
    assert DETECTOR.examine([repeated(decoy), f"{decoy}{PHONE}"]).in_part == 1


@given(st.lists(mixtures | st.sampled_from([*CHAT, "ordinary words of a chat"]), max_size=40).map(" ".join))
@settings(max_examples=200, deadline=None)
def test_a_text_read_in_pieces_is_the_text_read_as_a_whole_up_to_the_cut(text: str) -> None:
    normal, t = portion(text)
    whole = normalise(text)
    assert text.startswith(normal.original)
    assert whole.text.startswith(normal.text)
    assert PARTS(t) == PARTS(tokens(normal.text, t.said))
    if normal.origin is not None or whole.origin is not None:
        places = range(len(normal.text))
        ends = [normal.span(i, i + 1) for i in places]
        assert [start for start, _ in ends] == [whole.span(i, i + 1)[0] for i in places]
    if len(normal.text) < len(whole.text):
        assert len(normal.text) > SHORT
