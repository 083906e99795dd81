"""The page of moves: what a manager sees of it, what a form may not do, filters, and what is kept of each row."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from console.may import AT_THIS_MACHINE, Visitor
from console.move_filter import Filter, find
from enrich.acts_merge import merge_with
from leadflow.desk_moves import ConsoleMoves
from store import tables
from store.acted import counted, rows_of
from store.acts import Command, perform
from store.company import CompanyCache, company_version, load_company
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_moves import LATER, move, of, owners, rig, to, undo
from tests.support.rig import DAY, MONDAY_10, Rig, post

__all__ = ["rig"]


@pytest.fixture
def house(rig: Rig) -> House:
    engine: Any = SimpleNamespace(files=rig.files, companies=CompanyCache())
    return House(rig, now_us=LATER, host={"mover": ConsoleMoves(engine)})


def found(
    rig: Rig, who: Visitor = AT_THIS_MACHINE, limit: int = 50, now_us: int = LATER, **asked: str
) -> list[str]:
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        rows = find(connection, (company, who, now_us), Filter.read(asked), None, limit).rows
    return [one.customer_id for one in rows]


def test_a_filter_takes_what_it_says_and_only_what_the_visitor_sees(rig: Rig) -> None:
    assert set(found(rig)) == set(owners(rig))
    assert set(found(rig, holder="bo")) == set(of(rig, "bo"))
    assert set(found(rig, unit="east")) == set(owners(rig))
    assert found(rig, unit="west") == []
    assert found(rig, segment="none such") == []
    nobody = Visitor("zoe", frozenset({"manager"}), frozenset({"zoe", "west", "wei"}))
    assert found(rig, nobody) == []
    assert found(rig, nobody, holder="bo") == [], "what an address asks for is narrowed to what one sees"
    assert found(rig, silent="1") == []
    assert set(found(rig, silent="1", now_us=LATER + 2 * DAY)) == set(owners(rig))
    move(rig, to("ann", of(rig, "bo")[:1]), at_us=LATER + DAY)
    assert len(found(rig, silent="1", now_us=LATER + DAY + 2)) == 11, (
        "who got it yesterday has only just got it"
    )


def test_by_campaign_also_those_that_became_one_and_by_segment_page_by_page(rig: Rig) -> None:
    first, second, third, *_ = sorted(owners(rig))
    leads = {row["customer_id"]: row["lead_id"] for row in rig.rows("membership")}
    with rig.store.write() as connection:
        came = tables.lead.c.lead_id.in_([leads[second], leads[third]])
        connection.execute(update(tables.lead).where(came).values(campaign_id="fair"))
    assert set(found(rig, campaign="fair")) == {second, third}
    assert found(rig, campaign="fair", holder="zoe") == []
    command = Command("merge", "operator", "m", first)
    perform(rig.store, command, merge_with(second), LATER, rig.files.store_log.append)
    (now,) = set(owners(rig)) & {first, second}
    assert set(found(rig, campaign="fair")) == {now, third}
    assert len(found(rig, campaign="fair", limit=1)) == 1
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        csv = "segment,name_zh,name_en,province\njs,江苏,Jiangsu,江苏*\n"
        company = company.model_copy(update={"segments_csv": csv})
        seen, place, got = (company, AT_THIS_MACHINE, LATER), None, list[str]()
        while True:
            page = find(connection, seen, Filter(segment="js"), place, 2)
            got += [one.customer_id for one in page.rows]
            if page.is_all:
                break
            place = page.rows[-1].place
    of_js = {row["customer_id"] for row in rig.rows("membership") if _province(rig, row["lead_id"]) == "江苏"}
    assert set(got) == {now if one in (first, second) else one for one in of_js}
    assert len(got) == len(set(got))


def _province(rig: Rig, lead_id: str) -> str:
    return next(str(row["province"]) for row in rig.rows("lead") if row["lead_id"] == lead_id)


def test_pages_follow_each_other_without_a_gap(rig: Rig) -> None:
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        seen, place, got = (company, AT_THIS_MACHINE, LATER), None, list[str]()
        for _ in range(4):
            page = find(connection, seen, Filter(), place, 5)
            got += [one.customer_id for one in page.rows]
            if page.is_all:
                break
            place = page.rows[-1].place
    assert sorted(got) == sorted(owners(rig))


def test_of_each_row_it_is_kept_what_became_of_it(rig: Rig) -> None:
    mine, theirs = of(rig, "bo"), of(rig, "ann")[:1]
    move(rig, to("ann", [*mine, *theirs]))
    act_id = Command("move", "mia", "k", "set_x").act_id
    with rig.store.read() as connection:
        assert counted(connection, act_id) == ([("ann", len(mine))], [("there_already", 1)])
        rows = rows_of(connection, act_id, "", 100)
        assert rows_of(connection, act_id, rows[0].customer_id, 100) == rows[1:]
    assert {(one.customer_id, one.before_id, one.holder_id, one.code) for one in rows} == {
        *((one, "bo", "ann", None) for one in mine),
        (theirs[0], None, None, "there_already"),
    }
    move(rig, to("chen", mine[:1]), key="on", at_us=LATER + 1)
    undo(rig, "k")
    with rig.store.read() as connection:
        _, stayed = counted(connection, Command("undo", "mia", "undo:k", act_id).act_id)
    assert stayed == [("moved_on", 1)]


def test_what_a_form_names_is_moved_only_if_it_is_below_whoever_sends_it(rig: Rig, house: House) -> None:
    mine = of(rig, "bo")
    form = {**{f"c:{one}": "on" for one in mine}, "to": "wei", "reason": "mine now", "key": "k"}
    zoe = house.client(house.grant("zoe"))
    listed = zoe.get("/move")
    assert "客1" not in listed.text
    looked = zoe.post("/move/preview", data=form)
    assert looked.status_code == 200
    assert "0 customers with 0 open tasks would move." in text_of(looked.text)
    assert "客" not in text_of(looked.text), "nor does a preview name whom she does not see"
    refused = zoe.post("/move/apply", data=form)
    assert refused.status_code == 409
    assert set(of(rig, "bo")) == set(mine)
    assert house.client(house.grant("ann")).get("/move").status_code == 403, (
        "it is no page of representatives"
    )


def test_a_manager_moves_sees_each_row_and_nobody_beside_them_does(rig: Rig, house: House) -> None:
    mine = of(rig, "bo")
    form = {**{f"c:{one}": "on" for one in mine}, "to": "chen", "reason": "workload", "key": "k"}
    mia = house.client(house.grant("mia"))
    assert mia.post("/move/apply", data={**form, "reason": " "}).status_code == 409
    assert mia.post("/move/apply", data={**form, "to": "nobody"}).status_code == 409
    done = mia.post("/move/apply", data=form)
    assert done.status_code == 303
    assert set(of(rig, "chen")) >= set(mine)
    told = text_of(mia.get(done.headers["location"]).text)
    assert f"{len(mine)} moved" in told
    assert told.count("bo → chen") == len(mine)
    assert mia.post("/move/apply", data=form).headers["location"] == done.headers["location"]
    other = mia.post("/move/apply", data={**form, "reason": "another one"})
    assert (other.status_code, "moved customers" in text_of(other.text)) == (409, True)
    assert "another one" in other.text
    zoe = house.client(house.grant("zoe"))
    assert zoe.get(done.headers["location"]).status_code == 404
    assert zoe.post(f"{done.headers['location']}/undo", data={}).status_code in (404, 409)
    back = mia.post(f"{done.headers['location']}/undo", data={"reason": "sorry"})
    assert back.status_code == 303
    assert set(of(rig, "bo")) == set(mine)
    again = mia.post(f"{done.headers['location']}/undo", data={})
    assert again.headers["location"] == back.headers["location"], "twice is once"
    assert "This was taken back." in text_of(mia.get(done.headers["location"]).text)


def test_several_people_get_them_by_weight_as_the_preview_says(rig: Rig, house: House) -> None:
    everybody, mia = sorted(owners(rig)), house.client(house.grant("mia"))
    assert len(everybody) == 12
    form = {**{f"c:{one}": "on" for one in everybody}, "to": "by-weight", "reason": "workload", "key": "k"}
    for wrong in (
        {},
        {"person1": "ann"},
        {"weight1": "60"},
        {"person1": "ann", "weight1": "0"},
        {"person1": "ann", "weight1": "much"},
        {"person1": "ann", "weight1": "12345678901"},
        {"person1": "ann", "weight1": "60", "person2": "ann", "weight2": "40"},
    ):
        answer = mia.post("/move/preview", data={**form, **wrong})
        assert answer.status_code == 422, wrong
        assert "Name each person once" in answer.text
    shares = {"person1": "ann", "weight1": "75 %", "person4": "chen", "weight4": "25"}
    looked = mia.post("/move/preview", data={**form, **shares})
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', looked.text))
    assert mia.post("/move/apply", data=hidden).status_code == 303
    assert (len(of(rig, "ann")), len(of(rig, "chen")), of(rig, "bo")) == (9, 3, [])
    kept = text_of(mia.post("/move/preview", data={**form, **shares, "reason": ""}).text)
    assert "both sides will ask" in kept


def test_all_that_match_must_be_as_many_as_were_typed(rig: Rig, house: House) -> None:
    mine = of(rig, "bo")
    form = {"which": "all", "holder": "bo", "to": "ann", "reason": "workload", "key": "k"}
    mia = house.client(house.grant("mia"))
    for typed in ("", str(len(mine) + 1), "-1", "99999999999999"):
        assert mia.post("/move/apply", data={**form, "typed": typed}).status_code == 409
    assert set(of(rig, "bo")) == set(mine)
    assert mia.post("/move/apply", data={**form, "typed": str(len(mine))}).status_code == 303
    assert of(rig, "bo") == []


def test_a_search_narrows_what_is_chosen_and_widens_nothing(rig: Rig, house: House) -> None:
    rig.feed(
        post(made=f"q{n}", at_us=MONDAY_10 + n, name=name, phone=f"1351234567{n}", region="江苏")
        for n, name in enumerate(("刘安", "刘波", "王芳"))
    )
    rig.run()
    assert len(found(rig, q="liu")) == 2
    (wang,) = found(rig, q="13512345672")
    assert found(rig, q="wf") == found(rig, q="5672") == [wang]
    here = owners(rig)[wang]
    there = "ann" if here == "bo" else "bo"
    assert (found(rig, q="wf", holder=here), found(rig, q="wf", holder=there)) == ([wang], [])
    assert found(rig, q="wf", segment="none such") == []
    nobody = Visitor("zoe", frozenset({"manager"}), frozenset({"zoe", "west", "wei"}))
    assert found(rig, nobody, q="wf") == []
    mia = house.client(house.grant("mia"))
    page = mia.get("/move?q=wf").text
    assert "1 match." in text_of(page)
    assert '<input type="hidden" name="q" value="wf">' in page
    form = {"which": "all", "q": "wf", "to": there, "reason": "workload", "key": "k", "typed": "1"}
    before = owners(rig)
    assert mia.post("/move/apply", data=form).status_code == 303
    assert owners(rig) == {**before, wang: there}
    for little in ("78", '"><script>alert(1)</script>'):
        told = mia.get("/move", params={"q": little}).text
        assert "<script>alert" not in told
        assert "too little" in told or "Nobody is found by this filter." in told
    assert mia.post("/move/apply", data={**form, "q": "78", "key": "l"}).status_code == 409
    ola = house.client(house.grant("ann", role="operations"))
    assert "numbers are masked for you" in ola.get("/move?q=5672").text


def test_hostile_names_and_addresses_stay_text(rig: Rig, house: House) -> None:
    rig.feed([post(made="x", at_us=MONDAY_10 + 1, name="<script>alert(1)</script>", phone="13900001111")])
    rig.run()
    mia = house.client(house.grant("mia"))
    page = mia.get("/move?after=person:1:<b>:x&silent=x&state=<i>&unit='&holder=%22")
    assert page.status_code == 200
    page = mia.get("/move")
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert" in page.text
