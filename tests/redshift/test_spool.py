"""Where rows wait: spools, the backlog they count into, and what a window gathers."""

from __future__ import annotations

import copy
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.items import RowBatch, Segment
from connectors.spans import Take
from connectors.spool import SEGMENT_BYTES, Backlog, FileSpool, SpoolLost, WindowSegments, offset_of
from connectors.staging import staged_rows


def lines_of(first: int, next: int) -> tuple[bytes, ...]:
    return tuple(b'[%d,"row"]' % offset for offset in range(first, next))


def batch(first: int, next: int, lost: int = 0) -> RowBatch:
    return RowBatch(0, first, next, lines_of(first, next), lost)


def gathered(*batches: RowBatch) -> WindowSegments:
    segments = WindowSegments(lambda: FileSpool(Backlog(1 << 30)))
    for each in batches:
        segments.add(each)
    return segments


def shape(segments: WindowSegments) -> list[tuple[int, int, int, list[int]]]:
    return [
        (each.first, each.next, each.rows, [offset_of(line) for line in each.spool.lines()])
        for each in segments.segments
    ]


@given(
    rows=st.lists(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=5)),
    memory=st.integers(0, 200),
)
def test_rows_come_back_in_order_whether_in_memory_or_on_disk(rows: list[list[bytes]], memory: int) -> None:
    spool = FileSpool(Backlog(1 << 30), memory=memory)
    for each in rows:
        spool.append(each)
    expected = [line for each in rows for line in each]
    assert list(spool.lines()) == expected
    assert list(spool.lines()) == expected
    assert spool.size == sum(len(line) + 1 for line in expected)
    assert spool.on_disk == (spool.size > memory)
    spool.discard()


def test_rows_longer_than_a_read_come_back_whole() -> None:
    spool = FileSpool(Backlog(1 << 30))
    rows = [b"x" * size for size in (1, 3 << 20, 1 << 20, 0, 5)]
    spool.append(rows)
    assert list(spool.lines()) == rows
    spool.discard()


def test_a_spool_leaves_no_file_behind(tmp_path: Path) -> None:
    spool = FileSpool(Backlog(1 << 30), directory=tmp_path, memory=10)
    spool.append([b"more than ten bytes"])
    assert spool.on_disk
    assert list(tmp_path.iterdir()) == []
    spool.discard()


def test_discarding_twice_gives_the_space_back_once() -> None:
    backlog = Backlog(100)
    spool, other = FileSpool(backlog), FileSpool(backlog)
    spool.append([b"123"])
    other.append([b"1"])
    assert backlog.held == 6
    spool.discard()
    spool.discard()
    assert backlog.held == 2
    other.discard()


def test_a_backlog_is_full_at_its_limit_and_until_it_has_shrunk_to_four_fifths() -> None:
    backlog = Backlog(100)
    states = []
    for change in (99, 1, -10, -10, -1, 20, 1):
        backlog.add(change) if change > 0 else backlog.subtract(-change)
        states.append((backlog.held, backlog.is_full()))
    assert states == [
        (99, False), (100, True), (90, True), (80, True), (79, False), (99, False), (100, True),
    ]  # fmt: skip


def test_a_backlog_counts_right_when_threads_share_it() -> None:
    backlog = Backlog(1 << 30)

    def work() -> None:
        for _ in range(2000):
            spool = FileSpool(backlog)
            spool.append([b"row"])
            spool.discard()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert backlog.held == 0


