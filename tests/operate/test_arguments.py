"""The operators' arguments: what is right, and what a wrong one is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from dataflow import arguments
from dataflow.__main__ import main
from dataflow.arguments import TopicSpan, WrongArgument
from dataflow.dead_letters import Place

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-01T08:00:00Z", datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("2026-01-01T08:00:00+02:00", datetime(2026, 1, 1, 6, tzinfo=UTC)),
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("2d", NOW - timedelta(days=2)),
    ],
)
def test_a_time_is_an_instant_a_day_or_ago(text: str, meant: datetime) -> None:
    assert arguments.instant(text, NOW) == meant


def test_spans_are_half_open_and_places_name_one_message() -> None:
    assert arguments.span("a.b-c:2:10-20") == TopicSpan("a.b-c", 2, 10, 20)
    assert arguments.place("2:1041") == Place(2, 1041)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (arguments.span, "messages:0:5-5"),
        (arguments.span, "messages:5-9"),
        (arguments.place, "7"),
        (arguments.codes, "missing;null"),
        (arguments.partitions, "0;1"),
        (arguments.commit_id, "0F3C"),
        (arguments.count, "0"),
        (arguments.topic, "a topic"),
        (arguments.address, "http://user:secret@gateway"),
    ],
)
def test_what_is_wrong_is_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(WrongArgument):
        parse(text)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["verify", "--from", "soon"], ("--from", "'soon'", "2026-01-31T08:00:00Z")),
        (["rerun", "--offsets", "m:0:9-3"], ("--offsets", "'m:0:9-3'", "NEXT must be above 9")),
        (["rerun", "--process-id", "7"], ("--process-id", "32 hexadecimal digits")),
        (["rerun"], ("--process-id", "--offsets", "required")),
        (["dead-letters", "replay", "--rate", "-1"], ("--rate", "'-1'", "from 1 to 1000000")),
        (["dead-letters", "replay", "--rate", "fast"], ("--rate", "'fast'", "from 1 to 1000000")),
        (["dead-letters", "ls", "--partition", "one"], ("--partition", "'one'", "0,3")),
        (["dead-letters", "show", "12"], ("PARTITION:OFFSET", "2:1041")),
        (["dead-letters"], ("ACTION",)),
        (["verify", "--push-gateway", "gateway:9091"], ("--push-gateway", "http://pushgateway:9091")),
        (["tail", "--only", "texts"], ("--only", "dead-letters")),
    ],
)
def test_a_wrong_argument_is_told_by_name_with_the_fix(
    command: list[str], told: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert not said.out
    for each in told:
        assert each in said.err


@pytest.mark.parametrize("command", ["verify", "ledger", "tail", "rerun", "dead-letters"])
def test_help_says_what_a_command_is_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 8
