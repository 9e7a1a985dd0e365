"""The bill of materials, in CycloneDX 1.6: the same bytes for the same pins."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from importlib.metadata import version

from tests.supply.inventory import OWN, Package, Scope
from tests.supply.licences import licence

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""RFC 9562's for URLs: a package URL is one."""


def bill_of_materials(packages: Sequence[Package]) -> str:
    """The document. Packages that tests alone need are in it, with the scope `excluded`."""
    own = f"pkg:pypi/{OWN}@{version(OWN)}"
    references = {package.name: f"pkg:pypi/{package.name}@{package.version}" for package in packages}
    direct = [references[package.name] for package in packages if package.scope is not Scope.EXCLUDED]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": OWN,
                "version": version(OWN),
                "purl": own,
            }
        },
        "components": [_component(package, references[package.name]) for package in packages],
        "dependencies": [
            {"ref": own, "dependsOn": direct},
            *(
                {"ref": references[package.name], "dependsOn": [references[name] for name in package.needs]}
                for package in packages
            ),
        ],
    }
    content = json.dumps(document, sort_keys=True)
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(_NAMESPACE, content)}"
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def _component(package: Package, reference: str) -> dict[str, object]:
    component: dict[str, object] = {
        "type": "library",
        "bom-ref": reference,
        "name": package.name,
        "version": package.version,
        "purl": reference,
        "scope": package.scope.value,
        # A package has a hash for each of its files, and which one is installed depends on the platform.
        "properties": [{"name": f"{OWN}:sha256", "value": each} for each in package.hashes],
    }
    if licence(package):
        component["licenses"] = [{"expression": licence(package)}]
    return component
