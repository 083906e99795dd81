"""Finding a customer on the page of customers and by the API: whom one sees and nobody else, page by page, and no number by guessing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from console import customers
from enrich.acts_merge import merge_with
from schemas.company import Company, Member, Person
from store import find, tables, whose
from store.acts import Command
from store.database import Database
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.support.rig import MINUTE, MONDAY_10, Rig, post, small_company

EVIL = "<script>alert(1)</script>"


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Ann of East, which Bo manages, has 王芳; Chen of West has 吴凡, who came from Beijing; Mia does marketing."""
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    rig = Rig(tmp_path, store=store, company=two_teams())
    rig.feed(
        [
            post(
                made="1",
                name="王芳",
                phone="13812345678",
                company="北京大恒信息技术有限公司",
                email="wang.fang@daheng-it.cn",
                region="江苏",
            ),
            post(made="2", name="吴凡", phone="13987655678", email="wu@fan-it.cn", region="北京"),
        ]
    )
    rig.run()
    made = House(rig, now_us=MONDAY_10 + MINUTE)
    yield made
    rig.files.doors.close()
    if store is None:
        rig.files.store.close()


def two_teams() -> Company:
    company = small_company(
        absences=(),
        members=(
            Member(unit_id="east", person_id="ann", from_us=0, share=1),
            Member(unit_id="west", person_id="chen", from_us=0, share=1),
        ),
        book_csv="rule,province,then_team,then_respond_within\nnorth,北京,west,30\neverything,,east,30\n",
        book_version="b",
    )
    east = company.units["east"].model_copy(update={"calendar_id": None})
    company.units["east"] = east.model_copy(update={"manager_id": "bo"})
    company.units["west"] = east.model_copy(update={"unit_id": "west", "name_en": "West", "name_zh": "华西"})
    company.people["mia"] = Person(person_id="mia", name="米", roles=("marketing",))
    company.people["olga"] = Person(person_id="olga", name="欧", roles=("operations",))
    company.people["udo"] = Person(person_id="udo", name="尤", roles=("auditor",))
    return company


def asked(client: TestClient, what: str, **more: str) -> str:
    answer = client.get(f"/customers?{urlencode({'q': what, **more})}")
    assert answer.status_code == 200
    return answer.text


def names(html: str) -> list[str]:
    """Return who is listed, in order."""
    return re.findall(r'<h2><a href="/customer/\w+"><bdi>([^<]*)</bdi>', html)


def found(client: TestClient, what: str) -> list[str]:
    return names(asked(client, what))


def client(house: House, person: str, language: str = "en") -> TestClient:
    return house.client(house.grant(person), language)


def ids(house: House) -> dict[str, str]:
    """Return whose each customer is."""
    rows = house.rig.rows("holding")
    return {row["holder_id"]: row["customer_id"] for row in rows if row["to_us"] is None}


WAYS = [
    "王芳",
    "wf",
    "wangfang",
    "大恒",
    "daheng",
    "13812345678",
    "138 1234 5678",
    "5678",
    "王芳 5678",
    "王芳\u30005678",
]


@pytest.mark.parametrize("what", [*WAYS, "wang.fang@daheng-it.cn", " Wang.Fang@Daheng-IT.cn "])
def test_each_way_finds_ones_own_and_nobody_of_another_team(house: House, what: str) -> None:
    assert set(ids(house)) == {"ann", "chen"}
    assert found(client(house, "ann"), what) == ["王芳"]
    assert found(client(house, "bo"), what) == ["王芳"], "who manages Ann"
    chen = asked(client(house, "chen"), what)
    assert "王芳" not in re.sub(r'value="[^"]*"', "", chen)
    assert names(chen) == (["吴凡"] if what in ("wf", "5678") else [])
    assert {row["verb"] for row in house.rig.rows("act")} == {"grant"}, "nobody was asked about"


def test_nobody_of_mine_leads_to_the_desk_and_tells_nothing_of_others(house: House) -> None:
    chen = client(house, "chen")
    one, nobody = (asked(chen, what).replace(what, "") for what in ("13812345678", "13812345679"))
    assert one == nobody, "a customer of others and nobody at all look the same"
    assert "None of the customers you see fits" in nobody
    assert 'href="/desk"' in nobody
    assert "says too little" in asked(chen, "78")
    assert "您能看到的客户中没有符合的" in asked(client(house, "chen", "zh"), "13812345678")


