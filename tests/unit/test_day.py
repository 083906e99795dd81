"""Each open task has one place in the day, and a day ends at midnight where the company is."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.day import _span, buckets, midnight
from store.acts import ActRefused

ZONE = "Asia/Shanghai"
HOUR = 3_600_000_000


def at(text: str, zone: str = ZONE) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


NOW = at("2026-03-02T10:00")


def task(due_us: int, origin: str = "first_response", last: Any = None, task_id: str = "t") -> dict[str, Any]:
    return {"task_id": task_id, "due_us": due_us, "origin": origin, "last": last}


def place(one: dict[str, Any]) -> str:
    found = buckets([one], NOW, midnight(NOW, ZONE))
    (name,) = [key for key in ("overdue", "new", "today", "next") if getattr(found, key)]
    return name


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (task(NOW - 1), "overdue"),
        (task(NOW), "new"),
        (task(NOW + 40 * HOUR, "call_back"), "new"),
        (task(NOW + HOUR, last={"code": "no_answer"}), "today"),
        (task(NOW + HOUR, "plan"), "today"),
        (task(at("2026-03-02T23:59"), "plan"), "today"),
        (task(at("2026-03-03T00:00"), "plan"), "next"),
    ],
)
def test_where_a_task_stands(one: dict[str, Any], name: str) -> None:
    assert place(one) == name


@given(st.lists(st.tuples(st.integers(-99, 99), st.sampled_from(["first_response", "plan"]), st.booleans())))
def test_no_task_is_lost_and_each_bucket_is_in_order(rows: list[tuple[int, str, bool]]) -> None:
    tasks = [
        task(NOW + hours * HOUR, origin, {"code": "later"} if tried else None, f"t{number}")
        for number, (hours, origin, tried) in enumerate(rows)
    ]
    found = buckets(tasks, NOW, midnight(NOW, ZONE))
    parts = (found.overdue, found.new, found.today, found.next)
    assert sorted(one["task_id"] for part in parts for one in part) == sorted(one["task_id"] for one in tasks)
    for part in parts:
        assert [one["due_us"] for one in part] == sorted(one["due_us"] for one in part)


def test_a_day_with_a_changed_clock_still_ends_at_midnight() -> None:
    before = at("2026-03-29T00:30", "Europe/Berlin")
    assert midnight(before, "Europe/Berlin") - before == 22 * HOUR + HOUR // 2
    assert midnight(NOW, ZONE) == at("2026-03-03T00:00")


@pytest.mark.parametrize(
    ("entered", "span"),
    [
        ({"when": "today"}, (NOW, at("2026-03-03T00:00"))),
        ({"when": "tomorrow"}, (at("2026-03-03T00:00"), at("2026-03-04T00:00"))),
        ({"from": "2026-03-05", "to": "2026-03-06"}, (at("2026-03-05T00:00"), at("2026-03-07T00:00"))),
        ({"from": "2026-03-01", "to": "2026-03-02"}, (NOW, at("2026-03-03T00:00"))),
    ],
)
def test_when_somebody_is_away(entered: dict[str, str], span: tuple[int, int]) -> None:
    assert _span(entered, NOW, ZONE) == span


@pytest.mark.parametrize(
    "entered",
    [
        {},
        {"from": "2026-03-05", "to": "9999-12-31"},
        {"from": "x", "to": "y"},
        {"from": "2026-03-05"},
        {"from": "", "to": ""},
    ],
)
def test_a_date_that_cannot_be_read_is_told(entered: dict[str, str]) -> None:
    with pytest.raises(ActRefused) as refused:
        _span(entered, NOW, ZONE)
    assert refused.value.code == "bad_date"
