"""The plain loop over confluent-kafka once more, with everything done a batch at a time."""

from __future__ import annotations

from tests.bench.peers.hand import loop
from tests.bench.peers.job import Job

if __name__ == "__main__":
    loop(Job.many)
