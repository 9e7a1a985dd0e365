"""What is made from a contract: committed as it is made, and true."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from dataflow import decode, validate
from dataflow.contract import Contract, load, parse
from dataflow.encode import encode_dead_letter
from dataflow.model import DeadLetter, Violation
from dataflow.protobuf import decode as protobuf_decode
from dataflow.published import documents
from dataflow.published.asyncapi import asyncapi, contact_schema
from dataflow.published.message_schema import message_schema
from dataflow.published.page import page
from dataflow.published.reasons import (
    NEVER_IN_PROTOBUF,
    OF_A_FIELD,
    OF_A_VALUE_IN_PROTOBUF,
    OF_THE_VALUE,
    reasons,
)
from dataflow.published.tables import field_table
from dataflow.published.thresholds import thresholds
from tests.cli.test_commands import call
from tests.contracts.asyncapi_schema import SchemaUnavailable, asyncapi_schema
from tests.contracts.test_changes import PACKAGED
from tests.contracts.with_history import history_contract
from tests.core.messages import batch_of
from tests.pipeline import ROOT

MESSAGES = load()
PURCHASES = load(ROOT / "tests" / "contracts" / "purchases.odcs.yaml")
CONTRACTS = (MESSAGES, PURCHASES)
COMMITTED = ROOT / "docs" / "contract"


def test_the_committed_thresholds_of_alerts_are_what_the_contract_says_now() -> None:
    """`make monitoring` writes them anew."""
    committed = (ROOT / "k8s" / "monitoring" / "thresholds.yaml").read_text(encoding="utf-8")
    assert call("contract", "thresholds").stdout == committed


def test_thresholds_follow_the_contract() -> None:
    found = {each.record: each.value for each in thresholds(MESSAGES)}
    assert found == {
        "dataflow_freshness_seconds:agreed": 3600,
        "dataflow_late_seconds:agreed": 3900,
        "dataflow_daily_messages:agreed": 30_000,
        "dataflow_daily_messages:least": 15_000,
        "dataflow_daily_messages:most": 60_000,
        "dataflow_partitions:agreed": 4,
        "dataflow_partition_hour_messages:agreed": 312.5,
        "dataflow_hour_dead_letters:least": 12.5,
        "dataflow_rejected_ratio:agreed": 0.05,
        "dataflow_retention_seconds:agreed": 604_800,
        "dataflow_retention_seconds:near": 302_400,
    }
    other = {each.record: each.value for each in thresholds(PURCHASES)}
    assert other["dataflow_daily_messages:agreed"] == 5000
    assert other["dataflow_rejected_ratio:agreed"] == 0.05
    assert "dataflow_retention_seconds:agreed" not in other
    stricter = parse(
        PACKAGED.replace("value: 5\n    unit: percent", "value: 0.5\n    unit: percent"), "stricter"
    )
    assert {each.record: each.value for each in thresholds(stricter)} == {
        **found,
        "dataflow_rejected_ratio:agreed": 0.005,
    }


def test_the_committed_documents_are_what_the_contract_says_now(tmp_path: Path) -> None:
    """`make docs` writes them anew."""
    made = call("contract", "docs", "--directory", str(tmp_path / "made"))
    assert made.returncode == 0, made.stderr
    names = {path.name for path in (tmp_path / "made").iterdir()}
    assert names == {path.name for path in COMMITTED.iterdir()}
    assert "messages.sql" in names
    for name in names:
        assert (tmp_path / "made" / name).read_bytes() == (COMMITTED / name).read_bytes(), name


def test_documents_speak_of_the_table_s_own_type_and_of_the_contract_s_own_producers() -> None:
    assert "(type 1)" in page(MESSAGES)
    for made in (page(history_contract()), json.dumps(asyncapi(history_contract()))):
        assert "type 1" not in made
        assert "type-1" not in made
        assert "the latest version of it" not in made
    assert "(type 2)" in page(history_contract())
    text = PACKAGED.replace("username: backend", "username: shop-team")
    described = asyncapi(parse(text, "shop.yaml"))["channels"]["messages"]["description"]
    assert described == "Messages from shop-team."
    assert asyncapi(PURCHASES)["channels"]["messages"]["description"] == "Messages from checkout."


@pytest.mark.parametrize(
    ("action", "name"), [("json-schema", ".schema.json"), ("asyncapi", ".asyncapi.json"), ("docs", ".html")]
)
def test_a_command_prints_what_is_committed_and_that_of_another_contract(action: str, name: str) -> None:
    assert call("contract", action).stdout == (COMMITTED / f"messages{name}").read_text(encoding="utf-8")
    other = call("contract", action, "--contract", str(ROOT / "tests" / "contracts" / "purchases.odcs.yaml"))
    assert other.returncode == 0
    assert "purchases" in other.stdout
    assert "message_text" not in other.stdout


def test_a_history_changes_what_the_documents_say_of_the_table_and_nothing_of_the_message() -> None:
    history = history_contract()
    assert message_schema(history) == message_schema(MESSAGES)
    assert asyncapi(history) == asyncapi(MESSAGES)
    told = page(history)
    for words in (
        "<code>interactions.messages_current</code>",
        "WHERE is_current",
        "valid_from &lt;= time AND (valid_to IS NULL OR valid_to &gt; time)",
        "not sent: the next version",
    ):
        assert words in told
        assert words not in page(MESSAGES)
    assert "| `valid_to` | `timestamp` | yes |" in field_table(history)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_the_asyncapi_document_is_valid_under_asyncapis_own_schema(contract: Contract) -> None:
    try:
        schema = asyncapi_schema()
    except SchemaUnavailable as why:
        if os.environ.get("REQUIRE_ASYNCAPI_SCHEMA") == "1":
            raise
        pytest.skip(str(why))
    judge = Draft7Validator(schema)
    document = json.loads(documents.asyncapi_document(contract))
    assert [fault.json_path for fault in judge.iter_errors(document)] == []
    del document["channels"]["messages"]["address"]
    document["operations"]["readMessages"]["action"] = "listen"
    assert not judge.is_valid(document)


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_every_topic_is_in_the_asyncapi_document_and_every_reference_leads_somewhere(
    contract: Contract,
) -> None:
    document = asyncapi(contract)
    topics = {channel["address"] for channel in document["channels"].values()}
    assert topics == set(filter(None, (contract.topic, contract.contacts_topic, contract.dead_letters_topic)))
    assert {each["channel"]["$ref"] for each in document["operations"].values()} == {
        f"#/channels/{name}" for name in document["channels"]
    }
    for reference in references(document):
        place: Any = document
        for name in reference.removeprefix("#/").split("/"):
            place = place[name]
    for message in document["components"]["messages"].values():
        for part in ("payload", "headers"):
            if part in message:
                Draft7Validator.check_schema(message[part]["schema"])
    payload = document["components"]["messages"]["message"]["payload"]["schema"]
    assert payload == message_schema(contract)


def test_the_contact_events_of_the_documentation_are_as_the_asyncapi_document_says() -> None:
    contact = asyncapi(MESSAGES)["components"]["messages"]["contact"]
    headers, value = Draft7Validator(contact["headers"]["schema"]), Draft7Validator(contact_schema(MESSAGES))
    lines = (ROOT / "docs" / "contact-events" / "events.jsonl").read_text(encoding="utf-8").splitlines()
    for event in map(json.loads, lines):
        headers.validate(event["headers"])
        value.validate(event["value"])
        assert not value.is_valid({**event["value"], "kind": "address"})
        assert set(event["value"]) <= set(contact_schema(MESSAGES)["properties"])


def test_a_dead_letter_has_the_headers_that_the_asyncapi_document_says() -> None:
    batch = batch_of([b"{}"])
    letter = DeadLetter(batch.records[0], (Violation("f", "missing", "is required"),))
    encoded = encode_dead_letter(letter, "dead-letters", batch.topic, batch.partition, "1.0.0")
    headers = {name: (value or b"").decode() for name, value in encoded.headers}
    described = asyncapi(MESSAGES)["components"]["messages"]["deadLetter"]["headers"]["schema"]
    Draft7Validator(described).validate(headers)
    del headers["dead_letter.codes"]
    assert not Draft7Validator(described).is_valid(headers)


def test_the_page_tells_every_code_of_a_dead_letter_in_words() -> None:
    assert {*OF_THE_VALUE, *OF_A_FIELD} == decode.CODES | validate.CODES
    assert "not_a_timestamp" in reasons(MESSAGES)
    assert "not_a_date" not in reasons(MESSAGES)
    assert {"not_a_date", "too_precise"} <= set(reasons(PURCHASES))


IN_PROTOBUF = parse(PACKAGED.replace("format: json", "format: protobuf"), "messages.odcs.yaml")
PROTO = (ROOT / "dataflow" / "contracts" / "messages.proto").read_text(encoding="utf-8")


def test_of_messages_in_protobuf_the_documents_tell_the_proto_and_its_tags(tmp_path: Path) -> None:
    document = asyncapi(IN_PROTOBUF, PROTO)
    message = document["components"]["messages"]["message"]
    assert document["defaultContentType"] == message["contentType"] == "application/x-protobuf"
    assert message["payload"] == {
        "schemaFormat": "application/vnd.google.protobuf;version=3",
        "schema": PROTO,
    }
    told = page(IN_PROTOBUF, PROTO)
    assert "optional string user_id = 1;" in told
    assert "google.protobuf.Timestamp</td>" in told
    assert "RFC 3339, stored in UTC" not in told
    for code in ("truncated_json", "duplicate_key", "lone_surrogate"):
        assert f"<code>{code}</code>" in page(MESSAGES)
        assert f"<code>{code}</code>" not in told
    with pytest.raises(ValueError, match="proto"):
        asyncapi(IN_PROTOBUF)
    file = tmp_path / "own.odcs.yaml"
    file.write_text(PACKAGED.replace("format: json", "format: protobuf"))
    assert "optional string user_id = 1;" in call("contract", "docs", "--contract", str(file)).stdout
    (tmp_path / "own.proto").write_text("// its own\n")
    printed = json.loads(call("contract", "asyncapi", "--contract", str(file)).stdout)
    assert printed["components"]["messages"]["message"]["payload"]["schema"] == "// its own\n"


def test_the_page_tells_every_code_of_a_dead_letter_in_protobuf() -> None:
    of_the_value = {"tombstone", "too_large"} | protobuf_decode.CODES
    assert set(OF_A_VALUE_IN_PROTOBUF) == of_the_value
    never = (reasons(MESSAGES).keys() & validate.CODES) - reasons(IN_PROTOBUF).keys()
    assert never == NEVER_IN_PROTOBUF


def test_contact_events_are_keyed_as_they_are_sent() -> None:
    key = asyncapi(MESSAGES)["components"]["messages"]["contact"]["bindings"]["kafka"]["key"]
    assert key["description"] == f"The value of {MESSAGES.event_key}."


class Outline(HTMLParser):
    """Tags, attributes and the text of a page; whether its tags are closed in order."""

    VOID = frozenset({"meta", "br", "rect", "path"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(text: str) -> Outline:
    found = Outline()
    found.feed(text)
    assert not found.open
    return found


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_the_page_loads_nothing_and_can_be_read_without_seeing_it(contract: Contract) -> None:
    text = documents.page(contract)
    assert not re.search(r"url\(|@import|<script|<img|<link|<iframe", text)
    found = outline(text)
    for _tag, attributes in found.tags:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    named = [each.get("aria-labelledby") or (each.get("href") or "")[1:] for _, each in found.tags]
    assert set(filter(None, named)) <= set(ids)
    assert ("html", {"lang": "en"}) in found.tags
    assert all("scope" in attributes for tag, attributes in found.tags if tag == "th")
    assert sum(tag == "table" for tag, _ in found.tags) == sum(tag == "caption" for tag, _ in found.tags)
    assert [tag for tag, _ in found.tags].count("h1") == 1
    assert "prefers-color-scheme:dark" in text


def test_the_page_holds_what_a_reader_of_the_data_asks_for() -> None:
    text = documents.page(MESSAGES)
    for column in MESSAGES.terms.properties:
        assert f"<code>{column.name}</code>" in text
        assert column.physical_type in text
    for level in MESSAGES.terms.service_levels:
        assert level.name in text
    for wanted in (
        "BETWEEN &#x27;2023-06-01&#x27;",
        "Please date me",
        "data-engineering",
        "<svg",
        "RUNBOOK.md",
    ):
        assert wanted in text


def test_what_a_contract_says_is_never_markup() -> None:
    text = PACKAGED.replace("The user who sent the message.", "A <script>alert(1)</script> & a 'quote'.")
    page = documents.page(parse(text, "odd.yaml"))
    assert "<script" not in page
    assert "A &lt;script&gt;alert(1)&lt;/script&gt; &amp; a &#x27;quote&#x27;." in page


def _colours(scheme: str) -> dict[str, str]:
    return dict(re.findall(r"--(\w+):(#[0-9a-f]{6})", scheme))


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_has_the_contrast_that_the_accessibility_guidelines_ask_for() -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1, on the page's ground and on its panels, in both colour schemes."""
    light, dark = documents.page(MESSAGES).partition("prefers-color-scheme:dark")[::2]
    for colours in (_colours(light), _colours(dark)):
        for ground in (colours["ground"], colours["panel"]):
            for name in ("text", "soft", "accent", "warm", "calm"):
                low, high = sorted((_luminance(colours[name]), _luminance(ground)))
                assert (high + 0.05) / (low + 0.05) >= 4.5, (name, ground)
