"""The front desk's page in a real browser: keys only, Chinese input, the answer, a dead network, a phone."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from schemas.company import Absence, Company, Member, Person, Unit
from tests.support.live import Live
from tests.support.rig import small_company

ALWAYS_US = (0, 4_102_444_800 * 1_000_000)
"""From 1970 to 2100: away at whatever time the tests run."""
_EXPECTED = re.compile("^Failed to load resource: .*(net::ERR|422)")
"""What a browser itself remarks on a mistake that was typed, and on a network that a test took away."""
PHONES = (f"139{number:08d}" for number in itertools.count(10_000_000))


def company() -> Company:
    """Two teams that work at every hour: 安 of the east is here, 陈 of the west is away and 徐 stands in."""
    units = {
        "company": Unit(unit_id="company", kind="company", name_zh="海川", name_en="Haichuan"),
        "default": Unit(
            unit_id="default", parent_id="company", kind="team", name_zh="默认", name_en="Default"
        ),
        "east": Unit(unit_id="east", parent_id="company", kind="team", name_zh="华东", name_en="East"),
        "west": Unit(unit_id="west", parent_id="company", kind="team", name_zh="华西", name_en="West"),
    }
    people = {
        "ann": Person(person_id="ann", name="安然", name_en="Ann Ran", extension="8001", desk_code="07"),
        "chen": Person(person_id="chen", name="陈立", name_en="Chen Li", extension="8003", desk_code="12"),
        "xu": Person(person_id="xu", name="徐晴", name_en="Xu Qing", extension="8004"),
    }
    common = {"channel": "counter", "format": "counter.visit", "language": "zh"}
    full = {
        "desks": ["大厅", "二楼"],
        "products": ["电动叉车", "手动搬运车"],
        "heard_of": ["展会", "朋友介绍"],
        "consent_version": "2026-01",
    }
    sources = {
        "hall": {**common, "source_id": "hall", "name": "展厅"},
        "away": {**common, "source_id": "away", "name": "西部展厅"},
        "full": {**common, "source_id": "full", "name": "上海展厅", **full},
    }
    book = "rule,source,then_team,then_respond_within\nwest,away,west,30\nelse,,east,30\n"
    return small_company(
        units=units,
        people=people,
        members=(
            Member(unit_id="east", person_id="ann", from_us=0),
            Member(unit_id="west", person_id="chen", from_us=0),
        ),
        absences=(),
        calendars={},
        sources=sources,
        book_csv=book,
        book_version="b1",
    )


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    running = Live(tmp_path_factory.mktemp("counter"), company())
    running.start()
    yield running
    running.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 800})
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which any error in its console, such as a blocked script, fails the test."""
    made = context.new_page()
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    yield made
    assert [one for one in complaints if not _EXPECTED.search(one)] == []


def focused(page: Page) -> str:
    """Return the name of the field that has the cursor."""
    return str(page.evaluate("document.activeElement.name || document.activeElement.id"))


def open_desk(page: Page, live: Live, source: str = "hall", taker: str = "07") -> None:
    """Open the page and say who types, by two digits."""
    page.goto(f"http://127.0.0.1:{live.port}/counter/{source}")
    page.wait_for_function("document.activeElement.name === 'taken_by'")
    page.keyboard.type(taker)
    page.keyboard.press("Enter")
    assert focused(page) == "name"


def posts(page: Page) -> list[str]:
    """Collect the posts that the page makes from now on."""
    made: list[str] = []
    page.on("request", lambda one: made.append(one.url) if one.method == "POST" else None)
    return made


def leads(live: Live, phone: str) -> list[tuple[Any, ...]]:
    """Return (lead, the lead it joins, customer) of a telephone number."""
    live.drained()
    return live.query(
        "SELECT lead.lead_id, lead.joined_lead_id, membership.customer_id FROM lead JOIN membership "
        "USING (lead_id) JOIN lead_identifier USING (lead_id) "
        f"WHERE lead_identifier.kind = 'mobile' AND lead_identifier.value = '+86{phone}' ORDER BY lead.accepted_us"
    )


