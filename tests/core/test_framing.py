from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka.schema_registry.serde import SchemaId
from hypothesis import given
from hypothesis import strategies as st

from connectors.framing import (
    MAX_INDEXES,
    VALUE_HEADER,
    BrokenFrame,
    Frame,
    Framing,
    Indexes,
    read_frame,
    read_indexes,
)
from tests.core.messages import cases
from tests.protobuf.writing import GUID


@pytest.mark.parametrize("case", cases("framing.jsonl"), ids=lambda case: case["name"])
def test_each_value_has_its_frame(case: dict[str, Any]) -> None:
    headers = [(VALUE_HEADER, bytes.fromhex(case["header"]))] if "header" in case else None
    found = read_frame(bytes.fromhex(case["hex"]), headers)
    if isinstance(case["frame"], list):
        framing, reference, body, indexes = case["frame"]
        assert found == Frame(
            Framing(framing),
            bytes.fromhex(reference) if isinstance(reference, str) else reference,
            bytes.fromhex(body),
            None if indexes is None else bytes.fromhex(indexes),
        )
    else:
        assert found == (None if case["frame"] is None else BrokenFrame[case["frame"]])


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\0rest", Indexes((0,), 1)),
        (b"\2\0", Indexes((0,), 2)),
        (b"\2\2rest", Indexes((1,), 2)),
        (b"\4\2\0", Indexes((1, 0), 3)),
        (b"\2\x80\x02", Indexes((128,), 3)),
        (b"", None),
        (b"\1", None),
        (b"\2", None),
        (b"\4\2", None),
        (b"\2\1", None),
        (b"\x80\x80\x80\x80\x80\x01", None),
        (b"\x22" + b"\0" * 17, None),
        (b"{", None),
    ],
)
def test_message_indexes_are_zig_zag_varints_and_the_single_0_is_short(
    data: bytes, found: Indexes | None
) -> None:
    assert read_indexes(data) == found


paths = st.lists(st.integers(0, 2**20), min_size=1, max_size=MAX_INDEXES)


@given(st.integers(0, 2**32 - 1), paths, st.binary(max_size=20))
def test_what_confluents_serializer_writes_is_read(number: int, path: list[int], rest: bytes) -> None:
    written = SchemaId("PROTOBUF", number, None, path).id_to_bytes()
    frame = read_frame(written + rest, None)
    assert isinstance(frame, Frame)
    assert (frame.framing, frame.reference) == (Framing.ID, number)
    indexes = read_indexes(frame.body)
    assert indexes is not None
    assert (list(indexes.path), frame.body[indexes.end :]) == (path, rest)
    header = SchemaId("PROTOBUF", None, str(GUID), path).guid_to_bytes()
    frame = read_frame(rest, [(VALUE_HEADER, header)])
    assert isinstance(frame, Frame)
    assert (frame.framing, frame.reference, frame.body) == (Framing.HEADER, GUID.bytes, rest)
    indexes = read_indexes(frame.indexes or b"")
    assert indexes == Indexes(tuple(path), len(frame.indexes or b""))


@given(st.binary(max_size=40), st.none() | st.binary(max_size=40))
def test_any_bytes_are_read_or_named(value: bytes, header: bytes | None) -> None:
    frame = read_frame(value, [(VALUE_HEADER, header)])
    if isinstance(frame, Frame):
        assert value.endswith(frame.body)
        indexes = read_indexes(frame.body)
        assert indexes is None or 0 < indexes.end <= len(frame.body)
    else:
        assert frame is None or isinstance(frame, BrokenFrame)
