"""A leave that lies ahead is cancelled by whose it is, or by a manager above them, and by nobody else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from schemas.company import Absence
from tests.e2e.test_access import PAGE, House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_stand_in import two_teams
from tests.support.host import host_of
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig

NEXT, LATER = MONDAY_10 + DAY, MONDAY_10 + 30 * DAY


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Ann of East, which Bo manages, goes on leave twice; Chen of West has nothing to do with it."""
    company = two_teams(
        *(
            Absence(person_id="ann", from_us=at, to_us=at + 2 * DAY, stand_in_id="chen")
            for at in (NEXT, LATER)
        )
    )
    rig = Rig(tmp_path, company=company)
    yield House(rig, now_us=MONDAY_10 + HOUR, host=host_of(rig))
    rig.close()


def client(house: House, person: str, role: str | None = None) -> TestClient:
    made = house.client(house.grant(person, role=role, lasts_us=90 * DAY), language="zh")
    made.headers |= PAGE
    return made


def begins(house: House) -> list[int]:
    return sorted(row["from_us"] for row in house.rig.rows("absence"))


def test_the_day_shows_each_leave_and_cancels_the_one_that_is_meant(house: House) -> None:
    ann = client(house, "ann")
    day = ann.get("/day").text
    assert day.count("取消这次请假") == 2
    assert "我已返岗" not in text_of(day)
    offered = re.findall(r'name="begins" value="(\d+)"', day)
    assert offered == [str(NEXT), str(LATER)]
    done = ann.post("/day/cancel_leave", data={"begins": offered[1], "key": "a"})
    assert (done.status_code, done.headers["location"]) == (303, "/day?done=cancel_leave")
    assert begins(house) == [NEXT]
    assert "请假已取消" in ann.get("/day?done=cancel_leave").text
    again = ann.post("/day/cancel_leave", data={"begins": offered[1], "key": "b"})
    assert again.status_code == 409
    assert "已结束或已取消" in again.text
    (act,) = (row for row in house.rig.rows("act") if row["verb"] == "cancel_leave")
    assert (act["actor"], act["scope_id"]) == ("ann", "ann")


def test_cancelled_after_it_began_it_ends_now_as_if_she_were_back(house: House) -> None:
    ann = client(house, "ann")
    house.now_us = NEXT + HOUR
    assert "取消这次请假" in ann.get("/day").text, "the one in a month"
    assert ann.post("/day/cancel_leave", data={"begins": str(NEXT), "key": "a"}).status_code == 303
    assert sorted(row["to_us"] for row in house.rig.rows("absence")) == [NEXT + HOUR, LATER + 2 * DAY]
    house.now_us = LATER + 5 * DAY
    assert ann.post("/day/cancel_leave", data={"begins": str(LATER), "key": "b"}).status_code == 409


@pytest.mark.parametrize("begin", ["", "-1", "x", "1e3", "9" * 40, "１２"])
def test_a_form_that_names_no_leave_is_refused(house: House, begin: str) -> None:
    assert client(house, "ann").post("/day/cancel_leave", data={"begins": begin}).status_code == 409
    assert begins(house) == [NEXT, LATER]


def test_a_manager_above_cancels_it_on_the_teams_calendar_and_nobody_else_does(house: House) -> None:
    form = {"person": "ann", "begins": str(NEXT), "unit": "east", "key": "a"}
    chen, bo = client(house, "chen"), client(house, "bo")
    for at_us in (house.now_us, NEXT + HOUR):  # also while Chen stands in
        house.now_us = at_us
        assert chen.post("/team/calendar/cancel_leave", data=form | {"key": f"c{at_us}"}).status_code == 409
        refused = chen.post("/api/people/ann/cancel-leave", json={"from_us": NEXT})
        assert (refused.status_code, refused.json()["code"]) == (409, "not_above")
    representative = client(house, "bo", "representative")
    assert representative.post("/team/calendar/cancel_leave", data=form).status_code == 403
    assert begins(house) == [NEXT, LATER]
    house.now_us = MONDAY_10 + HOUR
    assert bo.get("/team/calendar?unit=east").text.count("取消这次请假") == 2
    assert bo.post("/team/calendar/cancel_leave", data=form).status_code == 303
    assert begins(house) == [LATER]


def test_a_program_cancels_her_own(house: House) -> None:
    ann = client(house, "ann")
    done = ann.post("/api/people/ann/cancel-leave", json={"from_us": LATER})
    assert done.status_code == 200
    assert begins(house) == [NEXT]
    gone = ann.post("/api/people/ann/cancel-leave", json={"from_us": LATER})
    assert (gone.status_code, gone.json()["code"]) == (409, "no_such_leave")
