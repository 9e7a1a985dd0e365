"""python -m tests.supply: bill of materials, licences, known vulnerabilities.

Writes build/sbom.cdx.json. Ends with 1 when pins and installed packages disagree, a licence is not allowed,
or a vulnerability is known. What could not be asked is told, and is no fault unless REQUIRE_AUDIT=1.
"""

from __future__ import annotations

import os
import sys

from tests.pipeline import ROOT
from tests.supply.audit import audit
from tests.supply.inventory import Drift, inventory
from tests.supply.licences import not_allowed
from tests.supply.sbom import bill_of_materials


def main() -> int:
    """The exit code."""
    constraints = ROOT / "constraints.txt"
    try:
        packages = inventory(constraints)
    except Drift as drift:
        print(f"constraints.txt and what is installed disagree:\n{drift}", file=sys.stderr)
        return 1
    bill = ROOT / "build" / "sbom.cdx.json"
    bill.parent.mkdir(exist_ok=True)
    bill.write_text(bill_of_materials(packages), encoding="utf-8")
    print(f"bill of materials: {len(packages)} packages in {bill.relative_to(ROOT)}")
    refused = not_allowed(packages)
    print(
        f"licences: {len(packages) - len(refused)} allowed" + "".join(f"\n  NOT {line}" for line in refused)
    )
    found = audit(constraints)
    print(
        f"known vulnerabilities: {len(found.vulnerable)} in the {found.asked} packages that were asked about"
    )
    for line in found.vulnerable:
        print(f"  {line}")
    unasked = found.trouble or (f"nothing is told of {found.untold} packages here" if found.untold else "")
    if unasked:
        print(f"  NOT AUDITED: {unasked}")
    strict = os.environ.get("REQUIRE_AUDIT") == "1"
    return int(bool(refused or found.vulnerable or (unasked and strict)))


if __name__ == "__main__":
    sys.exit(main())
