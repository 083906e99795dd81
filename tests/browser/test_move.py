"""A manager in a real browser: fifty customers chosen, looked at, moved with a reason, and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from schemas.company import Company, Member, Person, Unit
from tests.browser.live import Live, live_server
from tests.browser.test_access import link_for
from tests.browser.test_pages import PHONE, send, tab
from tests.support.rig import small_company

MANY = 60


def company_with_managers() -> Company:
    """East with its three people and Mia above them; West with Wei, below Zoe. Nobody is away."""
    base = small_company(absences=())
    people = {
        **base.people,
        **{
            key: Person(person_id=key, name=name)
            for key, name in (("mia", "米"), ("wei", "魏"), ("zoe", "邹"))
        },
    }
    units = {
        **base.units,
        "east": base.units["east"].model_copy(update={"manager_id": "mia", "calendar_id": None}),
        "west": Unit(
            unit_id="west", parent_id="company", kind="team", name_zh="西部", name_en="West", manager_id="zoe"
        ),
    }
    members = (
        *(one.model_copy(update={"share": int(one.person_id == "ann")}) for one in base.members),
        Member(unit_id="west", person_id="wei", from_us=0, share=1),
    )
    return small_company(people=people, units=units, members=members, absences=())


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """All that comes is Ann's, below Mia."""
    with live_server(tmp_path, company_with_managers()) as running:
        yield running


def owners(live: Live) -> list[str]:
    """Return who has each customer now, sorted."""
    return sorted(
        row["holder_id"]
        for row in live.rows("holding")
        if row["to_us"] is None and row["role"] == "owner" and row["holder_kind"] == "person"
    )


def filled(live: Live, many: int) -> None:
    """Have so many customers come in."""
    for number in range(many):
        send(live, name=f"客户{number}", phone=f"139{number:08}", message="要两台叉车")
    live.wait_for("holding", lambda _row: len(owners(live)) == many)


def as_manager(page: Page, live: Live) -> None:
    """Come in as Mia."""
    page.goto(link_for(live, "mia"))
    page.get_by_role("button").first.click()


def test_a_manager_moves_fifty_with_a_reason_and_takes_it_back(browser: Browser, live: Live) -> None:
    filled(live, MANY)
    with tab(browser, "en-GB") as page:
        as_manager(page, live)
        page.goto(f"{live.from_elsewhere}/move?holder=ann")
        expect(page.get_by_text(f"{MANY} match.")).to_be_visible()
        page.get_by_label("all 50 on this page").check()
        page.get_by_label("To whom").select_option("bo")
        page.get_by_label("Reason").fill("Ann has too many")
        page.get_by_role("button", name="Look at what would happen").click()
        expect(page.get_by_text("50 customers with 50 open tasks would move.")).to_be_visible()
        assert owners(live) == ["ann"] * MANY, "nothing is changed by looking"
        page.get_by_role("button", name="Move 50").click()
        expect(page.get_by_role("status")).to_contain_text("50 moved")
        expect(page.get_by_text("安 → 薄")).to_have_count(50)
        assert owners(live) == ["ann"] * (MANY - 50) + ["bo"] * 50
        page.get_by_role("button", name="Take it back").click()
        expect(page.get_by_role("heading", name="Taken back")).to_be_visible()
        expect(page.get_by_role("status")).to_contain_text("50 went back")
    assert owners(live) == ["ann"] * MANY
    moved = [row for row in live.rows("act") if row["verb"] in ("move", "undo")]
    assert sorted((row["verb"], row["actor"]) for row in moved) == [("move", "mia"), ("undo", "mia")]


def test_all_that_match_wants_their_number_and_what_is_sent_twice_happens_once(
    browser: Browser, live: Live
) -> None:
    filled(live, MANY)
    with tab(browser, viewport=PHONE) as page:
        as_manager(page, live)
        page.goto(f"{live.from_elsewhere}/move?state=open")
        page.get_by_label(f"符合条件的全部 {MANY} 个").check()
        page.get_by_label("改派给").select_option("east")
        page.get_by_label("原因").fill("重新分配")
        page.get_by_role("button", name="先看结果").click()
        expect(page.get_by_role("alert")).to_contain_text("请输入符合条件的数量")
        page.get_by_label("选择全部时").fill(str(MANY))
        page.get_by_label("改派给").select_option("bo")
        page.get_by_role("button", name="先看结果").click()
        expect(page.get_by_role("button", name=f"改派 {MANY} 个")).to_be_visible()
        form = page.locator("form[action='/move/apply']")
        fields = form.evaluate("form => Object.fromEntries(new FormData(form))")
        page.get_by_role("button", name=f"改派 {MANY} 个").click()
        expect(page.get_by_role("status")).to_contain_text(f"已改派 {MANY} 个")
        again = page.evaluate(
            "async fields => (await fetch('/move/apply', {method: 'POST', body: new URLSearchParams(fields)})).url",
            fields,
        )
        assert again == page.url, "sent twice, it happens once and shows the same"
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert owners(live) == ["bo"] * MANY
    assert len([row for row in live.rows("act") if row["verb"] == "move"]) == 1
