"""The front desk from the post to the task, and the answer for whoever stands at the desk."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from console.counter_answer import CounterAnswers, counter_staff
from ingest.counter import door as door_module
from ingest.counter.door import CounterDoor
from leadflow.above import may_give_as
from schemas.company import Absence, Company, Member, Person
from store.acts import Command, perform
from store.acts_move import Give, Moving
from store.company import CompanyCache, put_company
from stream.door_log import DoorLog
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, small_company

SECRET = "a-long-enough-secret"
AT_DESK = ("127.0.0.1", 50_000)
ELSEWHERE = ("192.168.1.20", 50_000)


def company(**changes: Any) -> Company:
    """East has ann and bo at work by day; chen is away with bo standing in; east's manager is xu."""
    people = {
        "ann": Person(person_id="ann", name="安", name_en="Ann", extension="8001", desk_code="07"),
        "bo": Person(person_id="bo", name="薄", extension="8002", desk_code="12"),
        "chen": Person(person_id="chen", name="陈", extension="8003"),
        "xu": Person(person_id="xu", name="徐", extension="8100", calendar_id="late"),
        "gone": Person(person_id="gone", name="走", desk_code="99", state="left"),
    }
    made = small_company(
        people=people,
        absences=(
            Absence(person_id="chen", from_us=MONDAY_10 - DAY, to_us=MONDAY_10 + DAY, stand_in_id="bo"),
        ),
        members=tuple(Member(unit_id="east", person_id=one, from_us=0) for one in ("ann", "bo", "chen")),
    )
    made.units["east"] = made.units["east"].model_copy(update={"manager_id": "xu"})
    made.calendars["late"] = {
        "zone": "Asia/Shanghai",
        "country": None,
        "week": {day: ["12:00-22:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
    }
    made.sources["desk"] = {
        "source_id": "desk",
        "channel": "counter",
        "format": "counter.visit",
        "name": "展厅",
        "secret": SECRET,
        **changes,
    }
    return made


@dataclass
class Desk:
    """A rig with the front desk's door open on it, at a time of its own."""

    rig: Rig
    door: CounterDoor
    now_us: int = MONDAY_10

    def client(self, peer: tuple[str, int] = AT_DESK, **headers: str) -> TestClient:
        app = Starlette(routes=self.door.routes())
        return TestClient(
            app, base_url="http://127.0.0.1", client=peer, follow_redirects=False, headers=headers
        )

    def enter(self, **visit: Any) -> str:
        """Enter a visit, let the stages run, and return its receipt."""
        response = self.client().post("/in/counter/desk", json=visit)
        assert response.status_code == 202, response.text
        self.rig.run()
        return str(response.json()["receipt"])

    def answer(self, receipt: str, lang: str = "zh") -> dict[str, Any]:
        response = self.client().get(f"/api/counter/desk/answer/{receipt}?lang={lang}")
        assert response.status_code == 200, response.text
        return dict(response.json())

    def owner(self) -> str:
        (holding,) = [
            one for one in self.rig.rows("holding") if one["to_us"] is None and one["holder_kind"] == "person"
        ]
        return str(holding["holder_id"])


@pytest.fixture
def open_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Desk]]:
    monkeypatch.setattr(door_module, "WAIT_S", 0.1)
    opened: list[tuple[Rig, DoorLog]] = []

    def make(made: Company | None = None) -> Desk:
        rig = Rig(tmp_path, company=made or company())
        ids = (f"{number:032x}" for number in itertools.count(10**6))
        files = rig.files
        log = DoorLog(
            files.doors, files.door_log, files.keys, clock=lambda: opening.now_us, new_id=lambda: next(ids)
        )
        log.start()
        opened.append((rig, log))
        companies = CompanyCache()

        def sources() -> dict[str, dict[str, Any]]:
            with rig.store.read() as connection:
                return companies.get(connection).sources

        door = CounterDoor(
            log,
            sources,
            lambda: opening.now_us,
            lambda: next(ids),
            counter_staff(rig.store, companies),
            CounterAnswers(rig.store, companies, lambda: opening.now_us),
        )
        opening = Desk(rig, door)
        return opening

    yield make
    for rig, log in opened:
        log.close()
        rig.close()


@pytest.fixture
def desk(open_desk: Callable[..., Desk]) -> Desk:
    return open_desk()


# --- from the visit to the task -----------------------------------------------------------------------


def test_a_visit_becomes_a_task_with_somebody_who_is_at_work(desk: Desk) -> None:
    desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678", desk="大厅", taken_by="07")
    (task,) = desk.rig.rows("task")
    (lead,) = desk.rig.rows("lead")
    assert (task["origin"], task["state"], task["holder_kind"]) == ("first_response", "open", "person")
    assert task["holder_id"] in ("ann", "bo")
    assert lead["channel"] == "counter"
    assert '"taken_by":"07"' in lead["more_json"]


