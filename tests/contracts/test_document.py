"""The document of the contract file tells everything that the loader takes."""

from __future__ import annotations

import re

import pytest

from dataflow.column_types import LOGICAL_TYPES
from dataflow.properties import CLASSIFICATIONS
from dataflow.read_terms import SERVICE_LEVELS
from dataflow.rules import METRICS, SEVERITY_OF_RULE
from tests.contracts.mutations import FILES
from tests.pipeline import ROOT

DOCUMENT = (ROOT / "dataflow" / "contracts" / "README.md").read_text(encoding="utf-8")
CUSTOM = {
    name
    for path in FILES
    for name in re.findall(r"- property: (\w+)\n +value: .*", path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize(
    "word",
    sorted({*LOGICAL_TYPES, *CLASSIFICATIONS, *SERVICE_LEVELS, *METRICS, *SEVERITY_OF_RULE, *CUSTOM}),
)
def test_the_document_tells_every_word_that_is_taken(word: str) -> None:
    assert f"`{word}`" in DOCUMENT
