"""What the documents say of settings, metrics and codes is what the program has."""

from __future__ import annotations

import re

import pytest
from prometheus_client import CollectorRegistry

from connectors.metrics import PREFIX, Metrics
from connectors.progress import BrokenPromise
from dataflow.commands.run import HUNG
from dataflow.selection import CODES
from dataflow.settings_table import SETTINGS, Setting
from tests.pipeline import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "RUNBOOK.md",
    "tests/README.md",
    "dataflow/contracts/README.md",
    "docs/contract-change.md",
    "docs/history.md",
    "docs/kubernetes.md",
    "docs/operating.md",
    "docs/protobuf.md",
    "docs/s3-staging.md",
    "docs/security.md",
    "docs/side-topic.md",
)


def settings_table() -> str:
    """The README's table, as the settings make it."""
    lines = ["| setting | default | |", "|---|---|---|"]
    for setting in SETTINGS:
        default = "required" if setting.required else f"`{setting.default}`" if setting.default else ""
        secret = " Secret." if setting.secret else ""
        lines.append(f"| `{setting.name}` | {default} | {setting.text}{secret} |")
    return "\n".join(lines)


def test_the_readmes_table_lists_every_setting_as_it_is() -> None:
    between = README.partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0].strip()
    assert between == settings_table()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_example_environment_has_every_setting_with_its_default(setting: Setting) -> None:
    value = re.search(rf"^#? ?{setting.name}=(.*)$", EXAMPLE, re.MULTILINE)
    assert value is not None
    if setting.default is not None:
        assert value[1] == setting.default


def test_the_example_environment_names_nothing_else() -> None:
    known = {setting.name for setting in SETTINGS}
    named = set(re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE))
    assert {name for name in named - known if not name.startswith("KAFKA_CONFIG_")} == set()


def test_the_readme_names_only_metrics_that_exist() -> None:
    registry = CollectorRegistry()
    Metrics(registry, version="0", contract_version="0")
    known = {
        f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in registry.collect()
    }
    named = set(re.findall(rf"`({PREFIX}_[a-z_]+)", README + (ROOT / "ARCHITECTURE.md").read_text()))
    assert named
    assert named <= known


def test_the_readme_names_every_code_of_a_dead_letter() -> None:
    codes = README.partition("| of | codes |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z0-9_]+)`", codes)) == CODES


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_within_the_repository_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text(encoding="utf-8")):
        assert ((ROOT / name).parent / target).exists(), target


def test_the_readme_lists_every_broken_promise_with_its_exit_code() -> None:
    table = README.partition("<!-- exit codes -->")[2].partition("<!-- /exit codes -->")[0]
    listed = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", table, re.MULTILINE)}
    kinds: list[type[BrokenPromise]] = [BrokenPromise, *BrokenPromise.__subclasses__()]
    assert listed == {kind.__name__: kind.exit_code for kind in kinds}
    codes = re.findall(r"^\| (\d+) \|", table, re.MULTILINE)
    assert len(set(codes)) == len(codes)
    assert str(HUNG) in codes


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "docs/security.md"])
def test_a_document_names_only_tests_that_exist(name: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / name).read_text(encoding="utf-8")))
    written = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named
    assert named <= written
