"""The workflow that is handed to producers does what it says with the image as it is built."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.test_commands import call
from tests.contracts.mutations import FILES
from tests.pipeline import ROOT
from tests.protobuf.writing import SENT

PAGE = (ROOT / "docs" / "contract-change.md").read_text(encoding="utf-8")
EXAMPLE = json.dumps(SENT)


def workflow() -> dict[str, Any]:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    # YAML 1.1 takes the key `on` for true.
    found: dict[str, Any] = yaml.safe_load(text.replace("\non:", '\n"on":'))
    return found


def commands() -> list[list[str]]:
    steps = workflow()["jobs"]["diff"]["steps"]
    return [shlex.split(step["run"]) for step in steps if "run" in step]


def test_checkout_runs_on_the_runner_since_the_image_s_user_is_no_root() -> None:
    assert re.search(r"^USER 10001", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert "container" not in workflow()["jobs"]["diff"]


def test_the_container_gets_the_program_s_arguments_and_nothing_that_it_could_change() -> None:
    assert "ENTRYPOINT" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    program = shlex.split(workflow()["env"]["PROGRAM"])
    assert program[:2] == ["docker", "run"]
    # The name of the image comes last: what follows it is the program's.
    assert re.fullmatch(r"[\w.]+/[\w-]+:[\d.]+", program[-1])
    assert "--volume ${{ github.workspace }}:/work:ro --workdir /work" in " ".join(program)
    assert all(command[0] == "$PROGRAM" for command in commands())


@pytest.mark.parametrize("position", range(2))
def test_its_commands_find_what_was_checked_out(position: int, tmp_path: Path) -> None:
    for side in ("old", "new"):
        (tmp_path / side / "contract").mkdir(parents=True)
        shutil.copy(FILES[0], tmp_path / side / "contract" / "messages.odcs.yaml")
    (tmp_path / "new" / "contract" / "examples.jsonl").write_text(EXAMPLE)
    arguments = [str(tmp_path / each) if "/" in each else each for each in commands()[position][1:]]
    ran = call(*arguments)
    assert ran.returncode == 0, ran.stdout + ran.stderr
