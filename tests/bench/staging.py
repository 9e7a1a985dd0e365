"""Rows by S3: what an object costs in each format, and a commit by COPY against the same by hand."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from connectors.backoff import Backoff
from connectors.redshift_access import connect
from connectors.redshift_commit import Committed, Destination, commit_once
from connectors.redshift_copy_sql import Role
from connectors.s3 import Bucket, S3Access
from connectors.s3_staging import S3Staging
from connectors.s3_uploads import Uploads, pack
from connectors.spans import Accepted
from connectors.staged_objects import Place, with_partition
from tests.bench import commit_by_hand
from tests.bench.commit import KNOWN, NOW, CommitBench
from tests.bench.figures import Cell, Figure, Report, Table, quotients
from tests.bench.occasion import Occasion, Size
from tests.bench.workload import contract_traffic, described
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.s3 import Bucket as StandIn
from tests.standins.s3 import S3Process

LEVELS = (1, 6, 9)
_COLUMNS = 8
"""Columns that a message fills."""


@dataclass(frozen=True, slots=True)
class _Plan:
    rows: int
    repetitions: int


_PLANS = {
    Size.QUICK: (_Plan(200, 1),),
    Size.USUAL: (_Plan(36_000, 5),),
    Size.LONG: (_Plan(36_000, 7), _Plan(200_000, 5), _Plan(1_000_000, 3)),
}


def run(occasion: Occasion) -> Report:
    """Formats first, then commits by turns, each on a table made anew."""
    plans = _PLANS[occasion.size]
    commits: list[tuple[Cell, ...]] = []
    formats: list[tuple[Cell, ...]] = []
    with S3Process() as s3, RedshiftProcess(s3=s3.server) as redshift, _credentials(s3):
        bucket = StandIn(s3.server, s3.server.create_bucket())
        for plan in plans:
            bench = _Bench(redshift, bucket, plan.rows, occasion.directory)
            formats = formats or list(_formats(bench, plan.repetitions))
            commits += _compare(bench, plan, occasion)
    ratios = [cell for row in commits for cell in row[-1:] if isinstance(cell, Figure)]
    return Report(
        measured=(
            "Objects: the rows of one window, as the program packs them (the spool's JSON lines with the "
            "partition put in front, gzip) and as CSV would be made of them. Commits: upload, and "
            "`commit_once` by COPY (connect, lock, COPY, dedupe, merge, ledger, COMMIT), against "
            "gzip, upload, COPY and MERGE of the same lines written by hand without a ledger or checks, and "
            "against the program's own INSERT, by turns, on the stand-ins of S3 and Redshift (PostgreSQL) on "
            f"the same machine. Rows of {described(contract_traffic(plans[-1].rows))}. The table holds as "
            f"many rows as come; every {KNOWN}th that comes is a newer version of one of them."
        ),
        tables=(
            Table(("object", "gzip", "bytes per row", "raw / object", "CPU, µs per row"), tuple(formats)),
            Table(
                ("rows", "by S3, s", "by hand, s", "by INSERT, s", "INSERT / S3", "n", "S3 / by hand"),
                tuple(commits),
            ),
        ),
        observations=(
            f"A commit by S3 takes {ratios[-1].median:.2f} times the hand-written COPY and MERGE.",
            "JSON tells NULL from every text, which CSV does not, and costs less: the rows are there.",
        ),
    )


@contextmanager
def _credentials(s3: S3Process) -> Iterator[None]:
    told = {
        "AWS_ACCESS_KEY_ID": s3.server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": s3.server.secret_access_key,
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _formats(bench: _Bench, repetitions: int) -> Iterator[tuple[Cell, ...]]:
    lines = bench.lines
    spooled = b"".join(line + b"\n" for line in lines)
    chunks = [spooled[at : at + (1 << 20)] for at in range(0, len(spooled), 1 << 20)]
    ways: list[tuple[str, int, Callable[[int], int]]] = [
        ("JSON, put together of the spool's chunks", level, lambda level: len(pack(chunks, 0, level).body))
        for level in LEVELS
    ]
    ways += [("CSV, of the same lines", 6, lambda level: len(_as_csv(lines, level)))]
    for name, level, make in ways:
        cpu: list[float] = []
        for _ in range(repetitions):
            began = time.thread_time()
            size = make(level)
            cpu.append((time.thread_time() - began) / len(lines) * 1e6)
        per_row, ratio = f"{size / len(lines):.1f}", f"{len(spooled) / size:.2f}"
        yield name, level, per_row, ratio, Figure(tuple(cpu))


def _as_csv(lines: Sequence[bytes], level: int) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line in lines:
        offset, *values = orjson.loads(line)
        cells = values[:_COLUMNS]
        writer.writerow([0, offset, *("\x02" if value is None else value for value in cells)])
    return gzip.compress(text.getvalue().encode(), level)


def _compare(bench: _Bench, plan: _Plan, occasion: Occasion) -> Iterator[tuple[Cell, ...]]:
    spent: dict[str, list[float]] = {"s3": [], "hand": [], "insert": []}
    ways = {"s3": bench.commit_by_s3, "hand": bench.copy_by_hand, "insert": bench.commit}
    for number in range(plan.repetitions):
        occasion.tell(
            f"{plan.rows:,} rows onto a filled table, repetition {number + 1} of {plan.repetitions}"
        )
        digests = set()
        for name, way in ways.items():
            bench.fill()
            began = time.monotonic()
            way()
            spent[name].append(time.monotonic() - began)
            digests.add(bench.digest())
        assert len(digests) == 1, "the ways of committing differ in what they wrote"
    yield (
        bench.rows,
        *(Figure(tuple(spent[name])) for name in ways),
        quotients(spent["insert"], spent["s3"]),
        plan.repetitions,
        quotients(spent["s3"], spent["hand"]),
    )


class _Silent:
    """Hears of uploads and remembers nothing."""

    def uploaded(self, size: int, seconds: float) -> None:
        pass

    def upload_waits(self, size: int) -> None:
        pass

    def reached(self, system: str) -> None:
        pass

    def retried(self, system: str, reason: str) -> None:
        pass

    def left_behind(self, objects: int) -> None:
        pass

    def adopted(self, objects: int, rows: int) -> None:
        pass


class _Bench(CommitBench):
    """The same with a bucket."""

    def __init__(self, redshift: RedshiftProcess, bucket: StandIn, messages: int, directory: Path) -> None:
        super().__init__(redshift.server, messages, directory)
        server = bucket.server
        self._bucket = Bucket(S3Access(bucket.name, server.region, server.endpoint))
        # What a client costs that is new is no part of a commit.
        self._bucket.answers("")
        self.lines = [line for segment in self._window.segments for line in segment.spool.lines()]

    def commit_by_s3(self) -> None:
        """As the committer does, with nothing uploaded before."""
        name = uuid.uuid4().hex
        place = Place(self._bucket.name, "bench", name, "messages")
        uploads = Uploads(self._bucket, place, "bench", Backoff(0.1, 1.0), _Silent())
        staging = S3Staging(
            self._bucket,
            place,
            uploads,
            authorization=lambda: Role(None),
            region=None,
            session=lambda: connect(self._access),
            observer=_Silent(),
        )
        destination = Destination(self._table, name, "messages", "messages", "bench", Accepted(pipeline=name))
        staging.prepare(self._window.segments)
        with connect(self._access) as session:
            outcome = commit_once(session, destination, [self._window], {}, staging, uuid.uuid4().hex, NOW)
        assert isinstance(outcome, Committed)
        staging.confirmed(self._window.segments)

    def copy_by_hand(self) -> None:
        """As someone would who needs no ledger: one object, one COPY, one MERGE."""
        folder = f"s3://{self._bucket.name}/hand"
        key = f"hand/{uuid.uuid4().hex}"
        body = zlib.compress(b"".join(with_partition((line + b"\n" for line in self.lines), 0)), 6, wbits=31)
        self._bucket.put(f"{key}.gz", body)
        entry = {"url": f"s3://{self._bucket.name}/{key}.gz", "mandatory": True}
        self._bucket.put("hand/manifest", json.dumps({"entries": [entry]}).encode())
        paths = [*(f"$[{place}]" for place in range(2, 2 + _COLUMNS)), "$[0]", "$[1]"]
        self._bucket.put("hand/paths", json.dumps({"jsonpaths": paths}).encode())
        with connect(self._access) as session:
            metafields = (NOW.strftime("%Y-%m-%d %H:%M:%S"), uuid.uuid4().hex, "messages")
            commit_by_hand.copy(session, f"{folder}/manifest", f"{folder}/paths", metafields)
        for name in (f"{key}.gz", "hand/manifest", "hand/paths"):
            self._bucket.delete(name)
