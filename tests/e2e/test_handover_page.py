"""The page of hand-overs: whose it shows, what it refuses and why, and that its file is the one that is verified."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from sqlalchemy import update

from leadflow.above import may_give_as
from leadflow.desk_handover import ConsoleHandOver
from leadflow.handover_job import advance, planned, spec_of
from store import tables
from store.acts import ActRefused, Command, perform
from store.acts_job import Begin, job_id_of
from store.acts_move import judge
from store.certificates import Certificate, verify
from store.company import CompanyCache, company_version, load_company
from tests.e2e.test_access import HERE, House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_moves import LATER, move, of, rig, to
from tests.support.rig import Rig

__all__ = ["rig"]
ASKED = {"person": "bo", "why": "leaving", "to": "ann", "reason": "leaves", "key": "k"}


@pytest.fixture
def house(rig: Rig) -> House:
    engine: Any = SimpleNamespace(files=rig.files, companies=CompanyCache())
    return House(rig, now_us=LATER, host={"hand_over": ConsoleHandOver(engine)})


def test_what_is_missing_is_said_and_nothing_is_done(rig: Rig, house: House) -> None:
    mia = house.client(house.grant("mia"))
    for wrong, said in (
        ({"person": ""}, "Choose somebody below you."),
        ({"person": "wei"}, "Choose somebody below you."),
        ({"why": ""}, "Choose why"),
        ({"to": ""}, "Choose why"),
        ({"to": "nobody"}, "Choose why"),
        ({"why": "until"}, "Choose the day"),
        ({"why": "until", "until": "2001-01-01"}, "in the past"),
        ({"filter1": "shoe=42", "to1": "ann"}, "Choose why"),
        ({"to": "wei"}, "whom it is to go to is not below you"),
    ):
        answer = mia.get("/handover/plan", params={**ASKED, **wrong})
        assert said in text_of(answer.text), wrong
    assert mia.post("/handover/apply", data={**ASKED, "reason": ""}).status_code == 409
    assert rig.rows("job") == []


def test_a_part_goes_by_its_filter_and_the_rest_elsewhere(rig: Rig, house: House) -> None:
    mine = of(rig, "bo")
    mia = house.client(house.grant("mia"))
    asked = {**ASKED, "filter1": "province=江苏*", "to1": "chen"}
    looked = mia.get("/handover/plan", params=asked)
    assert f"{len(mine)} customers" in text_of(looked.text)
    done = mia.post("/handover/apply", data=asked)
    assert done.status_code == 303
    assert mia.post("/handover/apply", data=asked).headers["location"] == done.headers["location"], (
        "twice is once"
    )
    other = mia.post("/handover/apply", data={**asked, "reason": "another one"})
    assert (other.status_code, "began a hand-over" in other.text) == (409, True)
    assert of(rig, "bo") == []
    held = json_of(mia.get(f"{done.headers['location']}/certificate.json").content)
    with rig.store.read() as connection:
        assert verify(connection, held, LATER).wrong == ()
    receivers = {holder for kind, _, holder in held.body["objects"] if kind == "customer"}
    assert receivers == {"ann", "chen"}
    for path in ("", "/progress", "/certificate", "/certificate.json"):
        assert mia.get(done.headers["location"] + path).status_code == 200
        zoe = house.client(house.grant("zoe")).get(done.headers["location"] + path)
        assert zoe.status_code == 404, "nobody beside sees it"


def json_of(data: bytes) -> Certificate:
    """Return a certificate from its file."""
    return Certificate(**orjson.loads(data))


def test_who_was_above_a_leaver_sees_what_others_handed_over(rig: Rig, house: House) -> None:
    """A leaver is below nobody any more, and operations began it: their manager finds it all the same."""
    done = house.client(host=HERE).post("/handover/apply", data=ASKED)
    assert done.status_code == 303
    mia, zoe = (house.client(house.grant(one)) for one in ("mia", "zoe"))
    assert done.headers["location"] in mia.get("/handover").text
    assert done.headers["location"] not in zoe.get("/handover").text
    for path in ("", "/progress", "/certificate", "/certificate.json"):
        assert mia.get(done.headers["location"] + path).status_code == 200
        assert zoe.get(done.headers["location"] + path).status_code == 404
    colleague = house.client(house.grant("chen", role="manager"))
    assert colleague.get(done.headers["location"]).status_code == 404, "of the same team, and not above it"


def test_a_second_one_of_the_same_person_says_that_the_first_goes_on(rig: Rig, house: House) -> None:
    under_way = begun(rig, "=> chen")
    mia = house.client(house.grant("mia"))
    looked = mia.get("/handover/plan", params=ASKED)
    assert "under way already" in text_of(looked.text)
    assert f"/handover/{under_way}" in looked.text
    done = mia.post("/handover/apply", data=ASKED)
    assert done.headers["location"] == f"/handover/{under_way}?resumed=1"
    told = text_of(mia.get(done.headers["location"]).text)
    assert "nothing of what you chose now was done" in told
    assert of(rig, "bo") == []
    assert set(of(rig, "chen")) >= {row["customer_id"] for row in rig.rows("job_item")}


def test_what_can_not_be_read_any_more_stops_it_with_a_word(rig: Rig, house: House) -> None:
    """Whoever was to have all that comes has left meanwhile, and something came."""
    under_way = begun(rig, "=> chen")
    advance(rig.store, rig.files.store_log.append, under_way, LATER)
    move(rig, to("bo", of(rig, "ann")[:1]), actor="operator")
    with rig.store.write() as connection:
        leaves = update(tables.person).where(tables.person.c.person_id == "chen").values(state="left")
        connection.execute(leaves)
        connection.exec_driver_sql("UPDATE config_version SET version = version + 1")
    host: Any = house.host["hand_over"]
    with pytest.raises(ActRefused) as refused:
        host.begin("bo", PLAIN, {"actor": "mia", "reason": "leaves", "key": "k"})
    assert refused.value.code == "choice"


PLAIN = {"parts": ["=> ann"], "plan_csv": None, "leaving": False, "duties_to": None, "until_us": None}


def begun(rig: Rig, *parts: str) -> str:
    """Write a hand-over of bo's down, and do nothing of it yet."""
    asked = {**PLAIN, "parts": list(parts)}
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        gives, _ = planned(connection, company, "bo", asked, LATER)
        spec = spec_of(connection, company, "bo", asked, LATER)
        judged = judge(connection, gives, (company, lambda _holder: True), owner="bo")
    command = Command("hand_over_begin", "operator", "first", "bo", "transfer")
    plan = Begin(judged, spec, None, may_give_as("operator"))
    perform(rig.store, command, plan, LATER, rig.files.store_log.append)
    return job_id_of(command)
