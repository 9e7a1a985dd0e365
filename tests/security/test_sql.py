"""Values reach the warehouse as parameters only; what a statement is made of is fixed or a checked name."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from connectors.redshift_access import connect as connect_as_the_program_does
from connectors.redshift_commit import commit_once, read_tails
from connectors.redshift_grants import Grantee, GranteeKind, grants, quoted
from dataflow.contract import ContractError, parse
from tests.pipeline import ROOT
from tests.redshift.warehouse import (
    DESTINATION,
    INSERTS,
    NOON,
    TABLE,
    Letter,
    span,
    stored,
    window,
    with_tables,
)
from tests.standins.redshift_client import RedshiftServer, connect

MODULES = sorted([*(ROOT / "connectors").glob("*.py"), *(ROOT / "dataflow").rglob("*.py")])
RUNNERS = {"execute", "rows", "alone"}
"""Methods of a session and a cursor that run a statement, which is their first argument."""
BUILDERS = [
    path
    for path in MODULES
    if path.stem.endswith("_sql") or path.stem in ("redshift_grants", "redshift_evolution")
]
"""Modules that make statements out of names."""
MAKERS = {
    node.name
    for path in BUILDERS
    for node in ast.parse(path.read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef)
}
OWN_PASSERS = {
    ("redshift_access", "statement"): "a Session passes on what it is given",
    ("redshift_ddl", "alteration.sql"): "made by redshift_evolution.differences",
    ("redshift_check", "definition.sql"): "made by redshift_sql.definitions",
    ("redshift_check", "statement"): "made by redshift_grants.grants",
}
FIXED = {("redshift_access", "access.statement_timeout * 1000"): "a whole number of the settings"}
TEXT_PARAMETERS = {
    ("redshift_sql", "catalogue_type", "sql_type"): "only compared",
    ("redshift_sql", "byte_length", "sql_type"): "only measured",
    ("redshift_sql", "wide", "sql_type"): "a column's, checked by the contract",
    ("redshift_sql", "_columns", "separator"): "fixed where it is called",
    ("redshift_sql", "may", "privileges"): "fixed in redshift_sql",
    ("redshift_contacts_sql", "_kinds", "condition"): "fixed where it is called",
    ("redshift_contacts_sql", "_current", "relation"): "a table's name, checked by the contract",
    ("redshift_verify_sql", "_sum", "text"): "a condition made there",
    ("redshift_verify_sql", "_differs", "one"): "a column's, checked by the contract",
    ("redshift_verify_sql", "_differs", "other"): "a column's, checked by the contract",
    **{("redshift_history_sql", each, "chosen"): "the table's own" for each in ("_columns", "_listed")},
    ("redshift_history_sql", "_listed", "relation"): "the table's name, checked by the contract",
    ("redshift_history_sql", "_lies", "columns"): "only compared",
    ("redshift_history_sql", "insert_links", "touched"): "temporary tables, fixed where it is called",
    **{("redshift_history_sql", "_link", each): "as for _listed" for each in ("target", "name")},
    ("redshift_evolution", "lacking", "stored"): "only compared",
    ("redshift_evolution", "other_history", "stored"): "only compared",
    ("redshift_evolution", "_differences", "stored"): "only compared",
    **{
        ("redshift_evolution", each, "table"): "a qualified name, checked by the contract"
        for each in ("differences", "_differences", "_missing", "_other_type", "_other_nullability")
    },
    **{("redshift_evolution", each, "table"): "as given to differences" for each in ("_replace", "_rebuild")},
    **{
        ("redshift_evolution", each, "subject"): "only told"
        for each in ("_missing", "_other_type", "_other_nullability")
    },
    **{("redshift_evolution", "other_keys", each): "as for differences" for each in ("table", "stored")},
    **{
        ("redshift_evolution", "other_keys", each): "a column's, checked by the contract"
        for each in ("distribution_key", "sort_key")
    },
    **{
        ("redshift_copy_sql", "copy_staged", each): "quoted there, or refused"
        for each in ("manifest", "jsonpaths", "region")
    },
    ("redshift_copy_sql", "_literal", "value"): "quoted there, or refused",
    **{("redshift_copy_sql", "load_error", each): "only told" for each in ("file", "column", "message")},
    ("redshift_grants", "quoted", "name"): "quoted here",
    ("redshift_grants", "grants", "database"): "quoted there",
    ("redshift_grants", "_listed", "privileges"): "fixed in redshift_sql",
    ("redshift_grants", "grants", "privileges"): "fixed in redshift_sql",
}
"""Where a text comes in to a module that makes statements, and why that is harmless."""


def inserted(node: ast.AST) -> Iterator[ast.expr]:
    """What f-strings within a node insert."""
    for each in ast.walk(node):
        if isinstance(each, ast.FormattedValue):
            yield each.value


def is_statement_maker(call: ast.expr) -> bool:
    """A call of a function that makes statements, by module or by an imported name."""
    if not isinstance(call, ast.Call):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in MAKERS


def runs(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RUNNERS:
            yield node


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_statement_that_is_run_is_a_fixed_text_or_made_by_the_modules_for_it(path: Path) -> None:
    for call in runs(ast.parse(path.read_text(encoding="utf-8"))):
        statement = call.args[0]
        if isinstance(statement, ast.Starred):
            statement = statement.value
        where = f"{path.name}:{call.lineno}: {ast.unparse(statement)}"
        if isinstance(statement, ast.Constant) or is_statement_maker(statement):
            continue
        if isinstance(statement, ast.JoinedStr):
            for value in inserted(statement):
                assert (path.stem, ast.unparse(value)) in FIXED, where
            continue
        assert (path.stem, ast.unparse(statement)) in OWN_PASSERS, where


@pytest.mark.parametrize("path", BUILDERS, ids=lambda path: path.stem)
def test_statements_are_made_of_checked_names_and_of_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            for each in given:
                text = each.annotation is not None and "str" in ast.unparse(each.annotation)
                assert not text or (path.stem, node.name, each.arg) in TEXT_PARAMETERS, (node.name, each.arg)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert node.func.attr != "format", f"{path.name}:{node.lineno}"
        assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod)), f"% in {path.name}"
        assert not isinstance(node, ast.Global | ast.Nonlocal)


HOSTILE = st.text(min_size=1, max_size=30).filter(lambda name: not name.isidentifier() or not name.isascii())


@given(HOSTILE)
@hypothesis_settings(max_examples=30, deadline=None)
@pytest.mark.parametrize("place", ["    schema: interactions", "      - name: user_id", "varchar(128)"])
def test_a_contract_whose_names_are_not_plain_is_refused(place: str, hostile: str) -> None:
    packaged = (ROOT / "dataflow" / "contracts" / "messages.odcs.yaml").read_text(encoding="utf-8")
    assert place.strip() in packaged
    key = place.strip()
    told = json.dumps(hostile)
    changed = key.rpartition(": ")[0] + f": {told}" if ": " in key else told
    with pytest.raises(ContractError):
        parse(packaged.replace(key, changed, 1), "hostile")


INJECTIONS = (
    "'; DROP TABLE post.letters; --",
    "\\'; DELETE FROM post.commit_ledger; --",
    "$$; ROLLBACK; $$",
    "%s %(x)s {0} :1 $1 ?",
    '"; GRANT ALL ON post.letters TO PUBLIC; --',
    "\\",
    "'",
    "/*",
    "E'\\x27'",
)
TEXTS = st.one_of(
    st.sampled_from(INJECTIONS),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)


@given(st.lists(TEXTS, min_size=1, max_size=8))
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hostile_texts_arrive_as_they_are_and_do_nothing(
    redshift_database: RedshiftServer, texts: list[str]
) -> None:
    access = with_tables(redshift_database)
    texts = [text for text in texts if len(text.encode()) <= 64]
    with connect_as_the_program_does(access) as session:
        tails = read_tails(session, DESTINATION)
        session.rollback()
    first = tails[0].progress.position if tails else 0
    letters = [Letter(first + at, f"s{first + at}", body=text) for at, text in enumerate(texts)]
    with connect_as_the_program_does(access) as session:
        moment = NOON
        batch = [window(span(first, first + len(texts), letters))]
        commit_once(session, DESTINATION, batch, {}, INSERTS, f"{first:032x}", moment)
    bodies = dict(stored(redshift_database, f"SELECT sender, body FROM {TABLE.qualified}"))
    for at, text in enumerate(texts):
        assert bodies[f"s{first + at}"] == text


@given(st.sampled_from(INJECTIONS), st.sampled_from(INJECTIONS))
@hypothesis_settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hostile_names_of_pipeline_and_group_are_values_too(
    redshift_database: RedshiftServer, pipeline: str, group: str
) -> None:
    access = with_tables(redshift_database)
    destination = replace(DESTINATION, pipeline=pipeline, group=group, topic=f"letters {pipeline}"[:200])
    with connect_as_the_program_does(access) as session:
        position = {p: tail.progress.position for p, tail in read_tails(session, destination).items()}
        session.rollback()
    assert set(position) <= {0}
    with connect(redshift_database) as session:
        assert session.value("SELECT count(*) FROM post.letters") == 0


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40))
def test_a_grantee_of_any_name_stays_one_identifier(name: str) -> None:
    text = quoted(name)
    assert text[0] == text[-1] == '"'
    assert text[1:-1].replace('""', "").count('"') == 0
    assert text[1:-1].replace('""', '"') == name
    for statement in grants(TABLE, name, Grantee(GranteeKind.USER, name)):
        assert statement.endswith(f"TO {text}")


def test_a_name_with_a_nul_character_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quoted("a\0b")
