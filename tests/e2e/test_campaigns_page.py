"""The page of campaigns and its API: the table in the address, files without formulas, entering and assigning, in both languages."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from console import words
from console.campaigns import quick_choices
from sales.campaign_table import Line
from sales.campaigns import campaigns_table
from schemas.company import Campaign
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import client_of, text_of
from tests.e2e.test_marketing import CAMPAIGNS, COMPANY, NUMBERS
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, post

EVIL = Campaign(campaign_id="evil", name_zh="=cmd|'/c calc'!A1", name_en="<script>alert(1)</script>")
EN = {"accept-language": "en"}
LATER = MONDAY_10 + DAY


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, company=COMPANY.model_copy(update={"campaigns": {**CAMPAIGNS, "evil": EVIL}}))
    made.feed(
        [
            post(made="z", name="张伟", phone="13812345678", utm_campaign="bd", message="叉车"),
            post(made="w", at_us=MONDAY_10 + HOUR, name="王芳", phone="13700000003", utm_campaign="<b>xhs"),
        ]
    )
    made.run()
    yield made
    made.close()


def enter(rig: Rig, what: str, **form: Any) -> Any:
    days = {"period_from": "2026-11-01", "period_to": "2026-11-30", "by": "campaign", "actor": "ann"}
    days["key"] = f"form {next(NUMBERS)}"
    return client_of(rig, LATER).post(f"/campaigns/{what}", data={**days, **form}, headers=EN)


SPEND = {"campaign": "baidu", "from": "2026-11-01", "to": "2026-11-30", "amount": "900.5", "currency": "元"}


def test_spend_entered_twice_by_one_click_counts_once_and_is_shown(rig: Rig) -> None:
    first, second = (enter(rig, "spend", key="k", **SPEND) for _ in range(2))
    assert first.status_code == second.status_code == 303
    place = "/campaigns?from=2026-11-01&to=2026-11-30&by=campaign&done=spend"
    assert first.headers["location"] == place
    page = client_of(rig, LATER).get(place, headers=EN)
    assert "Baidu 900.50 1 1 0 0 0 0 – 900.50" in text_of(page.text)
    assert "no campaign" in text_of(page.text)
    assert "Amounts in CNY." in text_of(page.text)
    assert "百度 900.50 1 1" in text_of(client_of(rig, LATER).get(place).text)
    (row,) = rig.rows("spend")
    assert enter(rig, "unspend", spend_id=row["spend_id"], reason="slip").status_code == 303
    assert "900.50" not in text_of(client_of(rig, LATER).get(place, headers=EN).text)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"amount": "viel"}, "This is no amount"),
        ({"currency": "??"}, "This is no currency"),
        ({"from": "2026-12-01"}, "The last day lies before the first"),
        ({"from": "gestern"}, "This is no day"),
        ({"campaign": "none"}, "Choose a campaign"),
        ({"actor": "nobody"}, "choose a person who works here"),
    ],
)
def test_what_cannot_be_entered_is_told_and_what_was_typed_stays(
    rig: Rig, wrong: dict[str, str], told: str
) -> None:
    answer = enter(rig, "spend", note="一晚直播", **{**SPEND, **wrong})
    assert answer.status_code == 409
    assert told in text_of(answer.text)
    assert 'value="一晚直播"' in answer.text
    assert rig.rows("spend") == []


def test_no_other_site_can_enter_anything(rig: Rig) -> None:
    other = client_of(rig, LATER).post(
        "/campaigns/spend", data=SPEND, headers={"sec-fetch-site": "cross-site"}
    )
    assert other.status_code == 403


@pytest.fixture
def house(rig: Rig) -> House:
    assert enter(rig, "spend", **SPEND).status_code == 303
    made = House(rig)
    made.now_us = LATER
    return made


def test_representatives_see_what_a_campaign_brought_in_counts_and_no_money(house: House) -> None:
    ann = house.client(house.grant("ann", role="representative"))
    page = ann.get("/campaigns").text
    assert "campaign leads valid contacted opportunities won orders Baidu 1 1 0 0 0 0" in text_of(page)
    assert "900" not in page
    assert "<b>xhs" not in page
    assert "xhs" not in page, "what senders gave is for marketing"
    for path in ("/campaigns.csv", "/campaigns.xlsx", "/api/campaigns"):
        assert ann.get(path).status_code == 403, path
    assert ann.post("/campaigns/spend", data=SPEND).status_code == 403


def test_managers_see_the_whole_table_and_enter_nothing(house: House) -> None:
    manager = house.client(house.grant("ann", role="manager"))
    page = manager.get("/campaigns?from=2026-11-01&to=2026-11-30").text
    assert "Baidu 900.50 1 1 0 0 0 0 – 900.50" in text_of(page)
    assert manager.get("/campaigns.csv").status_code == 200
    assert '<form method="post" action="/campaigns' not in page
    assert "Unknown campaign names" not in page
    assert manager.post("/campaigns/spend", data=SPEND).status_code == 403


def test_an_auditor_sees_what_was_entered_and_is_offered_no_form(house: House) -> None:
    page = house.client(house.grant("ann", role="auditor")).get("/campaigns").text
    assert "What counts in this period: 1 entry<" in page
    assert "Unknown campaign names" in page
    assert '<form method="post" action="/campaigns' not in page


def test_a_campaign_s_count_leads_to_the_customers_it_brought_that_one_may_see(house: House) -> None:
    rows = {row["customer_id"]: row for row in house.rig.rows("holding") if row["to_us"] is None}
    (lead_id,) = [row["lead_id"] for row in house.rig.rows("lead") if row["campaign_id"] == "baidu"]
    (baidu,) = [row["customer_id"] for row in house.rig.rows("membership") if row["lead_id"] == lead_id]
    owner = rows[baidu]["holder_id"]
    assert (
        '<a href="/customers?campaign=baidu">1</a>' in house.client(house.grant(owner)).get("/campaigns").text
    )
    for who, seen in ((owner, True), (next(one for one in ("ann", "bo") if one != owner), False)):
        page = house.client(house.grant(who, role="representative")).get("/customers?campaign=baidu").text
        assert (baidu in page) == seen
        assert "Campaign" in page
    whole = (
        house.client(house.grant("ann", role="marketing")).get("/customers?campaign=baidu&by=channel").text
    )
    assert baidu in whole
    assert whole.count("<article") == 1, "the other one came by nothing known"
    assert "?campaign=baidu&amp;by=province" in whole, "what is chosen stays chosen"


def test_periods_are_a_click_away(rig: Rig) -> None:
    page = client_of(rig, LATER).get("/campaigns?by=channel", headers=EN).text
    assert (
        '<a href="?from=2026-11-01&amp;to=2026-11-24&amp;by=channel" aria-current="true">This month</a>'
        in page
    )
    for day, expected in (
        (date(2026, 1, 31), ["2026-01-01", "2025-12-01 2025-12-31", "2026-01-01", "2026-01-01"]),
        (date(2024, 3, 1), ["2024-03-01", "2024-02-01 2024-02-29", "2024-01-01", "2024-01-01"]),
        (date(2026, 12, 31), ["2026-12-01", "2026-11-01 2026-11-30", "2026-10-01", "2026-01-01"]),
    ):
        found = {code: f"{first} {last}" for code, first, last in quick_choices(day)}
        assert list(found) == list(words.PERIODS)
        wanted = [one if " " in one else f"{one} {day}" for one in expected]
        assert list(found.values()) == wanted


def test_names_on_no_list_are_assigned_and_count_backwards(rig: Rig) -> None:
    page = client_of(rig, LATER).get("/campaigns?from=2026-11-01&to=2026-11-30", headers=EN).text
    assert "&lt;b&gt;xhs" in page
    assert "<script>alert" not in page
    assert enter(rig, "alias", kind="utm", value="<b>xhs", campaign="fair").status_code == 303
    table = text_of(client_of(rig, LATER).get("/campaigns", headers=EN).text)
    assert "Fair – 1 1" in table
    assert "Unknown campaign names" not in table
    refused = enter(rig, "alias", kind="utm", value="<b>xhs", campaign="baidu")
    assert (refused.status_code, "stands with a campaign already" in refused.text) == (409, True)


def test_a_table_that_takes_long_to_count_comes_later_and_says_when_it_is_old(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, clock = Event(), [1_000.0]

    def slow(*asked: Any) -> list[Line]:
        assert go_on.wait(10)
        clock[0] += 30
        return campaigns_table(*asked)

    monkeypatch.setattr("console.campaigns.campaigns_table", slow)
    monkeypatch.setattr("console.campaigns.PATIENCE_S", 0.05)
    monkeypatch.setattr("console.recent.time", SimpleNamespace(monotonic=lambda: clock[0]))
    place, client = "/campaigns?from=2026-11-01&to=2026-11-30", client_of(rig, LATER)
    page = client.get(place, headers=EN).text
    assert "The table is being counted. It appears here by itself." in page
    assert 'hx-get="/campaigns?from=2026-11-01&amp;to=2026-11-30&amp;by=campaign"' in page
    assert '<select name="campaign"' in page, "what is entered below need not wait"
    go_on.set()
    monkeypatch.setattr("console.campaigns.PATIENCE_S", 10)
    page = client.get(place, headers=EN).text
    assert "being counted" not in page
    assert "hx-get" not in page
    assert "Baidu – 1 1 0 0" in text_of(page)
    clock[0] += 90
    assert "Counted 2 mins ago." in text_of(client.get(place, headers=EN).text)


def test_files_hold_the_same_table_and_no_formula(rig: Rig) -> None:
    assert enter(rig, "alias", kind="utm", value="<b>xhs", campaign="evil").status_code == 303
    client = client_of(rig, LATER)
    csv = client.get("/campaigns.csv?from=2026-11-01&to=2026-11-30")
    assert csv.content.startswith(b"\xef\xbb\xbf")
    assert "'=cmd" in csv.text
    assert "attachment" in csv.headers["content-disposition"]
    xlsx = client.get("/campaigns.xlsx?from=2026-11-01&to=2026-11-30").content
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(xlsx)).get_sheet_by_index(0).to_python()
    assert [row[0] for row in sheet] == ["市场活动", "百度", EVIL.name_zh, "合计"]
    assert client.get("/campaigns.csv?from=x").status_code == 400


@pytest.mark.parametrize("asked", ["from=x", "from=2026-11-30&to=2026-11-01", "to=9999999-01-01", "by=<b>"])
def test_an_address_that_makes_no_sense_shows_this_month(rig: Rig, asked: str) -> None:
    answer = client_of(rig, LATER).get(f"/campaigns?{asked}", headers=EN)
    assert answer.status_code == (200 if asked.startswith("by") else 400)
    assert 'value="2026-11-01"' in answer.text


ORDER = {"order_no": "E-1", "date": "2026-11-24", "amount": 1000, "phone": "138 1234 5678", "product": "叉车"}


def orders(rig: Rig, *given: Any, key: str = "k", **more: Any) -> Any:
    body = {"actor": "erp", "source": "erp", "orders": list(given), **more}
    return client_of(rig, LATER).post("/api/orders", json=body, headers={"idempotency-key": key})


def test_orders_come_in_by_the_api_once(rig: Rig) -> None:
    first = orders(rig, ORDER, {**ORDER, "order_no": "E-2", "phone": ""})
    assert first.status_code == 200
    assert [(one["became"], one["why_open"]) for one in first.json()["orders"]] == [
        ("new", None),
        ("new", "no_reference"),
    ]
    again = orders(rig, ORDER, {**ORDER, "order_no": "E-2", "phone": ""}).json()
    assert again == {**first.json(), "repeated": True}, (
        "under the same key it is done once, and told the same"
    )
    other = orders(rig, ORDER)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused"), "another body needs another key"
    assert len(rig.rows("sale_order")) == 2
    assert orders(rig, ORDER, key="other").json()["orders"][0]["became"] == "known"
    table = client_of(rig, LATER).get("/api/campaigns?from=2026-11-01&to=2026-11-30").json()
    assert table["total"]["amount"] == {"CNY": 100_000}
    page = client_of(rig, LATER).get("/campaigns", headers=EN).text
    assert "E-2" in page
    assert "it names nobody" in page
    (zhang,) = {row["customer_id"] for row in rig.rows("membership") if row["lead_id"] in _leads(rig, "张伟")}
    assert enter(rig, "order", order_no="E-2", source="erp", customer=zhang).status_code == 303
    assert enter(rig, "order", order_no="E-9", source="erp", customer=zhang).status_code == 409


def _leads(rig: Rig, name: str) -> set[str]:
    return {row["lead_id"] for row in rig.rows("lead") if name in row["fields_json"]}


def test_whose_an_order_is_is_found_by_name_or_number_and_chosen(rig: Rig) -> None:
    orders(rig, {**ORDER, "order_no": "E-2", "phone": ""}, {**ORDER, "order_no": "E-3", "phone": ""})
    order = {"order_no": "E-2", "source": "erp"}
    zhang = next(one["customer_id"] for one in rig.rows("customer"))
    for typed in ("张伟", "zhangwei", "5678", "138 1234 5678"):
        asked = enter(rig, "order", customer=typed, **order)
        assert asked.status_code == 200
        assert f'name="customer" value="{zhang}"' in asked.text, typed
        assert asked.text.count('id="whose"') == 1, "under the order that was asked about"
        assert f'value="{typed}"' in asked.text
    assert all(row["lead_id"] is None for row in rig.rows("sale_order")), "nothing is assigned unasked"
    for typed, told in (
        ("", "This says too little"),
        ("5", "This says too little"),
        ("李四光", "Nobody is known by this"),
        ("<script>alert(1)</script>", "Nobody is known by this"),
    ):
        asked = enter(rig, "order", customer=typed, **order)
        assert (asked.status_code, told in asked.text, "<script>alert" in asked.text) == (200, True, False)
    assert enter(rig, "order", customer=zhang, **order).status_code == 303
    assert {row["order_no"]: row["matched_by"] for row in rig.rows("sale_order") if row["to_us"] is None} == {
        "E-2": "hand",
        "E-3": None,
    }
    assert enter(rig, "order", order_no="E-3", source="erp", customer="cus_none").status_code == 409
    verbs = {row["verb"] for row in rig.rows("act")}
    assert verbs == {"take_orders", "assign_order"}, "who sees all asks no question that is written down"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"orders": []}, 422),
        ({"orders": "x"}, 422),
        ({"orders": [[]]}, 422),
        ({"orders": [{**ORDER, "amount": "-1"}]}, 422),
        ({"orders": [{**ORDER, "owner": "ann"}]}, 422),
        ({"orders": [{**ORDER, "phone": {"a": 1}}]}, 422),
        ({"orders": [ORDER] * 501}, 422),
        ({"source": ""}, 422),
        ({"source": "hand"}, 422),
        ({"actor": None, "source": 5}, 422),
    ],
)
def test_orders_that_make_no_sense_are_refused_whole(rig: Rig, body: dict[str, Any], status: int) -> None:
    answer = client_of(rig, LATER).post(
        "/api/orders", json={"actor": "erp", "source": "erp", "orders": [ORDER], **body}
    )
    assert answer.status_code == status
    assert answer.json()["code"] in {"bad_body", "bad_order"}
    assert rig.rows("sale_order") == []


def test_a_stage_is_set_by_the_api_and_stands_with_the_customer(rig: Rig) -> None:
    (zhang,) = {row["customer_id"] for row in rig.rows("membership") if row["lead_id"] in _leads(rig, "张伟")}
    client = client_of(rig, LATER)
    said = {"actor": "ann", "stage": "lost", "lost": "price", "reason": "too dear"}
    assert client.post(f"/api/customers/{zhang}/stage", json={**said, "stage": "x"}).status_code == 422
    assert client.post(f"/api/customers/{zhang}/stage", json={**said, "until_us": "x"}).status_code == 422
    assert client.post(f"/api/customers/{zhang}/stage", json=said).status_code == 200
    shown = text_of(client.get("/customers", headers=EN).text)
    assert "forklift: Lost since" in shown
    story = client.get(f"/story/{_leads(rig, '张伟').pop()}").text
    assert "叉车：丢单（自" in story


def test_won_with_its_order_from_the_inbox(rig: Rig) -> None:
    task = next(row for row in rig.rows("task") if row["lead_id"] in _leads(rig, "张伟"))
    form = {"actor": task["holder_id"], "code": "won", "amount": "5,000", "product": "叉车"}
    address = f"/inbox/{task['holder_id']}/{task['task_id']}/outcome"
    client = client_of(rig, LATER)
    refused = client.post(address, data=form, headers=EN)
    assert (refused.status_code, "needs the number of its order" in refused.text) == (409, True)
    assert 'value="5,000"' in refused.text, "what was typed stays"
    assert client.post(address, data={**form, "order_no": "S-1"}).status_code == 303
    (row,) = rig.rows("sale_order")
    assert (row["source"], row["amount_minor"], row["line"], row["lead_id"]) == (
        "hand",
        500_000,
        "forklift",
        task["lead_id"],
    )


SPENT = {"campaign": "baidu", "from": "2026-11-01", "to": "2026-11-30", "amount": 900.5, "actor": "erp"}


def spends(rig: Rig, key: str = "k", **more: Any) -> Any:
    return client_of(rig, LATER).post("/api/spend", json={**SPENT, **more}, headers={"idempotency-key": key})


def test_what_a_campaign_cost_is_entered_by_the_api_once_listed_and_taken_back(rig: Rig) -> None:
    first = spends(rig).json()
    assert spends(rig).json() == {**first, "repeated": True}
    other = spends(rig, amount=1)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    second = spends(rig, "b", amount="1,000", note="more").json()
    third = spends(rig, "c", campaign="展会", **{"from": "2026-12", "to": None}).json()
    client = client_of(rig, LATER)
    place = "/api/spend?from=2026-11-01&to=2026-12-31"
    assert [one["spend_id"] for one in client.get(place).json()["entries"]] == [
        third["spend_id"],
        first["spend_id"],
        second["spend_id"],
    ]
    seen, cursor = list[dict[str, Any]](), ""
    while True:
        page = client.get(f"{place}&limit=1&cursor={cursor}").json()
        seen += page["entries"]
        if (cursor := page["next"]) is None:
            break
    assert [(one["amount_minor"], one["from_day"], one["note"]) for one in seen] == [
        (90_050, "2026-12-01", None),
        (90_050, "2026-11-01", None),
        (100_000, "2026-11-01", "more"),
    ]
    table = client.get("/api/campaigns?from=2026-11-01&to=2026-11-30").json()
    assert table["total"]["spend"] == {"CNY": 190_050}
    ended = client.post(f"/api/spend/{second['spend_id']}/end", json={"actor": "erp"})
    assert ended.status_code == 200
    late = client.post(f"/api/spend/{second['spend_id']}/end", json={"actor": "erp"})
    assert (late.status_code, late.json()["code"]) == (409, "unknown_spend")
    assert len(client.get(place).json()["entries"]) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"campaign": "nobody"}, "campaign"),
        ({"amount": "much"}, "amount"),
        ({"amount": 1e300}, "amount"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-10-01"}, "to"),
        ({"day": "2026-10-01"}, "day"),
    ],
)
def test_spend_that_makes_no_sense_is_refused(rig: Rig, body: dict[str, Any], field: str) -> None:
    answer = spends(rig, **body)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert rig.rows("spend") == []
