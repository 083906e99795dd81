"""Beyond this machine: tokens, one-time links and sessions open what their person may see, and end at once."""

from __future__ import annotations

import http.client
import itertools
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from console.app import console_routes
from console.desk import Desk
from console.gate import COOKIE, Failures, Gate, Guard, visitor
from console.passwords import SecondFactors
from console.people_access import AccessPage
from console.sign_in import SignIn
from schemas.company import Member, Person
from store import tables
from store.access import HOUR_US, SESSION_US, access_id_of, end, find_access, grant, redeem, redemption
from store.acts import ActRefused, Command, Plan, perform
from store.acts_claim import Register
from store.company import load_company, put_company, raise_version
from store.database import Database
from tests.support.rig import DAY, MINUTE, MONDAY_10, Rig, post, small_company

HERE, AWAY = "127.0.0.1", "leads.example"
PAGE = {"accept": "text/html"}


@dataclass
class House:
    """A console behind its gate, a clock to turn, and who waited how long."""

    rig: Rig
    now_us: int = MONDAY_10 + MINUTE
    waited: list[float] = field(default_factory=list)
    ids: Iterator[str] = field(default_factory=lambda: (f"{n:032x}" for n in itertools.count(1)))
    is_https: bool = False
    host: dict[str, Any] = field(default_factory=dict)
    """What the pages have done by the host."""

    def __post_init__(self) -> None:
        append = self.rig.files.store_log.append
        routes = console_routes(
            self.rig.store, lambda: self.now_us, lambda: next(self.ids), append, **self.host
        )
        desk = Desk(self.rig.store, lambda: self.now_us, lambda: next(self.ids), append)
        guard = Guard(desk, _is_local, Failures(), self._sleep())
        secrets = (f"session-{n}" for n in itertools.count(1))
        enter = SignIn(guard, lambda: next(secrets), self.is_https, SecondFactors(bytes(32)))

        async def who(request: Any) -> JSONResponse:
            return JSONResponse(
                {"person": visitor(request).person_id, "role": sorted(visitor(request).roles)}
            )

        routes = [Route("/api/operate/who", who, methods=["GET", "POST"]), *enter.routes(), *routes]
        self.app = Starlette(routes=routes, middleware=[Middleware(Gate, guard=guard, doors=("/enter/",))])

    def _sleep(self) -> Callable[[float], Awaitable[None]]:
        async def sleep(seconds: float) -> None:
            self.waited.append(seconds)

        return sleep

    def client(self, token: str | None = None, language: str = "en", host: str = AWAY) -> TestClient:
        headers = {"accept-language": language} | ({"authorization": f"Bearer {token}"} if token else {})
        return TestClient(self.app, f"http://{host}", headers=headers, follow_redirects=False)

    def grant(self, person: str, kind: Any = "token", role: Any = None, lasts_us: int = DAY) -> str:
        secret = f"secret-{kind}-{person}-{role}-{next(self.ids)}"
        self.do(Command("grant", "operator", next(self.ids), person), grant(kind, secret, lasts_us, role))
        return secret

    def do(self, command: Command, plan: Plan) -> bool:
        return perform(self.rig.store, command, plan, self.now_us, self.rig.files.store_log.append)

    def change(self, **changes: Any) -> None:
        """Write people or members over what is there."""
        with self.rig.store.write() as connection:
            put_company(connection, load_company(connection, 1).model_copy(update=changes), 0)


def _is_local(_client: str | None, headers: Any) -> bool:
    return bool(dict(headers).get(b"host", b"").startswith(HERE.encode()))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Ann and Bo of team East, which Bo manages; Chen of team West. One customer of Ann's, one that waits."""
    company = small_company(
        absences=(),
        members=(
            Member(unit_id="east", person_id="ann", from_us=0, share=1),
            Member(unit_id="east", person_id="bo", from_us=0, share=0),
            Member(unit_id="west", person_id="chen", from_us=0, share=0),
        ),
        book_csv="rule,province,then_team,then_respond_within\nnorth,北京,west,30\neverything,,east,30\n",
        book_version="b",
    )
    east = company.units["east"]
    company.units["east"] = east.model_copy(update={"manager_id": "bo"})
    company.units["west"] = east.model_copy(update={"unit_id": "west", "name_en": "West", "name_zh": "华西"})
    rig = Rig(tmp_path, company=company)
    rig.feed(
        [
            post(made="1", name="张伟", phone="138 1234 5678"),
            post(made="2", name="李雷", phone="139 1234 5678", region="北京"),
        ]
    )
    rig.run()
    yield House(rig)
    rig.close()