@pytest.mark.parametrize("person", ["mia", "udo", "olga"])
def test_whoever_reads_numbers_masked_finds_by_name_and_not_by_number(house: House, person: str) -> None:
    who = client(house, person)
    assert found(who, "wf") == ["吴凡", "王芳"]
    assert found(who, "大恒") == found(who, "wang.fang@daheng-it.cn") == ["王芳"]
    for number in (
        "5678",
        "345678",
        "13812345678",
        "+86 138 1234 5678",
        "王芳 5678",
        "王芳 0001",
        "大恒1381",
    ):
        told = asked(who, number)
        assert names(told) == []
        assert "numbers are masked for you" in told
        assert who.get("/api/customers", params={"q": number}).json()["code"] == "numbers_masked"
    assert ('href="/desk"' in asked(who, "5678").partition("<main")[2]) == (person == "olga")


def test_words_apart_by_what_a_chinese_keyboard_types_are_two(house: House) -> None:
    ann = client(house, "ann")
    for between in (" ", "\u3000", "\t", "\u00a0"):
        assert found(ann, f"王芳{between}9999") == []


def test_an_order_is_found_by_its_number_by_whom_its_customer_is(house: House) -> None:
    orders = [{"order_no": "HC-2026/17", "date": "2026-11-24", "amount": 1000, "phone": "138 1234 5678"}]
    mia = client(house, "mia")
    sent = mia.post("/api/orders", json={"source": "erp", "orders": orders}, headers={"idempotency-key": "k"})
    assert sent.status_code == 200
    assert found(client(house, "ann"), "HC-2026/17") == found(mia, " HC-2026/17") == ["王芳"]
    assert found(client(house, "chen"), "HC-2026/17") == []
    assert found(client(house, "ann"), "HC-2026/1") == []


def test_joined_moved_and_erased_count_at_once(house: House) -> None:
    one, other_one = (ids(house)[who] for who in ("ann", "chen"))
    merge = Command("merge", "operator", "m", one, "one")
    house.do(merge, merge_with(other_one))
    (alias,) = house.rig.rows("alias")
    holder, other = ("ann", "chen") if alias["now_id"] == one else ("chen", "ann")
    for what in ("王芳", "吴凡", "5678"):
        (name,) = found(client(house, holder), what)  # under all its enquiries
        assert found(client(house, other), what) == [name], "who had the other side goes on beside"


def test_what_somebody_types_is_text_on_the_page_and_in_its_links(house: House) -> None:
    evil = f'王芳 "><img src=x onerror=1>{EVIL}'
    for what in (EVIL, evil, "' OR 1=1 --", "王芳\x7f\r\n", "%", "x" * 300, "{{ 7*7 }}"):
        told = asked(
            client(house, "ann"), what, by="city", segment="x", value=EVIL, before=evil, after="';--"
        )
        assert "<img" not in told
        assert "<script>alert" not in told
        assert "49" not in re.findall(r'id="q"[^>]*', told)[0]


def test_the_api_finds_the_same_in_the_same_scope(house: House) -> None:
    ann, chen = client(house, "ann"), client(house, "chen")
    for what in WAYS:
        told = ann.get("/api/customers", params={"q": what}).json()
        assert [one["customer_id"] for one in told["customers"]] == [ids(house)["ann"]]
        assert told["next"] is None
    assert chen.get("/api/customers", params={"q": "王芳"}).json()["customers"] == []
    assert ann.get("/api/customers", params={"q": "wf", "holder": "chen"}).json()["customers"] == []
    refused = ann.get("/api/customers", params={"q": "78"})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
        422,
        "says_too_little",
        "q",
    )
    assert len(ann.get("/api/customers", params={"q": " "}).json()["customers"]) == 1, "nothing is looked for"


def test_ones_own_are_found_by_a_word_that_fits_many_of_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.rig.feed(
        post(at_us=MONDAY_10 + MINUTE + n, made=f"m{n}", name="王芳", phone=f"1360000{n:04d}", region="北京")
        for n in range(6)
    )
    house.rig.run()
    monkeypatch.setattr(find, "WIDE", 5)
    assert found(client(house, "ann"), "wf") == ["王芳"], "by her few customers"
    assert found(client(house, "ann"), "wf 5678") == ["王芳"]
    assert "enquiries fit" in asked(client(house, "chen"), "wf"), "he has as many himself"
    assert found(client(house, "chen"), "wf 13600000003") == ["王芳"]
    assert "enquiries fit" in asked(client(house, "mia"), "wf")
    assert client(house, "mia").get("/api/customers?q=wf").json()["code"] == "fits_too_many"


