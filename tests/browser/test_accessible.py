"""Every page by axe-core (WCAG 2.2 A and AA), on a phone in Chinese and on a desktop in English; none is wider than its screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from console.permits import PERMITS
from tests.browser.live import Live
from tests.browser.test_pages import PHONE, send, tab

DESKTOP = {"width": 1280, "height": 900}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
STRANGERS = ("/f/site", "/thanks/site", "/sign-in", "/enter/nothing", "/story/nothing-of-that-name")
_NO_PAGE = ("/api/", "/desk/answer", "/healthz", "/readyz", "/metrics")


def pages_of(live: Live) -> Iterator[str]:
    """Return the address of each page there is, of something where it is about something; lists that none brought are left out."""
    task = live.wait_for("task", lambda row: row["state"] == "open")
    known = {
        "holder_id": task["holder_id"],
        "any_id": task["lead_id"],
        "customer_id": task["customer_id"],
        "source_id": "site",
        "person_id": "ann",
    }
    for key in PERMITS:
        method, _, path = key.partition(" ")
        if method != "GET" or path.startswith(_NO_PAGE) or path.endswith(("/bytes", "/news")):
            continue
        filled = re.sub(r"\{(\w+)[^}]*\}", lambda part: known.get(part[1], "{}"), path)
        if "{}" not in filled:
            yield filled
    yield from STRANGERS


def is_page(live: Live, path: str) -> bool:
    """Tell whether there is HTML at an address: a file is none, a refusal is."""
    try:
        with urlopen(f"{live.url}{path}") as answer:
            return bool(answer.headers.get_content_type() == "text/html")
    except OSError:
        return True


def complaints(page: Page) -> list[str]:
    """Return what is wrong with the page that is shown: the rule, and the first element."""
    found = [
        f"{one['id']}: {one['nodes'][0]['html'][:160]}"
        for one in Axe().run(page, options=RULES).response["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found + ([f"{wide} px wider than the screen"] if wide > 0 else [])


@pytest.mark.parametrize(("language", "viewport"), [("zh-CN", PHONE), ("en-GB", DESKTOP)])
def test_no_page_keeps_anybody_out(
    browser: Browser, live: Live, language: str, viewport: dict[str, int]
) -> None:
    send(live, name="张伟", phone="138 1234 5678", message="两台叉车，请尽快回电")
    send(live, name="Li Na", phone="139 0000 0001", company="Daheng Machinery", message="two forklifts")
    wrong = {}
    with tab(browser, language=language, viewport=viewport) as page:
        for path in pages_of(live):
            if is_page(live, path):
                page.goto(f"{live.url}{path}")
                if found := complaints(page):
                    wrong[path] = found
    assert wrong == {}