def test_an_anonymous_visit_is_a_customer_with_an_owner_and_a_task(desk: Desk) -> None:
    """The visitor stands at the desk: somebody must come now, whoever it is."""
    receipt = desk.enter(visit_no="visit-0001", anonymous=True, product="叉车")
    (task,) = desk.rig.rows("task")
    assert task["origin"] == "first_response"
    assert desk.rig.rows("binding") == [], "nothing of an anonymous visit may recognise anybody"
    assert desk.answer(receipt)["owner"] is not None


def test_two_anonymous_visits_are_two_customers(desk: Desk) -> None:
    desk.enter(visit_no="visit-0001", anonymous=True)
    desk.enter(visit_no="visit-0002", anonymous=True)
    assert len(desk.rig.rows("customer")) == 2


def test_the_same_visit_twice_is_one(desk: Desk) -> None:
    visit = {"visit_no": "visit-0001", "name": "王芳", "phone": "13912345678"}
    assert desk.enter(**visit) == desk.enter(**visit)
    assert [len(desk.rig.rows(name)) for name in ("capture", "lead", "customer", "task")] == [1, 1, 1, 1]


def test_a_corrected_visit_joins_the_first_and_makes_no_second_task(desk: Desk) -> None:
    desk.enter(visit_no="visit-0001", name="王方")
    owner = desk.owner()
    receipt = desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    first, second = sorted(desk.rig.rows("lead"), key=lambda one: str(one["joined_lead_id"] or ""))
    assert second["joined_lead_id"] == first["lead_id"]
    assert len(desk.rig.rows("customer")) == 1
    assert len(desk.rig.rows("task")) == 1
    answer = desk.answer(receipt)
    assert answer["known"] is False, "a customer is not known because of the entry that is being corrected"
    assert (answer["owner"]["name"], desk.owner()) == ({"ann": "安", "bo": "薄"}[owner], owner)
    assert answer["due"]


def test_an_anonymous_visitor_who_leaves_a_number_after_all_is_recognised_from_then_on(desk: Desk) -> None:
    desk.enter(visit_no="visit-0001", anonymous=True)
    desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    receipt = desk.enter(visit_no="visit-0002", phone="139 1234 5678", type="be_back")
    assert len(desk.rig.rows("customer")) == 1
    assert desk.answer(receipt)["known"] is True