def test_a_visit_is_entered_by_keys_alone_and_the_answer_comes_within_a_second(
    page: Page, live: Live
) -> None:
    open_desk(page, live)
    waited = []
    for _ in range(3):
        for text in ("王芳", next(PHONES), "大恒", "叉车", "要看样车", "朋友介绍"):
            page.keyboard.insert_text(text)
            page.keyboard.press("Enter")
        assert focused(page) == "type"
        page.keyboard.press("Enter")
        assert focused(page) == "anonymous"
        page.evaluate("document.getElementById('answer').replaceChildren()")
        begun = time.monotonic()
        page.keyboard.press("Enter")
        page.wait_for_selector("#answer .here")
        waited.append(time.monotonic() - begun)
        assert focused(page) == "name", "the next visitor can be typed at once"
        assert page.input_value("[name=name]") == ""
    box = page.locator("#answer")
    expect(box).to_contain_text("安然")
    expect(box).to_contain_text("分机 8001")
    expect(box).to_contain_text("在岗")
    expect(box).to_contain_text("首次响应时限")
    assert min(waited) < 1.0, waited


def test_enter_while_characters_are_composed_neither_moves_on_nor_saves(page: Page, live: Live) -> None:
    open_desk(page, live)
    made = posts(page)
    keyboard = page.context.new_cdp_session(page)
    composition = {"selectionStart": 8, "selectionEnd": 8}
    keyboard.send("Input.imeSetComposition", {"text": "wangfang", **composition})
    page.keyboard.press("Enter")
    assert focused(page) == "name"
    page.keyboard.press("Control+Enter")
    keyboard.send("Input.insertText", {"text": "王芳"})
    assert (focused(page), page.input_value("[name=name]")) == ("name", "王芳")
    # Safari ends the composition first and then sends the Enter that ended it, known by its code alone.
    late = "new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true, cancelable: true})"
    page.evaluate(f"document.activeElement.dispatchEvent({late})")
    assert focused(page) == "name"
    page.keyboard.press("Enter")
    assert focused(page) == "phone", "once the characters stand, Enter moves on"
    page.evaluate("document.querySelector('[name=phone]').focus()")
    keyboard.send("Input.imeSetComposition", {"text": "139", **composition})
    page.evaluate("document.getElementById('visit').requestSubmit()")
    page.wait_for_timeout(200)
    assert made == []


def test_a_key_held_down_does_not_run_to_the_end(page: Page, live: Live) -> None:
    open_desk(page, live)
    made = posts(page)
    page.keyboard.insert_text("王芳")
    for _ in range(12):
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    assert focused(page) == "phone"
    assert made == []


def test_control_enter_saves_from_any_field_and_shift_enter_breaks_a_line(page: Page, live: Live) -> None:
    open_desk(page, live)
    page.keyboard.insert_text("李娜")
    page.focus("[name=note]")
    page.keyboard.insert_text("一")
    page.keyboard.press("Shift+Enter")
    page.keyboard.insert_text("二")
    assert page.input_value("[name=note]") == "一\n二"
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_contain_text("已保存")


def test_who_types_is_remembered_on_the_machine(page: Page, live: Live) -> None:
    open_desk(page, live, taker="12")
    page.keyboard.insert_text("王芳")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answer .answer")
    page.reload()
    assert page.input_value("[name=taken_by]") == "12"
    assert focused(page) == "name"
    page.keyboard.press("Shift+Tab")
    page.keyboard.type("07")
    assert page.input_value("[name=taken_by]") == "07", "the next colleague changes it with two keys"


def test_a_known_customer_is_shown_with_the_owner_and_whom_to_call_instead(page: Page, live: Live) -> None:
    from leadflow.embedded import open_files  # the store is changed as `leadflow apply` would
    from store.company import put_company

    phone = next(PHONES)
    open_desk(page, live, "away")
    page.keyboard.insert_text("赵强")
    page.fill("[name=phone]", phone)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer h2")).to_contain_text("陈立")
    expect(page.locator("#answer")).to_contain_text("新客户")
    away = Absence(person_id="chen", from_us=ALWAYS_US[0], to_us=ALWAYS_US[1], stand_in_id="xu")
    files = open_files(live.folder)
    with files.store.write() as connection:
        put_company(connection, company().model_copy(update={"absences": (away,)}), 1)
    files.close()
    page.fill("[name=phone]", f"+86 {phone[:3]}-{phone[3:7]}-{phone[7:]}")
    page.keyboard.press("Control+Enter")
    box = page.locator("#answer")
    expect(box).to_contain_text("老客户")
    expect(box.locator("h2")).to_contain_text("陈立")
    expect(box.locator("h2")).to_contain_text("8003")
    expect(box.locator(".present")).to_contain_text("请假")
    expect(box.locator(".instead")).to_contain_text("徐晴")
    expect(box.locator(".instead")).to_contain_text("8004")
    expect(box.locator(".instead")).to_contain_text("代管")


