"""What pages say to do next is something that their reader can do there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leadflow.desk_handover import ConsoleHandOver
from store.company import CompanyCache
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_moves import COMPANY, LATER
from tests.support.rig import MINUTE, MONDAY_10, Rig, post

HALL = {
    "source_id": "hall",
    "channel": "counter",
    "format": "counter.visit",
    "name": "展厅",
    "language": "zh",
}


class Untouched:
    """A desk's door that nobody enters anything by."""

    def enter(self, *_given: object) -> str:
        raise AssertionError("nobody entered anything")


@pytest.fixture
def house(tmp_path: Path) -> House:
    """Two customers, both Ann's or Bo's; Chen has none; a desk."""
    company = COMPANY.model_copy(update={"sources": {**COMPANY.sources, "hall": HALL}})
    rig = Rig(tmp_path, company=company)
    rig.feed([post(made=f"{n}", name=f"客{n}", phone=f"1380000{n:04}", region="江苏") for n in range(2)])
    rig.run()
    engine: Any = SimpleNamespace(files=rig.files, companies=CompanyCache())
    host = {"hand_over": ConsoleHandOver(engine), "visits": Untouched()}
    return House(rig, now_us=LATER, host=host)


def nobody_of(house: House) -> str:
    """Return who of East has no customer."""
    having = {row["holder_id"] for row in house.rig.rows("holding") if row["to_us"] is None}
    return next(one for one in ("ann", "bo", "chen") if one not in having)


def test_nothing_to_hand_over_says_what_to_do_instead_and_offers_no_button(house: House) -> None:
    mia, person = house.client(house.grant("mia")), nobody_of(house)
    other = next(one for one in ("ann", "bo") if one != person)
    asked = {"person": person, "to": other, "reason": "r"}
    page = mia.get("/handover/plan", params={**asked, "why": "transfer"}).text
    assert "there is nothing to hand over" in text_of(page)
    assert "Hand over 0" not in page
    assert 'href="/team/calendar"' in page
    leaves = text_of(mia.get("/handover/plan", params={**asked, "why": "leaving"}).text)
    assert "They leave: end it without customers" in leaves
    assert "Hand over 0" not in leaves


def test_quick_add_leads_to_the_desk_of_whoever_has_a_day(house: House) -> None:
    page = house.client(house.grant("ann")).get("/day").text
    assert 'href="/desk">Quick add</a>' in page
    assert "/counter/" not in page


def test_the_desk_answers_for_what_came_by_a_desk_alone(house: House) -> None:
    house.rig.feed([post(at_us=MONDAY_10 + MINUTE, made="w", name="王芳", phone="13700000003")])
    house.rig.run()
    capture = house.rig.rows("capture")[-1]
    client = house.client(house.grant("ann", role="front_desk"))
    answer = client.get("/desk/answer", params={"source": "site", "receipt": capture["capture_id"]})
    assert answer.status_code == 200
    owners = {row["holder_id"] for row in house.rig.rows("holding") if row["holder_kind"] == "person"}
    assert not [one for one in owners if COMPANY.people[one].name in answer.text]