def tasks(rig: Rig) -> dict[str, dict[str, Any]]:
    return {row["holder_id"]: row for row in rig.rows("task")}


def test_the_scene(house: House) -> None:
    assert set(tasks(house.rig)) == {"ann", "west"}


PAGES = {
    "overview": "/",
    "tally": "/api/tally",
    "letters": "/needs-repair",
    "operate": "/api/operate/who",
    "unheard of": "/api/whatever",
    "ann": "/inbox/ann",
    "ann's tasks": "/api/inbox/ann",
    "chen": "/inbox/chen",
    "east": "/inbox/east",
    "west": "/inbox/west",
    "ann's lead": "/story/{ann}",
    "west's lead": "/story/{west}",
    "nothing": "/story/lead_none",
    "list": "/inbox",
    "neglected": "/neglected",
    "collisions": "/collisions",
}


@pytest.mark.parametrize(
    ("person", "role", "open_pages"),
    [
        ("ann", None, "ann, ann's tasks, east, ann's lead, list, neglected, collisions"),
        ("chen", None, "chen, west, west's lead, list, neglected, collisions"),
        ("bo", None, "ann, ann's tasks, east, ann's lead, list, neglected, collisions"),
        ("bo", "representative", "east, list, neglected, collisions"),
        ("chen", "operations", ", ".join(one for one in PAGES if one not in ("unheard of", "nothing"))),
    ],
)
def test_a_token_opens_what_its_person_may_see(
    house: House, person: str, role: str | None, open_pages: str
) -> None:
    client = house.client(house.grant(person, role=role))
    leads = {key: row["lead_id"] for key, row in tasks(house.rig).items()}
    statuses = {
        name: client.get(path.format(**leads), headers=PAGE).status_code for name, path in PAGES.items()
    }
    assert {name for name, status in statuses.items() if status == 200} == set(open_pages.split(", "))
    if role != "operations":
        assert statuses["overview"] == 303, "whoever does not see all is led to their inbox"
        others = {status for name, status in statuses.items() if status != 200 and name != "overview"}
        assert others == {403}


def test_lists_show_only_what_may_be_opened(house: House) -> None:
    seen = house.client(house.grant("ann")).get("/inbox").text
    assert set(re.findall(r'href="/inbox/(\w+)"', seen)) == {"ann", "east"}
    seen = house.client(house.grant("bo")).get("/inbox").text
    assert set(re.findall(r'href="/inbox/(\w+)"', seen)) == {"ann", "bo", "east"}


def test_a_collision_is_shown_to_both_sides_and_the_name_to_the_owner_s(house: House) -> None:
    customer_id = tasks(house.rig)["ann"]["customer_id"]
    plan = Register("west", house.now_us + DAY, lambda _company, _now: lambda _holder: True)
    assert house.do(Command("register", "operator", "r", customer_id), plan)
    for person, names in (("bo", True), ("ann", True), ("chen", False)):
        page = house.client(house.grant(person)).get("/collisions").text
        assert names or customer_id in page
        assert "West" in page
        assert ("张伟" in page) is names
    assert "由主管裁定" in house.client(house.grant("bo"), language="zh").get("/collisions").text


@pytest.mark.parametrize(("person", "sees"), [("bo", True), ("ann", True), ("chen", False)])
def test_who_is_neglected_is_shown_to_owner_and_manager(house: House, person: str, sees: bool) -> None:
    token = house.grant(person, lasts_us=60 * DAY)
    assert "张伟" not in house.client(token).get("/neglected").text, "a task is due today"
    house.now_us += 30 * DAY
    page = house.client(token).get("/neglected").text
    assert ("张伟" in page) is sees
    assert ("李雷" in page) is (person == "chen"), "waits in the queue of his team for too long"
    if sees:
        assert house.client(token).get(re.findall(r'href="(/story/\w+)"', page)[0]).status_code == 200


