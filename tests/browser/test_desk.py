"""The front desk in a browser: find a customer, enter a new one and see who looks after them; a call opens its screen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from schemas.company import Person
from tests.browser.live import Live, live_server
from tests.browser.test_access import link_for
from tests.browser.test_pages import PHONE, send, tab
from tests.support.rig import small_company

COUNTER = {
    "source_id": "front-desk",
    "channel": "counter",
    "format": "counter.visit",
    "name": "展厅前台",
    "language": "zh",
    "zone": "Asia/Shanghai",
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Live]:
    """A company with a front desk and somebody at it."""
    company = small_company(absences=())
    company.units["east"] = company.units["east"].model_copy(update={"calendar_id": None})
    company.sources["front-desk"] = COUNTER
    company.people["dora"] = Person(person_id="dora", name="窦", roles=("front_desk",), desk_code="07")
    with live_server(tmp_path, company) as running:
        yield running


WORDS = {
    "zh-CN": ("查找", "登记", "姓名", "电话", "负责人", "老客户", "登记新客户"),
    "en-GB": (
        "Find",
        "Add",
        "Name",
        "Telephone",
        "Looked after by",
        "Existing customer",
        "Enter somebody new",
    ),
}


@pytest.mark.parametrize("language", WORDS)
def test_find_then_enter_somebody_who_is_known(browser: Browser, shop: Live, language: str) -> None:
    find, enter, name, phone, told, known, _new = WORDS[language]
    send(shop, name="王芳", phone="138 1234 5678", message="要两台叉车")
    shop.wait_for("holding", lambda row: row["holder_kind"] == "person")
    with tab(browser, language, viewport=PHONE) as page:
        page.goto(link_for(shop, "dora"))
        page.get_by_role("button").first.click()
        page.goto(f"{shop.from_elsewhere}/")
        expect(page).to_have_url(f"{shop.from_elsewhere}/desk")
        page.locator("#asked").fill("wf 5678")
        page.get_by_role("button", name=find, exact=True).click()
        expect(page.locator("#found")).to_contain_text("王••")
        expect(page.locator("#found")).to_contain_text(told)
        expect(page.locator("main")).not_to_contain_text("王芳")
        page.get_by_label(name, exact=True).fill("王芳")
        page.get_by_label(phone, exact=True).fill("13812345678")
        page.get_by_role("button", name=enter, exact=True).click()
        expect(page.locator("#answer")).to_contain_text(known, timeout=30_000)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], "nothing to push sideways on a phone"
    (visit,) = [row for row in shop.rows("lead") if row["channel"] == "counter"]
    assert '"taken_by":"07"' in visit["more_json"].replace(" ", "")
    assert {row["actor"] for row in shop.rows("act") if row["verb"] == "ask_taken"} == {"dora"}
    assert len(shop.rows("customer")) == 1


def test_who_goes_back_and_enters_somebody_else_enters_two(browser: Browser, shop: Live) -> None:
    with tab(browser, "en-GB") as page:
        page.goto(link_for(shop, "dora"))
        page.get_by_role("button").first.click()
        page.goto(f"{shop.from_elsewhere}/desk")
        for name, phone in (("Anna", "13812345671"), ("Bert", "13912345672")):
            page.get_by_label("Name", exact=True).fill(name)
            page.get_by_label("Telephone", exact=True).fill(phone)
            page.get_by_role("button", name="Add", exact=True).dblclick()
            expect(page.locator("#answer h2")).to_be_visible(timeout=30_000)
            page.go_back()
    visits = [row for row in shop.rows("lead") if row["channel"] == "counter"]
    assert len(visits) == 2, "each once, though each was sent twice"


@pytest.mark.parametrize("language", WORDS)
def test_a_call_opens_its_screen(browser: Browser, shop: Live, language: str) -> None:
    new = WORDS[language][-1]
    send(shop, name="王芳", phone="138 1234 5678", message="要两台叉车")
    task = shop.wait_for("task", lambda row: row["holder_kind"] == "person")
    with tab(browser, language) as page:
        page.goto(link_for(shop, task["holder_id"]))
        page.get_by_role("button").first.click()
        page.goto(f"{shop.from_elsewhere}/pop?phone=%2B8613812345678")
        expect(page.get_by_role("heading", name="王芳")).to_be_visible()
        expect(page.locator(".screen")).to_contain_text("要两台叉车")
        page.goto(f"{shop.from_elsewhere}/pop?phone=13711112222")
        page.get_by_role("button", name=new).or_(page.get_by_role("link", name=new)).click()
        expect(page.locator("input[name=phone]")).to_have_value("13711112222")
    assert not [row for row in shop.rows("act") if row["verb"] == "ask_taken" and row["scope_id"] != "nobody"]
