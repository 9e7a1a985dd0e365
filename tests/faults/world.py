"""Everything a fault run needs: broker and database, a trouble proxy in front of each, and the processes."""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from connectors.items import Table
from connectors.redshift_sql import ledger_name
from dataflow.contract import load
from tests.contents import digest, event_digest, event_of, instant, row_digest, stored
from tests.faults.verdict import Arrived, Found, Identity, Place, Version
from tests.fixtures_kafka import create_topics
from tests.integration.wiring import PARTITIONS, Wiring, by_s3, headers_of, read_committed
from tests.pipeline import Pipeline, eventually
from tests.standins.kafka_real import RealKafka
from tests.standins.redshift_client import connect
from tests.standins.redshift_process import RedshiftProcess
from tests.standins.s3 import Bucket
from tests.standins.trouble import TroubleProxy

SOURCE, CONTACTS, DEAD_LETTERS, GROUP = "messages", "contacts", "dead-letters", "pipeline"
PROGRAM_ENVIRONMENT = {
    "WINDOW": "1s",
    "TRANSACTION_TIMEOUT": "5s",
    "EVENT_COMMIT_INTERVAL": "300ms",
    "REDSHIFT_STATEMENT_TIMEOUT": "5s",
    "REDSHIFT_CONNECT_TIMEOUT": "2s",
    "KAFKA_CONFIG_SOCKET_TIMEOUT_MS": "5000",
}
"""Everything that waits waits shorter than in production, so that a run meets more faults."""


class World:
    """One broker, one database, and the pipeline's processes behind proxies. Ends with its `with`."""

    def __init__(self, directory: Path, s3: Bucket | None = None) -> None:
        """Starts nothing. Rows go by the bucket, if there is one.

        Raises KafkaUnavailable when this machine has no way to run a broker.
        """
        self._directory = directory
        self.s3 = s3
        self._ends = ExitStack()
        self._numbers = itertools.count()
        self.table = load().table
        self.processes: list[Pipeline] = []
        self.exits: Counter[int] = Counter()
        """How processes have ended by themselves or by a fault; negative: by signal."""

    def __enter__(self) -> Self:
        with ExitStack() as ends:
            self.redshift = ends.enter_context(
                RedshiftProcess(self._directory / "redshift", s3=None if self.s3 is None else self.s3.server)
            )
            server = self.redshift.server
            self.redshift_proxy = ends.enter_context(TroubleProxy((server.host, server.port)))
            fronted = RealKafka(self._directory / "kafka")
            self.kafka_proxy = ends.enter_context(TroubleProxy(("127.0.0.1", fronted.fronted_port)))
            fronted.front_port = self.kafka_proxy.port
            self.kafka = ends.enter_context(fronted)
            names = (SOURCE, CONTACTS, DEAD_LETTERS)
            create_topics(self.kafka.bootstrap, dict.fromkeys(names, PARTITIONS))
            self.direct = Wiring(self.kafka.bootstrap, *names, GROUP, server)
            if self.s3 is not None:
                address = urlsplit(self.s3.server.endpoint)
                upstream = (str(address.hostname), address.port or 0)
                self.s3_proxy = ends.enter_context(TroubleProxy(upstream))
                self.direct = replace(self.direct, staging=by_s3(self.s3, f"http://{self.s3_proxy.address}"))
            self.direct.create_tables()
            ends.callback(self._kill_all)
            self._ends = ends.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._ends.close()

    # -- processes ---------------------------------------------------------------------------------

    def start(self, **more: str) -> Pipeline:
        """One more process, behind the proxies."""
        database = replace(self.direct.database, port=self.redshift_proxy.port)
        fronted = replace(self.direct, bootstrap=self.kafka_proxy.address, database=database)
        environment = fronted.environment(**PROGRAM_ENVIRONMENT | more)
        log = self._directory / f"pipeline-{next(self._numbers)}.log"
        process = Pipeline.start(environment, log)
        self.processes.append(process)
        return process

    def restart_the_ended(self) -> None:
        """What an orchestrator does: a new process for each that has ended; exit codes go to `exits`."""
        for process in [each for each in self.processes if each.process.poll() is not None]:
            self.processes.remove(process)
            self.exits[process.process.returncode] += 1
            self.start()

    def seconds_until_read(self, within: float) -> float:
        """How long it takes from now until every partition is read by someone, as the processes tell.

        Raises TimeoutError.
        """
        began = time.monotonic()

        def all_read() -> bool:
            self.restart_the_ended()
            held = sum(process.metric("dataflow_partition_held") for process in self.processes)
            return held == PARTITIONS

        eventually(all_read, within, "every partition is read")
        return time.monotonic() - began

    def remove(self, process: Pipeline) -> int:
        """Stop one with SIGTERM; its exit code."""
        self.processes.remove(process)
        return process.terminate(60)

    def leave(self, process: Pipeline) -> None:
        """Stop one with SIGTERM while the run goes on; its exit code goes to `exits`."""
        self.exits[self.remove(process)] += 1

    def _kill_all(self) -> None:
        for process in self.processes:
            process.process.send_signal(signal.SIGCONT)
            process.kill()

    # -- the end -----------------------------------------------------------------------------------

    def heal(self) -> None:
        """No more trouble from servers and proxies."""
        self.redshift_proxy.flow()
        self.kafka_proxy.flow()
        if self.s3 is not None:
            self.s3_proxy.flow()

    def drain(self, produced: Callable[[], int], within: float) -> list[int]:
        """Wait until both progresses have reached the end of the topic, then stop all; their exit codes.

        Raises TimeoutError when the pipeline does not catch up.
        """

        def caught_up() -> bool:
            self.restart_the_ended()
            return self.rows_position() >= produced()

        eventually(caught_up, within, "the ledger reaches the end of the topic")
        return [self.remove(process) for process in list(self.processes)]

    def rows_position(self) -> int:
        """How many offsets the ledger covers."""
        with connect(self.direct.database) as session:
            return int(
                session.value(
                    "SELECT coalesce(sum(position), 0) FROM (SELECT max(next_offset) AS position "
                    f"FROM {ledger_name(self.table)} GROUP BY kafka_partition) AS positions"
                )
            )

    def arrived(self) -> Arrived:
        """What is there now, read directly."""
        return arrived(self.direct, self.table)


def arrived(wiring: Wiring, table: Table) -> Arrived:
    """What the table and the side topics hold."""
    with connect(wiring.database) as session:
        rows = list(stored(session, table))
    return Arrived(
        rows=[
            (
                Identity(row["user_id"], row["subject_id"], instant(row["created_at"])),
                Version(instant(row["updated_at"]), row_digest(row)),
            )
            for row in rows
        ],
        events=[_event(message.value() or b"") for message in read_committed(wiring, wiring.contacts)],
        dead_letters=[
            (_origin_of_letter(headers_of(message)), digest(message.value()))
            for message in read_committed(wiring, wiring.dead_letters)
        ],
    )


def _event(value: bytes) -> Found:
    origin = json.loads(value)["origin"]
    return Place(origin["partition"], origin["offset"]), event_digest(event_of(value))


def _origin_of_letter(headers: Mapping[str, str | bytes | None]) -> Place:
    return Place(*(int(headers[f"__connect.errors.{name}"] or -1) for name in ("partition", "offset")))
