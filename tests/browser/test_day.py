"""A representative's day on a phone: what comes arrives by itself, is worked with a thumb, and leave takes two taps."""

from __future__ import annotations

from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Route, expect
from sqlalchemy import update

from store import tables
from tests.browser.live import Live
from tests.browser.test_access import link_for
from tests.browser.test_pages import PHONE, send, tab


def only(live: Live, person_id: str) -> None:
    """Have everybody else away, so that what comes goes to one person."""
    from schemas.company import Member
    from store.company import load_company, put_company, raise_version

    with live.engine.files.store.write() as connection:
        company = load_company(connection, 1)
        members = tuple(
            Member(
                unit_id=one.unit_id, person_id=one.person_id, from_us=0, share=int(one.person_id == person_id)
            )
            for one in company.members
        )
        put_company(connection, company.model_copy(update={"members": members}), 0)
        raise_version(connection)


def test_a_lead_arrives_is_tried_tried_again_and_won(browser: Browser, live: Live) -> None:
    only(live, "ann")
    with tab(browser, "en-GB", viewport=PHONE) as page:
        page.goto(link_for(live, "ann"))
        page.get_by_role("button", name="Open my tasks").click()
        expect(page).to_have_url(f"{live.from_elsewhere}/day")
        expect(page.get_by_text("Nothing to do")).to_be_visible()
        send(live, name="张伟", phone="138 1234 5678", message="要两台叉车")
        expect(page.get_by_role("heading", name="New 1")).to_be_visible(timeout=30_000)
        expect(page.get_by_role("button", name="138 1234 5678")).to_have_attribute(
            "href", "tel:+8613812345678"
        )
        page.get_by_role("button", name="No answer").click()
        expect(page.get_by_role("status")).to_contain_text("Outcome recorded")
        first, second = sorted(live.rows("task"), key=lambda row: row["created_us"])
        assert (first["state"], second["state"]) == ("done", "open")
        assert second["due_us"] > first["ended_us"], "the ladder set the next attempt"
        page.get_by_text("Record the outcome").click()
        page.get_by_label("Outcome").select_option("won")
        page.get_by_label("Note").fill("signed on the phone")
        send(live, name="李雷", phone="139 1234 5678")
        expect(page.get_by_role("button", name="Something changed. Show it")).to_be_visible(timeout=30_000)
        expect(page.get_by_label("Note")).to_have_value("signed on the phone")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="New 1")).to_be_visible()
        expect(page.get_by_text("李雷")).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], "nothing to push sideways on a phone"
    assert {row["code"] for row in live.rows("outcome")} == {"no_answer", "won"}
    assert {row["person_id"] for row in live.rows("outcome")} == {"ann"}


LEAVE = {
    "zh-CN": ("我要请假", "代管", "我的一天", "取消这次请假"),
    "en-GB": ("I am away", "stands in", "My day", "Cancel this leave"),
}


@pytest.mark.parametrize("language", LEAVE)
def test_own_leave_with_a_stand_in_takes_two_taps(browser: Browser, live: Live, language: str) -> None:
    away, told, title, cancel = LEAVE[language]
    with tab(browser, language, viewport=PHONE, java_script_enabled=False) as page:
        page.goto(link_for(live, "ann"))
        page.get_by_role("button").first.click()
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        page.get_by_text(away).click()
        page.locator("select[name=stand_in]").select_option("bo")
        page.locator("form[action='/day/away'] button[value=tomorrow]").click()
        expect(page.get_by_role("status")).to_contain_text(told)
        (absence,) = live.rows("absence")
        assert (absence["person_id"], absence["stand_in_id"]) == ("ann", "bo")
        assert absence["to_us"] - absence["from_us"] == 24 * 3_600_000_000
        page.get_by_role("button", name=cancel).click()
        expect(page.get_by_role("button", name=cancel)).to_have_count(0)
        assert live.rows("absence") == []


def test_later_by_thumb_and_a_second_tab_that_is_stale(browser: Browser, live: Live) -> None:
    only(live, "ann")
    send(live, name="张伟", phone="138 1234 5678")
    live.wait_for("task", lambda row: row["holder_id"] == "ann")
    with tab(browser, "en-GB", viewport=PHONE, java_script_enabled=False) as page:
        page.goto(link_for(live, "ann"))
        page.get_by_role("button", name="Open my tasks").click()
        stale = page.context.new_page()
        stale.goto(f"{live.from_elsewhere}/day")
        page.locator("summary", has_text="Later").click()
        page.get_by_role("button", name="in 3 days").click()
        expect(page.get_by_role("heading", name="Next 1")).to_be_visible()
        stale.get_by_role("button", name="No answer").click()
        expect(stale.get_by_role("alert")).to_contain_text("ended already")
    assert [row["code"] for row in live.rows("outcome")] == ["later"]


