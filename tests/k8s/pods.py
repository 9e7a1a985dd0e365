"""A kubelet's part for one pod: the manifest's command, environment, mounts and probes, for a real process.

What a cluster gives a pod and this machine does not: an address of its own (here one of loopback's, on which
it listens), and names of services (here in a hosts file). Everything else is as the manifest says.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.k8s.image import Image
from tests.k8s.manifests import Manifests, PodTemplate, Resource
from tests.k8s.sandbox import Identity, Mount

UNITS = {"": 1, "k": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


class ProbeFailed(Exception):
    """A probe failed as often as the manifest allows, or the pod has ended."""


def quantity(text: str) -> int:
    """Bytes of a Kubernetes quantity such as 512Mi. Raises AssertionError or KeyError on another."""
    found = re.fullmatch(r"(\d+)([A-Za-z]*)", text)
    assert found is not None, text
    return int(found[1]) * UNITS[found[2]]


@dataclass(frozen=True, slots=True)
class Probe:
    """An HTTP probe of the manifest, for a pod at an address."""

    url: str
    period: float
    timeout: float
    failures: int
    """So many in a row are one too many."""
    initial_delay: float

    @classmethod
    def of(cls, pod: PodTemplate, name: str, address: str) -> Probe:
        """The probe of this name, with Kubernetes' defaults for what it leaves out."""
        probe: Resource = pod.container[name]
        get = probe["httpGet"]
        return cls(
            f"http://{address}:{pod.port(get['port'])}{get['path']}",
            probe.get("periodSeconds", 10),
            probe.get("timeoutSeconds", 1),
            probe.get("failureThreshold", 3),
            probe.get("initialDelaySeconds", 0),
        )

    def succeeds(self) -> bool:
        """Ask once."""
        try:
            with urllib.request.urlopen(self.url, timeout=self.timeout) as answer:
                return bool(200 <= answer.status < 400)
        except (urllib.error.URLError, OSError):
            return False


@dataclass(frozen=True, slots=True)
class Node:
    """Where pods run: the image, a directory for their volumes and logs, and the names they can look up."""

    image: Image
    directory: Path
    hosts: Mapping[str, str]

    def hosts_file(self) -> Path:
        """As a file for /etc/hosts."""
        lines = [f"{address} {name}" for name, address in self.hosts.items()]
        file = self.directory / "hosts"
        file.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        return file

    def logs(self, owner: str) -> str:
        """What the pods of a workload have said."""
        return "\n".join(file.read_text() for file in sorted(self.directory.glob(f"{owner}-*.log")))


class Pod:
    """One pod: started by `start`, gone after its `with`."""

    def __init__(
        self, node: Node, manifests: Manifests, template: PodTemplate, name: str, address: str
    ) -> None:
        """`name` is the pod's own, `address` its own on loopback."""
        self._node = node
        self._manifests = manifests
        self._template = template
        self._directory = node.directory / name
        self._address = address
        self._mounts: list[Mount] = []
        self._process: subprocess.Popen[bytes] | None = None
        self.peak_memory = 0
        """Bytes, the highest of the resident sets that `watch` saw."""
        self.log = node.directory / f"{name}.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        """Make its volumes and start it."""
        group = self._template.spec["securityContext"]["fsGroup"]
        self._mounts = [Mount(self._node.hosts_file(), "/etc/hosts", writable=False)]
        for mount in self._template.container.get("volumeMounts", ()):
            source = self._volume(mount["name"], group)
            self._mounts.append(Mount(source, mount["mountPath"], writable=not mount.get("readOnly", False)))
        command = self._template.container.get("command", self._node.image.entrypoint)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._inside([*command, *self._manifests.arguments(self._template)]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def execute(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command more in the pod that was started, as `kubectl exec` runs it."""
        return subprocess.run(
            self._inside(arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def _inside(self, arguments: Sequence[str]) -> list[str]:
        image, security = self._node.image, self._template.spec["securityContext"]
        identity = Identity(security["runAsUser"], security["runAsGroup"], (security["fsGroup"],))
        environment = {
            **image.environment,
            **self._manifests.environment(self._template),
            # A pod listens at all of its addresses, and these are all its own. On this machine only one is.
            "METRICS_HOST": self._address,
        }
        return image.root.command(
            arguments, environment, mounts=self._mounts, workdir=image.workdir, identity=identity
        )

    def _volume(self, name: str, group: int) -> Path:
        volume = self._template.volume(name)
        directory = self._directory / name
        directory.mkdir(parents=True)
        if "secret" in volume:
            secret = self._manifests.one("Secret", volume["secret"]["secretName"])
            for key, value in secret["data"].items():
                file = directory / key
                file.write_bytes(base64.b64decode(value))
                os.chown(file, 0, group)
                file.chmod(volume["secret"]["defaultMode"])
        elif "emptyDir" in volume:
            os.chown(directory, 0, group)
            directory.chmod(0o2770)
        else:
            raise ValueError(f"a volume of this kind is not known here: {volume}")
        return directory

    # -- what a kubelet does ---------------------------------------------------------------------------

    def probe(self, name: str) -> Probe:
        """One of its probes."""
        return Probe.of(self._template, name, self._address)

    def await_probe(self, name: str, attempts: int | None = None) -> float:
        """Until the probe succeeds; the seconds it took.

        Raises ProbeFailed after `attempts`, by default as many as the manifest allows failures.
        """
        probe, began = self.probe(name), time.monotonic()
        pace = threading.Event()
        pace.wait(probe.initial_delay)
        for _ in range(attempts or probe.failures):
            self.watch()
            if probe.succeeds():
                return time.monotonic() - began
            pace.wait(probe.period)
        raise ProbeFailed(f"{name} of {self._directory.name}:\n{self.tail()}")

    def watch(self) -> None:
        """Look at it. Raises ProbeFailed when it has ended."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise ProbeFailed(f"{self._directory.name} ended with {self._process.returncode}:\n{self.tail()}")
        for process in psutil.Process(self._process.pid).children():
            self.peak_memory = max(self.peak_memory, process.memory_info().rss)

    def metric(self, name: str) -> float:
        """The sum of a metric's samples; 0 while there are none."""
        port = self._template.port("metrics")
        try:
            with urllib.request.urlopen(f"http://{self._address}:{port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return 0.0
        families = text_string_to_metric_families(text)
        return sum(sample.value for each in families for sample in each.samples if sample.name == name)

    def tail(self) -> str:
        """The log's last lines."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])

    def wait(self, within: float) -> int:
        """Its exit code, once it has ended by itself. Raises subprocess.TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(within)

    def terminate(self) -> tuple[int, float]:
        """SIGTERM to process 1; exit code, and seconds it took. After the grace period it is killed."""
        assert self._process is not None
        (first,) = psutil.Process(self._process.pid).children()
        began = time.monotonic()
        first.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(self._template.spec["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return code, time.monotonic() - began


class Liveness(threading.Thread):
    """Asks for a pod's liveness as a kubelet does, until it is stopped."""

    def __init__(self, pod: Pod) -> None:
        """Begins with `start`."""
        super().__init__(name="liveness")
        self._probe = pod.probe("livenessProbe")
        self._over = threading.Event()
        self.asked = 0
        self.most_failures = 0
        """In a row."""

    def run(self) -> None:
        """One question a period."""
        failures = 0
        while not self._over.wait(self._probe.period):
            self.asked += 1
            failures = 0 if self._probe.succeeds() else failures + 1
            self.most_failures = max(self.most_failures, failures)

    @property
    def kept(self) -> bool:
        """True when no restart would have come of it."""
        return self.most_failures < self._probe.failures

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        self.join()
