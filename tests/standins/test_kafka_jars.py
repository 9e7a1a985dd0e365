"""How Kafka's jars get onto a machine, with a Java and a Maven that only play."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fixtures_kafka import child_kafka
from tests.standins.kafka_jars import KafkaUnavailable, kafka_program

JAVA_17 = "echo 'openjdk version \"17.0.2\" 2022-01-18' >&2"
JAVA_11 = "echo 'openjdk version \"11.0.9\" 2020-10-20' >&2"
JAVA_8 = "echo 'java version \"1.8.0_301\"' >&2"
MAVEN = """\
echo "$*" >>{log}
for argument; do case $argument in -DoutputDirectory=*) jars=${{argument#*=}};; esac; done
{mkdir} "$jars"; echo jar >"$jars/kafka.jar"
"""
NO_NETWORK = 'echo "[ERROR] the repository does not answer"; exit 1'

Install = Callable[[str, str], None]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "contract-dataflow"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a program on a machine that has none, and no jars either."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    programs = tmp_path / "bin"
    programs.mkdir()
    mkdir = shutil.which("mkdir")
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    def add(name: str, script: str) -> None:
        filled = script.format(log=tmp_path / "maven.log", mkdir=mkdir) if script is MAVEN else script
        (programs / name).write_text(f"#!/bin/sh\n{filled}\n")
        (programs / name).chmod(0o755)

    return add


@pytest.mark.usefixtures("install")
def test_without_java_and_maven_both_are_named() -> None:
    with pytest.raises(KafkaUnavailable, match=r"no Java .* no Maven"):
        kafka_program()


def test_without_java_only_java_is_named(install: Install) -> None:
    install("mvn", MAVEN)
    with pytest.raises(KafkaUnavailable, match="no Java") as missing:
        kafka_program()
    assert "Maven" not in str(missing.value)


def test_without_maven_only_maven_is_named(install: Install) -> None:
    install("java", JAVA_17)
    with pytest.raises(KafkaUnavailable, match="no Maven"):
        kafka_program()


def test_a_java_that_is_too_old_is_named(install: Install) -> None:
    install("java", JAVA_8)
    with pytest.raises(KafkaUnavailable, match="too old: Java 11"):
        kafka_program()


def test_a_java_that_only_tells_where_to_get_one_is_none(install: Install) -> None:
    install("java", "echo 'Unable to locate a Java Runtime.' >&2; exit 1")
    with pytest.raises(KafkaUnavailable, match="does not run: Unable to locate"):
        kafka_program()


def test_what_maven_said_is_the_reason_when_it_fails_and_nothing_stays(install: Install, cache: Path) -> None:
    install("java", JAVA_17)
    install("mvn", NO_NETWORK)
    with pytest.raises(KafkaUnavailable, match="the repository does not answer"):
        kafka_program()
    assert [path for path in cache.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize(("java", "major"), [(JAVA_17, "4"), (JAVA_11, "3")])
def test_the_broker_fetched_is_one_that_this_java_runs(
    install: Install, tmp_path: Path, java: str, major: str
) -> None:
    install("java", java)
    install("mvn", MAVEN)
    program = kafka_program()
    assert program.version.split(".")[0] == major
    assert f"-Dkafka.version={program.version}" in (tmp_path / "maven.log").read_text()


def test_many_who_need_the_jars_at_once_fetch_them_once(
    install: Install, tmp_path: Path, cache: Path
) -> None:
    install("java", JAVA_17)
    install("mvn", MAVEN)
    with ThreadPoolExecutor(8) as many:
        programs = set(many.map(lambda _: kafka_program(), range(8)))
    assert len(programs) == 1
    assert (programs.pop().lib / "kafka.jar").exists()
    assert len((tmp_path / "maven.log").read_text().splitlines()) == 1
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 1


def test_once_fetched_maven_is_not_needed(install: Install, tmp_path: Path) -> None:
    install("java", JAVA_17)
    install("mvn", MAVEN)
    fetched = kafka_program()
    (tmp_path / "bin" / "mvn").unlink()
    assert kafka_program() == fetched


@pytest.mark.usefixtures("install")
def test_tests_that_need_a_broker_skip_with_the_reason(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUIRE_REAL_KAFKA", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no real Kafka: no Java"):
        child_kafka(tmp_path_factory)


@pytest.mark.usefixtures("install")
def test_tests_that_need_a_broker_fail_where_one_is_required(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUIRE_REAL_KAFKA", "1")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE_REAL_KAFKA=1, but: no Java"):
        child_kafka(tmp_path_factory)
