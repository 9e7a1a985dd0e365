"""The real program through one fault of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.campaign import run
from tests.faults.troubles import TROUBLES, Fault, plan
from tests.fixtures_kafka import child_kafka
from tests.standins.s3 import Bucket


@pytest.mark.timeout(600)
def test_after_one_fault_of_every_kind_nothing_is_lost_and_nothing_is_there_twice(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    child_kafka(tmp_path_factory)
    told: list[Fault] = []
    report = run(1, len(TROUBLES), tmp_path, lambda _number, fault: told.append(fault))
    assert report.kept, report
    assert set(report.faults) == set(TROUBLES)
    assert report.messages > 1000


@pytest.mark.timeout(600)
def test_with_rows_by_s3_nothing_is_lost_and_nothing_is_there_twice_either(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, s3: Bucket
) -> None:
    child_kafka(tmp_path_factory)
    report = run(2, 10, tmp_path, lambda _number, _fault: None, s3)
    assert report.kept, report
    assert any(kind.startswith(("s3", "staged")) for kind in report.faults)
    assert report.messages > 500


def test_a_seed_plans_the_same_faults_every_time() -> None:
    assert plan(7, 100) == plan(7, 100)
    assert plan(7, 100) != plan(8, 100)


def test_a_plan_holds_every_kind_before_one_comes_twice() -> None:
    kinds = [fault.kind for fault in plan(3, 2 * len(TROUBLES))]
    assert set(kinds[: len(TROUBLES)]) == set(TROUBLES) == set(kinds[len(TROUBLES) :])