def test_the_heard_of_us_names_the_campaign(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    desk.enter(visit_no="visit-0001", name="王芳", heard_of_us="朋友介绍")
    (lead,) = desk.rig.rows("lead")
    assert '"kind":"heard"' in lead["more_json"]


# --- the answer ---------------------------------------------------------------------------------------


def test_the_answer_names_owner_extension_and_that_they_are_here(desk: Desk) -> None:
    receipt = desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    answer = desk.answer(receipt)
    name, extension = {"ann": ("安", "8001"), "bo": ("薄", "8002")}[desk.owner()]
    assert answer["owner"] == {"name": name, "extension": extension, "present": "here", "back": ""}
    assert answer["instead"] is None
    assert answer["team"] == "华东"
    assert answer["known"] is False
    assert name in answer["why"]
    assert answer["due"] == "10:30"


def test_the_answer_speaks_english(desk: Desk) -> None:
    receipt = desk.enter(visit_no="visit-0001", name="Li", phone="13912345678")
    answer = desk.answer(receipt, "en")
    assert answer["team"] == "East"
    assert "turn" in answer["why"]


def test_a_known_customer_goes_to_the_owner_they_have(desk: Desk) -> None:
    desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    owner = desk.owner()
    for number in range(2, 6):
        receipt = desk.enter(visit_no=f"visit-000{number}", phone="+86 139-1234-5678", type="be_back")
        answer = desk.answer(receipt)
        assert answer["known"] is True
        assert answer["owner"]["extension"] == {"ann": "8001", "bo": "8002"}[owner]
    assert len(desk.rig.rows("customer")) == 1


def test_the_reason_is_that_of_the_visit_whatever_was_done_about_others(desk: Desk) -> None:
    desk.enter(visit_no="visit-0001", name="李娜", phone="13800000001")
    (other,) = desk.rig.rows("customer")
    receipt = desk.enter(visit_no="visit-0002", name="王芳", phone="13912345678")
    why = desk.answer(receipt)["why"]
    moving = Moving([Give(other["customer_id"], "queue", "east")], may_give_as("operator"))
    command = Command("move", "operator", "m", other["customer_id"], reason="nobody's yet")
    perform(desk.rig.store, command, moving, MONDAY_10, desk.rig.files.store_log.append)
    assert desk.answer(receipt)["why"] == why


def test_while_the_owner_is_away_the_stand_in_is_named(open_desk: Callable[..., Desk]) -> None:
    desk = only("chen", open_desk)
    receipt = desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    assert desk.answer(receipt)["owner"]["present"] == "here", "chen takes it before the absence begins"
    desk.now_us = MONDAY_10 + 2 * HOUR
    answer = desk.answer(receipt)
    assert answer["owner"] == {"name": "陈", "extension": "8003", "present": "away", "back": "11月24日 12:00"}
    assert answer["instead"] == {"name": "薄", "extension": "8002", "role": "stand_in"}


def test_after_the_owner_s_shift_the_manager_who_is_there_is_named(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    receipt = desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    desk.now_us = MONDAY_10 + 9 * HOUR
    answer = desk.answer(receipt)
    assert answer["owner"]["present"] == "off_shift"
    assert answer["owner"]["back"] == "11月24日 09:00"
    assert answer["instead"] == {"name": "徐", "extension": "8100", "role": "manager"}
    desk.now_us = MONDAY_10 + 14 * HOUR
    assert desk.answer(receipt)["instead"] is None, "at midnight nobody is there"


def test_a_colleague_of_the_team_is_named_before_the_manager(open_desk: Callable[..., Desk]) -> None:
    desk = only("chen", open_desk, stand_in=None)
    receipt = desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    desk.now_us = MONDAY_10 + 2 * HOUR
    answer = desk.answer(receipt)
    assert answer["instead"]["role"] == "colleague"
    assert answer["instead"]["name"] in ("安", "薄")
    assert desk.answer(receipt)["instead"] == answer["instead"], "the same visitor gets the same name"


def test_when_nobody_can_take_it_the_answer_says_from_when_and_whom_meanwhile(desk: Desk) -> None:
    desk.now_us = MONDAY_10 + 9 * HOUR
    receipt = desk.enter(visit_no="visit-0001", name="王芳", phone="13912345678")
    answer = desk.answer(receipt)
    assert answer["owner"] is None
    assert (answer["team"], answer["opens"]) == ("华东", "11月24日 09:00")
    assert answer["instead"]["name"] == "徐"


def test_the_answer_waits_until_route_has_decided(desk: Desk) -> None:
    client = desk.client()
    receipt = client.post("/in/counter/desk", json={"name": "王芳"}).json()["receipt"]
    waiting = client.get(f"/api/counter/desk/answer/{receipt}")
    assert (waiting.status_code, waiting.json()) == (202, {"state": "waiting"})
    desk.rig.run()
    assert client.get(f"/api/counter/desk/answer/{receipt}").status_code == 200


def test_a_receipt_of_another_source_is_not_answered(open_desk: Callable[..., Desk]) -> None:
    made = company()
    made.sources["other"] = {**made.sources["desk"], "source_id": "other"}
    desk = open_desk(made)
    receipt = desk.enter(visit_no="visit-0001", name="王芳")
    assert desk.client().get(f"/api/counter/other/answer/{receipt}").status_code == 202


# --- who may, and what is refused ---------------------------------------------------------------------


def test_strangers_need_the_secret_of_the_source(desk: Desk) -> None:
    visit = {"visit_no": "visit-0001", "name": "王芳"}
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": SECRET}):
        client = desk.client(ELSEWHERE, **headers)
        assert client.post("/in/counter/desk", json=visit).json()["code"] == "bad_token"
        assert client.get("/api/counter/desk/answer/cap_x").status_code == 401
        assert client.get("/counter/desk").status_code == 401
    let_in = desk.client(ELSEWHERE, authorization=f"Bearer {SECRET}")
    assert let_in.post("/in/counter/desk", json=visit).status_code == 202
    desk.rig.run()
    assert len(desk.rig.rows("task")) == 1


def test_a_wrong_token_is_refused_on_this_machine_too(desk: Desk) -> None:
    client = desk.client(AT_DESK, authorization="Bearer wrong")
    assert client.post("/in/counter/desk", json={"name": "王芳"}).status_code == 401


def test_no_other_site_can_enter_visits_through_the_desk_s_browser(desk: Desk) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "http://evil.example"}):
        client = desk.client(AT_DESK, **headers)
        assert client.post("/in/counter/desk", json={"name": "王芳"}).status_code == 401
        assert client.post("/counter/desk", data={"name": "王芳"}).status_code == 401


