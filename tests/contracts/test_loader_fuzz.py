"""Whatever the contract file holds, the loader answers with a contract or a ContractError, soon and small."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.contract import ContractError, parse
from dataflow.odcs import MAX_PROBLEMS
from dataflow.strict_yaml import MAX_BYTES
from tests.contracts.mutations import FILES, mutate

TEXTS = [path.read_text(encoding="utf-8") for path in FILES]
MEMORY = 96 * 1024 * 1024
"""Bytes that reading any text may take at most."""


def told(text: str) -> int:
    """How many faults the loader tells; 0 for a contract. Anything but a ContractError escapes."""
    try:
        parse(text, "fuzzed.yaml")
    except ContractError as refused:
        problems = refused.problems
    else:
        return 0
    assert 0 < len(problems) <= MAX_PROBLEMS
    return len(problems)


@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_refused_by_name(text: str) -> None:
    assert told(text)


@given(st.text("{}[]:,-?&*!|>'\"%@`#~ \n\tab01", max_size=200))
def test_any_text_of_the_signs_of_yaml_is_refused_by_name(text: str) -> None:
    assert told(text)


@settings(max_examples=300)
@given(st.sampled_from(TEXTS), st.randoms(use_true_random=False))
def test_a_contract_with_anything_cut_out_doubled_or_written_over_is_loaded_or_refused(
    text: str, chance: random.Random
) -> None:
    told(mutate(text, chance))


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{new}: &{new} [*{old}, *{old}, *{old}, *{old}]\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
HOSTILE = {
    "a billion laughs": LAUGHS,
    "an alias of itself": "a: &a\n  b: *a\n",
    "brackets without end": "[" * MAX_BYTES,
    "braces without end": "{a: " * (MAX_BYTES // 4),
    "dashes without end": "- " * (MAX_BYTES // 2),
    "question marks without end": "? " * (MAX_BYTES // 2),
    "indentation without end": "".join(" " * depth + "a:\n" for depth in range(700)),
    "a number without end": "a: " + "9" * (MAX_BYTES - 3),
    "a float without end": "a: 1." + "9" * (MAX_BYTES - 5),
    "an exponent without end": "a: 1e" + "9" * (MAX_BYTES - 5),
    "a time without end": "a: " + "1:" * (MAX_BYTES // 2 - 2),
    "a key without end": "k" * (MAX_BYTES - 2) + ": a",
    "values without end": "a: [" + "1," * (MAX_BYTES // 2 - 4) + "]",
    "keys without end": "".join(f"k{number}: 1\n" for number in range(20_000)),
    "properties without end": "schema: [{properties: [" + "{}," * 60_000 + "]}]",
    "servers without end": "servers: [" + "{type: kafka}," * 15_000 + "]",
    "rules without end": "schema: [{quality: [" + "{type: custom}," * 15_000 + "]}]",
    "more than is read": "#" * (MAX_BYTES + 1),
    "tags": "a: !!python/object/apply:os.system [x]",
    "merges": "a: {<<: {b: c}}",
    "a byte order mark": "\ufeff\ufeffa: b",
    "a year that does not exist": "a: 2001-99-99",
    "binary": "a: !!binary x",
    "half a surrogate pair": "a: \ud800",
    "a directive": "%YAML 9.9\n---\na: b",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_refused_in_bounded_memory(text: str) -> None:
    tracemalloc.start()
    try:
        assert told(text)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()
