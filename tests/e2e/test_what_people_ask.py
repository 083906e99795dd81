"""What people want to know: each role finds its questions, who stands in for whom, today's missed calls, and why somebody has a customer."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from console.away import gone, works_with
from console.may import Visitor, visitor_of
from schemas.company import Absence, Member, Role, Unit
from store import tables
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_moves import COMPANY
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post

BO_AWAY = Absence(person_id="bo", from_us=MONDAY_10 - HOUR, to_us=MONDAY_10 + DAY, stand_in_id="ann")
WEI_GOES = Absence(person_id="wei", from_us=MONDAY_10 + DAY, to_us=MONDAY_10 + 2 * DAY)
OVER = Absence(person_id="chen", from_us=0, to_us=MONDAY_10, stand_in_id="wei")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """East and West below the company; Bo is away, with Ann standing in, and Wei goes tomorrow with nobody."""
    company = COMPANY.model_copy(update={"absences": (BO_AWAY, WEI_GOES, OVER)})
    rig = Rig(tmp_path, company=company)
    rig.feed([post(made=f"{n}", name=f"客{n}", phone=f"1380000{n:04}", region="江苏") for n in range(4)])
    rig.run()
    return House(rig, now_us=MONDAY_10 + MINUTE)


@pytest.mark.parametrize(
    ("role", "places"),
    [
        ("representative", ["/day", "/why-not", "/away", "/campaigns", "/calls?of=today", "/desk"]),
        ("manager", ["/customers", "/why-not", "/away", "/campaigns", "/calls?of=today", "/desk"]),
        ("marketing", ["/customers", "/away", "/campaigns"]),
        ("front_desk", ["/away", "/desk"]),
        ("operations", ["/customers", "/why-not", "/away", "/campaigns", "/calls?of=today", "/desk"]),
        ("auditor", ["/customers", "/why-not", "/away", "/campaigns", "/calls?of=today"]),
    ],
)
def test_each_role_finds_its_questions_and_each_leads_to_an_answer(
    house: House, role: Role, places: list[str]
) -> None:
    client = house.client(house.grant("ann", role=role))
    page = client.get("/ask").text
    main = page[page.index("<main") : page.index("<footer")]
    assert [one.split('"')[0] for one in main.split('href="')[1:]] == places
    for place in places:
        if place != "/desk":  # the rig has no desk to enter visits by
            assert client.get(place).status_code == 200, place
    assert '<a href="/ask"' in client.get("/away").text, "at the head of every page"


def test_everybody_is_told_who_stands_in_for_those_they_work_with(house: House) -> None:
    told = text_of(house.client(house.grant("chen", role="representative")).get("/away").text)
    assert "bo away until 24 Nov 10:00 ann stands in." in told
    assert "wei 24 Nov 10:00 – 25 Nov 10:00 Nobody stands in: their customers wait for them." in told
    assert "Away now 1" in told
    assert "Planned 1" in told
    day = text_of(house.client(house.grant("chen", role="representative")).get("/day").text)
    assert "Away now: bo → ann until 24 Nov 10:00" in day
    assert "Away now" not in text_of(house.client(house.grant("bo", role="representative")).get("/day").text)


def test_one_is_told_of_the_unit_above_one_s_own_and_the_front_desk_of_all() -> None:
    units = {
        **COMPANY.units,
        "north": Unit(unit_id="north", parent_id="company", kind="department", name_zh="北", name_en="North"),
        "far": Unit(unit_id="far", parent_id="north", kind="team", name_zh="远", name_en="Far"),
        "near": Unit(unit_id="near", parent_id="north", kind="team", name_zh="近", name_en="Near"),
    }
    members = (
        Member(unit_id="far", person_id="wei", from_us=0, share=1),
        Member(unit_id="near", person_id="bo", from_us=0, share=1),
        Member(unit_id="east", person_id="ann", from_us=0, share=1),
        Member(unit_id="east", person_id="chen", from_us=0, share=1),
    )
    company = COMPANY.model_copy(update={"units": units, "members": members, "absences": (BO_AWAY, WEI_GOES)})

    def about(person_id: str, role: Role) -> set[str]:
        who = visitor_of(company, person_id, role, MONDAY_10)
        assert who is not None
        return works_with(company, who, MONDAY_10)

    assert about("bo", "representative") == {"bo", "wei"}
    assert about("bo", "front_desk") == set(company.people) == about("bo", "operations")
    assert works_with(company, Visitor(None, frozenset({"operations"})), MONDAY_10) == set(company.people)
    mine = gone(company, {"ann"}, MONDAY_10)
    assert (mine.now, mine.planned) == ([BO_AWAY], []), "who stands in is told, too"


def test_calls_of_today_are_told_apart_from_earlier_ones(house: House) -> None:
    client = house.client(house.grant("ann", role="manager", lasts_us=3 * DAY))
    rows = [row for row in house.rig.rows("task") if row["holder_id"] in ("ann", "east")]
    with house.rig.store.write() as connection:
        connection.execute(update(tables.task).values(origin="call_back", holder_id="ann"))
    assert rows
    both = client.get("/calls").text
    assert (
        both.count("called ")
        == len(house.rig.rows("task"))
        == client.get("/calls?of=today").text.count("called ")
    )
    house.now_us += DAY
    assert client.get("/calls").text.count("called ") == both.count("called ")
    assert "No missed call of today is open." in client.get("/calls?of=today").text


def test_the_page_of_a_customer_says_who_has_it_and_why(house: House) -> None:
    row = next(one for one in house.rig.rows("holding") if one["holder_id"] == "ann" and one["to_us"] is None)
    told = text_of(house.client(house.grant("ann")).get(f"/customer/{row['customer_id']}").text)
    assert "ann since 2026-11-23 · Why?" in told
    assert "turn" in told
