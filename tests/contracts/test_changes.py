"""What changed between two contracts, and for whom that breaks something."""

from __future__ import annotations

import io
import json
from dataclasses import fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflow.changes.compare import compare
from dataflow.changes.values import Aspect, Impact, Outcome
from dataflow.commands.contract import diff
from dataflow.commands.show import Form
from dataflow.contract import Contract, load, parse
from tests.cli.test_commands import call
from tests.pipeline import ROOT

PACKAGED = resources.files("dataflow").joinpath("contracts", "messages.odcs.yaml").read_text(encoding="utf-8")
CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (Path(__file__).parent / "cases" / "diff.jsonl").read_text(encoding="utf-8").splitlines()
]


def changed_text(case: dict[str, Any]) -> str:
    text = PACKAGED
    for old, new, *everywhere in case["replace"]:
        assert old in text or not case["changes"], f"the case no longer touches the contract: {old}"
        text = text.replace(old, new, -1 if everywhere else 1)
    return text


CHANGED = {case["name"]: parse(changed_text(case), case["name"]) for case in CASES}
contracts = st.sampled_from(list(CHANGED.values()))


def test_a_version_that_falls_is_a_fault_whatever_changed() -> None:
    lower = parse(PACKAGED.replace("version: 1.0.0", "version: 0.9.0"), "lower.yaml")
    shown = io.StringIO()
    assert diff(compare(load(), lower), Form.TABLE, shown) == 1
    assert "1.0.0 to 0.9.0: the version FALLS" in shown.getvalue()
    assert compare(lower, load()).outcome is Outcome.SAME


