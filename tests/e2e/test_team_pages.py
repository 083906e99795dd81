"""The team's calendar, what the rules left open, and why somebody did not get a lead: true, and each for whom it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.team_calendar import status_of
from router.office import office_of
from schemas.company import Absence
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_handover import company_of
from tests.e2e.test_moves import COMPANY, LATER, of, owners, rig
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, post

__all__ = ["rig"]
MIDNIGHT = MONDAY_10 - 10 * HOUR


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, now_us=LATER)


@pytest.mark.parametrize(
    ("day", "away", "status"),
    [
        (0, None, "works"),
        (5, None, "off"),
        (0, (MIDNIGHT, MIDNIGHT + DAY), "away"),
        (0, (MIDNIGHT, MIDNIGHT + 9 * HOUR), "works"),
        (0, (MIDNIGHT, MIDNIGHT + 12 * HOUR), "partly"),
        (5, (MIDNIGHT, MIDNIGHT + 9 * DAY), "off"),
        (0, (MIDNIGHT - 9 * DAY, MIDNIGHT - DAY), "works"),
    ],
)
def test_a_day_is_what_calendar_and_absences_make_of_it(
    day: int, away: tuple[int, int] | None, status: str
) -> None:
    absences = (Absence(person_id="bo", from_us=away[0], to_us=away[1]),) if away else ()
    office = office_of(COMPANY.model_copy(update={"absences": absences}))
    assert status_of(office, "bo", (MIDNIGHT + day * DAY, MIDNIGHT + (day + 1) * DAY)) == status


def test_a_manager_enters_leave_for_their_people_and_for_nobody_else(rig: Rig, house: House) -> None:
    mia = house.client(house.grant("mia", lasts_us=9 * DAY))
    form = {"person": "bo", "from": "2026-11-25", "to": "2026-11-26", "stand_in": "ann", "unit": "east"}
    for wrong, said in (
        ({"person": "wei"}, "Choose somebody below you."),
        ({"from": "soon"}, "Write days"),
        ({"from": "9999-12-31", "to": "9999-12-31"}, "Write days"),
        ({"to": "2026-11-20"}, "The end must be after"),
        ({"stand_in": "bo"}, "Choose somebody else."),
    ):
        answer = mia.post("/team/calendar/away", data={**form, **wrong})
        assert (answer.status_code, said in text_of(answer.text)) == (409, True), wrong
    done = mia.post("/team/calendar/away", data=form)
    assert done.headers["location"] == "/team/calendar?unit=east&done=away"
    (absence,) = company_of(rig).absences
    assert (absence.person_id, absence.stand_in_id) == ("bo", "ann")
    assert (absence.from_us, absence.to_us) == (MIDNIGHT + 2 * DAY, MIDNIGHT + 4 * DAY)
    told = text_of(mia.get("/team/calendar").text)
    assert "bo · · A A · – –" in told
    assert "ann stands in" in told
    assert mia.post("/team/calendar/back", data={"person": "bo"}).status_code == 409, "not away yet"
    house.now_us = MIDNIGHT + 2 * DAY + HOUR
    assert mia.post("/team/calendar/back", data={"person": "bo"}).status_code == 303
    for asked in ("2026-13-01", "0001-01-01", "9999-12-31", "x"):
        assert mia.get(f"/team/calendar?from={asked}").status_code == 200
    zoe = house.client(house.grant("zoe"))
    assert "bo" not in text_of(zoe.get("/team/calendar?unit=east").text).split()


def test_what_the_rules_left_open_is_listed_and_named_to_whom_it_may_be(tmp_path: Path) -> None:
    book = "rule,province,then_team,then_respond_within\njiangsu,江苏*,west,30\n"
    nobody = tuple(one.model_copy(update={"share": 0}) for one in COMPANY.members)
    company = COMPANY.model_copy(update={"book_csv": book, "book_version": "b", "members": nobody})
    rig = Rig(tmp_path, company=company)
    rig.feed([post(made="1", name="李娜", phone="13900001111", region="四川")])
    rig.feed([post(made="2", name="王芳", phone="13900002222", region="江苏")])
    rig.run()
    assert sorted(owners(rig).values()) == ["default", "west"]
    house = House(rig, now_us=LATER)
    zoe = text_of(house.client(house.grant("zoe")).get("/team/open").text)
    assert "No rule decided 1" in zoe
    assert "王芳" in zoe
    assert "李娜" not in zoe, "the default queue is not hers: what it asks for, not who it is"
    assert "四川" in zoe
    mia = text_of(house.client(house.grant("mia")).get("/team/open").text)
    assert "王芳" not in mia
    here = text_of(house.client(house.grant("ann", role="operations")).get("/team/open").text)
    assert "李娜" in here
    rig.close()


def test_why_not_is_told_to_whom_it_concerns_and_to_nobody_else(rig: Rig, house: House) -> None:
    (mine,) = of(rig, "bo")[:1]
    (lead,) = [row["lead_id"] for row in rig.rows("membership") if row["customer_id"] == mine]
    ann = house.client(house.grant("ann"))
    told = text_of(ann.get(f"/why-not?lead={lead}").text)
    assert "ann could have had it" in told
    assert text_of(ann.get(f"/why-not?lead={lead}&person=chen").text).count("chen") == 0, "only about herself"
    assert "客" not in told.replace("客户", ""), "who the customer is stays with its owner"
    mia = house.client(house.grant("mia"))
    assert "chen could have had it" in text_of(mia.get(f"/why-not?lead={lead}&person=chen").text)
    assert "bo did get it" in text_of(mia.get(f"/why-not?lead={lead}&person=bo").text)
    for strange in ("lead_none", "x' OR 1=1", "<script>"):
        page = mia.get("/why-not", params={"lead": strange, "person": "bo"})
        assert "Nothing was decided about such a lead" in text_of(page.text)
        assert "<script>" not in page.text.split("</head>")[1]
    zoe = house.client(house.grant("zoe"))
    assert "Nothing was decided about such a lead" in text_of(
        zoe.get(f"/why-not?lead={lead}&person=wei").text
    )
