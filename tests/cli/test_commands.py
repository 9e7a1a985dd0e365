"""The command line as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dataflow.settings_table import ACL_SETTINGS, GRANT_SETTINGS, KNOWN, SETTINGS
from tests.core.messages import EXAMPLE
from tests.pipeline import INHERITED, ROOT

COMMANDS = ("run", "check", "ddl", "grants", "acls", "validate", "detect", "config")
GOOD = json.dumps(EXAMPLE)
_EMPTY = tempfile.TemporaryDirectory(prefix="cli-")
NOWHERE = Path(_EMPTY.name)
"""An empty directory: a developer's `.env` at the root of the project must not count."""


def call(
    *arguments: str, text: str = "", cwd: Path = NOWHERE, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Called where there is no `.env`, unless `cwd` holds one."""
    base = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "dataflow", *arguments],
        cwd=cwd,
        env={**base, "PYTHONPATH": str(ROOT), **(environment or {})},
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_help_teaches_every_command() -> None:
    told = call("--help")
    assert told.returncode == 0
    for command in COMMANDS:
        assert f"\n    {command} " in told.stdout
    assert "exit codes:" in told.stdout


def test_help_of_run_lists_every_setting_with_its_default() -> None:
    told = call("run", "--help").stdout
    for setting in SETTINGS:
        (line,) = [line for line in told.splitlines() if line.startswith(f"    {setting.name} ")]
        assert setting.default is None or f"Default: {setting.default}." in line


@pytest.mark.parametrize(
    ("command", "listed"), [("acls", ACL_SETTINGS), ("grants", GRANT_SETTINGS), ("run", frozenset(KNOWN))]
)
def test_help_lists_the_settings_that_a_command_looks_at_and_no_others(
    command: str, listed: frozenset[str]
) -> None:
    told = call(command, "--help").stdout
    assert {name for name in KNOWN if f"\n    {name} " in told} == listed


def test_grants_look_at_the_setting_of_the_contacts_table_and_list_it() -> None:
    warehouse = {
        "REDSHIFT_HOST": "warehouse.example.com",
        "REDSHIFT_DATABASE": "analytics",
        "REDSHIFT_USER": "owner",
        "REDSHIFT_PASSWORD": "nobody hears it",
    }
    arguments = ("grants", "--for", "operators", "--user", "o")
    off = call(*arguments, environment=warehouse).stdout.splitlines()
    on = call(*arguments, environment=warehouse | {"CONTACTS_TABLE": "on"}).stdout.splitlines()
    assert on[:-1] == off
    assert on[-1].startswith("GRANT SELECT, INSERT, DELETE ON ")
    assert "\n    CONTACTS_TABLE " in call("grants", "--help").stdout


def test_show_says_that_a_letters_bytes_are_personal_data() -> None:
    assert "personal" in call("dead-letters", "show", "--help").stdout


def test_the_script_and_the_module_are_the_same_program() -> None:
    script = Path(sys.executable).with_name("contract-dataflow")
    told = subprocess.run([script, "--help"], cwd=NOWHERE, capture_output=True, text=True, check=True)
    assert told.stdout == call("--help").stdout


def test_an_unknown_command_is_refused() -> None:
    refused = call("start")
    assert refused.returncode == 2
    assert "start" in refused.stderr


@pytest.mark.parametrize("command", ["run", "check", "config"])
def test_wrong_settings_are_told_all_at_once_before_anything_connects(tmp_path: Path, command: str) -> None:
    refused = call(command, cwd=tmp_path, environment={"WINDOW": "7m", "KAFKA_BOOTSTRAP": "b:1"})
    assert refused.returncode == 2
    assert not refused.stdout
    for told in ("WINDOW: must", "REDSHIFT_HOST: is missing", "did you mean KAFKA_BOOTSTRAP_SERVERS?"):
        assert told in refused.stderr
    assert "Traceback" not in refused.stderr


def test_validate_answers_a_line_for_each_message(tmp_path: Path) -> None:
    file = tmp_path / "messages.jsonl"
    broken = json.dumps({**EXAMPLE, "status": "lost", "user_id": None})
    file.write_text(f"{GOOD}\n\n{broken}\nnot json\n")
    told = call("validate", str(file))
    assert told.returncode == 1
    row, dead, not_json = lines(told.stdout)
    assert (row["line"], row["verdict"], row["violations"], row["warnings"]) == (1, "row", [], [])
    assert row["row"]["created_at"] == "2023-10-31 03:58:22"
    assert (dead["line"], dead["verdict"]) == (3, "dead_letter")
    assert {(each["field"], each["code"]) for each in dead["violations"]} == {
        ("status", "not_in_enumeration"),
        ("user_id", "null"),
    }
    assert "row" not in dead
    assert not_json["violations"][0]["code"] == "malformed_json"


def test_validate_reads_stdin_and_ends_with_0_when_all_are_rows() -> None:
    told = call("validate", text=f"{GOOD}\n{GOOD}")
    assert told.returncode == 0
    assert [line["line"] for line in lines(told.stdout)] == [1, 2]


def test_validate_tells_warnings_of_a_row() -> None:
    odd = json.dumps({**EXAMPLE, "updated_at": "2020-01-01T00:00:00Z"})
    (row,) = lines(call("validate", "-", text=odd).stdout)
    assert row["verdict"] == "row"
    assert [each["code"] for each in row["warnings"]] == ["updated_before_created"]


def test_validate_keeps_order_beyond_one_chunk() -> None:
    told = call("validate", text="\n".join("[]" if number % 3 else GOOD for number in range(2500)))
    assert [line["line"] for line in lines(told.stdout)] == list(range(1, 2501))


@pytest.mark.parametrize("command", ["validate", "detect"])
def test_a_file_that_is_not_there_is_named(command: str) -> None:
    refused = call(command, "no-such-file.jsonl")
    assert refused.returncode == 2
    assert "no-such-file.jsonl: No such file or directory" in refused.stderr


def test_a_contract_that_is_wrong_is_told(tmp_path: Path) -> None:
    contract = tmp_path / "contract.yaml"
    contract.write_text("kind: Sonnet\n")
    refused = call("validate", "--contract", str(contract), text=GOOD)
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "kind" in refused.stderr


def test_contract_check_says_in_one_line_what_a_good_file_states_and_every_fault_of_another(
    tmp_path: Path,
) -> None:
    packaged = ROOT / "dataflow" / "contracts" / "messages.odcs.yaml"
    good = call("contract", "check", str(packaged))
    assert good.returncode == 0, good.stderr
    stated = "8 fields, table interactions.messages, Protobuf interactions.v1.Message"
    assert good.stdout == f"messages 1.0.0: {stated}\n"
    alone = call("contract", "check", str(ROOT / "tests" / "contracts" / "purchases.odcs.yaml"))
    assert alone.returncode == 0
    assert alone.stdout.endswith(", no Protobuf form: messages are JSON\n")
    broken = tmp_path / "broken.odcs.yaml"
    broken.write_text(packaged.read_text().replace("varchar(2056)", "varchar"))
    refused = call("contract", "check", str(broken))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "properties[2] (message_text): physicalType 'varchar' has no length" in refused.stderr
    assert call("contract", "check", str(tmp_path / "absent.yaml")).returncode == 2


def test_detect_answers_a_line_for_each_text() -> None:
    asked = [
        {"id": 1, "text": "call me: 202 555 0143"},
        {"id": "b", "text": "my insta is @luna_moon42 😊"},
        {"id": 3, "text": "see you tomorrow"},
        {"id": 4, "text": "call me: 020 7946 0018", "region": "GB"},
    ]
    told = call("detect", text="\n".join(json.dumps(each) for each in asked))
    assert told.returncode == 0, told.stderr
    first, second, third, fourth = lines(told.stdout)
    assert first == {
        "id": 1,
        "detections": [
            {
                "type": "phone",
                "platform": None,
                "value": "+12025550143",
                "start": 9,
                "end": 21,
                "rule": "phone_digits",
            }
        ],
    }
    (handle,) = second["detections"]
    assert (handle["type"], handle["platform"], handle["value"]) == ("handle", "instagram", "luna_moon42")
    assert third == {"id": 3, "detections": []}
    assert fourth["detections"][0]["value"] == "+442079460018"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": 1}', "text must be"),
        ('{"id": 1, "text": 5}', "text must be"),
        ('{"text": "hi"}', "id must be"),
        ('{"id": 1, "text": "hi", "region": "USA"}', "region must be"),
        ("[]", "must be an object"),
        ("{", "is not JSON"),
    ],
)
def test_detect_names_a_line_that_is_not_fit_and_goes_on(line: str, told: str) -> None:
    answer = call("detect", text=f'{line}\n{{"id": 2, "text": "hi"}}\n')
    assert answer.returncode == 1
    assert answer.stderr.startswith("line 1: ")
    assert told in answer.stderr
    assert [each["id"] for each in lines(answer.stdout)] == [2]


def test_detect_lets_other_keys_pass_and_says_so_once() -> None:
    labelled = '{"id": 1, "text": "snap: luna_moon42", "labels": []}\n' * 2
    answer = call("detect", text=labelled)
    assert answer.returncode == 0
    assert len(lines(answer.stdout)) == 2
    assert answer.stderr == "2 lines have keys besides id, text and region, which were not read\n"


def test_explain_tells_rule_veto_and_normalised_form_of_one_text() -> None:
    told = call("detect", "--explain", "order 202 555 0143, but my SNAP is Luna(dot)Moon42")
    assert told.returncode == 0, told.stderr
    assert "respelt    'order 202 555 0143, but my snap is luna.moon42'" in told.stdout
    assert "handle snapchat luna.moon42  by handle_forward  at 35-50" in told.stdout
    assert "'202 555 0143'  words around it say that it is something else" in told.stdout


def test_explain_reads_a_file_of_lines_too(tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"id": "a", "text": "hello"}\n{"id": "b", "text": "snap: luna_moon42"}\n{}\n')
    told = call("detect", "--explain", str(texts))
    assert told.returncode == 1
    assert told.stderr.startswith("line 3: ")
    assert "rules it out" in told.stdout
    assert "by handle_forward" in told.stdout


def test_explain_reads_a_text_that_is_longer_than_a_file_s_name_may_be() -> None:
    told = call("detect", "--explain", "how was your weekend? " * 300 + "my snap is luna_moon42")
    assert told.returncode == 0, told.stderr
    assert "handle snapchat luna_moon42  by handle_forward" in told.stdout


def test_an_unknown_default_region_is_refused() -> None:
    refused = call("detect", "--region", "XX", text="")
    assert refused.returncode == 2
    assert "XX" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_reader_that_has_seen_enough_ends_the_program_quietly() -> None:
    text = "\n".join([GOOD] * 20_000)
    process = subprocess.Popen(
        [sys.executable, "-m", "dataflow", "validate"],
        cwd=NOWHERE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    try:
        process.stdin.write(text)
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.wait(60) == 0
    assert not process.stderr.read()


def test_config_shows_what_is_in_force_and_where_from_with_secrets_hidden(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WINDOW=30m\nREDSHIFT_HOST=from-dotenv\n")
    told = call(
        "config",
        cwd=tmp_path,
        environment={
            "KAFKA_BOOTSTRAP_SERVERS": "b:9092",
            "REDSHIFT_HOST": "from-environment",
            "REDSHIFT_DATABASE": "dev",
            "REDSHIFT_USER": "loader",
            "REDSHIFT_PASSWORD": "correct horse battery",
            "CONTACT_HMAC_KEY": "a secret of enough bytes",
            "KAFKA_CONFIG_SASL_PASSWORD": "hush-hush",
        },
    )
    assert told.returncode == 0, told.stderr
    found = {line.split()[0]: line.split()[1:] for line in told.stdout.splitlines()}
    assert found["WINDOW"] == ["30m", ".env"]
    assert found["REDSHIFT_HOST"] == ["from-environment", "environment"]
    assert found["REDSHIFT_PORT"] == ["5439", "default"]
    for secret in ("correct horse battery", "a secret of enough bytes", "hush-hush"):
        assert secret not in told.stdout


def test_ddl_prints_what_the_warehouse_needs_without_settings(tmp_path: Path) -> None:
    told = call("ddl", cwd=tmp_path)
    assert told.returncode == 0
    assert "CREATE SCHEMA IF NOT EXISTS interactions;" in told.stdout
    assert "DISTKEY(user_id) COMPOUND SORTKEY(created_at);" in told.stdout
    assert "commit_ledger" in told.stdout
    assert "CREATE OR REPLACE VIEW interactions.contact_exchanges AS" in told.stdout
    assert told.stdout.count(";\n") == 5
