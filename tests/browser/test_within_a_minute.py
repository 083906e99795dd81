"""Five things that anybody wants to know, found by somebody who never saw it: from their first page by what can be seen and clicked alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import update

from schemas.company import Absence, Alias, Campaign, Role
from store import tables
from tests.browser.live import Live, live_server
from tests.browser.test_access import link_for
from tests.browser.test_move import company_with_managers
from tests.browser.test_pages import PHONE, send, tab

STEPS = 4
"""Clicks and entries at most: a minute has room for more, but nobody looks further."""
LANGUAGES = ("zh-CN", "en-GB")
FIRST: dict[Role, str] = {
    "representative": "/day",
    "manager": "/team",
    "marketing": "/",
    "front_desk": "/desk",
    "operations": "/",
}
OTHERS: tuple[tuple[str, Role], ...] = (("mia", "manager"), ("zoe", "marketing"), ("zoe", "operations"))
ASK = ("我想知道", "I want to know")
WHY = ("为什么", "Why?")
EVER = 4_000_000_000_000_000


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Zhang came by Baidu, Li called in vain; both are Ann's, below Mia. Bo is away and Chen stands in; Ann goes in years."""
    company = company_with_managers().model_copy(
        update={
            "absences": (
                Absence(person_id="bo", from_us=0, to_us=EVER, stand_in_id="chen"),
                Absence(person_id="ann", from_us=EVER, to_us=EVER + 86_400_000_000),
            ),
            "campaigns": {
                "baidu": Campaign(
                    campaign_id="baidu",
                    name_zh="百度推广",
                    name_en="Baidu",
                    aliases=(Alias(kind="utm", value="bd"),),
                )
            },
        }
    )
    with live_server(tmp_path, company) as running:
        send(running, name="张伟", phone="13812345678", message="要两台叉车", utm_campaign="bd")
        send(running, name="李娜", phone="13987654321", message="请回电")
        running.wait_for("task", lambda _row: len(running.rows("task")) == 2)
        lead_id = next(row["lead_id"] for row in running.rows("lead") if "李娜" in row["fields_json"])
        with running.engine.files.store.write() as connection:
            task = tables.task
            connection.execute(update(task).where(task.c.lead_id == lead_id).values(origin="call_back"))
        yield running


class Stranger:
    """Somebody in a role who reads the first page and goes on by what they see."""

    def __init__(self, page: Page, live: Live, person_id: str, role: Role, language: str) -> None:
        self.page, self.steps, self.n = page, 0, LANGUAGES.index(language)
        page.goto(link_for(live, person_id, role))
        page.get_by_role("button").first.click()
        expect(page).to_have_url(f"{live.from_elsewhere}{FIRST[role]}")

    def clicks(self, *texts: str, within: Locator | None = None) -> None:
        """Click the first link or button that is called so."""
        among, text = within or self.page.locator("body"), texts[self.n]
        among.get_by_role("link", name=text).or_(among.get_by_role("button", name=text)).first.click()
        self.steps += 1
        assert self.steps <= STEPS

    def reads(self, *texts: str) -> None:
        """Find the answer on the page."""
        expect(self.page.locator("main")).to_contain_text(texts[self.n] if len(texts) > 1 else texts[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_did_i_get_this_lead(browser: Browser, live: Live, language: str) -> None:
    said = ("轮到安", "it was 安's turn")
    with tab(browser, language, viewport=PHONE) as page:
        ann = Stranger(page, live, "ann", "representative", language)
        ann.reads(*WHY)
        ann.reads(*said)
    for person, role in OTHERS:
        with tab(browser, language) as page:
            other = Stranger(page, live, person, role, language)
            other.clicks(*ASK)
            other.clicks(
                "为什么这条线索给了某人", "Why did somebody get a lead?", within=page.locator("main")
            )
            other.clicks("张伟", "张伟")
            other.reads(*WHY)
            other.reads(*said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_not_that_one(browser: Browser, live: Live, language: str) -> None:
    question = ("为什么那条线索没给我", "Why did I not get that one")
    with tab(browser, language, viewport=PHONE) as page:
        chen = Stranger(page, live, "chen", "representative", language)
        chen.clicks(*ASK)
        chen.clicks(*question, within=page.locator("main"))
        chen.clicks("为什么没分到", "Why not?", within=page.locator("ul.rows"))
        chen.reads("陈当时不能接", "陈 could not have it")
    for person, role in (OTHERS[0], OTHERS[2]):
        with tab(browser, language) as page:
            other = Stranger(page, live, person, role, language)
            if role != "operations":  # whose first page has the questions itself
                other.clicks(*ASK)
            other.clicks(*question, within=page.locator("main"))
            other.clicks("为什么没分到", "Why not?", within=page.locator("ul.rows"))
            other.clicks("陈", "陈", within=page.locator("main"))
            other.reads("陈当时不能接", "陈 could not have it")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("role", FIRST)
def test_who_has_whose_customers_while_somebody_is_away(
    browser: Browser, live: Live, role: Role, language: str
) -> None:
    person = {"representative": "ann", "manager": "mia"}.get(role, "zoe")
    with tab(browser, language, viewport=PHONE) as page:
        stranger = Stranger(page, live, person, role, language)
        if role == "representative":
            stranger.reads("薄 → 陈")
        stranger.clicks(*ASK)
        stranger.clicks(
            "有人请假期间", "Who has whose customers while somebody is away?", within=page.locator("main")
        )
        stranger.reads("由陈代管。", "陈 stands in.")
        stranger.reads("无人代管：客户等其回来。", "Nobody stands in: their customers wait for them.")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("person", "role"),
    [("ann", "representative"), ("mia", "manager"), ("zoe", "marketing"), ("zoe", "operations")],
)
def test_what_did_a_campaign_bring(
    browser: Browser, live: Live, person: str, role: Role, language: str
) -> None:
    with tab(browser, language) as page:
        stranger = Stranger(page, live, person, role, language)
        stranger.clicks(*ASK)
        stranger.clicks("某个市场活动带来了什么", "What did a campaign bring?", within=page.locator("main"))
        row = page.get_by_role("row").filter(has_text=("百度推广", "Baidu")[stranger.n])
        counts = row.get_by_role("cell").all_text_contents()
        has_money = role != "representative"
        assert counts[has_money : has_money + 2] == ["1", "1"], "leads, and of these valid"
        stranger.clicks("1", "1", within=row)
        stranger.reads("张伟")
        expect(page.locator("main")).not_to_contain_text("李娜")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("person", "role"), [("ann", "representative"), ("mia", "manager"), ("zoe", "operations")]
)
def test_which_calls_of_today_were_missed_and_are_still_open(
    browser: Browser, live: Live, person: str, role: Role, language: str
) -> None:
    with tab(browser, language) as page:
        stranger = Stranger(page, live, person, role, language)
        stranger.clicks(*ASK)
        stranger.clicks("今天哪些来电没接到", "Which calls of today were missed", within=page.locator("main"))
        stranger.reads("李娜")
        stranger.reads("安")
        expect(page.locator("main")).not_to_contain_text("张伟")
