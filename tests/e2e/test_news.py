"""The mark of what an open page shows: it changes with what is to be shown anew, and with nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.news import mark
from schemas.mask import masked
from store import tables
from store.team_now import customers_marked
from tests.e2e.test_console_pages import client_of
from tests.support.rig import HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company

TEAM = ("ann", "bo", "chen", "east")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """One customer with one task, due half an hour after ten on Monday."""
    made = Rig(tmp_path, company=small_company(absences=()))
    made.feed([post(made="1", name="张伟", phone="13812345678")])
    made.run()
    yield made
    made.close()


def seen(rig: Rig, now_us: int = MONDAY_10) -> tuple[str, str]:
    """Return the marks of the team's tasks, and of its customers."""
    with rig.store.read() as connection:
        tasks = mark(connection, tables.task.c.holder_id.in_(TEAM), now_us, now_us + 10 * MINUTE)
        return tasks, customers_marked(connection, TEAM)


def test_time_alone_changes_nothing_until_a_limit_passes(rig: Rig) -> None:
    begin = seen(rig)
    assert seen(rig, MONDAY_10 + MINUTE) == begin
    soon = seen(rig, MONDAY_10 + 25 * MINUTE)
    late = seen(rig, MONDAY_10 + 35 * MINUTE)
    assert len({begin[0], soon[0], late[0]}) == 3, "at risk, then missed"
    assert seen(rig, MONDAY_10 + HOUR) == late


def test_a_mark_stays_as_it_is_where_numbers_are_masked(rig: Rig) -> None:
    tasks, _ = seen(rig)
    assert masked(f"/team/news?seen={tasks}") == f"/team/news?seen={tasks}"


def test_what_comes_to_the_team_changes_both_and_what_comes_elsewhere_none(rig: Rig) -> None:
    begin = seen(rig)
    rig.feed([post(made="2", name="李娜", phone="13987654321", at_us=MONDAY_10 + SECOND)])
    rig.run()
    after = seen(rig)
    assert after[0] != begin[0]
    assert after[1] != begin[1]
    with rig.store.read() as connection:
        nobody = mark(connection, tables.task.c.holder_id == "nobody")
    rig.feed([post(made="3", name="王芳", phone="13911112222", at_us=MONDAY_10 + 2 * SECOND)])
    rig.run()
    with rig.store.read() as connection:
        assert mark(connection, tables.task.c.holder_id == "nobody") == nobody


def test_a_customer_who_goes_to_a_colleague_without_a_task_is_seen(rig: Rig) -> None:
    begin = seen(rig)
    holding = tables.holding
    with rig.store.write() as connection:
        connection.execute(holding.update().values(holder_id="wei"))
    tasks, customers = seen(rig)
    assert (tasks, customers == begin[1]) == (begin[0], False)


def seen_first(rig: Rig, now_us: int, language: str = "zh") -> str:
    """Return the mark that the first page carries."""
    found = re.search(
        r'data-news="/news\?seen=([0-9a-f]{32})"', client_of(rig, now_us).get(f"/?lang={language}").text
    )
    assert found
    return found[1]


def test_the_first_page_is_told_of_what_comes_and_of_what_becomes_of_it(rig: Rig) -> None:
    now_us = MONDAY_10 + 5 * MINUTE
    marks = [seen_first(rig, now_us)]
    assert seen_first(rig, now_us + 59 * SECOND, "en") == marks[0], "nothing happened"
    assert masked(f"/news?seen={marks[0]}") == f"/news?seen={marks[0]}"

    rig.feed([post(made="2", name="李娜", phone="13987654321", at_us=MONDAY_10 + SECOND)])
    rig.run()
    marks.append(seen_first(rig, now_us))
    with rig.store.write() as connection:
        connection.execute(tables.holding.update().values(holder_id="chen"))
    marks.append(seen_first(rig, now_us))
    with rig.store.write() as connection:
        connection.execute(tables.task.update().values(state="done"))
    marks.append(seen_first(rig, now_us))
    rig.feed([post(made="3", at_us=MONDAY_10 + 2 * SECOND)])
    rig.run()
    marks.append(seen_first(rig, now_us))  # in the sum alone: what can not be read is in no feed
    assert len(set(marks)) == len(marks)
    assert seen_first(rig, now_us + 59 * SECOND) == marks[-1]


def test_the_first_page_is_told_in_the_second_that_a_task_is_late_and_each_minute_how_late(rig: Rig) -> None:
    (due_us,) = (row["due_us"] for row in rig.rows("task"))
    late_us = due_us + 10 * SECOND
    marks = {seen_first(rig, due_us), seen_first(rig, late_us), seen_first(rig, late_us + MINUTE)}
    assert len(marks) == 3
