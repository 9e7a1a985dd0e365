"""Which differences between a table and the contract are altered, and which are left to a person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import Column
from connectors.redshift_evolution import (
    FIXED_ENCODINGS,
    Alteration,
    Refusal,
    Stored,
    differences,
    lacking,
    other_keys,
)
from connectors.redshift_sql import catalogue_type

WANTED = (Column("id", "bigint", True), Column("word", "varchar(16)", False))
THERE = (Stored("id", "bigint", False), Stored("word", "character varying(16)", True))


def test_a_table_as_the_contract_wants_it_has_no_differences_in_any_order_of_columns() -> None:
    assert not differences("s.t", WANTED, THERE)
    assert not differences("s.t", WANTED, THERE[::-1])


def test_a_nullable_column_is_added() -> None:
    (added,) = differences("s.t", (*WANTED, Column("day", "date", False)), THERE)
    assert isinstance(added, Alteration)
    assert added.sql == "ALTER TABLE s.t ADD COLUMN day date"


def test_each_column_is_added_by_a_statement_of_its_own() -> None:
    more = tuple(Column(f"more_{number}", "boolean", False) for number in range(3))
    added = differences("s.t", WANTED + more, THERE)
    assert [isinstance(each, Alteration) for each in added] == [True] * 3


def test_a_text_is_widened() -> None:
    (widened,) = differences("s.t", WANTED, (THERE[0], Stored("word", "character varying(15)", True)))
    assert isinstance(widened, Alteration)
    assert widened.sql == "ALTER TABLE s.t ALTER COLUMN word TYPE varchar(16)"


@pytest.mark.parametrize(
    ("wanted", "there", "told"),
    [
        ((*WANTED, Column("more", "date", True)), THERE, "column more: missing; a NOT NULL column"),
        (
            WANTED,
            (THERE[0], Stored("word", "character varying(17)", True)),
            "is character varying(17); wanted",
        ),
        (WANTED, (THERE[0], Stored("word", "integer", True)), "is integer; wanted character varying(16)"),
        (WANTED, (Stored("id", "integer", False), THERE[1]), "is integer; wanted bigint"),
        (WANTED, (Stored("id", "bigint", True), THERE[1]), "may be null; wanted NOT NULL"),
        (WANTED, (THERE[0], Stored("word", "character varying(16)", False)), "is NOT NULL; wanted nullable"),
        (WANTED, (*THERE, Stored("old", "date", True)), "column old: is not in the contract"),
        (
            WANTED,
            (THERE[0], Stored("word", "character varying(8)", True, "bytedict")),
            "no length under the encoding bytedict",
        ),
        (
            WANTED,
            (THERE[0], Stored("word", "character varying(8)", True, "lzo", "'x'")),
            "no length of a column with a default",
        ),
    ],
)
def test_anything_else_is_refused_with_the_steps_that_a_person_takes(
    wanted: tuple[Column, ...], there: tuple[Stored, ...], told: str
) -> None:
    (refused,) = differences("s.t", wanted, there)
    assert isinstance(refused, Refusal)
    assert told in f"{refused.subject}: {refused.told}"
    assert refused.steps


KEYED = (
    Stored("id", "bigint", False, distribution=True),
    Stored("word", "character varying(16)", True, sort_place=1),
)


@pytest.mark.parametrize(
    ("keys", "told", "step"),
    [
        (
            ("word", "word"),
            "table s.t, distribution key is id; wanted word",
            "ALTER DISTSTYLE KEY DISTKEY word",
        ),
        (("id", "id"), "table s.t, sort key is word; wanted id", "ALTER COMPOUND SORTKEY (id)"),
    ],
)
def test_another_key_is_refused_with_the_statement_that_a_person_runs(
    keys: tuple[str, str], told: str, step: str
) -> None:
    assert other_keys("s.t", "id", "word", KEYED) == other_keys("s.t", *keys, ()) == ()
    (refusal,) = other_keys("s.t", *keys, KEYED)
    assert f"{refusal.subject} {refusal.told}" == told
    assert refusal.steps[-1] == f"ALTER TABLE s.t {step}"


def test_a_rebuild_tells_that_views_and_grants_are_made_anew() -> None:
    (refusal,) = differences("s.t", WANTED, (Stored("id", "bigint", True), THERE[1]))
    assert isinstance(refusal, Refusal)
    steps = "\n".join(refusal.steps)
    assert steps.index("first drop the views") < steps.index("RENAME TO") < steps.index("`grants --apply`")


def test_a_table_is_asked_for_its_missing_columns_by_name() -> None:
    assert lacking(WANTED, ["word", "other"]) == ("id",)


types = st.sampled_from(["bigint", "integer", "date", "boolean", "varchar(8)", "varchar(16)", "decimal(9,2)"])
columns = st.lists(
    st.builds(Column, st.sampled_from("abcdef"), types, st.booleans()),
    unique_by=lambda column: column.name,
    max_size=6,
)


@given(columns, columns, st.sampled_from(["none", "az64", *sorted(FIXED_ENCODINGS)]))
def test_what_is_altered_keeps_every_stored_value_and_ends_all_differences(
    wanted: list[Column], present: list[Column], encoding: str
) -> None:
    stored = {
        each.name: Stored(each.name, catalogue_type(each.sql_type), not each.required, encoding)
        for each in present
    }
    found = differences("s.t", wanted, list(stored.values()))
    for each in found:
        if isinstance(each, Alteration):
            words = each.sql.split()
            name, kind = words[5], catalogue_type(words[-1])
            assert (name in stored) is (words[3] == "ALTER")
            stored[name] = Stored(name, kind, stored[name].nullable if name in stored else True, encoding)
    assert not [
        each for each in differences("s.t", wanted, list(stored.values())) if isinstance(each, Alteration)
    ]
    assert [each for each in found if isinstance(each, Refusal)] == list(
        differences("s.t", wanted, list(stored.values()))
    )
