"""A real Apache Kafka broker as a child process: one node in KRaft mode, on loopback.

It judges what the mock cluster cannot: transactions, fencing, consumer groups, what survives a crash.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from tests.standins.kafka_jars import KafkaProgram, KafkaUnavailable, kafka_program

__all__ = ["KafkaBroker", "KafkaFailed", "KafkaUnavailable", "NamedKafka", "RealKafka", "named_broker"]

_PORTS: Final = range(20_000, 30_000)
"""Below the ports that systems give to outgoing connections: a client that keeps knocking at a stopped
broker's port could otherwise be given that very port, connect to itself and never let go."""

_READY: Final = "Kafka Server started"

_GUARDIAN: Final = 'cat >/dev/null; kill -KILL "$1" 2>/dev/null'
"""Ends the broker when our end of its pipe closes: that happens however we end, `kill -9` included."""


class KafkaFailed(Exception):
    """The broker did not start; the text holds the end of its log."""


class KafkaBroker(Protocol):
    """A real broker, wherever it came from."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, for `bootstrap.servers`."""
        ...


class NamedKafka:
    """A broker that someone else runs."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap


def named_broker() -> NamedKafka | None:
    """The broker that TEST_KAFKA_BOOTSTRAP names, if it names one."""
    bootstrap = os.environ.get("TEST_KAFKA_BOOTSTRAP")
    return NamedKafka(bootstrap) if bootstrap else None


class RealKafka:
    """One broker with its data in `directory`. It keeps data and port over stops and starts.

    It lives no longer than the process that started it. Topics that a client asks for are not created by
    the asking, as on a broker in production.

    It has a second door at `fronted_port`, whose clients it sends to `front_port`: a proxy between the two
    sees all that these clients say, and nothing of what those at `bootstrap` say.
    """

    def __init__(
        self, directory: Path, program: KafkaProgram | None = None, front_port: int | None = None
    ) -> None:
        """Raises `KafkaUnavailable` when this machine cannot run Kafka. Fetches its jars the first time."""
        self._program = program or kafka_program()
        self._directory = directory.absolute()
        self._broker_port, self._controller_port, self.fronted_port = free_ports(3)
        self.front_port = front_port or self.fronted_port
        self._process: subprocess.Popen[bytes] | None = None
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """`host:port`; the same after a restart."""
        return f"127.0.0.1:{self._broker_port}"

    @property
    def log(self) -> Path:
        """The broker's log, of all its starts."""
        return self._directory / "server.log"

    @property
    def version(self) -> str:
        """Apache Kafka's version."""
        return self._program.version

    def __enter__(self) -> RealKafka:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(signal.SIGKILL)

    def start(self, timeout: float = 90.0) -> None:
        """Start it and wait until it serves; `timeout` in seconds. About 6 s the first time, then 4 s.

        Raises `KafkaFailed`. Harmless while it runs.
        """
        if self._process is not None and self._process.poll() is None:
            return
        deadline = time.monotonic() + timeout
        properties = self._directory / "server.properties"
        if not (self._directory / "data" / "meta.properties").exists():
            self._directory.mkdir(parents=True, exist_ok=True)
            properties.write_text(self._properties(), encoding="utf-8")
            self._format(properties)
        with self.log.open("ab") as log:
            told = log.tell()
            self._process = subprocess.Popen(
                self._program.command("kafka.Kafka", str(properties)),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._guardian = subprocess.Popen(
            ["/bin/sh", "-c", _GUARDIAN, "guardian", str(self._process.pid)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        while _READY not in self._told_since(told):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.stop(signal.SIGKILL)
                fate = "has ended" if ended else f"does not serve after {timeout:g} s"
                raise KafkaFailed(f"Kafka {self.version} {fate}; the end of {self.log}:\n{self._tail()}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM, timeout: float = 30.0) -> None:
        """Stop it by a signal and wait until it has ended. Harmless when it is stopped.

        SIGTERM lets it close its files; SIGKILL is a crash, after which it recovers its log. Raises
        `KafkaFailed` when it has not ended after `timeout` seconds, having killed it.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise KafkaFailed(f"Kafka did not end within {timeout:g} s of {how.name}") from None
        finally:
            self._dismiss_guardian()

    def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop it by a signal and start it again: the same data, the same port."""
        self.stop(how)
        self.start()

    def _dismiss_guardian(self) -> None:
        guardian, self._guardian = self._guardian, None
        if guardian is not None:
            # Killed, not let go by closing the pipe: the broker's process number may be another's by now.
            guardian.kill()
            guardian.wait()
            assert guardian.stdin is not None
            guardian.stdin.close()

    def _format(self, properties: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A")
        command = self._program.command(
            "kafka.tools.StorageTool",
            *("format", "-t", cluster, "-c", str(properties), *self._format_arguments()),
        )
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if ran.returncode:
            raise KafkaFailed(f"Kafka's storage cannot be formatted:\n{_last_lines(ran.stdout)}")

    def _format_arguments(self) -> list[str]:
        """More for the command that creates the storage: users, for one."""
        return []

    def _listeners(self) -> list[tuple[str, str, int]]:
        """(name, security protocol, port) of every door for clients."""
        return [
            ("PLAINTEXT", "PLAINTEXT", self._broker_port),
            ("FRONTED", "PLAINTEXT", self.fronted_port),
        ]

    def _properties(self) -> str:
        controller = f"127.0.0.1:{self._controller_port}"
        doors = self._listeners()
        listening = ",".join(f"{name}://127.0.0.1:{port}" for name, _, port in doors)
        told = ((name, self.front_port if name == "FRONTED" else port) for name, _, port in doors)
        advertised = ",".join(f"{name}://127.0.0.1:{port}" for name, port in told)
        protocols = ",".join(f"{name}:{protocol}" for name, protocol, _ in doors)
        return f"""\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{controller}
listeners={listening},CONTROLLER://{controller}
advertised.listeners={advertised}
listener.security.protocol.map={protocols},CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={self._directory / "data"}
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A crashed broker may register again only when its life before counts as over.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Tests end members abruptly and wait for what follows.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=100
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=4194304
num.network.threads=2
num.io.threads=4
"""

    def _told_since(self, position: int) -> str:
        with self.log.open("rb") as log:
            log.seek(position)
            return log.read().decode("utf-8", "replace")

    def _tail(self) -> str:
        return _last_lines(self.log.read_bytes())


def _last_lines(said: bytes, lines: int = 30) -> str:
    return "\n".join(said.decode("utf-8", "replace").strip().splitlines()[-lines:])


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on. Raises `KafkaFailed` when there are none."""
    found: list[int] = []
    for port in random.sample(_PORTS, 200):
        with socket.socket() as listener:
            # As the broker does: connections of its life before may still be in their last wait.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise KafkaFailed(f"no {count} free ports between {_PORTS.start} and {_PORTS.stop - 1}")
