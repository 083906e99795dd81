"""A rule changed in a real browser: the overlap shows while one types, then simulate, publish, roll back; and two at one cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from schemas.company import Member, Unit
from tests.browser.live import Live, live_server
from tests.browser.test_pages import PHONE, send, tab
from tests.support.rig import small_company

BOOK = "rule,channel,province,then_team,then_respond_within\nsite,web,,east,30\nrest,,,west,60\n"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Live]:
    company = small_company(absences=(), book_csv=BOOK, book_version="b1")
    members = (*company.members, Member(unit_id="west", person_id="chen", from_us=0, share=1))
    units = {key: one.model_copy(update={"calendar_id": None}) for key, one in company.units.items()}
    units["west"] = Unit(unit_id="west", parent_id="company", kind="team", name_zh="华西", name_en="West")
    with live_server(
        tmp_path / "data", company.model_copy(update={"members": members, "units": units})
    ) as running:
        yield running


PUBLISHED = "new URLSearchParams(new FormData(document.querySelector('form[action=\"/rules/publish\"]')))"


def rule(page: Page, number: int) -> Locator:
    return page.get_by_role("article", name=f"Rule {number}", exact=True)


@pytest.mark.timeout(90)
def test_a_rule_is_changed_checked_simulated_published_and_taken_back(office: Live, browser: Browser) -> None:
    send(office, name="张伟", phone="13812345678", message="叉车")
    office.wait_for("decision", lambda row: row["rule_id"] == "site")
    with tab(browser, "en") as page:
        page.goto(f"{office.url}/rules")
        expect(page.locator("#state")).to_contain_text("Nothing is wrong with it")
        assert page.locator("#known-then_team option[value=west]").text_content() == "West"
        rule(page, 1).get_by_role("button", name="Add below").click()
        expect(rule(page, 2)).to_contain_text("write a team, a pool, or a table")
        rule(page, 2).get_by_label("goes to team").fill("west")
        rule(page, 2).get_by_label("goes to team").blur()
        expect(rule(page, 2)).not_to_contain_text("write a team, a pool, or a table")
        cell = rule(page, 2).get_by_label("province")
        cell.press_sequentially("深圳")
        expect(rule(page, 2)).to_contain_text("there is no province 深圳")
        assert "深圳" not in office.rows("book_draft")[0]["grids_json"], "only typed, not left yet"
        cell.fill("江苏")
        expect(rule(page, 2)).not_to_contain_text("there is no province")
        expect(rule(page, 2).locator(".said")).to_contain_text("If the province is 江苏")
        expect(rule(page, 1).locator(".said")).to_contain_text("channel=web, province=江苏")  # fits both
        cell.blur()
        expect(page.locator("#state")).to_contain_text("Not published: 1 change, by")
        rule(page, 2).get_by_role("button", name="Move up rule 2").click()
        rule(page, 1).get_by_label("province").fill("")
        rule(page, 1).get_by_label("channel").fill("web")
        rule(page, 1).get_by_label("channel").blur()
        expect(rule(page, 2).locator(".said")).to_contain_text("new-1")  # nothing reaches it any more
        page.get_by_role("button", name="Simulate").click()
        expect(page.locator("main")).to_contain_text("1 lead 1 would")
        expect(page.locator("main")).to_contain_text("1 would have gone to somebody else")
        page.get_by_role("link", name="Rule book").first.click()
        page.get_by_label("What is changed, and why").fill("West takes the site")
        sent = page.evaluate(f"{PUBLISHED}.toString()")
        page.get_by_role("button", name="Publish").click()
        expect(page.get_by_role("status").first).to_contain_text("version 2 is in force")
        assert office.rows("book_draft") == []
        again = page.evaluate(
            "body => fetch('/rules/publish', {method: 'POST', body: new URLSearchParams(body)}).then(one => one.url)",
            sent,
        )
        assert again.endswith("/rules?done=publish&number=2"), "sent twice is answered as once"
        send(office, name="李娜", phone="13912345678", message="托盘车")
        office.wait_for("decision", lambda row: row["rule_id"] == "new-1")
        page.get_by_role("link", name="All versions").click()
        page.locator("#v2").get_by_role("link", name="What changed").click()
        expect(page.locator("#v2")).to_contain_text("new-1")
        page.locator("#v1").get_by_text("Put in force again").click()
        page.locator("#v1").get_by_label("Why").fill("too early")
        page.get_by_role("button", name="Put version 1 in force").click()
        expect(page.get_by_role("status").first).to_contain_text("version 3 is in force")
    assert [one["csv"] for one in office.rows("book")] == [
        BOOK,
        office.rows("book")[1]["csv"],
        BOOK,
    ]
    verbs = [one["verb"] for one in sorted(office.rows("act"), key=lambda one: one["recorded_us"])]
    assert verbs[-3:] == ["publish_book", "drop_draft", "roll_back_book"]


@pytest.mark.timeout(60)
def test_two_at_one_cell_the_second_sees_the_difference(office: Live, browser: Browser) -> None:
    with tab(browser, "en") as first, tab(browser, "en", viewport=PHONE) as second:
        for page in (first, second):
            page.goto(f"{office.url}/rules")
        assert second.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        for minutes in ("45", "50"):  # twice from one page is no quarrel
            rule(first, 1).get_by_label("minutes to answer").fill(minutes)
            rule(first, 1).get_by_label("minutes to answer").blur()
            expect(rule(first, 1).locator(".said")).to_contain_text(minutes)
        rule(second, 1).get_by_label("province").fill("江苏")
        rule(second, 1).get_by_label("province").blur()
        expect(rule(second, 1).locator(".said")).to_contain_text("江苏")
        rule(second, 2).get_by_label("minutes to answer").fill("90")
        rule(second, 2).get_by_label("minutes to answer").blur()
        office.wait_for("book_draft", lambda row: '"90"' in row["grids_json"])
        rule(first, 2).get_by_label("minutes to answer").fill("75")
        rule(first, 2).get_by_label("minutes to answer").blur()
        expect(rule(first, 2).get_by_role("alert")).to_contain_text("theirs “90”, yours “75”")
        rule(first, 2).get_by_role("button", name="Save").click()
        first.wait_for_url("**/rules?*")
        expect(rule(first, 2).get_by_label("minutes to answer")).to_have_value("75")
        expect(rule(first, 1).get_by_label("province")).to_have_value("江苏")
        expect(rule(first, 1).get_by_label("minutes to answer")).to_have_value("50")
        # What was looked at is what is published.
        second.get_by_label("What is changed, and why").fill("mine")
        second.get_by_role("button", name="Publish").click()
        expect(second.get_by_role("alert")).to_contain_text("changed the draft since you looked at it")
    assert len(office.rows("book")) == 1