def test_a_mistake_is_said_beside_its_field_and_the_cursor_is_there(page: Page, live: Live) -> None:
    open_desk(page, live)
    page.focus("[name=company]")
    page.keyboard.insert_text("大恒")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#wrong-name")).to_contain_text("姓名或电话有一项即可")
    assert focused(page) == "name"
    page.keyboard.insert_text("王芳")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_contain_text("安然")
    expect(page.locator("#wrong-name")).to_be_hidden()


def test_a_slip_in_a_mobile_number_is_said_at_once_and_does_not_stop_anybody(page: Page, live: Live) -> None:
    open_desk(page, live)
    page.focus("[name=phone]")
    page.keyboard.type("1391234567")
    page.keyboard.press("Enter")
    expect(page.locator("#doubt")).to_have_text("手机号应为 11 位，现在是 10 位。")
    assert focused(page) == "company"


def test_nothing_typed_is_lost_and_nothing_doubled_when_the_network_is_away(page: Page, live: Live) -> None:
    phone = next(PHONES)
    open_desk(page, live)
    page.fill("[name=name]", "王芳")
    page.fill("[name=phone]", phone)
    # The server takes the visit, and its answer is lost on the way back: the worst case.
    page.route("**/counter/hall", lambda route: (route.fetch(), route.abort()))
    page.keyboard.press("Control+Enter")
    expect(page.locator("#wrong-")).to_contain_text("未保存")
    assert page.input_value("[name=phone]") == phone
    page.unroute("**/counter/hall")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer")).to_contain_text("安然")
    assert len(leads(live, phone)) == 1


def test_an_entry_is_corrected_under_its_own_number(page: Page, live: Live) -> None:
    phone = next(PHONES)
    open_desk(page, live)
    page.fill("[name=phone]", next(PHONES))
    page.keyboard.press("Control+Enter")
    expect(page.locator("[name=phone]")).to_have_value("")
    page.fill("[name=name]", "王方")
    page.fill("[name=phone]", phone)
    page.keyboard.press("Control+Enter")
    expect(page.locator("[name=phone]")).to_have_value("")
    page.get_by_role("button", name="更正本条").click()
    expect(page.locator("#correcting")).to_be_visible()
    assert (focused(page), page.input_value("[name=name]")) == ("name", "王方")
    page.keyboard.insert_text("王芳")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#correcting")).to_be_hidden()
    expect(page.locator("#answer")).to_contain_text("安然")
    first, second = leads(live, phone)
    assert second[1] == first[0]
    assert second[2] == first[2]


def test_the_next_visitor_is_another_visit(page: Page, live: Live) -> None:
    phones = next(PHONES), next(PHONES)
    open_desk(page, live)
    for phone in phones:
        page.fill("[name=phone]", phone)
        page.keyboard.press("Control+Enter")
        expect(page.locator("[name=phone]")).to_have_value("")
    (one,), (other,) = (leads(live, phone) for phone in phones)
    assert one[2] != other[2]
    assert other[1] is None


def test_without_javascript_the_form_posts_itself_and_the_next_page_holds_the_answer(
    browser: Browser, live: Live
) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{live.port}/counter/full")
    page.select_option("[name=taken_by]", "07")
    page.select_option("[name=desk]", "二楼")
    page.fill("[name=name]", "Li Na")
    page.press("[name=phone]", "Enter")
    expect(page.locator("#wrong-consent")).to_contain_text("Ask the visitor to agree")
    assert page.input_value("[name=name]") == "Li Na"
    page.check("[name=consent]")
    page.press("[name=phone]", "Enter")
    expect(page.locator("#answer h2")).to_contain_text("Ann Ran")
    expect(page.locator("#answer .present")).to_contain_text("here")
    assert page.input_value("[name=name]") == ""
    assert page.input_value("[name=desk]") == "二楼"
    context.close()


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_nothing_stands_over_the_edge(page: Page, live: Live, width: int, height: int, lang: str) -> None:
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"http://127.0.0.1:{live.port}/counter/full?lang={lang}")
    page.fill("[name=phone]", next(PHONES))
    page.check("[name=consent]")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answer h2")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    top = page.locator("#answer").bounding_box()
    assert top is not None
    assert top["y"] >= 0, "the answer is on the screen, above the next visitor's form"
    assert top["y"] < height
    assert page.inner_text("#save") == {"zh": "保存", "en": "Save"}[lang]