def test_what_comes_before_the_page_listens_or_between_two_streams_is_shown(
    browser: Browser, live: Live
) -> None:
    only(live, "ann")

    def late(route: Route) -> None:
        send(live, name="张伟", phone="138 1234 5678")
        live.wait_for("task", lambda row: row["holder_id"] == "ann")
        route.continue_()

    with tab(browser, "en-GB", viewport=PHONE) as page:
        page.goto(link_for(live, "ann"))
        page.route("**/day/news?*", late, times=1)
        page.get_by_role("button", name="Open my tasks").click()
        expect(page.get_by_role("heading", name="New 1")).to_be_visible(timeout=30_000)
        path = page.locator("#day").get_attribute("data-news") or ""
        cookies = {one["name"]: one["value"] for one in page.context.cookies()}
    url, host = f"{live.url}{path}", live.from_elsewhere.removeprefix("http://")
    signed = {"host": host, "cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    before, again = _first_news(url, signed)
    assert before == "event: changed", "the page was made before the lead came"
    assert _first_news(url, signed | {"last-event-id": again}) == (":", "")


def test_inbox_and_missed_calls_show_what_comes_and_keep_what_is_typed(browser: Browser, live: Live) -> None:
    only(live, "ann")
    send(live, name="张伟", phone="138 1234 5678")
    live.wait_for("task", lambda row: row["holder_id"] == "ann")
    with tab(browser, "zh-CN", viewport=PHONE) as page:
        page.goto(link_for(live, "ann"))
        page.get_by_role("button").first.click()
        calls = page.context.new_page()
        calls.goto(f"{live.from_elsewhere}/calls")
        expect(calls.get_by_text("没有待回的未接来电")).to_be_visible()
        page.goto(f"{live.from_elsewhere}/inbox/ann")
        page.get_by_text("记录跟进结果").click()
        page.get_by_label("备注").fill("写到一半")
        send(live, name="李雷", phone="139 1234 5678")
        second = live.wait_for("task", lambda row: len(live.rows("task")) == 2)
        assert second["holder_id"] == "ann"
        bar = page.get_by_role("button", name="有新变化")
        expect(bar).to_be_visible(timeout=30_000)
        expect(page.get_by_label("备注")).to_have_value("写到一半")
        bar.click()
        expect(page.get_by_role("heading", name="李雷")).to_be_visible()
        expect(page.get_by_label("备注").first).to_have_value("写到一半")
        expect(bar).to_be_hidden()
        with live.engine.files.store.write() as connection:
            task = tables.task
            connection.execute(
                update(task).where(task.c.task_id == second["task_id"]).values(origin="call_back")
            )
        expect(calls.locator("#calls li")).to_have_count(1, timeout=30_000)
    assert live.rows("outcome") == []


def _first_news(url: str, headers: dict[str, str]) -> tuple[str, str]:
    """Return what a stream says first, and which id it gives it."""
    with urlopen(Request(url, headers=headers), timeout=30) as answer:
        lines = (line.decode().strip() for line in answer)
        assert next(lines) == "retry: 2000"
        assert next(lines) == ""
        first = next(lines)
        return (next(lines), first.removeprefix("id: ")) if first.startswith("id: ") else (first, "")


def test_a_message_s_link_opens_its_task_first_and_keeps_it_there(browser: Browser, live: Live) -> None:
    only(live, "ann")
    send(live, name="张伟", phone="138 1234 5678")
    live.wait_for("task", lambda row: row["holder_id"] == "ann")
    send(live, name="李雷", phone="139 1234 5678")
    lead = live.wait_for("lead", lambda row: "李雷" in row["fields_json"])["lead_id"]
    task = live.wait_for("task", lambda row: row["lead_id"] == lead)["task_id"]
    with tab(browser, "en-GB", viewport=PHONE) as page:
        page.goto(f"{link_for(live, 'ann')}?task={task}")
        page.get_by_role("button", name="Open my tasks").click()
        expect(page).to_have_url(f"{live.from_elsewhere}/day?task={task}")
        expect(page.get_by_role("heading", name="From the message you opened 1")).to_be_visible()
        expect(page.locator("article.task").first).to_have_id(task)
        expect(page.get_by_role("heading", name="New 1")).to_be_visible()
        send(live, name="韩梅", phone="137 1234 5678")
        expect(page.get_by_role("heading", name="New 2")).to_be_visible(timeout=30_000)
        expect(page.locator("article.task").first).to_have_id(task)
        page.locator("article.task").first.get_by_role("button", name="Interested").click()
        expect(page.get_by_role("status")).to_contain_text("Outcome recorded")
        page.goto(f"{live.from_elsewhere}/day?task={task}")
        expect(page.get_by_text("What the message was about is done")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_who_stands_in_works_on_the_tasks_of_who_is_away(browser: Browser, live: Live) -> None:
    only(live, "ann")
    send(live, name="张伟", phone="138 1234 5678", message="要两台叉车")
    live.wait_for("task", lambda row: (row["holder_id"], row["state"]) == ("ann", "open"))
    with tab(browser, "zh-CN", viewport=PHONE) as page:
        page.goto(link_for(live, "ann"))
        page.get_by_role("button").first.click()
        page.get_by_text("我要请假").click()
        page.locator("select[name=stand_in]").select_option("bo")
        page.locator("form[action='/day/away'] button[value=today]").click()
        expect(page.get_by_role("status")).to_contain_text("代管")
    with tab(browser, "zh-CN", viewport=PHONE) as page:
        page.goto(link_for(live, "bo"))
        page.get_by_role("button").first.click()
        mine = page.get_by_role("region", name="代 安 跟进")
        expect(mine.get_by_text("张伟")).to_be_visible()
        expect(mine.get_by_text("退回团队")).to_have_count(0)
        mine.get_by_role("link", name="所有渠道").click()
        expect(page.get_by_text("要两台叉车")).to_be_visible()
        page.go_back()
        mine.get_by_role("button", name="无人接听").click()
        expect(page.get_by_role("status")).to_contain_text("跟进结果已记录。")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert [row["person_id"] for row in live.rows("outcome")] == ["bo"]