def test_each_sees_the_customers_that_they_may_see_the_work_of(house: House) -> None:
    held = {row["customer_id"]: row["holder_id"] for row in house.rig.rows("holding") if row["to_us"] is None}
    owners = {owner for owner in held.values() if owner in ("ann", "bo", "chen")}
    mine = house.client(house.grant("ann")).get("/customers").text
    alls = house.client(house.grant("ann", role="operations")).get("/customers").text
    assert owners
    assert mine.count('class="one"') <= sum(one in ("ann", "east") for one in held.values())
    assert alls.count('class="one"') == len(held) > mine.count('class="one"')
    stands = alls.count("being worked on") + alls.count("Waits for")
    assert stands == len(held), "where each stands"
    assert "With 安" in alls
    assert "Waits for West" in alls
    with house.rig.files.store.write() as connection:
        connection.execute(update(tables.customer).values(state="closed"))
    closed = house.client(house.grant("ann", role="operations")).get("/customers").text
    assert (closed.count("at rest"), closed.count("Waits for")) == (len(held), 0), "wherever it is"


def test_long_lists_come_in_pages_and_none_is_lost_between_them(tmp_path: Path) -> None:
    many = {f"p{n:02}": Person(person_id=f"p{n:02}", name=f"人{n:02}") for n in range(60)}
    everybody = {**small_company().people, **many}
    rig = Rig(tmp_path, company=small_company(absences=(), people=everybody))
    rig.feed([post(made=f"{n}", name=f"客{n}", phone=f"139{n * 7919:08}") for n in range(120)])
    rig.run()
    house = House(rig)
    desk = Desk(rig.store, lambda: house.now_us, lambda: next(house.ids), rig.files.store_log.append)
    access = AccessPage(desk, lambda: "secret", lambda _request: "https://leads.example")
    client = TestClient(
        Starlette(
            routes=[*access.routes(), *console_routes(desk.store, desk.clock, desk.new_id, desk.append)]
        )
    )
    for page, ids, wanted in (
        ("/access", r'<article class="task" id="(\w+)"', sorted(everybody)),
        (
            "/inbox/ann",
            r'id="(task_\w+)"',
            sorted(one["task_id"] for one in rig.rows("task") if one["holder_id"] == "ann"),
        ),
    ):
        found: list[str] = []
        begin, size = 0, 0
        while shown := re.findall(ids, client.get(f"{page}?from={begin}").text):
            size = size or len(shown)
            found += shown
            begin += size
            if len(shown) < size:
                break
        assert sorted(found) == wanted, page
        assert 0 < size < len(wanted), page
        assert re.findall(ids, client.get(f"{page}?from=nonsense").text) == found[:size]
    rig.close()


def test_the_actor_is_who_the_token_belongs_to_whatever_the_body_says(house: House) -> None:
    task = tasks(house.rig)["ann"]["task_id"]
    path = f"/api/tasks/{task}/outcome"
    refused = house.client(house.grant("chen")).post(path, json={"actor": "ann", "code": "won"})
    assert refused.status_code == 403
    done = house.client(house.grant("ann")).post(path, json={"actor": "chen", "code": "won"})
    assert done.status_code == 200
    assert [row["person_id"] for row in house.rig.rows("outcome")] == ["ann"]
    assert house.rig.rows("act")[-1]["actor"] in ("ann", "operator")
    assert "chen" not in {row["actor"] for row in house.rig.rows("act")}


def test_on_this_machine_the_body_names_the_actor_as_before(house: House) -> None:
    task = tasks(house.rig)["ann"]["task_id"]
    path = f"/api/tasks/{task}/outcome"
    client = house.client(house.grant("chen"), host=HERE)
    assert client.post(path, json={"code": "won"}).json()["code"] == "actor_missing"
    assert client.post(path, json={"actor": "ann", "code": "won"}).status_code == 200
    assert [row["person_id"] for row in house.rig.rows("outcome")] == ["ann"]


