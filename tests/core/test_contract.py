from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from connectors.items import Column, ContactPart, ExchangesView, Fill
from connectors.redshift_grants import Grantee, GranteeKind, Privileges, grants
from connectors.redshift_sql import LEDGER
from dataflow.contacts_table import TAKEN
from dataflow.contract import ContractError, load, parse
from dataflow.model import KINDS
from tests.contracts.with_history import history_contract, history_text
from tests.core.messages import cases

PACKAGED = resources.files("dataflow").joinpath("contracts", "messages.odcs.yaml").read_text(encoding="utf-8")


def test_the_packaged_contract_states_the_table() -> None:
    table = load().table
    message = [
        Column("user_id", "varchar(128)", True),
        Column("subject_id", "varchar(128)", True),
        Column("message_text", "varchar(2056)", False),
        Column("status", "varchar(16)", True),
        Column("cloudinary_url", "varchar(64)", False),
        Column("length_seconds", "integer", False),
        Column("created_at", "timestamp", True),
        Column("updated_at", "timestamp", True),
    ]
    assert list(table.message_columns) == message
    assert list(table.columns) == [
        *message,
        Column("metafield_insert_time", "timestamp", True, Fill.COMMIT_TIME),
        Column("metafield_process_id", "varchar(32)", True, Fill.COMMIT_ID),
        Column("metafield_source_id", "varchar(32)", True, Fill.SOURCE_NAME),
    ]
    assert table.qualified == "interactions.messages"
    assert table.key == ("user_id", "subject_id", "created_at")
    assert (table.version, table.distribution_key, table.sort_key) == ("updated_at", "user_id", "created_at")


def test_the_packaged_contract_states_the_contacts_table() -> None:
    contract = load()
    contacts = contract.contacts
    assert contacts is not None
    assert contacts.qualified == "interactions.message_contacts"
    assert (contacts.distribution_key, contacts.sort_key) == ("user_id", "created_at")
    assert {column.part for column in contacts.contact_columns} == set(ContactPart)
    own = {column.name: (column.sql_type, column.fill) for column in contract.table.columns}
    others = [column for column in contacts.columns if column.part is None]
    assert {column.name for column in others} > set(contract.table.key)
    assert all(own[column.name] == (column.sql_type, column.fill) for column in others)
    assert contacts.view == ExchangesView(
        *("contact_exchanges", "user_id", "subject_id", "created_at", "kind", KINDS)
    )
    assert {LEDGER} == TAKEN


def test_a_contract_without_a_contacts_table_has_none_and_either_object_may_stand_first() -> None:
    first, second = PACKAGED.index("  - name: messages\n"), PACKAGED.index("  - name: message_contacts\n")
    end = PACKAGED.index("slaProperties:")
    messages, contacts = PACKAGED[first:second], PACKAGED[second:end]
    without = parse(PACKAGED.replace(contacts, ""), "without.yaml")
    assert (without.contacts, without.terms.contacts) == (None, None)
    turned = parse(PACKAGED.replace(messages + contacts, contacts + messages), "turned.yaml")
    assert turned == load()


def test_a_contract_of_type_2_adds_the_columns_of_a_history_behind_the_others() -> None:
    kept, latest = history_contract(), load()
    assert list(kept.table.columns) == [
        *latest.table.columns,
        Column("valid_from", "timestamp", True, Fill.VALID_FROM),
        Column("valid_to", "timestamp", False, Fill.VALID_TO),
        Column("is_current", "boolean", True, Fill.IS_CURRENT),
    ]
    assert kept.table.message_columns == latest.table.message_columns
    assert kept.fields == latest.fields
    assert (latest.table.keeps_history, latest.table.row_key) == (False, latest.table.key)
    assert (kept.table.keeps_history, kept.table.row_key) == (True, (*latest.table.key, "updated_at"))
    assert [each.name for each in kept.terms.properties] == [each.name for each in kept.table.columns]
    assert all(each.description for each in kept.terms.properties)