@pytest.mark.parametrize("wide", [5, 3_000], ids=["by few of one's own", "by the word"])
def test_who_works_on_a_customer_beside_its_owner_finds_it_as_long_as_they_do(
    house: House, monkeypatch: pytest.MonkeyPatch, wide: int
) -> None:
    house.rig.feed(
        post(at_us=MONDAY_10 + MINUTE + n, made=f"m{n}", name="王芳", phone=f"1360000{n:04d}", region="江苏")
        for n in range(6)
    )
    house.rig.run()
    monkeypatch.setattr(find, "WIDE", wide)
    holding = tables.holding
    rows = house.rig.rows("holding")
    (theirs,) = (one for one in rows if (one["holder_id"], one["to_us"]) == ("chen", None))
    beside = {**theirs, "role": "collaborator", "holder_id": "bo", "decision_id": None}
    bo, ann = client(house, "bo"), client(house, "ann")
    assert found(bo, "wu 5678") == []
    with house.rig.store.write() as connection:
        connection.execute(holding.insert().values(beside))
    for what in ("wu 5678", "wufan", "13987655678", "wu@fan-it.cn"):
        assert found(bo, what) == ["吴凡"], what
        assert found(ann, what) == [], "whom Bo manages does not work on it"
        told = bo.get("/api/customers", params={"q": what}).json()["customers"]
        assert [one["customer_id"] for one in told] == [theirs["customer_id"]]
    assert len(bo.get("/api/customers", params={"q": "wu 5678", "holder": "chen"}).json()["customers"]) == 1
    assert bo.get("/api/customers", params={"q": "wu 5678", "holder": "ann"}).json()["customers"] == []
    assert bo.get(f"/customer/{theirs['customer_id']}").status_code == 200
    assert "吴凡" not in bo.get("/move?q=wufan").text, "it is not Bo's to give away"
    with house.rig.store.write() as connection:
        connection.execute(holding.update().where(holding.c.role == "collaborator").values(to_us=MONDAY_10))
    assert found(bo, "wu 5678") == []
    assert bo.get(f"/customer/{theirs['customer_id']}").status_code == 403


def pages(client: TestClient, address: str, turn: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each page's address and who is listed there, following a link by its text."""
    while address:
        html = client.get(address).text
        yield address, names(html)
        link = re.search(rf'<a href="(\?[^"]*)"[^>]*>{turn}</a>', html)
        address = f"/customers{unescape(link[1])}" if link else ""


@pytest.mark.parametrize("many", [1, 50_000], ids=["of many", "of few"])
@pytest.mark.parametrize("what", ["", "liu"])
def test_all_are_on_some_page_once_though_new_ones_come(
    house: House, monkeypatch: pytest.MonkeyPatch, what: str, many: int
) -> None:
    monkeypatch.setattr(whose, "_MANY", many)
    monkeypatch.setattr(customers, "SHOWN", 2)
    monkeypatch.setattr(customers, "LOOKED_AT", 3)
    feed(house, range(7))
    ann, before = client(house, "ann"), [*MANY[6::-1], *([] if what else ["王芳"])]
    address = f"/customers?{urlencode({'q': what} if what else {})}"
    down: list[str] = []
    up: list[str] = []
    for n, (here, shown) in enumerate(pages(ann, address, "Older")):
        assert len(shown) <= 2
        down += shown
        address = here
        feed(house, [7 + n])
    assert down == before, "each once, whoever comes meanwhile"
    for _, shown in pages(ann, address, "Newer"):
        up = [*shown, *up]
    assert up[-len(before) :] == before
    assert list(dict.fromkeys(up)) == [*MANY[7 + n :: -1], *before[7:]], (
        "with those who came meanwhile on top"
    )


def test_a_page_says_what_it_counted_and_goes_on_where_nobody_fits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(customers, "LOOKED_AT", 3)
    feed(house, range(4))
    ann = client(house, "ann")
    first = ann.get("/customers?by=channel").text
    assert "Customers counted here: 3, who came from 2026-11-23 to 2026-11-23." in text_of(first)
    assert "<h1>Customers</h1>" in first, "no count of all, which nobody counted"
    nobody = ann.get("/customers?by=city&value=nowhere").text
    assert names(nobody) == []
    (older,) = set(re.findall(r'<a href="(\?[^"]*before=[^"]*)"', nobody))
    assert "Look among older ones" in nobody
    assert "value=nowhere" in older
    mine = {row["customer_id"] for row in house.rig.rows("customer")}
    beyond = ann.get(f"/customers?before={min(mine)}").text
    assert "No customers here." in beyond
    assert "Newest" in beyond
    assert names(ann.get(f"/customers?after={max(mine)}").text) == names(ann.get("/customers").text)


MANY = [f"刘{one}" for one in "安波晨东飞刚海佳凯磊明宁"]


def feed(house: House, numbers: Iterable[int]) -> None:
    """Have some of `MANY` come in, each a second after the one before, all of Ann's."""
    house.rig.feed(
        post(
            at_us=MONDAY_10 + MINUTE + n * 1_000_000,
            made=f"n{n}",
            name=MANY[n],
            phone=f"1350000{n:04d}",
            region="江苏",
        )
        for n in numbers
    )
    house.rig.run()
