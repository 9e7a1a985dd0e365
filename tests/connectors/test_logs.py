"""Log lines: what they say, and what they must never say."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connectors import logs
from connectors.progress import BrokenPromise

PRIVATE = "call me on 202 555 0143"


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.handlers, root.level, sys.excepthook, threading.excepthook)
    yield
    root.handlers, root.level, sys.excepthook, threading.excepthook = before
    for package in (*logs.OURS, logs.CLIENT):
        logging.getLogger(package).setLevel(logging.NOTSET)


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    logs.configure(stream, "info", "json")
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_line_with_its_fields(stream: io.StringIO) -> None:
    logging.getLogger("connectors.kafka").warning("source_paused", extra={"partition": 3})
    (line,) = lines(stream)
    assert (line["level"], line["event"], line["partition"]) == ("warning", "source_paused", 3)
    assert line["ts"].endswith("+00:00")


def test_below_the_level_nothing_is_said(stream: io.StringIO) -> None:
    logging.getLogger("connectors.kafka").debug("batch")
    assert not lines(stream)


def test_an_exception_tells_its_type_and_place_but_not_its_text(stream: io.StringIO) -> None:
    try:
        raise ValueError(PRIVATE)
    except ValueError:
        logging.getLogger("dataflow.commands.run").exception("ended")
    (line,) = lines(stream)
    assert line["exception"]["type"] == "ValueError"
    assert "test_logs.py" in line["exception"]["frames"][0]
    assert PRIVATE not in stream.getvalue()


def test_a_broken_promise_is_told_in_full_with_its_cause_beneath(stream: io.StringIO) -> None:
    try:
        try:
            raise ValueError(PRIVATE)
        except ValueError as cause:
            raise BrokenPromise("partition 2 has a gap") from cause
    except BrokenPromise:
        logging.getLogger("dataflow.commands.run").exception("ended")
    (line,) = lines(stream)
    assert line["exception"]["text"] == "partition 2 has a gap"
    assert line["exception"]["cause"]["type"] == "ValueError"
    assert PRIVATE not in stream.getvalue()


def test_another_package_s_words_are_left_out(stream: io.StringIO) -> None:
    logging.getLogger("redshift_connector.core").error("row %s", PRIVATE)
    (line,) = lines(stream)
    assert line["logger"] == "redshift_connector.core"
    assert line["place"].startswith("test_logs:")
    assert PRIVATE not in stream.getvalue()


def test_librdkafka_speaks_except_about_settings_of_the_other_client(stream: io.StringIO) -> None:
    logging.getLogger("librdkafka").warning("CONFWARN [thrd:app]: Configuration property x is a consumer one")
    logging.getLogger("librdkafka").error("FAIL [thrd:b/1]: Connection refused")
    (line,) = lines(stream)
    assert line["detail"] == "FAIL [thrd:b/1]: Connection refused"
    assert line["level"] == "warning"


def test_librdkafka_says_each_kind_of_thing_once_in_a_while(stream: io.StringIO) -> None:
    told = logging.getLogger("librdkafka")

    def said(text: str, at: float) -> None:
        record = told.makeRecord("librdkafka", logging.ERROR, "x.py", 1, text, (), None)
        record.created = at
        told.handle(record)

    said("FAIL [rdkafka#consumer-1] [thrd:b/1]: Connection refused", 100.0)
    said("FAIL [rdkafka#consumer-1] [thrd:b/1]: Connection refused", 101.0)
    said("FAIL [rdkafka#producer-2] [thrd:b/1]: Connection refused", 101.0)
    said("TXNERR [rdkafka#producer-2] [thrd:main]: timed out", 102.0)
    said("FAIL [rdkafka#consumer-1] [thrd:b/1]: Connection refused", 100.0 + logs.DAMPING)
    assert [line["detail"][:26] for line in lines(stream)] == [
        "FAIL [rdkafka#consumer-1] ",
        "FAIL [rdkafka#producer-2] ",
        "TXNERR [rdkafka#producer-2",
        "FAIL [rdkafka#consumer-1] ",
    ]


def test_what_nobody_caught_is_logged_without_its_text(stream: io.StringIO) -> None:
    failure = ValueError(PRIVATE)
    sys.excepthook(ValueError, failure, None)
    (line,) = lines(stream)
    assert (line["level"], line["event"]) == ("error", "crashed")
    assert PRIVATE not in stream.getvalue()


def test_text_lines_hold_the_same_fields() -> None:
    stream = io.StringIO()
    logs.configure(stream, "info", "text")
    logging.getLogger("connectors.kafka").info("partitions_assigned", extra={"partitions": [1, 2]})
    assert "info    partitions_assigned  partitions=[1, 2]" in stream.getvalue()