def test_a_changed_rule_is_told_by_what_changed_of_it() -> None:
    text = PACKAGED.replace(
        "properties: [user_id, subject_id, created_at]", "properties: [user_id, created_at]"
    )
    (change,) = compare(load(), parse(text, "rule.yaml")).changes
    assert (change.old, change.new) == (
        "properties: user_id, subject_id, created_at",
        "properties: user_id, created_at",
    )
    text = PACKAGED.replace("toleranceSeconds: 86400", "toleranceSeconds: 60")
    (change,) = compare(load(), parse(text, "rule.yaml")).changes
    assert change.old != change.new


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_each_change_is_named_and_judged_for_both_sides(case: dict[str, Any]) -> None:
    compared = compare(load(), CHANGED[case["name"]])
    told = [
        {
            "aspect": change.aspect.value,
            "subject": change.subject,
            "producers": change.producers.value,
            "consumers": change.consumers.value,
        }
        for change in compared.changes
    ]
    assert told == case["changes"]
    assert all(change.reason for change in compared.changes)
    assert (compared.outcome.name.lower(), compared.least_version) == (case["outcome"], case["version"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_contract_does_not_differ_from_itself(case: dict[str, Any]) -> None:
    contract = CHANGED[case["name"]]
    assert compare(contract, contract).outcome is Outcome.SAME


def test_every_aspect_of_the_agreement_that_can_change_alone_has_a_case() -> None:
    told = {change["aspect"] for case in CASES for change in case["changes"]}
    # Where a column comes from and the order of columns change only with the whole table.
    assert {aspect.value for aspect in Aspect} - told == {"fill", "order of columns"}


@given(contracts, contracts)
def test_nothing_that_differs_is_passed_over(old: Contract, new: Contract) -> None:
    same = replace(new, version=old.version) == old
    assert bool(compare(old, new).changes) is not same


@given(contracts, contracts)
def test_a_change_that_costs_nobody_anything_breaks_something_the_other_way(
    old: Contract, new: Contract
) -> None:
    forth, back = compare(old, new), compare(new, old)
    assert {(each.aspect, each.old, each.new) for each in forth.changes} >= {
        (each.aspect, each.new, each.old) for each in back.changes if each.aspect in _WIDENED
    }
    for change in forth.changes:
        if change.aspect in _WIDENED and not change.breaking:
            (other,) = [
                each
                for each in back.changes
                if (each.aspect, each.subject, each.new) == (change.aspect, change.subject, change.old)
            ]
            assert other.breaking, other


_WIDENED = {
    *(Aspect.FIELD, Aspect.LENGTH, Aspect.RANGE, Aspect.ACCEPTED_TYPES, Aspect.PARTITIONS),
    *(Aspect.RETENTION, Aspect.SERVICE_LEVEL, Aspect.NULLABILITY, Aspect.ENUMERATION),
}


def leaves(value: Any, at: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every place in a contract's values, a dataclass down to its plain values."""
    if not is_dataclass(value):
        return [at]
    return [leaf for each in fields(value) for leaf in leaves(getattr(value, each.name), (*at, each.name))]


def altered(value: Any, at: tuple[str, ...]) -> Any:
    """The value with another plain value at a place."""
    if at:
        return replace(value, **{at[0]: altered(getattr(value, at[0]), at[1:])})
    if isinstance(value, str):
        return f"{value}x"
    return () if value else None


TERMS = [place for place in leaves(load().terms) if place != ("properties",)]
"""Each column is changed by a case of its own."""


@pytest.mark.parametrize("place", TERMS, ids=".".join)
def test_a_term_that_changes_alone_is_told(place: tuple[str, ...]) -> None:
    """Of the terms that the compiled contract repeats (names of topics), the compiled value counts."""
    old = load()
    new = replace(old, terms=altered(old.terms, place))
    if new.terms == old.terms or place in _REPEATED:
        return
    assert compare(old, new).changes, place


_REPEATED = {
    *(("kafka", "topic"), ("kafka", "dead_letters_topic"), ("kafka", "contacts_topic")),
    *(("kafka", "partitions"), ("redshift", "schema")),
}


def test_a_decimal_with_less_room_before_the_point_is_narrower_though_it_has_as_many_digits() -> None:
    path = ROOT / "tests" / "contracts" / "purchases.odcs.yaml"
    text = path.read_text(encoding="utf-8")
    new = parse(text.replace("decimal(12,2)", "decimal(12,4)"), "new")
    changes = compare(load(path), new).changes
    assert [(each.aspect, each.producers) for each in changes] == [
        (Aspect.TYPE, Impact.BREAKING),
        (Aspect.RANGE, Impact.BREAKING),
    ]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "old.yaml").write_text(PACKAGED, encoding="utf-8")
    shorter = PACKAGED.replace("varchar(2056)", "varchar(1000)")
    (tmp_path / "shorter.yaml").write_text(shorter, encoding="utf-8")
    announced = shorter.replace("version: 1.0.0", "version: 2.0.0")
    (tmp_path / "announced.yaml").write_text(announced, encoding="utf-8")
    (tmp_path / "unfit.yaml").write_text("kind: DataContract", encoding="utf-8")
    return tmp_path


def test_the_command_exits_with_1_only_for_what_breaks_without_a_major_version(files: Path) -> None:
    quiet = call("contract", "diff", "old.yaml", "old.yaml", cwd=files)
    assert (quiet.returncode, quiet.stdout) == (0, "1.0.0 to 1.0.0: nothing changed\n")
    broken = call("contract", "diff", "old.yaml", "shorter.yaml", cwd=files)
    assert broken.returncode == 1
    assert "BREAKING" in broken.stdout
    assert "message_text, length: a text that fitted becomes a dead letter" in broken.stdout
    assert broken.stdout.endswith("BREAKING, and the version does not say so; version 2.0.0 would\n")
    announced = call("contract", "diff", "old.yaml", "announced.yaml", cwd=files)
    assert announced.returncode == 0
    assert announced.stdout.endswith("1.0.0 to 2.0.0: breaking, and the version says so\n")


def test_the_command_tells_a_program_the_same_in_json(files: Path) -> None:
    told = json.loads(call("contract", "diff", "--json", "old.yaml", "shorter.yaml", cwd=files).stdout)
    assert (told["outcome"], told["least_version"]) == ("unannounced", "2.0.0")
    (change,) = told["changes"]
    assert (change["old"], change["new"], change["producers"]) == ("2056 bytes", "1000 bytes", "breaking")


@pytest.mark.parametrize("unfit", ["unfit.yaml", "absent.yaml"])
def test_the_command_exits_with_2_for_a_file_that_is_no_contract(files: Path, unfit: str) -> None:
    for pair in (("old.yaml", unfit), (unfit, "old.yaml")):
        refused = call("contract", "diff", *pair, cwd=files)
        assert refused.returncode == 2
        assert unfit in refused.stderr
