"""The whole program with rows by S3: killed and frozen around uploads, S3 away, objects taken up again."""

from __future__ import annotations

import signal
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from connectors.items import Table
from tests.faults.struck import Point
from tests.integration.conftest import Pipelines
from tests.integration.test_exactly_once import assert_exactly_once, assert_exactly_once_in_the_end
from tests.integration.test_outages import assert_waiting_for
from tests.integration.test_struck import AFTER, BEFORE, START, finish, start_struck
from tests.integration.wiring import (
    PARTITIONS,
    Wiring,
    by_s3,
    committed,
    contacts_of,
    expected_contacts,
    group_offsets,
    produce_numbered,
    read_committed,
    wait_until_committed,
)
from tests.pipeline import eventually
from tests.standins.s3 import Bucket
from tests.standins.trouble import TroubleProxy

AROUND_STAGING = [
    *(Point.AFTER_UPLOAD, Point.IN_STAGING, Point.AFTER_STAGING, Point.BEFORE_LEDGER),
    *(Point.BEFORE_ROW_COMMIT, Point.BEFORE_COMMIT_ANSWER, Point.AFTER_ROW_COMMIT),
]


@pytest.fixture
def by_bucket(wiring: Wiring, s3: Bucket) -> Wiring:
    return replace(wiring, staging=by_s3(s3), contacts_table="on")


def held(bucket: Bucket) -> list[str]:
    """The keys of all objects."""
    pages = bucket.server.client().get_paginator("list_objects_v2").paginate(Bucket=bucket.name)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


def test_rows_and_contacts_by_s3_are_those_of_the_topic_and_nothing_stays_in_the_bucket(
    by_bucket: Wiring, table: Table, pipelines: Pipelines, s3: Bucket
) -> None:
    produce_numbered(by_bucket, 0, 2000)
    pipeline = pipelines.start(by_bucket.environment())
    pipeline.wait_until_ready()
    wait_until_committed(by_bucket, table, 2000)
    uploaded = pipeline.metric("dataflow_staged_objects_total")
    assert pipeline.terminate() == 0, pipeline.tail()
    assert_exactly_once(by_bucket, table, 2000)
    assert uploaded >= PARTITIONS
    assert held(s3) == []


@pytest.mark.parametrize("point", AROUND_STAGING, ids=lambda point: point.value)
def test_kill_9_around_uploads_and_copy_loses_and_repeats_nothing(
    by_bucket: Wiring, table: Table, pipelines: Pipelines, point: Point
) -> None:
    produce_numbered(by_bucket, 0, BEFORE)
    struck = start_struck(pipelines, by_bucket, point, signal.SIGKILL)
    assert struck.process.wait(START) == -signal.SIGKILL, struck.tail()
    finish(by_bucket, table, pipelines)


def test_a_restart_goes_on_from_what_was_uploaded_and_reads_less_of_the_topic_again(
    by_bucket: Wiring, table: Table, pipelines: Pipelines, s3: Bucket
) -> None:
    first = pipelines.start(by_bucket.environment(WINDOW="1s"))
    produce_numbered(by_bucket, 0, BEFORE)
    wait_until_committed(by_bucket, table, BEFORE)
    assert first.terminate() == 0, first.tail()
    dying = pipelines.start(by_bucket.environment(WINDOW="24h", TRANSACTION_TIMEOUT="3s"))
    for first_of_poll in range(BEFORE, 2000, 200):
        # What one poll brings is never divided: a poll for each step makes a segment for each partition.
        produce_numbered(by_bucket, first_of_poll, first_of_poll + 200)
        dying.wait_until_read(first_of_poll + 200 - BEFORE)
    objects = PARTITIONS * (2000 - BEFORE) // 200
    eventually(lambda: len(held(s3)) >= objects // 2, 60, "objects are uploaded while the window is open")
    eventually(lambda: sum(group_offsets(by_bucket).values()) == 2000, 60, "all events are committed")
    dying.kill()
    assert committed(by_bucket, table) == BEFORE
    heir = pipelines.start(by_bucket.environment(WINDOW="24h"))
    eventually(lambda: committed(by_bucket, table) > BEFORE, 60, "what was uploaded is committed")
    taken_up = committed(by_bucket, table) - BEFORE
    heir.wait_until_read(2000 - BEFORE - taken_up)
    adopted = heir.metric("dataflow_adopted_rows_total")
    read = heir.metric("dataflow_messages_total")
    assert heir.terminate() == 0, heir.tail()
    # Events were done to the end, so that reading starts where the rows that were taken up end.
    assert read == 2000 - BEFORE - taken_up
    assert 0 < adopted <= taken_up
    assert_exactly_once(by_bucket, table, 2000)
    assert held(s3) == []


def test_a_process_that_sleeps_through_its_successor_s_adoption_disturbs_nothing(
    by_bucket: Wiring, table: Table, pipelines: Pipelines
) -> None:
    produce_numbered(by_bucket, 0, BEFORE)
    zombie = start_struck(pipelines, by_bucket, Point.AFTER_UPLOAD, signal.SIGSTOP)
    eventually(lambda: zombie.is_stopped(), START, "it is frozen after an upload")
    heir = pipelines.start(by_bucket.environment(WINDOW="1s"))
    wait_until_committed(by_bucket, table, BEFORE)
    zombie.process.send_signal(signal.SIGCONT)
    produce_numbered(by_bucket, BEFORE, AFTER)
    wait_until_committed(by_bucket, table, AFTER)
    heir.terminate()
    zombie.terminate()
    assert_exactly_once_in_the_end(by_bucket, table, pipelines, AFTER)


def test_while_s3_is_away_contacts_flow_and_rows_wait(
    wiring: Wiring, table: Table, pipelines: Pipelines, s3: Bucket
) -> None:
    address = urlsplit(s3.server.endpoint)
    with TroubleProxy((str(address.hostname), address.port or 0)) as proxy:
        away = replace(wiring, staging=by_s3(s3, f"http://{proxy.address}"))
        produce_numbered(away, 0, 400)
        pipeline = pipelines.start(away.environment())
        wait_until_committed(away, table, 400)
        eventually(lambda: not held(s3), 20, "the objects are removed")
        proxy.refuse()
        produce_numbered(away, 400, 800)
        eventually(
            lambda: contacts_of(read_committed(away, away.contacts)) == expected_contacts(800),
            60,
            "contacts flow",
        )
        assert_waiting_for(pipeline, "s3")
        assert pipeline.metric("dataflow_retries_total", system="s3") > 0
        assert committed(away, table) == 400
        proxy.flow()
        wait_until_committed(away, table, 800)
        assert pipeline.terminate() == 0, pipeline.tail()
    assert_exactly_once(away, table, 800)
    assert held(s3) == []


def test_objects_that_someone_deletes_are_uploaded_again(
    by_bucket: Wiring, table: Table, pipelines: Pipelines, s3: Bucket
) -> None:
    produce_numbered(by_bucket, 0, 800)
    pipeline = pipelines.start(by_bucket.environment(WINDOW="24h"))
    eventually(lambda: len(held(s3)) >= 4, 60, "objects are uploaded while the window is open")
    pipeline.wait_until_read(800)
    for key in held(s3):
        s3.server.client().delete_object(Bucket=s3.name, Key=key)
    assert pipeline.terminate() == 0, pipeline.tail()
    heir = pipelines.start(by_bucket.environment())
    heir.wait_until_ready()
    wait_until_committed(by_bucket, table, 800)
    assert heir.terminate() == 0, heir.tail()
    assert_exactly_once(by_bucket, table, 800)
