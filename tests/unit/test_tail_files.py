"""The tailer on real files: rotation, truncation, partial lines, crashes, long lines, backlogs."""

from __future__ import annotations

import logging
import os
import shutil
import tracemalloc
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.cti import shipper
from ingest.cti.shipper import advance
from ingest.cti.tail import MAX_ROW_BYTES, Checkpoint, Row, Tail, Tails, Unreadable


@pytest.fixture
def master(tmp_path: Path) -> Path:
    return tmp_path / "Master.csv"


class Writer:
    """Writes numbered rows the way Asterisk does: open, append, close."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written: list[bytes] = []

    def rows(self, count: int) -> None:
        new = [b'"row","%06d"\n' % (len(self.written) + number) for number in range(count)]
        with self.path.open("ab") as stream:
            stream.write(b"".join(new))
        self.written += new


@pytest.fixture
def writer(master: Path) -> Writer:
    return Writer(master)


def rows(tail: Tail) -> list[bytes]:
    return [row.row for row in tail.poll()]


def test_rows_come_once_and_in_order_while_the_file_grows(writer: Writer) -> None:
    tail = Tail(str(writer.path))
    read = []
    for count in (1, 0, 3, 700, 2):
        writer.rows(count)
        read += rows(tail)
    assert read == writer.written
    assert rows(tail) == []


def test_a_partial_line_is_held_back_until_its_end_comes(master: Path) -> None:
    tail = Tail(str(master))
    master.write_bytes(b"one\ntw")
    assert rows(tail) == [b"one\n"]
    with master.open("ab") as stream:
        stream.write(b"o")
        stream.flush()
        assert rows(tail) == []
        stream.write(b"\nthree\n")
    assert rows(tail) == [b"two\n", b"three\n"]


def test_carriage_returns_inside_a_row_do_not_part_it(master: Path) -> None:
    master.write_bytes(b"a\rb\r\nc\n")
    assert rows(Tail(str(master))) == [b"a\rb\r\n", b"c\n"]


def test_a_missing_file_is_waited_for(writer: Writer, caplog: pytest.LogCaptureFixture) -> None:
    tail = Tail(str(writer.path))
    with caplog.at_level(logging.WARNING):
        assert rows(tail) == []
        assert rows(tail) == []
    assert caplog.text.count("not there yet") == 1
    writer.rows(2)
    assert rows(tail) == writer.written


def test_a_missing_folder_is_waited_for(tmp_path: Path) -> None:
    tail = Tail(str(tmp_path / "cdr-csv" / "Master.csv"))
    assert rows(tail) == []
    (tmp_path / "cdr-csv").mkdir()
    writer = Writer(tmp_path / "cdr-csv" / "Master.csv")
    writer.rows(1)
    assert rows(tail) == writer.written
    shutil.rmtree(tmp_path / "cdr-csv")
    assert rows(tail) == []


def test_an_unreadable_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "Master.csv").mkdir()  # A folder in its place: also root cannot read that as a file.
    with pytest.raises(Unreadable, match=r"Master\.csv.*let this user read it"):
        rows(Tail(str(tmp_path / "Master.csv")))


def test_missing_rights_are_told(writer: Writer) -> None:
    writer.rows(1)
    writer.path.chmod(0)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)  # Root reads everything.
    try:
        with pytest.raises(Unreadable, match="Permission denied"):
            rows(Tail(str(writer.path)))
    finally:
        os.seteuid(me)


# --- rotation -----------------------------------------------------------------------------------------


def test_rename_and_create_loses_nothing(writer: Writer) -> None:
    tail = Tail(str(writer.path))
    writer.rows(3)
    read = rows(tail)
    writer.rows(2)
    writer.path.rename(writer.path.with_name("Master.csv.1"))
    read += rows(tail)
    writer.rows(4)
    read += rows(tail)
    assert read == writer.written


def test_rows_written_to_the_renamed_file_after_the_look_are_not_lost(writer: Writer) -> None:
    tail = Tail(str(writer.path))
    writer.rows(2)
    read = rows(tail)
    with writer.path.open("ab") as slow:
        writer.path.rename(writer.path.with_name("Master.csv-20260302"))
        read += rows(tail)
        late = b'"row","late"\n'
        slow.write(late)
    writer.path.touch()
    read += rows(tail)
    assert read == [*writer.written, late]


def test_an_unfinished_row_of_a_rotated_file_is_handed_on_when_the_writer_has_moved_on(
    writer: Writer,
) -> None:
    tail = Tail(str(writer.path))
    writer.rows(1)
    with writer.path.open("ab") as stream:
        stream.write(b'"row","cut')
    read = rows(tail)
    writer.path.rename(writer.path.with_name("Master.csv.1"))
    read += rows(tail)
    assert read == writer.written
    writer.rows(1)
    read += rows(tail)
    assert read == [writer.written[0], b'"row","cut', writer.written[1]]
    assert rows(tail) == []


def test_several_rotations_while_nobody_looked(writer: Writer) -> None:
    tail = Tail(str(writer.path))
    writer.rows(2)
    read = rows(tail)
    at = tail.checkpoint
    for day in range(3):
        writer.rows(3)
        for older in range(day, 0, -1):
            writer.path.with_name(f"Master.csv.{older}").rename(
                writer.path.with_name(f"Master.csv.{older + 1}")
            )
        writer.path.rename(writer.path.with_name("Master.csv.1"))
        os.utime(writer.path.with_name("Master.csv.1"), ns=(day * 10**9, day * 10**9))
    writer.rows(1)
    read += rows(Tail(str(writer.path), at))
    assert read == writer.written


def test_dated_names_before_the_extension(writer: Writer) -> None:
    tail = Tail(str(writer.path))
    writer.rows(2)
    read = rows(tail)
    writer.rows(2)
    writer.path.rename(writer.path.with_name("Master-20260302.csv"))
    writer.rows(2)
    read += rows(tail)
    assert read == writer.written


def copytruncate(writer: Writer, copy: bool = True) -> None:
    if copy:
        shutil.copyfile(writer.path, writer.path.with_name("Master.csv.1"))
    os.truncate(writer.path, 0)


@pytest.mark.parametrize("new", [1, 3, 50], ids=["shorter", "as long", "longer"])
def test_copytruncate_loses_not_even_what_only_the_copy_has(writer: Writer, new: int) -> None:
    tail = Tail(str(writer.path))
    writer.rows(2)
    read = rows(tail)
    writer.rows(1)
    copytruncate(writer)
    writer.rows(new)
    read += rows(tail)
    assert read == writer.written


@pytest.mark.parametrize("new", [1, 2, 50], ids=["shorter", "as long", "longer"])
def test_truncation_without_a_copy_is_noticed_and_told(
    writer: Writer, new: int, caplog: pytest.LogCaptureFixture
) -> None:
    tail = Tail(str(writer.path))
    writer.rows(2)
    read = rows(tail)
    copytruncate(writer, copy=False)
    writer.rows(new)
    with caplog.at_level(logging.WARNING):
        read += rows(tail)
    assert read == writer.written
    assert caplog.text.count("rows may be missing") == 1


def test_a_file_exchanged_between_look_and_reading_is_not_read_in_the_middle(writer: Writer) -> None:
    writer.rows(10_000)  # Several blocks.
    tail = Tail(str(writer.path))
    reading = tail.poll()
    read = [next(reading).row]
    os.truncate(writer.path, 0)
    with writer.path.open("ab") as stream:
        stream.write(b"".join(b'"other","%d"\n' % number for number in range(20_000)))
    read += [row.row for row in reading]
    assert read[-20_000:] == writer.path.read_bytes().splitlines(keepends=True)
    assert set(read[:-20_000]) <= set(writer.written)


def test_an_inode_that_is_used_again_is_another_file(writer: Writer) -> None:
    tail = Tail(str(writer.path))
    writer.rows(5)
    read = rows(tail)
    at = tail.checkpoint
    assert at is not None
    writer.path.unlink()
    writer.rows(20)
    again = Tail(str(writer.path), at._replace(inode=writer.path.stat().st_ino))
    read += rows(again)
    assert read == writer.written


def test_a_file_restored_from_backup_is_still_the_same(writer: Writer) -> None:
    writer.rows(5)
    tail = Tail(str(writer.path))
    read = rows(tail)
    shutil.copyfile(writer.path, writer.path.with_name("restored"))
    writer.path.with_name("restored").replace(writer.path)
    writer.rows(1)
    read += rows(tail)
    assert read == writer.written


def test_rows_of_a_copy_have_the_keys_of_the_original(writer: Writer) -> None:
    writer.rows(5)
    shutil.copyfile(writer.path, writer.path.with_name("other.csv"))
    keys = [[row.key for row in Tail(str(path)).poll()] for path in writer.path.parent.iterdir()]
    assert keys[0] == keys[1]
    assert len(set(keys[0])) == 5


def test_after_truncation_no_key_recurs(writer: Writer) -> None:
    tail = Tail(str(writer.path))
    keys = []
    for _ in range(3):
        writer.rows(4)
        keys += [row.key for row in tail.poll()]
        os.truncate(writer.path, 0)
    assert len(set(keys)) == 12


def test_a_file_seen_empty_is_found_after_it_was_filled_and_rotated_between_two_looks(writer: Writer) -> None:
    writer.path.touch()
    tail = Tail(str(writer.path))
    assert rows(tail) == []
    writer.rows(3)
    writer.path.rename(writer.path.with_name("Master.csv.1"))
    writer.rows(1)
    assert rows(tail) == writer.written


def test_a_row_written_just_after_the_file_was_seen_empty_is_not_skipped(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.path.touch()
    tail = Tail(str(writer.path))

    def advance_slowly(*given: Any) -> Any:
        decision = advance(*given)
        if not writer.written:
            writer.rows(1)
        return decision

    monkeypatch.setattr(shipper, "advance", advance_slowly)
    assert rows(tail) == []
    assert rows(tail) == writer.written
    assert len(writer.written) == 1


# --- restart ------------------------------------------------------------------------------------------


def test_a_crash_between_row_and_checkpoint_repeats_the_row_under_its_key(writer: Writer) -> None:
    writer.rows(10)
    seen = list(Tail(str(writer.path)).poll())
    for crash in range(10):
        committed = seen[crash - 1].after if crash else None
        again = list(Tail(str(writer.path), committed).poll())
        assert [(row.key, row.row) for row in again] == [(row.key, row.row) for row in seen[crash:]]


def test_a_reader_that_stops_in_the_middle_goes_on_there(writer: Writer) -> None:
    writer.rows(10)
    tail = Tail(str(writer.path))
    read = [row.row for row in islice(tail.poll(), 4)]
    assert read + rows(tail) == writer.written


def test_starting_at_the_end_skips_what_was_there(writer: Writer) -> None:
    writer.rows(5)
    with writer.path.open("ab") as stream:
        stream.write(b"begun")
    tail = Tail(str(writer.path))
    tail.start_at_end()
    assert rows(tail) == []
    with writer.path.open("ab") as stream:
        stream.write(b" and ended\n")
    writer.rows(1)
    assert rows(tail) == [b"begun and ended\n", writer.written[-1]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.sampled_from(["write", "look", "crash", "rename", "copytruncate", "half"]), max_size=25)
)
def test_whatever_happens_every_row_comes_and_repeats_only_after_a_crash(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    writer = Writer(tmp_path_factory.mktemp("tail") / "Master.csv")
    tail = Tail(str(writer.path))
    committed: Checkpoint | None = None
    read: list[Row] = []
    rotations = 0
    for step in [*steps, "write", "look"]:
        if step == "write":
            writer.rows(2)
        elif step == "look":
            read += tail.poll()
            committed = tail.checkpoint
        elif step == "half":
            read += islice(tail.poll(), 1)
        elif step == "crash":
            tail = Tail(str(writer.path), committed)
        elif writer.path.exists() and committed is not None:
            rotations += 1
            old = writer.path.with_name(f"Master.csv.{rotations:03}")
            if step == "rename":
                writer.path.rename(old)
            else:
                shutil.copyfile(writer.path, old)
                os.truncate(writer.path, 0)
            os.utime(old, ns=(rotations * 10**9, rotations * 10**9))
    assert set(writer.written) == {row.row for row in read}
    assert len({row.key for row in read}) == len(writer.written)
    if "crash" not in steps:
        assert [row.row for row in read] == writer.written


# --- size ---------------------------------------------------------------------------------------------


def test_a_line_without_end_comes_in_bounded_pieces_and_the_next_row_is_whole(master: Path) -> None:
    master.write_bytes(b"before\n" + b"x" * (2 * MAX_ROW_BYTES + 10) + b"\nafter\n")
    read = rows(Tail(str(master)))
    assert [len(row) for row in read] == [7, MAX_ROW_BYTES, MAX_ROW_BYTES, 11, 6]
    assert read[-1] == b"after\n"
    assert b"".join(read) == master.read_bytes()


def test_a_piece_of_a_long_line_is_a_place_to_restart_from(master: Path) -> None:
    master.write_bytes(b"x" * (MAX_ROW_BYTES + 10) + b"\nafter\n")
    seen = list(Tail(str(master)).poll())
    assert [row.row for row in Tail(str(master), seen[0].after).poll()] == [b"x" * 10 + b"\n", b"after\n"]


def test_a_days_backlog_passes_through_bounded_memory(master: Path) -> None:
    line = b'"' + b"x" * 198 + b'"\n'
    with master.open("wb") as stream:
        for _ in range(100_000):
            stream.write(line)
    tracemalloc.start()
    count = sum(1 for _ in Tail(str(master)).poll())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 2 * MAX_ROW_BYTES


# --- several files ------------------------------------------------------------------------------------


def polled(tails: Tails) -> Counter[str]:
    return Counter(os.path.basename(path) for path, _ in tails.poll())


def test_a_pattern_follows_files_that_appear_later_and_not_those_rotated_away(tmp_path: Path) -> None:
    one, other = Writer(tmp_path / "a.csv"), Writer(tmp_path / "b.csv")
    one.rows(2)
    tails = Tails([str(tmp_path / "*")])
    assert polled(tails) == {"a.csv": 2}
    other.rows(3)
    one.path.rename(tmp_path / "a.csv.1")
    (tmp_path / "a.csv.2.gz").write_bytes(b"\x1f\x8b\n")
    one.rows(1)
    assert polled(tails) == {"a.csv": 1, "b.csv": 3}


def test_checkpoints_of_several_files_restart_each_where_it_was(tmp_path: Path) -> None:
    writers = [Writer(tmp_path / name) for name in ("a.csv", "b.csv")]
    for writer in writers:
        writer.rows(3)
    tails = Tails([str(tmp_path / "*.csv")])
    assert sum(polled(tails).values()) == 6
    stored = tails.checkpoints()
    writers[1].rows(1)
    assert polled(Tails([str(tmp_path / "*.csv")], stored)) == {"b.csv": 1}


def test_an_unreadable_file_does_not_hold_up_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    Writer(tmp_path / "b.csv").rows(2)
    read: list[str] = []
    with pytest.raises(Unreadable, match=r"a\.csv"):
        read.extend(path for path, _ in Tails([str(tmp_path / "*.csv")]).poll())
    assert len(read) == 2


def test_from_the_end_skips_only_what_is_there_at_the_first_start(tmp_path: Path) -> None:
    old, new = Writer(tmp_path / "a.csv"), Writer(tmp_path / "b.csv")
    old.rows(5)
    tails = Tails([str(tmp_path / "*.csv")], from_end=True)
    old.rows(1)
    new.rows(2)
    assert polled(tails) == {"a.csv": 1, "b.csv": 2}
