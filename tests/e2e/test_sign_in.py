"""Signing in: the first link, a password, a second factor; who guesses, and what a stranger's page or address cannot do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pyotp
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from console.accounts import account_routes
from console.app import console_routes
from console.desk import Desk
from console.gate import COOKIE, Failures, Gate, Guard
from console.passwords import weakness
from console.tries import NAME_TRIES, PAIR_TRIES, Tries
from console.whence import came_for
from leadflow.set_up import set_up_link
from schemas.company import Person
from store.access import grant
from store.acts import Command, perform
from store.company import load_company, put_company
from tests.e2e.test_access import AWAY, HERE, PAGE, House, _is_local
from tests.support.rig import DAY, MINUTE, MONDAY_10, Rig, post, small_company

GOOD, OTHER = "four stacked pallets hum", "eleven quiet cranes wait"
OWN = {"origin": f"http://{AWAY}"}
KEY = bytes(range(32))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    company = small_company()
    people = {
        **company.people,
        "ann": company.people["ann"].model_copy(
            update={"email": "Ann@haichuan.example", "phone": "15400000007"}
        ),
        "ops": Person(person_id="ops", name="运维", roles=("operations",)),
    }
    rig = Rig(tmp_path, company=company.model_copy(update={"people": people}))
    rig.feed([post(made="1", name="张伟", phone="138 1234 5678", message="打我电话 13812345678")])
    rig.run()
    made = House(rig)
    guard = Guard(
        Desk(rig.store, lambda: made.now_us, lambda: next(made.ids), rig.files.store_log.append),
        _is_local,
        Failures(),
        made._sleep(),
    )
    secrets = (f"secret-{n}" for n in range(10_000))
    routes = [
        *console_routes(rig.store, lambda: made.now_us, lambda: next(made.ids), rig.files.store_log.append),
        *account_routes(guard, lambda: next(secrets), KEY, f"http://{AWAY}"),
    ]
    doors = ("/enter/", "/sign-in")
    made.app = Starlette(routes=routes, middleware=[Middleware(Gate, guard=guard, doors=doors)])
    yield made
    rig.close()


def invite(house: House, person: str) -> str:
    secret = f"invitation-{person}-{next(house.ids)}"
    house.do(Command("grant", "operator", next(house.ids), person), grant("invitation", secret, DAY))
    return f"/enter/{secret}"


def account(house: House, person: str, password: str = GOOD) -> TestClient:
    """Let a person choose a password; return their browser, signed in."""
    client = house.client()
    answer = client.post(invite(house, person), data={"password": password}, headers=OWN)
    assert answer.status_code == 303, answer.text
    return client


def people_of(house: House) -> dict[str, Person]:
    with house.rig.store.read() as connection:
        return load_company(connection, 1).people


def load_person(house: House, person_id: str) -> Person:
    return people_of(house)[person_id]


def sign_in(house: House, name: str, password: str = GOOD, **more: str) -> tuple[TestClient, int, str]:
    client = house.client()
    answer = client.post("/sign-in", data={"name": name, "password": password, **more}, headers=OWN)
    return client, answer.status_code, answer.headers.get("location") or answer.text


def test_an_invitation_leads_to_a_password_once(house: House) -> None:
    link, phone = invite(house, "ann"), house.client()
    assert "New password" in phone.get(link).text
    for weak, told in (("short", "too short"), ("password1234", "easily guessed"), ("x" * 201, "too long")):
        answer = phone.post(link, data={"password": weak}, headers=OWN)
        assert answer.status_code == 422
        assert told in answer.text
    came_in = phone.post(link, data={"password": GOOD}, headers=OWN)
    assert (came_in.status_code, came_in.headers["location"]) == (303, "/day")
    assert phone.get("/inbox/ann").status_code == 200
    assert house.client().post(link, data={"password": OTHER}, headers=OWN).status_code == 410
    (row,) = house.rig.rows("account")
    assert row["password_hash"].startswith("$argon2id$")


@pytest.mark.parametrize("name", ["ann", "ANN", "ann@haichuan.example", "154 0000 0007", "+86 15400000007"])
def test_people_sign_in_by_code_mail_or_mobile(house: House, name: str) -> None:
    account(house, "ann")
    client, status, place = sign_in(house, name)
    assert (status, place) == (303, "/day")
    assert client.get("/inbox/ann").status_code == 200
    assert ("sign_in", "ann") in {(act["verb"], act["actor"]) for act in house.rig.rows("act")}


@pytest.mark.parametrize(
    ("name", "password"), [("ann", OTHER), ("bo", GOOD), ("nobody", GOOD), ("", ""), ("ann", "\ud800x")]
)
def test_wrong_names_and_wrong_passwords_are_told_alike(house: House, name: str, password: str) -> None:
    account(house, "ann")
    client, status, text = sign_in(house, name, password.encode("utf-8", "replace").decode())
    assert status == 401
    assert "Name or password is not right" in text
    assert COOKIE not in client.cookies


def test_who_guesses_is_stopped_and_a_link_still_lets_its_person_in(house: House) -> None:
    account(house, "ann")
    for _ in range(PAIR_TRIES):
        assert sign_in(house, "ann", "wrong password it is")[1] == 401
    client, status, text = sign_in(house, "ann")
    assert (status, COOKIE in client.cookies) == (429, False)
    assert "quarter of an hour" in text
    link = house.grant("ann", "link")
    assert house.client().post(f"/enter/{link}", headers=OWN).status_code == 303


def test_a_number_written_in_other_ways_has_no_more_tries(house: House) -> None:
    account(house, "ann")
    for number in range(PAIR_TRIES):
        assert sign_in(house, f"{number} 15400000007", "wrong password it is")[1] == 401
    assert sign_in(house, "ann")[1] == 429


def test_codes_at_a_link_run_out_of_tries_too(house: House) -> None:
    secret = set_up_factor(house, account(house, "ann"))
    house.now_us += MINUTE
    link, phone = house.grant("ann", "link"), house.client()
    for _ in range(PAIR_TRIES):
        assert phone.post(f"/enter/{link}", data={"code": "000000"}, headers=OWN).status_code == 401
    right = phone.post(f"/enter/{link}", data={"code": codes(secret, house)}, headers=OWN)
    assert right.status_code == 429


def test_a_token_changes_nobody_s_account(house: House) -> None:
    account(house, "ann")
    program = house.client(house.grant("ann", role="auditor"))
    assert program.post("/me/begin", headers=OWN).status_code == 409
    data = {"password": GOOD, "new": OTHER}
    assert program.post("/me/password", data=data, headers=OWN).status_code == 409


def test_links_of_a_lost_phone_end_with_a_new_password(house: House) -> None:
    account(house, "ann")
    link = house.grant("ann", "link")
    account(house, "ann", OTHER)
    assert house.client().post(f"/enter/{link}", headers=OWN).status_code == 410


def test_an_invitation_on_a_numbered_host_is_shown_whole(house: House) -> None:
    boss = account(house, "ops")
    page = boss.post("/access/chen/invite", headers=OWN).text
    assert f"http://{AWAY}/enter/" in page
    assert "•" not in page


def test_a_second_role_takes_nothing_from_one_s_own_day(house: House) -> None:
    owner = house.rig.rows("task")[0]["holder_id"]
    person = load_person(house, owner).model_copy(update={"roles": ("representative", "operations")})
    house.change(people={**people_of(house), owner: person})
    page = account(house, owner).get("/day").text
    assert 'href="tel:+8613812345678"' in page


def test_tries_are_counted_by_name_and_address_and_by_name() -> None:
    now = [0.0]
    tries = Tries(lambda: now[0])
    assert all(tries.may_try("ann", "1.1.1.1") for _ in range(PAIR_TRIES))
    assert not tries.may_try("ann", "1.1.1.1")
    assert tries.may_try("ann", "2.2.2.2")
    assert tries.may_try("bo", "1.1.1.1")
    now[0] += 3_600 + 1
    assert tries.may_try("ann", "1.1.1.1")
    tries.right("ann", "1.1.1.1")
    assert all(tries.may_try("ann", f"10.0.0.{number}") for number in range(NAME_TRIES))
    assert not tries.may_try("ann", "3.3.3.3")
    tries.uncount("ann", "10.0.0.1")
    assert tries.may_try("ann", "3.3.3.3")


def test_many_tries_at_once_are_no_more_than_one_after_the_other() -> None:
    tries = Tries()
    with ThreadPoolExecutor(16) as pool:
        let = list(pool.map(lambda _: tries.may_try("ann", "1.1.1.1"), range(200)))
    assert sum(let) == PAIR_TRIES


def test_signing_in_gives_a_new_session_and_ends_the_one_before(house: House) -> None:
    client = account(house, "ann")
    planted = client.cookies[COOKIE]
    answer = client.post("/sign-in", data={"name": "ann", "password": GOOD}, headers=OWN)
    assert answer.status_code == 303
    assert client.cookies[COOKIE] != planted
    other = house.client()
    other.cookies.set(COOKIE, planted)
    assert other.get("/inbox/ann").status_code == 401


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ("/story/lead_1?x=1", "/story/lead_1?x=1"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/inbox\r\nSet-Cookie: a=b", "/"),
        ("\t//evil.example", "/"),
        ("/a\\..\\evil", "/"),
        ("/sign-in?next=/sign-in", "/"),
        ("//[", "/"),
        ("/enter/x", "/"),
        ("", "/"),
    ],
)
def test_signing_in_leads_on_within_this_site_only(house: House, asked: str, place: str) -> None:
    assert came_for(asked) == place
    account(house, "ann")
    _, status, went = sign_in(house, "ann", next=asked)
    assert (status, went) == (303, "/day" if place == "/" else place)
    form = house.client().get(f"/sign-in?next={quote(asked)}").text
    assert "evil" not in form


def test_no_other_site_signs_somebody_in(house: House) -> None:
    account(house, "ann")
    evil = {"origin": "http://evil.example"}
    answer = house.client().post("/sign-in", data={"name": "ann", "password": GOOD}, headers=evil)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_whoever_is_not_in_gets_the_form_and_comes_back_to_where_they_wanted(house: House) -> None:
    account(house, "ann")
    answer = house.client().get("/story/lead_1?x=1", headers=PAGE)
    assert answer.status_code == 401
    assert 'name="next" value="/story/lead_1?x=1"' in answer.text
    from_a_group = house.client().get("/day?task=task_1", headers=PAGE)
    assert 'name="next" value="/day?task=task_1"' in from_a_group.text


def test_at_this_machine_all_is_open_until_somebody_signs_in(house: House) -> None:
    browser = {"sec-fetch-site": "none", **PAGE}
    here = house.client(host=HERE)
    assert here.get("/", headers=browser).status_code == 200
    account(house, "ann")
    assert here.get("/", headers=browser).status_code == 401
    assert here.get("/api/tally").status_code == 200, "the command line still reaches its host"
    assert here.get("/api/tally", headers={"sec-fetch-site": "same-origin"}).status_code == 401


def codes(secret: str, house: House, later: int = 0) -> str:
    return str(pyotp.TOTP(secret).at(house.now_us // 1_000_000 + 30 * later))


def set_up_factor(house: House, client: TestClient) -> str:
    page = client.post("/me/begin", headers=OWN).text
    secret = str(re.findall(r"<code>([A-Z2-7]{32})</code>", page)[0])
    factor = re.findall(r'name="factor" value="([^"]+)"', page)[0]
    wrong = client.post(
        "/me/factor", data={"factor": factor, "code": "000000", "password": GOOD}, headers=OWN
    )
    assert wrong.status_code == 409
    assert secret in wrong.text, "a mistyped code does not mean to scan again"
    bare = client.post("/me/factor", data={"factor": factor, "code": codes(secret, house)}, headers=OWN)
    assert bare.status_code == 409, "a phone left on a table is not enough"
    right = {"factor": factor, "code": codes(secret, house), "password": GOOD}
    done = client.post("/me/factor", data=right, headers=OWN)
    assert done.status_code == 303, done.text
    return secret


def test_a_second_factor_is_asked_for_and_no_code_works_twice(house: House) -> None:
    client = account(house, "ann")
    secret = set_up_factor(house, client)
    (row,) = house.rig.rows("account")
    assert secret.encode() not in bytes(row["second_factor"])
    assert "Now also enter the code" in sign_in(house, "ann")[2]
    assert sign_in(house, "ann", code="123456")[1] == 401
    assert sign_in(house, "ann", code=codes(secret, house))[1] == 401, "it was shown when it was set up"
    house.now_us += MINUTE
    code = codes(secret, house)
    assert sign_in(house, "ann", code=f" {code[:3]} {code[3:]} ")[1] == 303
    assert "used already" in sign_in(house, "ann", code=code)[2]
    assert sign_in(house, "ann", "wrong password it is", code=codes(secret, house, 1))[1] == 401
    house.now_us += MINUTE
    answer = client.post("/me/no-factor", data={"password": GOOD, "code": codes(secret, house)}, headers=OWN)
    assert answer.status_code == 303
    assert sign_in(house, "ann")[1] == 303


def test_a_link_does_not_go_round_the_second_factor(house: House) -> None:
    secret = set_up_factor(house, account(house, "ann"))
    house.now_us += MINUTE
    link, phone = house.grant("ann", "link"), house.client()
    assert "Code from your app" in phone.get(f"/enter/{link}").text
    assert phone.post(f"/enter/{link}", headers=OWN).status_code == 401
    assert phone.post(f"/enter/{link}", data={"code": "000000"}, headers=OWN).status_code == 401
    done = phone.post(f"/enter/{link}", data={"code": codes(secret, house)}, headers=OWN)
    assert done.status_code == 303


def test_a_lost_phone_is_mended_by_an_invitation(house: House) -> None:
    lost = account(house, "ann")
    set_up_factor(house, lost)
    account(house, "ann", OTHER)
    assert lost.get("/inbox/ann").status_code == 401
    assert sign_in(house, "ann", OTHER)[1] == 303, "without a code: the second factor went with the phone"
    assert sign_in(house, "ann", GOOD)[1] == 401


def test_another_password_ends_the_other_devices(house: House) -> None:
    here = account(house, "ann")
    elsewhere, *_ = sign_in(house, "ann")
    data = {"password": "not the present one", "new": OTHER}
    assert here.post("/me/password", data=data, headers=OWN).status_code == 409
    assert (
        "easily guessed"
        in here.post("/me/password", data={"password": GOOD, "new": "annannannann"}, headers=OWN).text
    )
    assert here.post("/me/password", data={"password": GOOD, "new": OTHER}, headers=OWN).status_code == 303
    assert here.get("/me").status_code == 200
    assert elsewhere.get("/me").status_code == 401
    assert sign_in(house, "ann", OTHER)[1] == 303


def test_devices_are_listed_and_ended_and_only_one_s_own(house: House) -> None:
    here, theirs = account(house, "ann"), account(house, "chen")
    wecom = {"user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) wxwork/4.1 MicroMessenger/7.0"}
    other = house.client()
    other.post("/sign-in", data={"name": "ann", "password": GOOD}, headers={**OWN, **wecom})
    page = here.get("/me").text
    assert "WeCom, iPhone" in page
    rows = house.rig.rows("access")
    chens = next(row for row in rows if (row["kind"], row["person_id"]) == ("session", "chen"))
    assert here.post("/me/end", data={"id": chens["access_id"]}, headers=OWN).status_code == 409
    assert theirs.get("/me").status_code == 200
    (ended,) = set(re.findall(r'name="id" value="(\w+)"', page))
    assert here.post("/me/end", data={"id": ended}, headers=OWN).status_code == 303
    assert other.get("/me").status_code == 401


def test_operations_invites_changes_roles_at_once_and_shows_everybody_out(house: House) -> None:
    boss, ann = account(house, "ops"), account(house, "ann")
    assert ann.get("/access").status_code == 403
    page = boss.post("/access/chen/invite", headers=OWN).text
    link = re.findall(rf"http://{AWAY}(/enter/[\w-]+)", page)[0]
    assert house.client().post(link, data={"password": OTHER}, headers=OWN).status_code == 303
    assert ann.get("/needs-repair").status_code == 403
    done = boss.post("/access/ann/roles", data={"role": ["auditor", "king"]}, headers=OWN)
    assert done.status_code == 303
    assert ann.get("/needs-repair").status_code == 200
    assert ann.post("/access/ann/roles", data={"role": "operations"}, headers=OWN).status_code == 403
    assert boss.post("/access/ops/roles", data={"role": "auditor"}, headers=OWN).status_code == 409
    assert boss.post("/access/ann/end", headers=OWN).status_code == 303
    assert ann.get("/needs-repair").status_code == 401
    verbs = [(row["verb"], row["actor"]) for row in house.rig.rows("act")]
    assert ("set_roles", "ops") in verbs
    assert ("end_access", "ops") in verbs


def test_numbers_are_masked_until_they_are_asked_for_and_that_is_on_record(house: House) -> None:
    boss = account(house, "ops")
    (lead,) = house.rig.rows("lead")
    story = f"/story/{lead['lead_id']}"
    page = boss.get(story).text
    assert "1234" not in re.sub(r"\w+_\w+|[0-9a-f]{32,}", "", page)
    assert "tel:" not in page
    for path in (f"/inbox/{house.rig.rows('task')[0]['holder_id']}", "/", "/customers"):
        assert "1234 5678" not in boss.get(path).text
        assert "12345678" not in boss.get(path).text
    reveal = story.replace("story", "reveal")
    assert boss.post(reveal, headers=OWN).headers["location"].endswith("refused=why_missing")
    assert boss.post(reveal, data={"reason": "she asked us to call back"}, headers=OWN).status_code == 303
    assert "138 1234 5678" in boss.get(story).text
    (act,) = (act for act in house.rig.rows("act") if act["verb"] == "reveal")
    assert (act["actor"], act["reason"]) == ("ops", "she asked us to call back")
    house.now_us += 15 * MINUTE
    assert "138 1234 5678" not in boss.get(story).text
    owner = house.rig.rows("task")[0]["holder_id"]
    assert "138 1234 5678" in account(house, owner).get(story).text, "whoever is to call them sees the number"


def test_json_is_masked_and_stays_json(house: House) -> None:
    holder = house.rig.rows("task")[0]["holder_id"]
    masked = house.client(house.grant("ops", role="operations")).get(f"/api/inbox/{holder}")
    (task,) = masked.json()["tasks"]
    assert task["due_us"] == house.rig.rows("task")[0]["due_us"]
    assert "12345678" not in masked.text
    assert "1234 5678" not in masked.text


def test_the_first_link_is_made_once_and_not_for_a_demo(house: House) -> None:
    store, append = house.rig.store, house.rig.files.store_log.append
    made = set_up_link(store, MONDAY_10, lambda: "first", append, "http://x.example")
    assert made == ("ops", "http://x.example/enter/first")
    assert set_up_link(store, MONDAY_10, lambda: "second", append, "http://x.example") is None
    account_made = house.client()
    house.now_us = MONDAY_10 + MINUTE
    assert account_made.post("/enter/first", data={"password": GOOD}, headers=OWN).status_code == 303


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("ninechars", "too_short"),
        ("1234567890", "too_easy"),
        ("qwertyuiop", "too_easy"),
        ("haichuanhaichuan", "too_easy"),
        ("叉车叉车叉车叉车叉车叉车", "too_easy"),
        ("仓库窗边有三只蓝色水壶", None),
        (GOOD, None),
        ("x" * 300, "too_long"),
    ],
)
def test_weak_passwords_are_refused(password: str, why: str | None) -> None:
    assert weakness(password, ["haichuan"]) == why


@pytest.fixture
def on_postgres(clean_postgres: object) -> object:
    return clean_postgres


def test_accounts_work_on_postgresql(on_postgres: object) -> None:
    from store.access import find_access
    from store.accounts import accept, acceptance, find_account, sign_in
    from store.company import put_company

    store = on_postgres
    with store.write() as connection:  # type: ignore[attr-defined]
        put_company(connection, small_company(), 0)

    def do(command: Command, plan: object, now_us: int = 10) -> bool:
        return perform(store, command, plan, now_us, lambda *_: None)  # type: ignore[arg-type]

    assert do(Command("grant", "operator", "1", "ann"), grant("invitation", "code", 100))
    with store.read() as connection:  # type: ignore[attr-defined]
        link = find_access(connection, "code")
    assert link is not None
    assert do(acceptance(link), accept("code", "hash", "session", "Firefox"))
    assert not do(acceptance(link), accept("code", "other", "another", "Firefox"))
    assert do(Command("sign_in", "ann", "2", "ann"), sign_in("third", "Firefox", None))
    with store.read() as connection:  # type: ignore[attr-defined]
        found = find_account(connection, "ann")
        third = find_access(connection, "third")
    assert found is not None
    assert found.password_hash == "hash"
    assert third is not None
    assert third.state(11) == "valid"


def test_each_chooses_how_they_are_told_and_a_robot_only_who_has_one(house: House) -> None:
    client = account(house, "ann")
    assert "my own robot" not in client.get("/me").text
    kept = client.post("/me/notices", data={"mail": "yes", "robot": "yes"}, headers=OWN)
    assert kept.status_code == 303, kept.text
    with house.rig.store.write() as connection:
        company = load_company(connection, 1)
        sink = {"sink_id": "anns", "kind": "wecom", "name": "a", "secret": "k", "person": "ann"}
        put_company(connection, company.model_copy(update={"sinks": {"anns": sink}}), house.now_us)
    page = client.get("/me").text
    assert re.search(r'name="robot" value="yes" checked> A message of my own robot', page)
    chosen = {"mail": "yes", "quiet_from": "22:00", "quiet_to": "07:30"}
    assert client.post("/me/notices", data=chosen, headers=OWN).status_code == 303
    (row,) = house.rig.rows("notice")
    assert (row["mail"], row["robot"]) == (True, False)
    assert (row["quiet_from"], row["quiet_to"]) == (22 * 60, 7 * 60 + 30)
