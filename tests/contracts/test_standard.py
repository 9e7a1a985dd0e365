"""The contracts against the standard's own JSON schema, and the loader against it."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft201909Validator

from dataflow.contract import API_VERSIONS, ContractError, load, parse
from tests.pipeline import ROOT

SCHEMA = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text())
STANDARD = Draft201909Validator(SCHEMA)
PACKAGED = ROOT / "dataflow" / "contracts" / "messages.odcs.yaml"
FILES = [PACKAGED, *sorted((ROOT / "tests" / "contracts").glob("*.odcs.yaml"))]


def faults(document: Any) -> list[str]:
    return [f"{fault.json_path}: {fault.message}" for fault in STANDARD.iter_errors(document)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_contract_keeps_the_standard_and_is_loaded(path: Path) -> None:
    assert not faults(yaml.safe_load(path.read_text()))
    load(path)


def test_the_newest_version_of_the_standard_is_the_one_in_use() -> None:
    assert SCHEMA["properties"]["apiVersion"]["default"] == API_VERSIONS[-1] == load().terms.api_version
    assert {each for each in SCHEMA["properties"]["apiVersion"]["enum"] if each >= "v3"} == set(API_VERSIONS)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    if path:
        yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def holder(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path[:-1]:
        document = document[step]
    return document


VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**30, "", "x", [], {}, [1], ["a", "b"], [{}], {"value": "x"}),
    *("2024-01-30", "user_id", "timestamp", "string", "error", "mustBe"),
)
KEYS = sorted({key for part in (SCHEMA, *SCHEMA["$defs"].values()) for key in part.get("properties", {})})


def mutated(document: Any, chance: random.Random) -> Any:
    """The document with one to three values replaced, removed, repeated or put under another key."""
    changed = copy.deepcopy(document)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(places(changed)))
        within, last = holder(changed, path), path[-1]
        match chance.randrange(4):
            case 0:
                within[last] = copy.deepcopy(chance.choice(VALUES))
            case 1:
                del within[last]
            case 2 if isinstance(within, list):
                within.append(copy.deepcopy(within[last]))
            case 2 | 3:
                inside = within[last] if isinstance(within[last], dict) else within
                if isinstance(inside, dict):
                    inside[chance.choice(KEYS)] = copy.deepcopy(chance.choice(VALUES))
    return changed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_loaded_keeps_the_standard_and_nothing_else_escapes(path: Path, seed: int) -> None:
    document = yaml.safe_load(path.read_text())
    chance = random.Random(seed)
    loaded = 0
    for _ in range(150):
        candidate = mutated(document, chance)
        try:
            parse(json.dumps(candidate), "mutated.yaml")
        except ContractError as refused:
            problems = refused.problems
        else:
            problems = ()
            loaded += 1
            assert not faults(candidate)
        assert all(": " in problem for problem in problems)
    assert loaded