@pytest.mark.parametrize("ended_by", ["time", "act", "person", "leaving"])
def test_a_token_that_is_over_opens_nothing_from_that_instant(house: House, ended_by: str) -> None:
    token = house.grant("ann", lasts_us=HOUR_US)
    client = house.client(token)
    assert client.get("/api/inbox/ann").status_code == 200
    match ended_by:
        case "time":
            house.now_us += HOUR_US
        case "act":
            with house.rig.store.read() as connection:
                access = find_access(connection, token)
            assert access is not None
            house.do(Command("end_access", "operator", "e", access.access_id), end())
        case "person":
            house.do(Command("end_access", "operator", "e", "ann"), end())
        case "leaving":
            ann = small_company().people["ann"].model_copy(update={"state": "left"})
            house.change(people={**small_company().people, "ann": ann})
    answer = client.get("/api/inbox/ann")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_invalid")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_who_moves_to_another_team_sees_the_other_queue(house: House) -> None:
    client = house.client(house.grant("chen"))
    assert client.get("/inbox/west").status_code == 200
    with house.rig.store.write() as connection:
        connection.execute(
            tables.member.update().where(tables.member.c.person_id == "chen").values(unit_id="east")
        )
        raise_version(connection)
    assert client.get("/inbox/west").status_code == 403
    assert client.get("/inbox/east").status_code == 200


@pytest.mark.parametrize(("language", "words"), [("zh", "您尚未登录"), ("en", "You are not signed in")])
def test_a_stranger_is_told_in_their_language(house: House, language: str, words: str) -> None:
    answer = house.client(language=language).get("/inbox/ann", headers=PAGE)
    assert answer.status_code == 401
    assert words in answer.text
    assert "张伟" not in answer.text
    as_json = house.client().get("/api/inbox/ann")
    assert (as_json.status_code, as_json.json()["code"]) == (401, "token_needed")


def test_a_link_lets_one_device_in_once(house: House) -> None:
    code = house.grant("ann", "link")
    phone, other = house.client(), house.client()
    for _ in range(3):  # whoever checks mail for viruses opens every address in it
        page = phone.get(f"/enter/{code}")
        assert page.status_code == 200
        assert "Open my tasks" in page.text
    assert house.rig.rows("access")[0]["used_us"] is None
    came_in = phone.post(f"/enter/{code}", headers={"origin": f"http://{AWAY}"})
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/day")
    cookie = came_in.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert "张伟" in phone.get("/inbox/ann").text
    assert phone.get(f"/enter/{code}").headers["location"] == "/day", "the same link, tapped again"
    for answer in (other.post(f"/enter/{code}"), other.get(f"/enter/{code}")):
        assert answer.status_code == 410
        assert "used already" in answer.text
    assert other.get("/inbox/ann").status_code == 401
    house.now_us += SESSION_US
    assert phone.get("/inbox/ann").status_code == 401


def test_a_link_for_one_role_leads_to_what_that_role_begins_with(house: House) -> None:
    for role, place in (("front_desk", "/desk"), ("operations", "/")):
        answer = house.client().post(
            f"/enter/{house.grant('ann', 'link', role)}", headers={"origin": f"http://{AWAY}"}
        )
        assert (answer.status_code, answer.headers["location"]) == (303, place)