def test_what_a_full_disk_refuses_stays_in_memory_and_moves_when_there_is_room(tmp_path: Path) -> None:
    script = f"""
import resource, signal
from pathlib import Path
from connectors.spool import SEGMENT_BYTES, Backlog, FileSpool

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
told = []
for memory in (0, 1000, 4000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, most))
    backlog = Backlog(1 << 30, told.append)
    spool = FileSpool(backlog, Path({str(tmp_path)!r}), memory)
    kept = 0
    while not backlog.is_full():
        spool.append([b"x" * 499, b"y" * 499])
        kept += 2
    assert kept in (10, 12), kept
    spool.append([b"z" * 499])
    assert len(list(spool.lines())) == kept + 1
    assert spool.size == (kept + 1) * 500 == backlog.held, (spool.size, backlog.held)
    assert backlog.is_full()
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert not backlog.is_full()
    spool.append([b"after" * 99])
    assert len(list(spool.lines())) == kept + 2
    spool.discard()
    assert backlog.held == 0
assert told == ["EFBIG"] * 3, told
"""
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_a_spool_that_is_given_up_no_longer_waits_for_the_disk(tmp_path: Path) -> None:
    backlog = Backlog(1 << 30)
    spool = FileSpool(backlog, tmp_path / "not there", memory=10)
    spool.append([b"more than memory takes"])
    assert backlog.is_full()
    spool.discard()
    assert not backlog.is_full()


def test_rows_that_cannot_be_read_back_break_a_promise() -> None:
    spool = FileSpool(Backlog(1 << 30))
    spool.append([b"a", b"b"])
    spool._store.truncate(1)
    with pytest.raises(SpoolLost):
        list(spool.lines())


def test_batches_that_continue_a_segment_extend_it() -> None:
    assert shape(gathered(batch(5, 7), batch(7, 7), batch(7, 9))) == [(5, 9, 4, [5, 6, 7, 8])]


def test_a_batch_that_overlaps_is_trimmed() -> None:
    assert shape(gathered(batch(5, 8), batch(6, 10), batch(5, 9))) == [(5, 10, 5, [5, 6, 7, 8, 9])]


def test_a_batch_beyond_the_end_opens_a_segment() -> None:
    assert shape(gathered(batch(0, 2), batch(5, 6), batch(6, 7))) == [(0, 2, 2, [0, 1]), (5, 7, 2, [5, 6])]


def test_a_segment_that_has_grown_is_continued_by_another() -> None:
    window = WindowSegments(lambda: FileSpool(Backlog(1 << 30)))
    long = b'[0,"' + b"x" * SEGMENT_BYTES + b'"]'
    window.add(RowBatch(0, 0, 1, (long,)))
    window.add(RowBatch(0, 0, 3, (long, b'[1,"row"]', b'[2,"row"]')))
    first, second = window.segments
    assert (first.first, first.next, second.first, second.next) == (0, 1, 1, 3)
    assert list(second.spool.lines()) == [b'[1,"row"]', b'[2,"row"]']


def test_a_span_without_rows_is_kept() -> None:
    empty = RowBatch(0, 3, 9)
    assert shape(gathered(batch(0, 3), empty, batch(9, 10))) == [(0, 10, 4, [0, 1, 2, 9])]


def test_lost_offsets_are_counted_once() -> None:
    segments = gathered(batch(0, 2, lost=1), batch(2, 6, lost=2), batch(2, 6, lost=2))
    assert [segment.lost for segment in segments.segments] == [3]


def test_a_copy_is_the_accumulator_itself() -> None:
    segments = gathered(batch(0, 2))
    assert copy.deepcopy(segments) is segments


def test_merged_windows_hold_the_segments_of_both() -> None:
    assert shape(gathered(batch(0, 1)).merge(gathered(batch(1, 2)))) == [(0, 1, 1, [0]), (1, 2, 1, [1])]


def test_staged_rows_are_text_or_null_and_trimmed() -> None:
    spool = FileSpool(Backlog(1 << 30))
    spool.append([b'[7,"a",null,1]', b'[8,"b",2.5,true]', b'[9,"\\u00e9",false,-3]'])
    takes = [Take(Segment(2, 7, 10, 3, spool), at=8)]
    assert list(staged_rows(takes)) == [
        ["b", "2.5", "true", "2", "8"],
        ["é", "false", "-3", "2", "9"],
    ]
