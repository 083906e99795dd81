"""The pure core of the tailer: from a checkpoint and what is seen, where to read next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingest.cti.tail import Checkpoint, Observation, Read, Seen, Wait, advance, position_key

AT = Checkpoint(device=1, inode=10, offset=500, line_start=400, last_line_hash="aa", file="ff")


def seen(path: str = "M", size: int = 900, inode: int = 10, mtime: int = 5, holds: bool = True) -> Seen:
    return Seen(path, 1, inode, size, mtime, holds)


def test_the_same_file_is_read_on_from_the_offset() -> None:
    assert advance(AT, Observation(seen())) == Read("M", 500)
    assert advance(AT, Observation(seen(size=500))) == Wait("nothing new")


def test_a_file_is_recognised_by_its_content_when_device_and_inode_changed() -> None:
    assert advance(AT, Observation(seen(inode=77)._replace(device=9))) == Read("M", 500)


def test_a_first_look_starts_at_the_beginning() -> None:
    assert advance(None, Observation(seen(holds=False))) == Read("M", 0)
    assert advance(None, Observation(None)) == Wait("missing")


def test_a_renamed_file_is_drained_before_its_successor() -> None:
    moved = seen("M.1", holds=True)
    fresh = seen("M", inode=11, holds=False)
    assert advance(AT, Observation(fresh, (moved,))) == Read("M.1", 500, final=True)
    assert advance(AT, Observation(fresh, (moved._replace(size=500),))) == Read("M", 0)


def test_an_unfinished_line_stays_open_until_the_writer_uses_the_new_file() -> None:
    moved = seen("M.1", holds=True)
    assert advance(AT, Observation(None, (moved,))) == Read("M.1", 500, final=False)
    empty = seen("M", size=0, inode=11, holds=False)
    assert advance(AT, Observation(empty, (moved,))) == Read("M.1", 500, final=False)


def test_after_two_rotations_the_file_between_is_not_skipped() -> None:
    drained = seen("M.2", size=500, mtime=1)
    between = seen("M.1", inode=12, mtime=3, holds=False)
    older = seen("M.3", inode=13, mtime=0, holds=False)
    current = seen("M", inode=14, mtime=9, holds=False)
    assert advance(AT, Observation(current, (between, drained, older))) == Read("M.1", 0, final=True)


def test_an_undated_copy_beside_the_file_is_not_taken_for_a_rotation() -> None:
    drained = seen("M.1", size=500, mtime=1)
    backup = seen("M.bak", inode=12, mtime=3, holds=False)
    current = seen("M", inode=14, mtime=9, holds=False)
    assert advance(AT, Observation(current, (backup, drained))) == Read("M", 0)


def test_of_two_copies_the_one_with_more_rows_is_read() -> None:
    current = seen("M", size=0, holds=False)
    copies = (seen("M.bak", size=500, inode=20), seen("M.1", size=700, inode=21))
    assert advance(AT, Observation(current, copies)) == Read("M.1", 500)


def test_a_file_that_was_emptied_without_a_copy_is_read_anew_and_told() -> None:
    assert advance(AT, Observation(seen(holds=False))) == Read("M", 0, torn=True)
    assert advance(AT, Observation(seen(size=0, holds=False))) == Wait("nothing new")


@given(
    at=st.none() | st.just(AT),
    current=st.none()
    | st.builds(seen, size=st.integers(0, 999), inode=st.integers(9, 12), holds=st.booleans()),
    others=st.lists(
        st.builds(
            seen,
            path=st.sampled_from(["M.1", "M.2", "M-20260301", "M.old"]),
            size=st.integers(0, 999),
            inode=st.integers(9, 12),
            mtime=st.integers(0, 9),
            holds=st.booleans(),
        ),
        max_size=4,
    ),
)
def test_no_decision_reads_on_in_a_file_that_does_not_hold_what_was_read(
    at: Checkpoint | None, current: Seen | None, others: list[Seen]
) -> None:
    seen_now = Observation(current, tuple(others))
    decision = advance(at, seen_now)
    if isinstance(decision, Read):
        files = [file for file in (current, *others) if file and file.path == decision.path]
        if decision.offset:
            assert any(file.holds and file.size > decision.offset for file in files)
        else:
            assert any(file.size > 0 for file in files)


def test_keys_of_the_same_place_differ_with_the_row() -> None:
    assert position_key("ff", 0, b"a\n") != position_key("ff", 0, b"b\n")
    assert position_key("ff", 0, b"a\n") == position_key("ff", 0, b"a\n")


def test_a_checkpoint_survives_json() -> None:
    assert Checkpoint.from_json(AT.to_json()) == AT