def test_of_two_who_press_the_button_at_once_one_gets_in(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = house.grant("ann", "link")
    real = SignIn._look_up
    seen: list[Any] = []

    def look_up_before_the_other_acts(self: SignIn, code: str) -> Any:
        seen.append(seen[0] if seen else real(self, code))
        return seen[0]

    monkeypatch.setattr(SignIn, "_look_up", look_up_before_the_other_acts)
    first, second = (house.client().post(f"/enter/{code}") for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 410)
    assert "set-cookie" not in second.headers
    assert len([row for row in house.rig.rows("access") if row["kind"] == "session"]) == 1


def test_over_https_the_session_travels_over_nothing_else(house: House) -> None:
    house = House(house.rig, is_https=True)
    answer = house.client().post(f"/enter/{house.grant('ann', 'link')}")
    assert "Secure" in answer.headers["set-cookie"]


def test_ending_a_link_ends_the_session_it_led_to(house: House) -> None:
    code = house.grant("ann", "link")
    phone = house.client()
    phone.post(f"/enter/{code}")
    link = next(row for row in house.rig.rows("access") if row["kind"] == "link")
    house.do(Command("end_access", "operator", "e", link["access_id"]), end())
    assert phone.get("/inbox/ann").status_code == 401


def test_leaving_ends_the_session(house: House) -> None:
    phone = house.client()
    phone.post(f"/enter/{house.grant('ann', 'link')}")
    stolen = phone.cookies[COOKIE]
    origin = {"origin": f"http://{AWAY}"}
    assert "You are signed out" in phone.post("/leave", headers=origin).text
    other = house.client()
    other.cookies.set(COOKIE, stolen)
    assert other.get("/inbox/ann").status_code == 401


@pytest.mark.parametrize("why", ["ended", "expired", "left", "unknown", "token"])
def test_a_link_that_opens_nothing_says_so(house: House, why: str) -> None:
    code = house.grant("ann", "token" if why == "token" else "link", lasts_us=HOUR_US)
    match why:
        case "ended":
            house.do(Command("end_access", "operator", "e", "ann"), end())
        case "expired":
            house.now_us += HOUR_US
        case "left":
            ann = small_company().people["ann"].model_copy(update={"state": "left"})
            house.change(people={**small_company().people, "ann": ann})
        case "unknown":
            code = "nothing"
    answer = house.client().post(f"/enter/{code}")
    assert answer.status_code in (404, 410)
    assert "set-cookie" not in answer.headers
    assert [row for row in house.rig.rows("access") if row["kind"] == "session"] == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": f"http://{AWAY}"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": f"http://{AWAY}"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({}, 403),
    ],
)
def test_no_other_site_acts_with_a_session(house: House, headers: dict[str, str], status: int) -> None:
    phone = house.client()
    phone.post(f"/enter/{house.grant('ann', 'link', 'operations')}")
    answer = phone.post("/api/operate/who", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "cross_site"


def test_no_other_site_acts_through_a_browser_on_this_machine(house: House) -> None:
    here = house.client(host=HERE)
    evil = {"origin": "http://evil.example", "content-type": "text/plain"}
    assert here.post("/api/operate/who", headers=evil).status_code == 403
    assert here.post("/api/operate/who").status_code == 200


@pytest.mark.parametrize(
    "place", ["/story/a%00b", "/customers?by=%00", "/api/customers?cursor=%00", "/api/moves/a%0Ab"]
)
def test_an_address_with_a_nul_is_refused_before_a_database_sees_it(house: House, place: str) -> None:
    answer = house.client(house.grant("bo")).get(place)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")


def test_a_session_is_no_token_and_a_token_no_session(house: House) -> None:
    phone = house.client()
    phone.post(f"/enter/{house.grant('ann', 'link')}")
    assert house.client(phone.cookies[COOKIE]).get("/inbox/ann").status_code == 401
    other = house.client()
    other.cookies.set(COOKIE, house.grant("ann"))
    assert other.get("/inbox/ann").status_code == 401


def test_whoever_guesses_waits_longer_and_longer_and_locks_nobody_out(house: House) -> None:
    token = house.grant("ann")
    for number in range(20):
        house.client().get(f"/enter/guess-{number}")
        house.client(f"guess-{number}").get("/inbox/ann")
    assert len(house.waited) == 40 - Failures.FREE
    assert house.waited == sorted(house.waited)
    assert house.waited[-1] == Failures.LONGEST_S
    waits = len(house.waited)
    assert house.client(token).get("/inbox/ann").status_code == 200
    assert len(house.waited) == waits


def test_failures_are_counted_an_address_and_forgotten_after_a_minute() -> None:
    now = [0.0]
    failures = Failures(lambda: now[0])
    slow = [failures.delay_s("a") for _ in range(9)]
    assert slow[: Failures.FREE] == [0.0] * Failures.FREE
    assert slow[-1] > slow[Failures.FREE] > 0
    assert failures.delay_s("b") == 0
    now[0] = 61.0
    assert failures.delay_s("a") == 0


def test_only_digests_of_secrets_are_kept(house: House) -> None:
    code, token = house.grant("ann", "link"), house.grant("bo")
    house.client().post(f"/enter/{code}")
    dump = "\n".join(
        str(value) for name in house.rig.state() for row in house.rig.rows(name) for value in row.values()
    )
    assert [secret for secret in (code, token, "session-1") if secret in dump] == []
    assert len({row["token_hash"] for row in house.rig.rows("access")}) == 3


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, house: House) -> Database:
    if request.param == "sqlite":
        return house.rig.store
    database: Database = request.getfixturevalue("clean_postgres")
    with database.write() as connection:
        put_company(connection, small_company(), 0)
    return database


