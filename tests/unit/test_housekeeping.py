"""Chores beside the stages: one that breaks holds up neither the others nor whoever has them done."""

from __future__ import annotations

import pytest

from leadflow.housekeeping import AGAIN_S, Housekeeping


def test_a_chore_that_breaks_is_left_alone_for_a_while_and_the_others_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, tries, done = [100.0], [], []

    def broken(_now_us: int) -> int:
        tries.append(now_s[0])
        raise ValueError("not enough values to unpack")

    def counted(now_us: int) -> int:
        done.append(now_us)
        return 2

    monkeypatch.setattr("leadflow.housekeeping.time.monotonic", lambda: now_s[0])
    house = Housekeeping({"broken": broken, "counted": counted, "quiet": done.append})
    assert house.turn(1) == 2
    assert house.turn(2) == 2
    assert done == [1, 1, 2, 2]
    assert tries == [100.0]
    now_s[0] += AGAIN_S
    house.turn(3)
    assert tries == [100.0, 100.0 + AGAIN_S]
