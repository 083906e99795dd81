"""Every page that a role opens by axe-core, as somebody of that role who signed in, with work on it: tables, drafts, results, errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from console.permits import PERMITS
from schemas.company import Company, Person, Role
from tests.browser.live import Live, live_server
from tests.browser.test_access import link_for
from tests.browser.test_accessible import DESKTOP, complaints
from tests.browser.test_pages import PHONE, tab
from tools.screenshots import company, prepare, task_of

Walk = Callable[[Page, Live, Path], Iterator[str]]
"""What a role does; yields the name of what is shown after each step."""

LISTS = {"source_id": "lists", "channel": "list", "format": "list.row", "name": "名单", "language": "zh"}
_OF_A_PAGE = ("/progress", "/became", "/steps", "/bytes", "/news")
_FILES = (".csv", ".xlsx", ".json", ".{suffix}")
_NO_PAGE = ("/api/", "/desk/answer", "/handover/plan", "/stories/", "/demo/", "/healthz", "/readyz", "/metrics")  # fmt: skip


def house(now_us: int) -> Company:
    """The company of the screenshots, with somebody above each team, somebody for marketing and somebody at the desk."""
    made = company(now_us)
    people = {
        "mei": Person(person_id="mei", name="梅芳", name_en="Mei Fang"),
        "dou": Person(person_id="dou", name="窦敏", name_en="Dou Min", desk_code="07"),
    }
    units = {
        key: one.model_copy(update={"manager_id": "mei"}) if one.kind == "team" else one
        for key, one in made.units.items()
    }
    return made.model_copy(
        update={
            "people": {**made.people, **people},
            "units": units,
            "sources": {**made.sources, "lists": LISTS},
        }
    )


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A company that has worked: tasks late and new, a pool, leave, spend, an order of nobody, letters to repair."""
    with live_server(tmp_path_factory.mktemp("house"), house(time.time_ns() // 1_000)) as running:
        prepare(running, hostile=True)
        yield running


def pages_of(live: Live, role: Role) -> Iterator[str]:
    """Return the address of each page that a role opens, of what is there."""
    task, dead = task_of(live, "大恒"), live.rows("dead")[0]
    capture = next(row for row in live.rows("lead") if row["lead_id"] == task["lead_id"])
    known = {
        "holder_id": task["holder_id"],
        "any_id": task["lead_id"],
        "customer_id": task["customer_id"],
        "source_id": "site",
        "import_id": next((row["import_id"] for row in live.rows("import_run")), ""),
        "act_id": next((row["act_id"] for row in live.rows("act") if row["verb"] == "move"), ""),
        "job_id": next((row["job_id"] for row in live.rows("job")), ""),
    }
    about = {"needs-repair": {"any_id": dead["dead_id"]}, "original": {"any_id": capture["capture_id"]}}
    for key, permit in PERMITS.items():
        method, _, path = key.partition(" ")
        if method != "GET" or role not in permit.roles or (path == "/" and home_is_elsewhere(role)):
            continue
        if path.startswith(_NO_PAGE) or path.endswith(_OF_A_PAGE + _FILES):
            continue
        of = known | about.get(path.split("/")[1], {})
        filled = re.sub(r"\{(\w+)[^}]*\}", lambda part, of=of: of[part[1]], path)  # type: ignore[misc]
        if ("//" not in filled and not filled.endswith("/")) or path == "/":
            yield filled


def home_is_elsewhere(role: Role) -> bool:
    return role in ("representative", "manager", "front_desk")


def sent(page: Page, to: str | Locator, /, **fields: str) -> None:
    """Fill in a form, or the first that goes to an address, and send it as it is: what is wrong in it is for us to say."""
    form = page.locator(f"main form[action='{to}']").first if isinstance(to, str) else to
    for name, value in fields.items():
        field = form.locator(f"[name='{name}']")
        if value in ("on", "off"):
            field.first.set_checked(value == "on", force=True)
        elif field.first.evaluate("(one) => one.matches('select')"):
            field.first.select_option(value, force=True)
        elif field.first.get_attribute("type") == "radio":
            form.locator(f"[name='{name}'][value='{value}']").check(force=True)
        else:
            field.first.evaluate("(one, value) => { one.value = value }", value)
    with page.expect_navigation():
        form.evaluate(
            "(one) => { one.noValidate = true; one.querySelector('button:not([formaction])').click() }"
        )


def represents(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    at = live.from_elsewhere
    task = task_of(live, "大恒")["task_id"]
    page.goto(f"{at}/day")
    form = page.locator(f"form[action='/inbox/zhou/{task}/outcome']", has=page.locator("[name=note]"))
    sent(page, form, code="no_need", note="太贵")
    yield "an outcome that lacks its reason"
    page.goto(f"{at}/day")
    note = page.locator("form[action$='/outcome'] textarea").first
    note.evaluate("(one) => { one.closest('details').open = true }")
    note.fill("写到一半")
    page.reload()
    expect(page.locator("#typed-back")).to_be_visible()
    yield "what was half typed"
    page.goto(f"{at}/taken")
    sent(page, "/taken", asked="13600002345")
    yield "who has it"
    sent(page, "/taken", asked="1")
    yield "a number that is none"


def manages(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    at = live.from_elsewhere
    page.goto(f"{at}/move?holder=zhou")
    sent(page, "/move/preview", which="page", to="wang")
    yield "a move without its reason"
    page.goto(f"{at}/move?holder=zhou")
    sent(page, "/move/preview", which="page", to="wang", reason="展会上认识的客户")
    yield "a move looked at"
    sent(page, "/move/apply")
    yield "a move done"
    sent(page, page.url.removeprefix(at).partition("?")[0] + "/undo")
    yield "a move taken back"
    page.goto(f"{at}/handover")
    sent(page, "/handover/plan", person="zhou", why="leaving", to="wang", duties_to="wang")
    yield "a plan without its reason"
    page.goto(f"{at}/handover")
    sent(page, "/handover/plan", person="zhou", why="leaving", to="wang", duties_to="wang", reason="月底离职")
    yield "a plan"
    sent(page, "/handover/apply")
    page.locator("a[href$='/certificate'], [action$='/certificate']").first.wait_for()
    yield "handed over"


def markets(page: Page, live: Live, folder: Path) -> Iterator[str]:
    at, file = live.from_elsewhere, folder / "客户.csv"
    rows = "".join(
        f"公司{n},联系人{n},{'1.39E+10' if n == 3 else f'1390000{n:04}'},zhou,两台叉车\n" for n in range(6)
    )
    file.write_text(f"客户名称,联系人,手机,业务员,需求说明\n{rows}", "utf-8-sig")
    page.goto(f"{at}/import")
    page.locator("[name=file]").set_input_files(file)
    sent(page, "/import")
    page.locator("form[action$='/throw-away']").wait_for(timeout=30_000)
    yield "a list looked at"
    sent(page, page.url.removeprefix(at).partition("?")[0] + "/run")
    page.locator("#progress a[href$='.csv']").wait_for(timeout=30_000)
    yield "a list with a row refused"
    money = folder / "花费.csv"
    money.write_text("市场活动,日期,金额\n展会,2026-11-03,1234.5\n展会,x,1\n", "utf-8-sig")
    page.goto(f"{at}/campaigns")
    page.locator("form[action='/campaigns/file'] [name=file]").set_input_files(money)
    sent(page, "/campaigns/file")
    yield "spend with a row refused"
    page.goto(f"{at}/campaigns")
    sent(
        page,
        "/campaigns/order#whose"
        if page.locator("form[action='/campaigns/order#whose']").count()
        else "/campaigns/order",
        customer="2345",
    )
    yield "whose an order may be"
    page.goto(f"{at}/campaigns")
    sent(page, "/campaigns/spend", amount="viel")
    yield "an amount that is none"


def receives(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    at = live.from_elsewhere
    for asked in ("5678", "2345", "1"):
        page.goto(f"{at}/desk")
        sent(page, "/desk", asked=asked)
        yield f"asked for {asked}"
    page.goto(f"{at}/desk")
    sent(page, "/desk/visit", name="王芳", phone="1381234")
    yield "a visit with a number that is none"
    page.goto(f"{at}/desk")
    sent(page, "/desk/visit", name="王芳", phone="13812345670")
    expect(page.locator("#answer h2")).to_be_visible(timeout=30_000)
    yield "a visit, answered"
    page.goto(f"{at}/pop?phone=13812345678")
    yield "a call of somebody known"


def operates(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    at = live.from_elsewhere
    page.goto(f"{at}/rules")
    minutes = page.locator("[name='then_respond_within'], [name='cell:then_respond_within']").first
    minutes.fill("soon")
    minutes.blur()
    page.locator("#state .bad").first.wait_for()
    yield "a rule that says nothing we know"
    minutes.fill("45")
    minutes.blur()
    expect(page.locator("#state .bad")).to_have_count(0)
    yield "a draft of the rules"
    page.goto(f"{at}/rules/simulate?days=7")
    yield "a draft tried on the leads of a week"
    dead = next(row["dead_id"] for row in live.rows("dead") if row["code"] == "no_known_field")
    page.goto(f"{at}/needs-repair/{dead}")
    sent(page, f"/reveal/{dead}", reason="更正")
    yield "a letter to correct, its numbers shown"
    sent(page, f"/needs-repair/{dead}/repair")
    yield "a letter that could still not be read"
    page.goto(f"{at}/story?id=nothing")
    yield "an id that nobody has"


def audits(_page: Page, _live: Live, _folder: Path) -> Iterator[str]:
    """They only read."""
    return iter(())


WALKS: dict[Role, tuple[str, str, dict[str, int], Walk]] = {
    "marketing": ("mei", "en-GB", DESKTOP, markets),
    "front_desk": ("dou", "en-GB", PHONE, receives),
    "representative": ("zhou", "zh-CN", PHONE, represents),
    "operations": ("mei", "zh-CN", DESKTOP, operates),
    "manager": ("mei", "zh-CN", DESKTOP, manages),
    "auditor": ("mei", "en-GB", DESKTOP, audits),
}
"""Who goes in each role, in which language and on what; in this order, for what one does the next one sees."""


def opened(page: Page) -> list[str]:
    """Return what is wrong with the page that is shown, with everything on it opened that can be."""
    page.locator("main details:not([open])").evaluate_all("all => all.forEach((one) => { one.open = true })")
    return complaints(page)


@pytest.mark.parametrize("role", WALKS)
def test_no_page_of_a_role_keeps_anybody_out(
    browser: Browser, live: Live, tmp_path: Path, role: Role
) -> None:
    person, language, viewport, walk = WALKS[role]
    wrong: dict[str, object] = {}
    with tab(browser, language, viewport=viewport) as page:
        page.set_default_timeout(15_000)
        page.goto(link_for(live, person, role))
        page.get_by_role("button").first.click()
        for step in walk(page, live, tmp_path):
            if found := opened(page):
                wrong[step] = found
        for path in pages_of(live, role):
            answer = page.goto(f"{live.from_elsewhere}{path}")
            assert answer is not None
            if answer.status != 200:
                wrong[path] = answer.status
            elif found := opened(page):
                wrong[path] = found
    assert wrong == {}
