"""In a browser, somebody tries to be more than they are: by typing addresses, by changing a form, by posting from their page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from console.menu import menu
from console.permits import PERMITS
from schemas.company import Role
from tests.browser.live import Live
from tests.browser.test_access import link_for
from tests.browser.test_pages import PHONE, send, tab

EVERY_PLACE = [place for group in menu(lambda _place: True) for place, _ in group.links]


def sign_in(page: Page, live: Live, person_id: str, role: Role) -> None:
    page.goto(link_for(live, person_id, role))
    page.locator("main button[type=submit]").first.click()


def asked(page: Page, path: str, **form: str) -> int:
    """Return what a script on the page is answered, with the session of whoever is signed in; 0 for being led elsewhere."""
    script = """async ([path, form]) => {
        const sent = form === null ? {} : {method: "POST", body: new URLSearchParams(form)};
        return (await fetch(path, {...sent, redirect: "manual"})).status;
    }"""
    return int(page.evaluate(script, [path, form or None]))


@pytest.mark.parametrize("role", ["front_desk", "representative", "marketing", "auditor"])
def test_a_typed_address_opens_only_what_is_ones_own(browser: Browser, live: Live, role: Role) -> None:
    with tab(browser, viewport=PHONE) as page:
        sign_in(page, live, "ann", role)
        answered = {place: asked(page, place) for place in EVERY_PLACE}
        mine = {place for place in EVERY_PLACE if role in PERMITS[f"GET {place}"].roles}
        assert {place for place, status in answered.items() if status == 403} == set(EVERY_PLACE) - mine - {
            "/"
        }
        page.goto(f"{live.from_elsewhere}/backups")
        if "/backups" not in mine:
            expect(page.locator("h1")).to_be_visible()
            assert "restore" not in page.content()


def test_a_changed_form_does_nothing_for_a_colleague(browser: Browser, live: Live) -> None:
    """Ann changes the address of her own form to a task of Bo's, and then says that she is Bo."""
    for number in range(6):
        send(live, name=f"客户{number}", phone=f"138 1234 000{number}")
    theirs = live.wait_for("task", lambda row: (row["holder_id"], row["state"]) == ("bo", "open"))
    mine = live.wait_for("task", lambda row: (row["holder_id"], row["state"]) == ("ann", "open"))
    with tab(browser, viewport=PHONE) as page:
        sign_in(page, live, "ann", "representative")
        page.goto(f"{live.from_elsewhere}/inbox/ann")
        form = page.locator(f"form[action*='{mine['task_id']}'][action$='outcome']").first
        form.evaluate(f"(one) => {{ one.action = '/inbox/bo/{theirs['task_id']}/outcome' }}")
        page.locator(f"form[action*='{theirs['task_id']}'] button[value=interested]").click()
        expect(page.locator("h1")).to_be_visible()
        assert (
            asked(page, f"/inbox/ann/{theirs['task_id']}/outcome", actor="bo", code="interested", key="1")
            == 403
        )
        for path in ("/move/apply", "/rules/publish", "/access/ann/roles", "/api/operate/set_roles"):
            assert asked(page, path, to="ann", roles="operations") == 403, path
    assert live.rows("outcome") == []
    assert {row["holder_id"] for row in live.rows("task") if row["task_id"] == theirs["task_id"]} == {"bo"}
