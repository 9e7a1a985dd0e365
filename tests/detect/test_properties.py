"""What holds for every text."""

from __future__ import annotations

import time

import hypothesis.strategies as st
import pytest
import rphonenumbers
from hypothesis import HealthCheck, example, given, settings

from dataflow.detect import Detector
from dataflow.detect.detector import scan
from dataflow.detect.normalise import fold, normalise
from dataflow.detect.portion import only_prose
from dataflow.detect.prefilter import suspects
from dataflow.detect.tokens import tokens
from dataflow.model import Contact

DETECTOR = Detector()
SNIPPETS = [
    "my insta is ",
    "snap: ",
    "@",
    "luna_moon42",
    "415",
    "555",
    "0123",
    "five ",
    "double ",
    "oh ",
    "+1",
    " - ",
    "(",
    ")",
    ".",
    "dot",
    " at gmail",
    ".com",
    "/",
    "t.me/",
    "wa.me/",
    "👻",
    "📸",
    "０",
    "४",
    "①",
    "інста",
    "ин",
    "一",
    "\u200b",
    "\u0301",
    "🇺🇸",
    "#1234",
    "u/",
    "live:",
    "i n s t a ",
    "order ",
    "call me ",
    "\n",
    "’",
    "ß",
    "İ",
    "\x1e",
    "\ud800",
    "𝓲𝓷",
    "backwards ",
    "twenty ",
    "quatre vingt ",
    "dua puluh ",
    "last four ",
    "username ",
    "everywhere ",
    "$20 ",
    "12:30",
]
CHAT = [
    "hey there",
    "how was your weekend?",
    "i had such a good time",
    "haha that is so funny",
    "we should do this again",
    "the weather is lovely today",
    "what do you think about that",
    "my dog is asleep on the sofa",
    "ok sounds good to me",
]
GIVEN = [
    ("call me on 415-555-0123", "phone", "+14155550123"),
    ("text me: (415) 555 0123", "phone", "+14155550123"),
    ("my number is four one five five five five oh one two three", "phone", "+14155550123"),
    ("my snap is luna_moon42", "handle", "luna_moon42"),
    ("add me on insta @luna.moon42", "handle", "luna.moon42"),
    ("telegram: lunamoon42", "handle", "lunamoon42"),
    ("instagram.com/luna.moon42", "handle", "luna.moon42"),
    ("write to luna.moon@example.com", "handle", "luna.moon@example.com"),
]
mixtures = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=4)), max_size=14).map("".join)


def found(text: str) -> tuple[Contact, ...]:
    (contacts,) = DETECTOR.detect([text])
    return contacts


@given(st.one_of(st.text(), mixtures))
@example("\x1e")
@example("my insta is ß_İx1 👻")
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_detection_never_raises_and_its_spans_lie_in_the_text_in_order_and_apart(text: str) -> None:
    end = 0
    for contact in found(text):
        assert end <= contact.start < contact.end <= len(text)
        assert contact.kind in ("phone", "handle")
        assert contact.rule
        end = contact.end


@given(mixtures)
@settings(max_examples=300, deadline=None)
def test_a_value_is_its_own_normal_form(text: str) -> None:
    for contact in found(text):
        if contact.kind == "handle":
            assert fold(contact.value) == contact.value
            assert not contact.value.startswith("@")
        elif contact.value.startswith("+"):
            parsed = rphonenumbers.parse(contact.value, None)
            assert rphonenumbers.format_number(parsed, rphonenumbers.PhoneNumberFormat.E164) == contact.value
        else:
            assert contact.value.isdigit()
            assert contact.rule == "phone_local"


@given(
    st.lists(st.sampled_from(CHAT), max_size=3),
    st.sampled_from(GIVEN),
    st.lists(st.sampled_from(CHAT), max_size=3),
    st.sampled_from([". ", "! ", " 😂 ", "\n"]),
)
@settings(max_examples=300, deadline=None)
def test_ordinary_words_around_a_contact_keep_it(
    before: list[str], given: tuple[str, str, str], after: list[str], between: str
) -> None:
    said, kind, value = given
    text = between.join([*before, said, *after])
    assert [(c.kind, c.value) for c in found(text)] == [(kind, value)]


