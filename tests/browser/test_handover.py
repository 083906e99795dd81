"""A manager in a real browser: somebody leaves, the plan is looked at, applied, certified, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live, live_server
from tests.browser.test_move import as_manager, company_with_managers, filled, owners
from tests.browser.test_pages import PHONE, tab

CUSTOMERS = 8


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """All that comes is Ann's, below Mia."""
    with live_server(tmp_path, company_with_managers()) as running:
        yield running


def state(live: Live, person_id: str) -> str:
    """Return whether somebody works here."""
    return next(str(row["state"]) for row in live.rows("person") if row["person_id"] == person_id)


def test_a_resignation_ends_in_a_certificate_and_is_taken_back(browser: Browser, live: Live) -> None:
    filled(live, CUSTOMERS)
    with tab(browser, "en-GB") as page:
        as_manager(page, live)
        page.goto(f"{live.from_elsewhere}/handover")
        page.get_by_label("Whose customers").select_option("ann")
        page.get_by_label("they leave: everything").check()
        page.get_by_label("All else goes to").select_option("bo")
        page.get_by_label("Reason").fill("Ann leaves")
        page.get_by_role("button", name="Look at what would happen").click()
        expect(page.get_by_text(f"{CUSTOMERS} customers with {CUSTOMERS} open tasks")).to_be_visible()
        assert owners(live) == ["ann"] * CUSTOMERS, "nothing is changed by looking"
        page.get_by_role("button", name=f"Hand over {CUSTOMERS}").click()
        expect(page.get_by_role("status")).to_contain_text(f"handed over · {CUSTOMERS} customers")
        assert (owners(live), state(live, "ann")) == (["bo"] * CUSTOMERS, "left")
        page.get_by_role("button", name="Certificate").click()
        expect(page.get_by_role("heading", name="Certificate no. 1")).to_be_visible()
        expect(page.get_by_text(live.rows("certificate")[0]["digest"])).to_be_visible()
        page.emulate_media(media="print")
        expect(page.get_by_role("navigation")).to_be_hidden()
        page.emulate_media(media="screen")
        page.get_by_role("link", name="The hand-over").click()
        page.get_by_role("link", name="What would taking it back do?").click()
        expect(page.get_by_text(f"{CUSTOMERS} would go back")).to_be_visible()
        page.get_by_role("button", name="Take it back").click()
        expect(page.get_by_role("status")).to_contain_text("taken back", timeout=10_000)
    assert (owners(live), state(live, "ann")) == (["ann"] * CUSTOMERS, "active")


def test_a_stand_in_until_a_day_on_a_phone_in_chinese(browser: Browser, live: Live) -> None:
    filled(live, 3)
    with tab(browser, viewport=PHONE) as page:
        as_manager(page, live)
        page.goto(f"{live.from_elsewhere}/handover")
        page.get_by_label("谁的客户").select_option("ann")
        page.get_by_label("代管：").check()
        page.get_by_label("其余移交给").select_option("chen")
        page.get_by_label("原因", exact=True).fill("休假")
        page.get_by_role("button", name="先看结果").click()
        expect(page.get_by_role("alert")).to_contain_text("返岗日期")
        page.get_by_label("返岗日期").fill(f"{date.today().year + 2}-01-05")
        page.get_by_role("button", name="先看结果").click()
        page.get_by_role("button", name="移交 3 个").click()
        expect(page.get_by_role("status")).to_contain_text("代管中")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert owners(live) == ["chen"] * 3
    assert state(live, "ann") == "active"
