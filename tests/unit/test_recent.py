"""Answers that everybody asks for: kept as long as they were dear, and nobody waits behind who finds one out anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from console.recent import AT_ONCE, Answer, Recent, RecentBy


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

    beside: list[Callable[[], None]] = []
    kept = Recent(find, start=beside.append)
    assert [kept.get().value, kept.get().value] == [1, 1]
    clock[0] += 39.5
    assert kept.get() == Answer(1, 41.5)
    assert beside == []
    clock[0] += 0.5
    assert kept.get() == Answer(1, 42.0), "nobody waits for it"
    beside.pop()()
    assert kept.get() == Answer(2, 2.0)


def test_nobody_waits_while_a_dear_answer_is_found_out_anew(clock: list[float]) -> None:
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
    assert kept.get().value == "first"
    clock[0] += 1_000.0
    assert kept.get().value == "first", "at once"
    assert begun.wait(10)
    assert kept.get().value == "first", "and so the next, who begins no second search"
    go_on.set()
    deadline = time.perf_counter() + 10
    while kept.get().value != "second":
        assert time.perf_counter() < deadline


def test_who_asks_first_does_not_wait_longer_than_they_want(clock: list[float]) -> None:
    beside: list[Callable[[], None]] = []
    kept = Recent(lambda: "known", start=beside.append)
    assert kept.within(0.01) is None
    beside.pop()()
    assert kept.within(0.01) == Answer("known", 0.0)


def test_a_search_that_breaks_tells_the_next_who_asks(clock: list[float]) -> None:
    beside: list[Callable[[], None]] = []
    broken = True

    def find() -> str:
        clock[0] += 2.0
        if broken:
            raise OSError("disk gone")
        return "known"

    kept = Recent(find, start=beside.append)
    assert kept.within(0.01) is None
    beside.pop()()
    with pytest.raises(OSError, match="disk gone"):
        kept.within(0.01)
    broken = False
    assert kept.get().value == "known"
    broken = True
    clock[0] += 1_000.0
    assert kept.get().value == "known"
    beside.pop()()
    with pytest.raises(OSError, match="disk gone"):
        kept.get()


def test_what_is_cheap_is_found_out_each_time_and_a_change_makes_the_rest_forgotten(
    clock: list[float],
) -> None:
    cost, asked = [0.01], []

    def find() -> int:
        clock[0] += cost[0]
        asked.append(1)
        return len(asked)

    kept: RecentBy[str, int] = RecentBy(2)
    assert [kept.of("a", find).get().value, kept.of("a", find).get().value] == [1, 2]
    cost[0] = 5.0
    assert [kept.of("b", find).get().value, kept.of("b", find).get().value] == [3, 3]
    kept.forget()
    assert kept.of("b", find).get().value == 4
    for key in ("c", "d"):
        kept.of(key, find).get()
    assert kept.of("b", find).get().value == 7, "the oldest question went"


def test_of_several_questions_few_are_found_out_at_once_and_none_that_was_forgotten() -> None:
    go_on, under_way, most, asked = threading.Event(), [0], [0], []
    counted = threading.Lock()

    def find() -> str:
        with counted:
            asked.append(1)
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        assert go_on.wait(10)
        with counted:
            under_way[0] -= 1
        return "known"

    kept: RecentBy[int, str] = RecentBy(10)
    for key in range(6):
        assert kept.of(key, find).within(0.05) is None
    deadline = time.perf_counter() + 10
    while len(asked) < AT_ONCE:
        assert time.perf_counter() < deadline
    kept.forget()
    go_on.set()
    answer = kept.of(7, find).within(10)
    assert answer is not None
    assert answer.value == "known"
    assert (most[0], len(asked)) == (AT_ONCE, AT_ONCE + 1)