@pytest.mark.parametrize("name", ["valid_from", "valid_to", "is_current"])
def test_with_a_history_no_field_is_named_as_one_of_its_columns(name: str) -> None:
    """The same name is free in a contract of type 1."""
    parse(PACKAGED.replace("length_seconds", name), "latest.yaml")
    with pytest.raises(ContractError, match=f"'{name}' is a column that scd: 2 adds"):
        parse(history_text().replace("length_seconds", name), "history.yaml")


def test_a_version_that_is_part_of_the_identity_has_no_history() -> None:
    text = history_text().replace("value: updated_at", "value: created_at")
    with pytest.raises(ContractError, match="'created_at' is part of the identity: there is no history"):
        parse(text, "history.yaml")


def test_a_history_s_table_leaves_room_for_the_name_of_its_view() -> None:
    long = "m" * 120
    text = history_text().replace("- name: messages\n", f"- name: {long}\n")
    with pytest.raises(ContractError, match="too long for its view of current rows"):
        parse(text.replace("physicalName: messages", f"physicalName: {long}"), "history.yaml")


def test_the_packaged_contract_states_what_operators_watch() -> None:
    contract = load()
    assert (contract.name, contract.version) == ("messages", "1.0.0")
    assert (contract.partitions, contract.daily_volume) == (4, 30_000)
    assert contract.freshness == timedelta(hours=1)
    assert contract.topic == "interactions.messages"
    assert contract.contacts_topic == "interactions.messages.contacts"
    assert contract.dead_letters_topic == "interactions.messages.dead-letters"
    assert (contract.scanned_field, contract.event_key) == ("message_text", "user_id")
    assert [field.classification for field in contract.fields].count("personal") == 2


def test_fields_and_message_columns_stand_in_the_same_order() -> None:
    contract = load()
    assert [field.name for field in contract.fields] == [each.name for each in contract.table.message_columns]
    assert [contract.position(field.name) for field in contract.fields] == list(range(8))
    with pytest.raises(KeyError):
        contract.position("metafield_insert_time")


@pytest.mark.parametrize("case", cases("contract.jsonl"), ids=lambda case: case["name"])
def test_each_fault_is_named_with_its_path(case: dict[str, Any]) -> None:
    old, new = case["replace"]
    assert old in PACKAGED, "the case no longer touches the contract"
    with pytest.raises(ContractError) as fault:
        parse(PACKAGED.replace(old, new, -1 if case.get("all") else 1), "broken.yaml")
    unnamed = [re.sub(r" \([^ ():]+\): ", ": ", problem, count=1) for problem in fault.value.problems]
    for problem in case["problems"]:
        assert any(problem in found for found in unnamed), fault.value.problems


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "minimum: 0\n          maximum: 60",
            "minimum: 60\n          maximum: 0",
            "properties[5].logicalTypeOptions (length_seconds): minimum 60 is greater than maximum 0",
        ),
        ("minimum: 0", 'minimum: "0"', "minimum (length_seconds): must be an integer, not text"),
        ("version: 1.0.0", "version: one", "version: 'one' is not of the form three numbers, as 1.0.0"),
        ("apiVersion: v3.2.0", "apiVersion: v2.2.0", "did you mean v3.2.0?"),
        ("- name: status", "- name: Status", "is not of the form lower-case letters, digits and _"),
    ],
)
def test_a_fault_names_the_field_and_says_in_words_what_would_be_right(old: str, new: str, told: str) -> None:
    with pytest.raises(ContractError) as fault:
        parse(PACKAGED.replace(old, new, 1), "broken.yaml")
    assert any(told in problem for problem in fault.value.problems), fault.value.problems