def test_a_device_of_the_house_is_let_in_by_the_key_until_the_secret_changes(
    open_desk: Callable[..., Desk],
) -> None:
    desk = open_desk()
    tablet = desk.client(ELSEWHERE)
    assert "密钥" in tablet.get("/counter/desk").text
    assert tablet.post("/counter/desk/key", data={"key": "wrong"}).status_code == 401
    assert tablet.post("/counter/desk/key", data={"key": SECRET}).status_code == 303
    assert SECRET not in str(tablet.cookies)
    assert tablet.get("/counter/desk").status_code == 200
    assert tablet.post("/counter/desk", data={"name": "王芳"}).status_code == 202
    made = company(secret="another-long-secret")
    with desk.rig.store.write() as connection:
        put_company(connection, made, 1)
    assert tablet.get("/counter/desk").status_code == 401


def test_without_a_secret_only_this_machine_is_let_in(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(company(secret=None))
    assert desk.client().get("/counter/desk").status_code == 200
    stranger = desk.client(ELSEWHERE, authorization="Bearer ")
    assert stranger.get("/counter/desk").status_code == 401
    proxied = desk.client(host="leads.haichuan.example")
    assert proxied.get("/counter/desk").status_code == 401, "a proxy on this machine passes strangers on"
    assert desk.client(ELSEWHERE).post("/counter/desk/key", data={"key": ""}).status_code == 401


def test_a_mistake_is_answered_with_its_field_and_nothing_is_kept(desk: Desk) -> None:
    response = desk.client().post("/in/counter/desk", json={"company": "大恒"})
    assert response.status_code == 422
    error = response.json()
    assert (error["code"], error["field"]) == ("nobody", "name")
    assert error["hint"]
    assert desk.rig.run() == 0


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/in/counter/nowhere", b"{}", 404, "unknown_source"),
        ("/in/counter/site", b"{}", 404, "unknown_source"),
        ("/in/counter/desk", b"{", 400, "bad_json"),
        ("/in/counter/desk", b" " * (1024 * 1024 + 1), 413, "too_large"),
    ],
)
def test_what_is_no_visit_is_answered_by_code(
    desk: Desk, path: str, body: bytes, status: int, code: str
) -> None:
    response = desk.client().post(path, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (status, code)


# --- the page without JavaScript ----------------------------------------------------------------------

BROWSER = {"accept": "text/html,application/xhtml+xml"}


def test_the_page_works_without_javascript_and_shows_the_answer(desk: Desk) -> None:
    browser = desk.client(AT_DESK, **BROWSER)
    assert 'name="visit_no" value="0' in browser.get("/counter/desk").text
    visit = {"visit_no": "visit-0001", "name": "王芳", "phone": "13912345678", "taken_by": "07"}
    posted = browser.post("/counter/desk", data=visit)
    assert posted.status_code == 303
    desk.rig.run()
    page = browser.get(posted.headers["location"]).text
    assert {"ann": "8001", "bo": "8002"}[desk.owner()] in page
    assert "在岗" in page
    assert "visit-0001" not in page, "the next visitor's form has a number of its own"
    assert '<option value="07" selected>07 安' in page, "the machine remembers who types"


def test_a_form_with_a_mistake_comes_back_as_it_was_typed(desk: Desk) -> None:
    browser = desk.client(AT_DESK, **BROWSER)
    visit = {"visit_no": "visit-0001", "phone": "不肯留", "note": "<b>看车</b>", "lang": "en"}
    response = browser.post("/counter/desk", data=visit)
    assert response.status_code == 422
    assert "There is no telephone number in this" in response.text
    assert "&lt;b&gt;看车&lt;/b&gt;" in response.text
    assert 'value="visit-0001"' in response.text
    assert desk.rig.run() == 0


def test_only_people_who_work_here_can_be_chosen_and_nothing_inline_runs(desk: Desk) -> None:
    response = desk.client().get("/counter/desk", headers={"accept-language": "en"})
    assert "07 Ann" in response.text
    assert "99" not in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert "<script>" not in response.text
    assert " style=" not in response.text


def test_the_page_is_in_the_language_that_is_asked_for(desk: Desk) -> None:
    client = desk.client()
    assert ">保存</button>" in client.get("/counter/desk").text
    assert ">Save</button>" in client.get("/counter/desk?lang=en").text
    assert client.get("/counter/nowhere").status_code == 404


def only(person_id: str, open_desk: Callable[..., Desk], stand_in: str | None = "bo") -> Desk:
    """A desk whose leads all go to one person, who is at work now and away from in an hour."""
    made = company()
    away = Absence(
        person_id=person_id, from_us=MONDAY_10 + HOUR, to_us=MONDAY_10 + 26 * HOUR, stand_in_id=stand_in
    )
    members = tuple(
        Member(unit_id="east", person_id=one, from_us=0, share=int(one == person_id))
        for one in ("ann", "bo", "chen")
    )
    return open_desk(made.model_copy(update={"absences": (away,), "members": members}))
