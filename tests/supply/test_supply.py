"""The bill of materials is valid and complete; licences and advisories are read as they are meant."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import distribution
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.specifiers import SpecifierSet

from tests.pipeline import ROOT
from tests.supply.audit import audit_of
from tests.supply.inventory import Drift, Package, Scope, inventory, pins_in
from tests.supply.licences import not_allowed
from tests.supply.sbom import bill_of_materials

CONSTRAINTS = ROOT / "constraints.txt"
OLDEST = "3.11.0"
SOME = Package("some", "1", ("0" * 64,), "MIT", (), Scope.REQUIRED)


@pytest.fixture(scope="module")
def packages() -> tuple[Package, ...]:
    return inventory(CONSTRAINTS)


def test_the_bill_of_materials_is_valid_and_the_same_each_time(packages: tuple[Package, ...]) -> None:
    bill = bill_of_materials(packages)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    assert bill == bill_of_materials(packages)


def test_every_pin_is_in_it_with_hashes_and_scope(packages: tuple[Package, ...]) -> None:
    scopes = {package.name: package.scope for package in packages}
    assert len(scopes) == len(pins_in(CONSTRAINTS.read_text(encoding="utf-8")))
    assert all(package.hashes for package in packages)
    assert scopes["confluent-kafka"] is scopes["botocore"] is Scope.REQUIRED
    assert scopes["aws-msk-iam-sasl-signer-python"] is Scope.OPTIONAL
    assert scopes["pytest"] is scopes["cryptography"] is Scope.EXCLUDED
    components = json.loads(bill_of_materials(packages))["components"]
    assert {each["name"] for each in components} == set(scopes)


def test_every_pin_runs_on_the_oldest_python_that_is_supported() -> None:
    """Debian 12 has Python 3.11.2; what is pinned by a newer one may ask for more."""
    pins = [distribution(name) for name in pins_in(CONSTRAINTS.read_text(encoding="utf-8"))]
    asked = {pin.name: str(pin.metadata.json.get("requires_python", "")) for pin in pins}
    assert not [name for name, versions in asked.items() if OLDEST not in SpecifierSet(versions)]


def test_another_version_than_the_pinned_one_is_drift(tmp_path: Path) -> None:
    text = CONSTRAINTS.read_text(encoding="utf-8")
    version, _ = pins_in(text)["orjson"]
    other = tmp_path / "constraints.txt"
    other.write_text(text.replace(f"orjson=={version}", "orjson==0.0.1"), encoding="utf-8")
    with pytest.raises(Drift, match=r"orjson: 0\.0\.1 is pinned"):
        inventory(other)


def test_a_pin_without_a_hash_is_drift(tmp_path: Path) -> None:
    other = tmp_path / "constraints.txt"
    other.write_text(CONSTRAINTS.read_text(encoding="utf-8") + "something==1\n", encoding="utf-8")
    with pytest.raises(Drift, match="something: is pinned without a hash"):
        inventory(other)


@pytest.mark.parametrize(
    ("told", "fine"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND GPL-3.0-only", False),
        ("AGPL-3.0-only", False),
        ("Proprietary", False),
    ],
)
def test_only_licences_of_the_list_are_allowed(told: str, fine: bool) -> None:
    assert (not_allowed([replace(SOME, licence=told)]) == []) is fine


def test_every_pinned_package_has_an_allowed_licence(packages: tuple[Package, ...]) -> None:
    assert not_allowed(packages) == []


def test_an_advisory_is_told_and_silence_is_not_taken_for_health() -> None:
    answer = {
        "dependencies": [
            {"name": "a", "version": "1", "vulns": [{"id": "CVE-2000-1", "fix_versions": ["2"]}]},
            {"name": "b", "version": "1", "vulns": []},
            {"name": "c", "skip_reason": "not found"},
        ]
    }
    found = audit_of(json.dumps(answer))
    assert (found.asked, found.untold) == (2, 1)
    assert found.vulnerable == ("a 1: CVE-2000-1, mended in 2",)
