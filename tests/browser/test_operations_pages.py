"""Doors, alarms, backups and the audit log in a real browser."""

from __future__ import annotations

import csv
import time

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update

from store import tables
from store.breakers import Opening, put_breaker
from store.silences import fell_silent, keep_rhythm
from tests.browser.live import Live
from tests.browser.test_pages import HOSTILE, PHONE, send, tab

HOUR = 3_600_000_000
PAGES = (
    "/needs-repair",
    "/rules",
    "/rules/history",
    "/doors",
    "/doors/site",
    "/alarms",
    "/backups",
    "/audit",
)


def now_us() -> int:
    return time.time_ns() // 1_000


def test_a_door_says_how_it_is_what_came_and_what_the_other_side_needs(browser: Browser, live: Live) -> None:
    send(live, name=HOSTILE[1], phone="13812345678", message="两台叉车")
    live.wait_for("task", lambda row: row["state"] == "open")
    with live.engine.files.store.write() as connection:
        keep_rhythm(connection, "site", [1.0] * 168, "Asia/Shanghai", now_us())
        opening = Opening("open", now_us(), 30, 29, "no_known_field")
        put_breaker(connection, "parse", "site", opening)
    with tab(browser, "en") as page:
        page.goto(f"{live.url}/doors")
        expect(page.locator("article.task")).to_contain_text("168 a week")
        expect(page.locator("article.task")).to_contain_text("held")
        expect(page.locator("article.breaker")).not_to_contain_text("leadflow breaker reset")
        page.get_by_label("What was put right?").fill("field names mapped")
        page.get_by_role("button", name="Reset").click()
        expect(page.get_by_role("status")).to_contain_text("what was held is tried now")
        live.wait_for("act", lambda row: row["verb"] == "reset_breaker" and row["scope_id"] == "site")
        page.get_by_role("link", name="官网").click()
        expect(page.locator("pre")).to_contain_text('/in/web/site"')
        last = page.locator("article.task").first
        expect(last).to_contain_text("became a lead")
        assert "13812345678" not in page.content(), "the list shows numbers masked"
        last.get_by_role("link", name="Original").click()
        expect(page.locator("pre")).to_contain_text("phone=13812345678")
        assert page.evaluate("window.pwned") is None


def test_alarms_say_what_is_wrong_and_that_nobody_was_told(browser: Browser, live: Live) -> None:
    with live.engine.files.store.write() as connection:
        fell_silent(connection, "site", now_us() - 5 * HOUR, now_us(), 9)
    with tab(browser, "en") as page:
        page.goto(f"{live.url}/alarms")
        expect(page.locator("main")).to_contain_text("官网 is silent: nothing has come since")
        expect(page.locator("article.task")).to_contain_text("Nobody was told: set alarm_mail")
        page.get_by_role("link", name="Look at the door").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("silent")


@pytest.mark.timeout(60)
def test_a_backup_is_made_from_the_page_and_stands_in_the_audit_log(browser: Browser, live: Live) -> None:
    send(live, name="张伟", phone="13812345678")
    live.wait_for("task", lambda row: row["state"] == "open")
    with tab(browser, "en") as page:
        page.goto(f"{live.url}/backups")
        expect(page.locator("main")).to_contain_text("There is none yet")
        expect(page.locator("main")).not_to_contain_text("There is no backup of the last night")
        with live.engine.files.store.write() as connection:
            connection.execute(update(tables.capture).values(accepted_us=now_us() - 48 * HOUR))
        page.reload()
        expect(page.locator("main")).to_contain_text("There is no backup of the last night")
        page.get_by_role("button", name="Make one now").click()
        expect(page.locator("article.task")).to_contain_text("restored and compared", timeout=20_000)
        expect(page.locator("article.task")).to_contain_text("1 lead · Leadflow")
        expect(page.locator("#making")).to_contain_text("is made and verified")
        page.goto(f"{live.url}/audit?kind=backup")
        expect(page.locator(".log li")).to_have_count(1)
        expect(page.locator(".log li")).to_contain_text("the machine's operator made a backup")
        page.get_by_label("Did").select_option("reveal")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator("main")).to_contain_text("Nothing like that is on record")
        page.goto(f"{live.url}/audit")
        with page.expect_download() as download:
            page.get_by_role("link", name="As a file (CSV)").click()
        rows = list(csv.reader(download.value.path().read_text("utf-8-sig").splitlines()))
        assert rows[0][:3] == ["Time", "Who", "Did"]
        assert [row[2] for row in rows[1:]] == ["made a backup"]


def test_on_a_phone_nothing_runs_over_the_edge(browser: Browser, live: Live) -> None:
    send(live, wer="x" * 300, was=HOSTILE[0] * 3)
    live.wait_for("dead", lambda row: row["state"] == "open")
    with tab(browser, viewport=PHONE) as page:
        for place in PAGES:
            answer = page.goto(live.url + place)
            assert answer is not None
            assert answer.status == 200, place
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], place
