"""AsyncAPI's own JSON Schema: an npm package of its makers, pinned, fetched once, kept for the next run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

PACKAGE = "@asyncapi/specs@6.11.1"
SHA512 = (
    "0375812ea00a1a8276fba15616da63065090d6814272ce06c45ef3b081af36aa"
    "7f9251941e3940dda01c67d5cc3292c613cccf7980f3db1f4598ee834ae2ab69"
)
"""Of the package's archive, in hexadecimal."""
_MEMBER = "package/schemas/3.0.0.json"
_TIMEOUT = 120.0


class SchemaUnavailable(Exception):
    """It can't be had on this machine; the text says why."""


def asyncapi_schema() -> dict[str, Any]:
    """The schema of an AsyncAPI 3.0 document, complete in itself. Raises SchemaUnavailable."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contract-dataflow"
    kept = cache / f"asyncapi-specs-{SHA512[:16]}.tgz"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        _fetch(kept)
    with tarfile.open(kept) as archive:
        member = archive.extractfile(_MEMBER)
        assert member is not None, "its sum was right, so it is there"
        schema: dict[str, Any] = json.loads(member.read())
        return schema


def _fetch(kept: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SchemaUnavailable("npm is missing")
    with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
        packed = subprocess.run(
            [npm, "pack", PACKAGE, "--silent", "--ignore-scripts", "--pack-destination", directory],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        archives = list(Path(directory).glob("*.tgz"))
        if packed.returncode or len(archives) != 1:
            raise SchemaUnavailable(f"npm could not fetch {PACKAGE}")
        if (found := hashlib.sha512(archives[0].read_bytes()).hexdigest()) != SHA512:
            raise AssertionError(f"{PACKAGE} is another than the pinned one: {found}")
        # Another run may have been as quick: the rename puts the same in its place.
        archives[0].rename(kept)
