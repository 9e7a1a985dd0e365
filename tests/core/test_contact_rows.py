"""Contacts behind their rows: what a line holds then, and that it never holds the value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import ContactPart, RowBatch, Segment
from connectors.redshift_contacts import staged_contacts
from connectors.spans import Take
from connectors.spool import Backlog, FileSpool, WindowSegments
from connectors.staging import bears_contacts, staged_rows
from dataflow import contract as contracts
from dataflow.contact_rows import ContactRows
from dataflow.contacts_table import PART_BYTES
from dataflow.detect.platforms import PLATFORMS
from dataflow.encode import ContactEncoder, ContactValues, Hashed, Omitted, Raw
from dataflow.model import Contact, Sighting
from dataflow.rows import compile_row
from tests.core.test_encode import BATCH, CONTRACT, KEY, PHONE, _row
from tests.pipeline import ROOT

HANDLE = Contact("handle", "instagram", "luna.moon42", 30, 41, "handle_forward")


def told(values: ContactValues, *contacts: Contact) -> list[dict[str, Any]]:
    """The contacts of a row as they are staged, by column."""
    row = _row()
    lines = ContactRows(CONTRACT, values, 3).behind(
        [row.line], [row], [Sighting(row, contact) for contact in contacts]
    )
    assert CONTRACT.contacts is not None
    names = [column.name for column in CONTRACT.contacts.contact_columns]
    *_, found = json.loads(lines[0])
    return [dict(zip(names, contact, strict=True)) for contact in found]


def test_a_contact_says_what_its_event_says() -> None:
    values = Hashed(KEY, "k1")
    event = ContactEncoder(CONTRACT, "side", values, 3).encode(Sighting(_row(), PHONE), BATCH)
    said = json.loads(event.value or b"")
    (contact,) = told(values, PHONE)
    assert contact == {
        "event_id": dict(event.headers)["ce_id"].decode(),  # type: ignore[union-attr] # it is there
        **{name: said[name] for name in ("kind", "platform", "value_hmac", "key_id", "masked", "rule")},
        "span_start": said["span"][0],
        "span_end": said["span"][1],
        "detector_version": 3,
    }
    assert [each["platform"] for each in told(values, PHONE, HANDLE)] == [None, "instagram"]


def test_the_value_is_never_in_a_row_and_nothing_of_it_when_values_are_omitted() -> None:
    assert told(Raw(KEY, "k1"), PHONE, HANDLE) == told(Hashed(KEY, "k1"), PHONE, HANDLE)
    assert "4155550164" not in json.dumps(told(Raw(KEY, "k1"), PHONE))
    for contact in told(Omitted(), PHONE, HANDLE):
        assert [contact[name] for name in ("value_hmac", "key_id", "masked")] == [None] * 3


def test_a_mask_that_is_too_long_for_its_column_has_fewer_stars() -> None:
    (contact,) = told(Hashed(KEY, "k1"), Contact("handle", None, "ab" + "c" * 500 + "yz", 0, 500, "r"))
    assert contact["masked"] == "ab" + "*" * 252 + "yz"


def test_what_the_detector_may_say_fits_the_columns() -> None:
    names = {*PLATFORMS.names.values(), *PLATFORMS.words.values(), *PLATFORMS.phrases.values()}
    assert max(len(name.encode()) for name in names) <= PART_BYTES[ContactPart.PLATFORM]


def test_a_contract_without_the_table_has_no_contact_rows() -> None:
    purchases = contracts.load(ROOT / "tests" / "contracts" / "purchases.odcs.yaml")
    with pytest.raises(ValueError, match="purchases has no table of contacts"):
        ContactRows(purchases, Omitted(), 1)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(["]]]", '"]]', "[["])


@given(
    rows=st.lists(st.tuples(TEXTS, st.integers(0, 3)), max_size=8),
    rows_from=st.integers(0, 9),
    cut=st.integers(0, 9),
)
def test_rows_and_contacts_come_apart_again_as_they_were(
    rows: list[tuple[str, int]], rows_from: int, cut: int
) -> None:
    make, (_, *values), horizons = compile_row(CONTRACT), _row().values, ("",) * len(CONTRACT.rules)
    found = [make(at, (text, *values), horizons) for at, (text, _) in enumerate(rows)]
    given_away = [Sighting(found[at], PHONE) for at, (_, number) in enumerate(rows) for _ in range(number)]
    plain = [row.line for row in found[rows_from:]]
    lines = ContactRows(CONTRACT, Omitted(), 1).behind(plain, found, given_away)
    assert [bears_contacts(line) for line in lines] == [number > 0 for _, number in rows[rows_from:]]
    window = WindowSegments(lambda: FileSpool(Backlog(1 << 20)))
    if rows_from < len(rows):
        window.add(RowBatch(3, rows_from, len(rows), lines))
    takes = [Take(segment, max(segment.first, cut)) for segment in window.segments]
    bare = FileSpool(Backlog(1 << 20))
    bare.append(plain)
    without = [Take(Segment(3, take.segment.first, take.segment.next, 0, bare), take.at) for take in takes]
    assert list(staged_rows(takes)) == list(staged_rows(without))
    staged = [int(contact[-1] or "") for contact in staged_contacts(takes)]
    assert staged == [each.row.offset for each in given_away if each.row.offset >= max(rows_from, cut)]
    assert all(contact[-2] == "3" for contact in staged_contacts(takes))
