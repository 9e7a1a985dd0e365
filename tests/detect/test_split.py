"""Contacts given over several messages: what the memory joins, and what it must not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from dataflow.detect import Detector, Piece, SplitMemory

DETECTOR = Detector()
START = datetime(2026, 1, 1, 20, tzinfo=UTC)


def told(memory: SplitMemory, *pieces: Piece) -> list[list[tuple[str, str]]]:
    """What each message gives, (kind, value)."""
    found = DETECTOR.detect([piece.text for piece in pieces])
    return [[(c.kind, c.value) for c in contacts] for contacts in memory.detect(pieces, found)]


def said(*texts: str, pair: tuple[str, ...] = ("1", "2"), apart: int = 20) -> list[Piece]:
    return [
        Piece(pair, START + timedelta(seconds=apart * i), text)
        for i, text in zip(count(), texts, strict=False)
    ]


@pytest.mark.parametrize(
    ("texts", "contact"),
    [
        (["415", "555", "0123"], ("phone", "+14155550123")),
        ([*"4155550123"], ("phone", "+14155550123")),
        (["its 415", "then 555", "and 0123"], ("phone", "+14155550123")),
        (["four one five", "five five five", "oh one two three"], ("phone", "+14155550123")),
        (["(415)", "haha", "555-0123"], ("phone", "+14155550123")),
        (["text me", "415555", "0123"], ("phone", "+14155550123")),
        (["add me on snap", "luna_moon42"], ("handle", "luna_moon42")),
        (["insta?", "mine is luna.moon42"], ("handle", "luna.moon42")),
        (["my telegram:", "@lunamoon"], ("handle", "lunamoon")),
    ],
)
def test_pieces_make_a_contact_of_the_message_that_completes_it(
    texts: list[str], contact: tuple[str, str]
) -> None:
    answers = told(SplitMemory(DETECTOR), *said(*texts))
    assert answers == [[]] * (len(texts) - 1) + [[contact]]


@pytest.mark.parametrize(
    "texts",
    [
        ["i'm 29", "you?", "31"],
        ["see you at 8", "room 415", "bring 2 friends"],
        ["do you have snap?", "lol", "nice"],
        ["i love instagram", "haha same"],
        ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
        ["my order is 4155", "550123"],
    ],
)
def test_ordinary_talk_in_short_messages_makes_none(texts: list[str]) -> None:
    assert told(SplitMemory(DETECTOR), *said(*texts)) == [[]] * len(texts)


def test_pieces_of_different_pairs_are_never_joined() -> None:
    memory = SplitMemory(DETECTOR)
    (first,) = said("415 555", pair=("1", "2"))
    (second,) = said("0123", pair=("2", "1"))
    assert told(memory, first, second._replace(at=first.at + timedelta(seconds=5))) == [[], []]


def test_what_is_too_old_is_not_joined() -> None:
    assert told(SplitMemory(DETECTOR), *said("415 555", "0123", apart=601)) == [[], []]


def test_a_message_that_gives_a_contact_by_itself_keeps_its_own() -> None:
    answers = told(SplitMemory(DETECTOR), *said("my snap is", "call 415-555-0123"))
    assert answers == [[], [("phone", "+14155550123")]]


def test_the_span_lies_in_the_completing_message_and_the_rule_says_that_it_was_split() -> None:
    memory = SplitMemory(DETECTOR)
    pieces = said("add me on snap", "its luna_moon42 x")
    *_, ((contact,)) = memory.detect(pieces, [(), ()])
    assert "its luna_moon42 x"[contact.start : contact.end] == "luna_moon42"
    assert contact.rule.startswith("split_")


def test_a_later_version_of_a_message_gives_the_same_again() -> None:
    memory = SplitMemory(DETECTOR)
    pieces = said("415", "555", "0123")
    first = told(memory, *pieces)
    assert told(memory, *pieces) == first


def test_pairs_that_were_quiet_longest_are_forgotten_first() -> None:
    memory = SplitMemory(DETECTOR, pairs=100)
    for number in range(1000):
        told(memory, *said("415 555", pair=(str(number), "x")))
    assert len(memory) == 100
    late = [Piece((str(n), "x"), START + timedelta(seconds=9), "0123") for n in (0, 999)]
    assert told(memory, *late) == [[], [("phone", "+14155550123")]]


texts = st.lists(
    st.sampled_from(["415", "555", "0123", "my snap is", "luna_moon42", "lol", "five", ""]), max_size=10
)
"""As many as are remembered: beyond that, reading again may find less."""


@given(texts, st.integers(0, 10))
@settings(max_examples=150, deadline=None)
def test_reading_again_from_any_point_gives_the_same_contacts(said_texts: list[str], back_to: int) -> None:
    memory = SplitMemory(DETECTOR)
    pieces = said(*said_texts)
    first = told(memory, *pieces)
    assert told(memory, *pieces[back_to:]) == first[back_to:]
    assert told(SplitMemory(DETECTOR), *pieces[:back_to]) == first[:back_to]


@given(st.lists(st.tuples(st.text(max_size=12), st.integers(0, 900)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_any_messages_in_any_order_of_time_are_taken(messages: list[tuple[str, int]]) -> None:
    pieces = [Piece(("1", "2"), START + timedelta(seconds=seconds), text) for text, seconds in messages]
    for piece, contacts in zip(pieces, SplitMemory(DETECTOR).detect(pieces, [()] * len(pieces)), strict=True):
        assert all(0 <= contact.start < contact.end <= len(piece.text) for contact in contacts)
