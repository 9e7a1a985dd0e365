"""What is refused at once, with what is wrong and the fix, and the exit code 2."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import call
from tests.cli.test_settings import LEAST
from tests.pipeline import ROOT


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"KAFKA_TOPIC": "production.dating.interactions.messages"},
            "SOURCE_ID: 'production.dating.interactions.messages' is longer than the 32 bytes",
        ),
        (
            {"KAFKA_TOPIC": "m", "KAFKA_CONTACTS_TOPIC": "m"},
            "KAFKA_CONTACTS_TOPIC: is the topic that is read (m)",
        ),
        (
            {"KAFKA_DEAD_LETTERS_TOPIC": "d", "KAFKA_CONTACTS_TOPIC": "d"},
            "KAFKA_DEAD_LETTERS_TOPIC: is the contacts' topic too (d)",
        ),
        (
            {"CONTACTS_TABLE": "on", "CONTRACT": str(ROOT / "tests" / "contracts" / "purchases.odcs.yaml")},
            "CONTACTS_TABLE: the contract has no table of contacts; leave it off",
        ),
        ({"DEFAULT_REGION": "ZZ"}, "DEFAULT_REGION: libphonenumber knows no such country"),
    ],
)
@pytest.mark.parametrize("command", ["run", "check", "config"])
def test_settings_that_do_not_fit_the_contract_or_each_other_are_told(
    tmp_path: Path, command: str, environment: dict[str, str], told: str
) -> None:
    refused = call(command, cwd=tmp_path, environment={**LEAST, **environment})
    assert refused.returncode == 2
    assert told in refused.stderr


def test_what_contacts_need_is_granted_only_where_they_are_kept(tmp_path: Path) -> None:
    kept = "GRANT SELECT, INSERT, DELETE ON interactions.message_contacts"
    for switch, statements in (("off", 0), ("on", 1)):
        told = call("grants", "--user", "x", cwd=tmp_path, environment={**LEAST, "CONTACTS_TABLE": switch})
        assert told.stdout.count(kept) == statements


def test_a_long_topic_is_read_under_a_shorter_name_of_the_source(tmp_path: Path) -> None:
    more = {"KAFKA_TOPIC": "production.dating.interactions.messages", "SOURCE_ID": "messages"}
    assert call("config", cwd=tmp_path, environment={**LEAST, **more}).returncode == 0


def test_config_shows_what_the_contract_says_and_what_follows_from_it(tmp_path: Path) -> None:
    told = call("config", cwd=tmp_path, environment=LEAST).stdout
    shown = {line.split()[0]: line.split()[1:] for line in told.splitlines()}
    assert shown["KAFKA_TOPIC"] == ["interactions.messages", "contract"]
    assert shown["KAFKA_GROUP"] == ["messages", "derived"]
    more = {**LEAST, "KAFKA_TOPIC": "m"}
    told = call("config", cwd=tmp_path, environment=more).stdout
    shown = {line.split()[0]: line.split()[1:] for line in told.splitlines()}
    assert shown["KAFKA_CONTACTS_TOPIC"] == ["m.contacts", "derived"]


def test_a_line_of_dotenv_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WINDOW=30m\nthis is 'no line\n")
    refused = call("config", cwd=tmp_path, environment=LEAST)
    assert refused.returncode == 2
    assert ".env line 2: must be NAME=value" in refused.stderr


def test_the_contract_of_dotenv_is_the_one_that_ddl_prints(tmp_path: Path) -> None:
    packaged = ROOT / "dataflow" / "contracts" / "messages.odcs.yaml"
    other = tmp_path / "other.yaml"
    other.write_text(packaged.read_text().replace("varchar(2056)", "varchar(1000)").replace("2056", "1000"))
    (tmp_path / ".env").write_text(f"CONTRACT={other}\n")
    assert "varchar(1000)" in call("ddl", cwd=tmp_path).stdout


def test_a_contract_of_protobuf_without_its_compiled_schema_is_refused(tmp_path: Path) -> None:
    of_json = ROOT / "tests" / "contracts" / "purchases.odcs.yaml"
    other = tmp_path / "other.odcs.yaml"
    other.write_text(of_json.read_text().replace("format: json", "format: protobuf"))
    refused = call("run", cwd=tmp_path, environment={**LEAST, "CONTRACT": str(other)})
    assert refused.returncode == 2
    assert "says format: protobuf, and beside the file lies no X.tags.toml" in refused.stderr


def test_a_copy_of_the_contract_alone_is_told_to_be_of_json_only(tmp_path: Path) -> None:
    copied = tmp_path / "copy.odcs.yaml"
    packaged = ROOT / "dataflow" / "contracts"
    copied.write_text((packaged / "messages.odcs.yaml").read_text())
    told = f"no Protobuf form lies beside {copied}: every message is read as JSON"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = {**LEAST, "CONTRACT": str(copied), "METRICS_HOST": "127.0.0.1", "METRICS_PORT": port}
        assert told in call("config", cwd=tmp_path, environment=environment).stdout
        logged = call("run", cwd=tmp_path, environment=environment).stderr
    (warning,) = (json.loads(line) for line in logged.splitlines() if "no_protobuf_form" in line)
    assert warning["level"] == "warning"
    assert warning["detail"].startswith(told)
    for more in ({"MESSAGE_FORMAT": "json"}, {"CONTRACT": str(packaged / "messages.odcs.yaml")}):
        assert (
            "every message is read" not in call("config", cwd=tmp_path, environment=environment | more).stdout
        )
    for suffix in (".tags.toml", ".binpb"):
        (tmp_path / f"copy{suffix}").write_bytes((packaged / f"messages{suffix}").read_bytes())
    assert "every message is read" not in call("config", cwd=tmp_path, environment=environment).stdout


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize("content", ["", 'message = "interactions.v1.Message"\n'])
def test_half_of_a_protobuf_form_is_refused_by_its_file(tmp_path: Path, command: str, content: str) -> None:
    copied = tmp_path / "copy.odcs.yaml"
    copied.write_text((ROOT / "dataflow" / "contracts" / "messages.odcs.yaml").read_text())
    (tmp_path / "copy.tags.toml").write_text(content)
    refused = call(command, cwd=tmp_path, environment={**LEAST, "CONTRACT": str(copied)})
    assert refused.returncode == 2
    named = tmp_path / ("copy.binpb" if content else "copy.tags.toml")
    assert f"{named}: 1 fault(s)" in refused.stderr
    assert "output cannot be written" not in refused.stderr


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "Address already in use"), ("256.1.1.1", "")])
def test_a_metrics_address_that_cannot_be_had_is_named(tmp_path: Path, host: str, reason: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        more = {"METRICS_HOST": host, "METRICS_PORT": str(port)}
        refused = call("run", cwd=tmp_path, environment={**LEAST, **more})
    assert refused.returncode == 2
    assert '"event":"port_unusable"' in refused.stderr
    assert f'"address":"{host}:{port}"' in refused.stderr
    assert reason in refused.stderr


def test_output_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        told = subprocess.run(
            [sys.executable, "-m", "dataflow", "ddl"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert told.returncode == 2
    assert told.stderr == "contract-dataflow: the output cannot be written: No space left on device\n"


def test_a_text_that_looks_like_the_name_of_a_missing_file_is_said_to_be_read_as_a_text() -> None:
    told = call("detect", "--explain", "nofile.jsonl")
    assert told.returncode == 0
    assert "no file of this name" in told.stderr


def test_a_region_may_be_written_in_small_letters() -> None:
    assert call("detect", "--region", "gb", text='{"id": 1, "text": "hi"}\n').returncode == 0


def test_verify_refuses_offsets_of_another_topic(tmp_path: Path) -> None:
    refused = call("verify", "--offsets", "elsewhere:0:0-10", cwd=tmp_path, environment=LEAST)
    assert refused.returncode == 2
    assert "is not the topic of this pipeline, which reads interactions.messages" in refused.stderr
