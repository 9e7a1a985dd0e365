"""The program of Apache Kafka: its jars, fetched once by Maven and kept for the next run."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_POM = Path(__file__).parent / "kafka" / "pom.xml"
_OLDEST_JAVA = 11
_FETCH_TIMEOUT = 600.0
"""Seconds that Maven may take: about 45 MB, and Maven's own plugins the first time."""


class KafkaUnavailable(Exception):
    """There is no way to run a Kafka broker on this machine; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class KafkaProgram:
    """A Java that runs, and a directory with all jars of a broker that it can run."""

    java: Path
    version: str
    lib: Path
    options: tuple[str, ...] = ()
    """More options of the Java machine."""

    def command(self, main: str, *arguments: str) -> list[str]:
        """The command that runs the main class `main`, in small memory and quick to start."""
        options = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djava.awt.headless=true"]
        options.append("-Dorg.slf4j.simpleLogger.showDateTime=true")
        options.append("-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS")
        options += self.options
        return [str(self.java), *options, "-cp", f"{self.lib}/*", main, *arguments]


def kafka_program() -> KafkaProgram:
    """The program, fetched when no earlier run has. Raises `KafkaUnavailable`.

    Jars are kept in `$XDG_CACHE_HOME/contract-dataflow` (`~/.cache/contract-dataflow`), one directory per
    version. It comes into being complete or not at all, whatever runs at the same time.
    """
    java = _find_java()
    version = _property("kafka.version" if _java_major(java) >= 17 else "kafka.version.java11")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "contract-dataflow"
    lib = cache / f"kafka-{version}"
    if not lib.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f"kafka-{version}.lock").open("w") as lock:
            # Only so that two runs do not fetch the same; what makes it safe is the rename.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not lib.is_dir():
                _fetch(version, lib)
    return KafkaProgram(java, version, lib)


def _find_java() -> Path:
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home) / "bin" / "java")] if home else []
    for candidate in [*candidates, "java"]:
        found = shutil.which(candidate)
        if found:
            return Path(found)
    maven = "" if shutil.which("mvn") else ", and no Maven (mvn) either"
    raise KafkaUnavailable(f"no Java is installed (java, version {_OLDEST_JAVA} or newer){maven}")


def _java_major(java: Path) -> int:
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', said.stderr + said.stdout)
    if said.returncode or version is None:
        raise KafkaUnavailable(f"{java} does not run: {(said.stderr or said.stdout).strip()}")
    major = int(version[1])  # Java 8 calls itself 1.8
    if major < _OLDEST_JAVA:
        raise KafkaUnavailable(f"{java} is too old: Java {_OLDEST_JAVA} or newer is needed")
    return major


def _property(name: str) -> str:
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = ElementTree.parse(_POM).find(f"m:properties/m:{name}", space)
    if found is None or not found.text:
        raise LookupError(f"{_POM} has no property {name}")
    return found.text


def _fetch(version: str, lib: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailable(f"no Maven is installed (mvn), and {lib} has no jars of Kafka {version} yet")
    with tempfile.TemporaryDirectory(dir=lib.parent, prefix=f"{lib.name}-") as directory:
        jars = Path(directory) / "lib"
        command = [maven, "--batch-mode", "--quiet", "--file", str(_POM), f"-Dkafka.version={version}"]
        command += ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={jars}"]
        try:
            ran = subprocess.run(
                command,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=_FETCH_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise KafkaUnavailable(f"Maven has not fetched Kafka {version} in {late.timeout:g} s") from None
        if ran.returncode:
            said = "\n".join(ran.stdout.strip().splitlines()[-15:])
            raise KafkaUnavailable(f"Maven could not fetch Kafka {version}:\n{said}")
        jars.rename(lib)