def test_a_link_is_redeemed_once_on_both_databases(store: Database) -> None:
    def do(command: Command, plan: Plan, now_us: int = 10) -> bool:
        return perform(store, command, plan, now_us, lambda *_: None)

    made = Command("grant", "operator", "1", "ann")
    assert do(made, grant("link", "code", 100))
    with store.read() as connection:
        link = find_access(connection, "code")
        assert find_access(connection, "Code") is None
    assert link is not None
    assert (link.access_id, link.role, link.state(10), link.state(110)) == (
        access_id_of(made),
        None,
        "valid",
        "expired",
    )
    assert do(redemption(link), redeem("code", "session"))
    assert not do(redemption(link), redeem("code", "again"))
    with pytest.raises(ActRefused, match="used already"):
        do(Command("enter", "ann", "other key", link.access_id), redeem("code", "third"))
    assert do(Command("end_access", "operator", "2", link.access_id), end(), 20)
    with store.read() as connection:
        rows = connection.execute(
            select(tables.access.c.kind, tables.access.c.used_us, tables.access.c.ended_us)
        ).all()
    assert sorted(rows) == [("link", 10, 20), ("session", None, 20)]
    with pytest.raises(ActRefused) as refused:
        do(Command("grant", "operator", "3", "nobody"), grant("token", "x", 100))
    assert refused.value.code == "unknown_person"
    with pytest.raises(ActRefused) as refused:
        do(Command("end_access", "operator", "4", "acc_none"), end())
    assert refused.value.code == "unknown_access"


def test_the_address_behind_a_proxy_is_the_one_that_the_proxy_added() -> None:
    from starlette.requests import Request

    from console.gate import address_of

    def request(peer: str, forwarded: str | None) -> Request:
        headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
        return Request({"type": "http", "client": (peer, 1), "headers": headers})

    assert address_of(request("127.0.0.1", "1.1.1.1, 2.2.2.2")) == "2.2.2.2"
    assert address_of(request("127.0.0.1", None)) == "127.0.0.1"
    assert address_of(request("3.3.3.3", "1.1.1.1")) == "3.3.3.3", "a stranger says what it likes"


def test_the_whole_server_asks_for_a_token_beyond_this_machine(tmp_path: Path) -> None:
    from tests.e2e.test_operate import leadflow
    from tests.support.live import Live

    live = Live(tmp_path / "data")
    live.start()
    try:
        token, told = leadflow(live.folder, "token", "new", "--person", "ann").splitlines()
        assert "90 days" in told
        link = leadflow(live.folder, "token", "link", "--person", "bo").splitlines()[0]
        assert link.startswith("http://127.0.0.1:8080/enter/")
        assert asked(live, "/api/inbox/ann", token) == 200
        assert asked(live, "/api/inbox/bo", token) == 403
        assert asked(live, "/api/operate/grant", token, "POST") == 403
        listed = leadflow(live.folder, "token", "list")
        assert token not in listed
        rows = [line.split("\t") for line in listed.splitlines()]
        assert {(row[1], row[2], row[3]) for row in rows} == {
            ("token", "own", "ann"),
            ("link", "own", "bo"),
        }
        leadflow(live.folder, "token", "end", "ann")
        assert asked(live, "/api/inbox/ann", token) == 401
        assert "Nobody who works here" in leadflow(live.folder, "token", "new", "--person", "x", code=2)
        assert "representative, manager, marketing" in leadflow(
            live.folder, "token", "new", "--person", "ann", "--role", "king", code=2
        )
        operator = leadflow(
            live.folder, "token", "new", "--person", "bo", "--role", "operations"
        ).splitlines()[0]
        assert asked(live, "/api/tally", operator) == 200
        as_operator = ("token", "new", "--person", "bo", "--role", "operations", "--scope")
        narrow, told = leadflow(live.folder, *as_operator, "tally:read").splitlines()
        assert "operations, tally:read alone" in told
        assert (asked(live, "/api/tally", narrow), asked(live, "/api/leads", narrow)) == (200, 403)
        assert "leads:read" in leadflow(live.folder, *as_operator, "leads", code=2)
        assert [line.split("\t")[6] for line in leadflow(live.folder, "token", "list").splitlines()].count(
            "tally:read"
        ) == 1
        assert asked(live, "/api/operate/nothing", operator, "POST") == 404
    finally:
        live.stop()


def asked(live: Any, path: str, token: str, method: str = "GET") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": AWAY, "Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()