def test_all_faults_are_reported_at_once() -> None:
    broken = PACKAGED
    chosen = [
        case for case in cases("contract.jsonl") if case["name"] in {"a missing length", "no partitions"}
    ]
    for case in chosen:
        old, new = case["replace"]
        broken = broken.replace(old, new, 1)
    with pytest.raises(ContractError) as fault:
        parse(broken, "broken.yaml")
    assert len(fault.value.problems) == 2
    assert str(fault.value).startswith("broken.yaml: 2 fault(s) in the contract\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("physicalType: varchar(2056)", "physicalType: varchar"),
        ("physicalType: varchar(128)", "physicalType: varchar"),
        ("        physicalType: timestamp\n", "        physicalType: datetime\n"),
        ("logicalType: integer", "logicalType: int"),
        ("type: redshift", "type: snowflake"),
        ("value: commit id", "value: comit id"),
    ],
)
def test_one_mistake_is_one_fault_and_what_names_its_field_is_none(old: str, new: str) -> None:
    with pytest.raises(ContractError) as fault:
        parse(PACKAGED.replace(old, new, 1), "broken.yaml")
    assert len(fault.value.problems) == 1, fault.value.problems


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "text",
        "a: [",
        "schema: 5",
        "&a [*a]",
        "? [a]\n: 1",
        "\x00",
        "a: !!python/object:os.system x",
    ],
)
def test_what_is_no_contract_at_all_is_a_contract_error(text: str) -> None:
    with pytest.raises(ContractError):
        parse(text, "none.yaml")


def test_a_contract_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "other.odcs.yaml"
    path.write_text(PACKAGED.replace("varchar(2056)", "varchar(99)"), encoding="utf-8")
    assert load(path).table.columns[2].sql_type == "varchar(99)"
    path.write_bytes(b"\xff")
    with pytest.raises(ContractError, match="not UTF-8"):
        load(path)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "absent.yaml")


def test_a_contract_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        load().version = "2"  # type: ignore[misc]


def test_a_contract_holds_what_documents_and_comparisons_need() -> None:
    terms = load().terms
    assert [each.name for each in terms.properties] == [column.name for column in load().table.columns]
    text = next(each for each in terms.properties if each.personal)
    assert (text.name, text.key_position, text.examples) == ("message_text", None, ("Please date me",))
    assert [word.value for word in terms.properties[3].words] == ["opened", "unread", "archived"]
    assert all(word.description for word in terms.properties[3].words)
    assert [member.username for member in terms.team.members] == [
        "backend",
        "data-engineering",
        "data-science",
    ]
    assert {channel.channel for channel in terms.support} > {"backend"}
    assert terms.description.usage.startswith("SELECT * FROM interactions.messages")
    assert {level.name: level.value for level in terms.service_levels} == {
        "latency": 1,
        "frequency": 1,
        "freshness": 2,
        "throughput": 30_000,
        "retention": 7,
        "backfill": False,
        "errorRate": 5.0,
    }
    assert load().retention == timedelta(days=7)
    assert [rule.kind for rule in terms.quality] == ["custom"] * 4 + ["library", "sql", "text", "sql"]
    assert hash(terms) == hash(load().terms)


@pytest.mark.parametrize("privileges", Privileges)
def test_a_role_of_the_contract_may_do_what_is_granted_to_it_and_nothing_else(privileges: Privileges) -> None:
    contract = load()
    grantee = Grantee(GranteeKind.USER, "u")
    granted = {
        (allowed, on.rpartition(" ")[2].rpartition(".")[2].strip('"'))
        for statement in grants(contract.table, "database", grantee, privileges, contract.contacts)
        for allowed, on in re.findall(r"GRANT (.+) ON (.+) TO", statement)
    }
    (told,) = (role.description for role in contract.terms.roles if role.role == privileges.name.lower())
    listed = set(re.findall(r"([A-Z]+(?:, [A-Z]+)*) on (?:the )?(\w+)", told))
    assert listed == {(allowed, "schema" if allowed == "USAGE" else on) for allowed, on in granted}


def test_a_file_that_is_far_too_long_or_has_no_end_is_refused_after_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_bytes(b"# " + b"x" * 10_000_000)
    for endless in (path, Path("/dev/zero")):
        with pytest.raises(ContractError, match="a contract is shorter"):
            load(endless)
