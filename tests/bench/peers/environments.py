"""An environment of its own for each peer, and for what else nothing here needs: made when it is first asked
for and kept under `.cache/peers`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path

from tests.bench.occasion import Unavailable
from tests.pipeline import ROOT

ENVIRONMENTS = ROOT / ".cache" / "peers"
CLIENTS = frozenset(
    {"bytewax", "confluent-kafka", "prometheus-client", "python-dotenv", "redshift-connector"}
)
"""What the program requires beside its domain: a peer brings its own."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One way of writing the job."""

    name: str
    module: str
    requirements: tuple[str, ...] = ()
    """What is installed for it; nothing: it runs in our own environment."""

    @property
    def framework(self) -> bool:
        """Whether it is more than a loop."""
        return not self.module.startswith("hand")


PEERS = (
    Peer("confluent-kafka, a plain loop, in batches", "hand_batch"),
    Peer("confluent-kafka, a plain loop", "hand"),
    Peer("Bytewax with its own connectors", "stock_bytewax"),
    Peer("quixstreams", "quix", ("quixstreams==3.28.1",)),
    Peer("faust-streaming", "faust_stream", ("faust-streaming==0.15.3", "cramjam==2.14.0")),
)


def _domain() -> list[str]:
    """What the contract, the validator and the detector need, in the versions that the program runs with."""
    required = [each for each in requires("contract-dataflow") or () if "extra ==" not in each]
    names = [re.split(r"[^A-Za-z0-9_.-]", each)[0] for each in required]
    return [f"{name}=={version(name)}" for name in names if name not in CLIENTS]


def python_of(peer: Peer) -> Path:
    """Its interpreter. Raises Unavailable with what pip said when it cannot be installed."""
    if not peer.requirements:
        return Path(sys.executable)
    return environment(peer.module, [*peer.requirements, *_domain()])


def environment(name: str, wanted: Sequence[str]) -> Path:
    """The interpreter of an environment that holds what is wanted. Raises Unavailable as `python_of` does."""
    home = ENVIRONMENTS / name
    stamp = home / "installed"
    python = home / "bin" / "python"
    if stamp.exists() and stamp.read_text().split() == [*wanted]:
        return python
    shutil.rmtree(home, ignore_errors=True)
    venv.create(home, with_pip=True)
    ran = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise Unavailable(f"{name} cannot be installed:\n{ran.stderr[-2000:]}")
    stamp.write_text("\n".join(wanted))
    return python
