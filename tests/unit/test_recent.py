"""Answers that everybody asks for: kept as long as they were dear, and nobody waits behind who finds one out anew."""

from __future__ import annotations

import threading

import pytest

from console.recent import Recent, RecentBy


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1_000.0]
    monkeypatch.setattr("console.recent.time.monotonic", lambda: now[0])
    return now


def test_an_answer_is_kept_twenty_times_as_long_as_it_took(clock: list[float]) -> None:
    asked = 0

    def find() -> int:
        nonlocal asked
        asked += 1
        clock[0] += 2.0
        return asked

    kept = Recent(find)
    assert [kept.get(), kept.get()] == [1, 1]
    clock[0] += 39.9
    assert kept.get() == 1
    clock[0] += 0.2
    assert kept.get() == 2


def test_while_one_finds_a_dear_answer_out_the_others_take_the_last(clock: list[float]) -> None:
    begun, go_on = threading.Event(), threading.Event()
    answers = iter(("first", "second"))

    def find() -> str:
        answer = next(answers)
        if answer == "second":
            begun.set()
            assert go_on.wait(10)
        clock[0] += 2.0
        return answer

    kept = Recent(find)
    assert kept.get() == "first"
    clock[0] += 1_000.0
    one = threading.Thread(target=kept.get)
    one.start()
    assert begun.wait(10)
    assert kept.get() == "first", "at once"
    go_on.set()
    one.join(10)
    assert kept.get() == "second"


def test_what_is_cheap_is_found_out_each_time_and_a_change_makes_the_rest_forgotten(
    clock: list[float],
) -> None:
    cost, asked = [0.01], []

    def find() -> int:
        clock[0] += cost[0]
        asked.append(1)
        return len(asked)

    kept: RecentBy[str, int] = RecentBy(2)
    assert [kept.get("a", find), kept.get("a", find)] == [1, 2]
    cost[0] = 5.0
    assert [kept.get("b", find), kept.get("b", find)] == [3, 3]
    kept.forget()
    assert kept.get("b", find) == 4
    for key in ("c", "d"):
        kept.get(key, find)
    assert kept.get("b", find) == 7, "the oldest question went"