@given(
    st.text(max_size=20),
    st.sampled_from(["luna_moon42", "Luna_Moon42", "ｌｕｎａ_moon42", "lu\u200bna_moon42"]),
)
@settings(max_examples=200, deadline=None)
def test_offsets_address_the_original_whatever_stands_before(before: str, name: str) -> None:
    text = f"{before}\nmy instagram is {name}"
    spans = [text[c.start : c.end] for c in found(text) if c.value == "luna_moon42"]
    assert spans in ([name], []) if "@" in before or "luna" in before else spans == [name]


@given(mixtures)
@settings(max_examples=300, deadline=None)
def test_what_the_prefilter_rules_out_holds_a_number_in_plain_figures_never(text: str) -> None:
    said = f"{text} call 415-555-0123"
    plain = {c.value for c in scan(said, "US") if c.rule == "phone_digits"}
    assert plain <= {c.value for c in found(said)}


PROSE = [
    "how",
    "is",
    "your",
    "insta",
    "line",
    "to",
    "work",
    "on",
    "snap",
    "signal",
    "two",
    "at",
    "the",
    "face",
]


@given(st.lists(st.none() | st.text(max_size=9) | mixtures, max_size=9))
@example(["well.", "/me"])
@example([None, "ok\x1e", "", "my insta is ß", "@me"])
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_the_prefilter_judges_a_text_alike_whatever_stands_beside_it(texts: list[str | None]) -> None:
    """Texts are judged together, but not by each other."""
    assert suspects(texts) == [i for i, text in enumerate(texts) if suspects([text])]


@given(st.lists(st.sampled_from(PROSE), max_size=10).map(" ".join) | mixtures)
@settings(max_examples=300, deadline=None)
def test_a_text_of_prose_alone_holds_nothing_that_a_full_reading_finds(text: str) -> None:
    if only_prose(tokens(fold(text))):
        assert not DETECTOR.explain(text).contacts


@given(st.lists(st.sampled_from([*CHAT, *(said for said, _, _ in GIVEN)]), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_a_long_text_keeps_its_first_contacts_wherever_its_reading_ends(parts: list[str]) -> None:
    text = ". ".join(parts)
    read = DETECTOR.explain(text).read
    given = [value for part in text[:read].split(". ") for said, _, value in GIVEN if part == said]
    assert [contact.value for contact in found(text)] == given[:32]
    assert read == len(text) or len(given) >= 6


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_the_normal_form_knows_its_way_back(text: str) -> None:
    normal = normalise(text)
    assert normal.origin is None or len(normal.origin) == len(normal.text)
    for i in range(len(normal.text)):
        start, end = normal.span(i, i + 1)
        assert 0 <= start < end <= len(text)


REPEATED = [
    "5 ",
    "five ",
    "insta ",
    "my ig ab_c1 ",
    "@a",
    "a.",
    "a b ",
    "x.co/",
    "4155550123 ",
    "1/2/",
    "double three ",
    "onetwo",
    "👻 ",
    "a",
    "инста ",
    "my number is 415-555-",
    "my snap is ",
    "$1 ",
    " at gmail",
    "([",
    "a_",
    "_",
    "-",
    "1-",
    "1.",
    "+1 ",
    "@ ",
    "a#1234 ",
    "u/",
    "live:a",
    "a@b.c ",
    "aа",
    "а",
    "α",
    "१",
    "一",
    "⓪",
    "🇦",
    "a\u0301",
    "\n",
    "i n s t a ",
    "s.n.a.p.",
    "te le gr am ",
    "zero",
    "0x",
    "o0",
    "sss-",
    "12:30 ",
    "€5 ",
    "then ",
    "quatre vingt ",
    "last four ",
    "backwards 415555",
    "everywhere ",
    "\x1e",
    "!n",
    "a|b ",
]
SMALL, LARGE = 8 * 1024, 64 * 1024
GROWTH = 4 * LARGE / SMALL
"""Four times what linear growth is: a quadratic step would take it eight times over."""


def seconds(text: str) -> float:
    """CPU time of one detection, the least of three."""
    least = float("inf")
    for _ in range(3):
        begun = time.process_time()
        DETECTOR.detect([text])
        least = min(least, time.process_time() - begun)
    return least


@pytest.mark.parametrize("unit", REPEATED, ids=ascii)
def test_time_grows_with_the_length_of_a_text_and_no_faster(unit: str) -> None:
    small, large = (unit * (size // len(unit) + 1) for size in (SMALL, LARGE))
    assert seconds(large[:LARGE]) <= GROWTH * max(seconds(small[:SMALL]), 0.002)
