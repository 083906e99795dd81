"""The hosted web form: without JavaScript, from the empty page to the thank-you page or to what is wrong."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from enrich.phone import parse_phone
from ingest.web.form import Posted, WebForm
from ingest.web.mistakes import is_email, is_phone, mistakes
from ingest.web.next_page import next_page
from leadflow.embedded import Embedded, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from schemas.company import Company
from store.company import put_company
from tests.browser.live import Live
from tests.support.rig import small_company

PAGE = {"accept": "text/html"}


def company(**settings: Any) -> Company:
    made = small_company(absences=())
    made.sources["site"].update(settings)
    return made


class Site:
    """A running door as a visitor's browser sees it."""

    def __init__(self, folder: Path, made: Company) -> None:
        files = open_files(folder)
        with files.store.write() as connection:
            put_company(connection, made, 0)
        self.engine = Embedded(files)
        self.live = Live("", self.engine)
        self.client = TestClient(
            make_app(self.engine, Settings(data=folder)),
            base_url="http://127.0.0.1",
            client=("127.0.0.1", 1),
            headers=PAGE,
            follow_redirects=False,
        )


@pytest.fixture
def site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    made = Site(tmp_path, company(**getattr(request, "param", {})))
    with made.client:
        yield made


class _Inputs(HTMLParser):
    """The named fields of a page's first form, as a browser would send them back."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.action = ""
        self._area: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "form":
            self.action = known.get("action") or ""
        elif tag == "input" and (name := known.get("name")):
            if known.get("type") != "checkbox" or "checked" in known:
                self.values[name] = known.get("value") or ""
        elif tag == "textarea":
            self._area = known.get("name")

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] = self.values.get(self._area, "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area:
            self.values.setdefault(self._area, "")
            self._area = None


def filled(page: str, **typed: str) -> tuple[str, dict[str, str]]:
    """Return where a form goes and what it sends after typing into it."""
    form = _Inputs(page)
    return form.action, {**form.values, **typed}


def test_a_form_sent_becomes_one_lead_however_often_it_is_sent(site: Site) -> None:
    page = site.client.get("/f/site?lang=zh").text
    action, values = filled(page, name="张伟", phone="138 1234 5678", message="要两台叉车")
    answers = [site.client.post(action, data=values) for _ in range(3)]
    assert {answer.status_code for answer in answers} == {303}
    place = answers[0].headers["location"]
    assert "谢谢" in site.client.get(place).text
    task = site.live.wait_for("task", lambda row: True)
    assert task["origin"] == "first_response"
    assert len(site.live.rows("lead")) == 1
    fields = site.live.rows("lead")[0]["fields_json"]
    assert "form:_token" not in fields
    assert "form:website_hp" not in fields


def test_every_rendering_has_a_token_of_its_own(site: Site) -> None:
    tokens = {_Inputs(site.client.get("/f/site").text).values["_token"] for _ in range(5)}
    assert len(tokens) == 5
    assert all(len(token) >= 32 for token in tokens)


@pytest.mark.parametrize(
    ("typed", "fields", "chinese", "english"),
    [
        ({"name": "张伟"}, "phone,email", "请留下电话或邮箱", "leave a phone number or an email"),
        ({"phone": "1381234567"}, "phone", "这个号码无法识别", "cannot read this number"),
        ({"phone": "138123", "email": "a@b.cn"}, "phone", "这个号码无法识别", "cannot read this number"),
        ({"email": "zhang.wei@"}, "email", "邮箱格式不正确", "not an email address"),
        ({"phone": "x", "email": "y"}, "phone,email", "邮箱格式不正确", "not an email address"),
    ],
)
def test_a_mistake_is_answered_in_the_page_s_language_and_kept(
    site: Site, typed: dict[str, str], fields: str, chinese: str, english: str
) -> None:
    for language, said in (("zh", chinese), ("en", english)):
        page = site.client.get(f"/f/site?lang={language}").text
        action, values = filled(page, message=f"<b>{language}</b> 要两台叉车", **typed)
        # The page's own language counts, not the browser's.
        answer = site.client.post(action, data=values, headers={"accept-language": "fr", "cookie": ""})
        assert answer.status_code == 422
        assert said in answer.text
        assert f'<html lang="{language}' in answer.text
        again = _Inputs(answer.text).values
        assert {key: again[key] for key in values} == values, "all that was typed is still there"
        assert "<b>" not in answer.text.replace(html.escape("<b>"), "")
    site.live.wait_for("capture", lambda row: row["off"] == 1)
    captures = site.live.rows("capture")
    assert {(row["result"], row["code"]) for row in captures} == {("ignored", "incomplete_form")}
    assert all(fields in row["detail_json"] for row in captures)
    assert site.live.rows("lead") == []


def test_the_corrected_form_becomes_a_lead(site: Site) -> None:
    action, values = filled(site.client.get("/f/site").text, name="李娜", phone="1381234567")
    wrong = site.client.post(action, data=values)
    assert wrong.status_code == 422
    action, values = filled(wrong.text, phone="13812345678")
    assert site.client.post(action, data=values).status_code == 303
    site.live.wait_for("task", lambda row: True)
    assert len(site.live.rows("lead")) == 1
    assert sorted(row["result"] for row in site.live.rows("capture")) == ["ignored", "lead"]


def test_a_robot_is_thanked_and_becomes_no_lead(site: Site) -> None:
    action, values = filled(site.client.get("/f/site").text, name="bot", website_hp="http://spam")
    assert site.client.post(action, data=values).status_code == 303
    capture = site.live.wait_for("capture", lambda row: True)
    assert (capture["result"], capture["code"]) == ("ignored", "robot")


CONSENT = {"consent_version": "2026-01", "consent_text": "同意<script>联系</script>我"}


@pytest.mark.parametrize("site", [CONSENT], indirect=True)
def test_without_consent_nothing_is_kept(site: Site) -> None:
    page = site.client.get("/f/site?lang=zh").text
    assert "同意&lt;script&gt;联系&lt;/script&gt;我" in page
    assert "版本 2026-01" in page
    action, values = filled(page, phone="13812345678")
    assert "consent" not in values, "not ticked beforehand"
    answer = site.client.post(action, data=values)
    assert answer.status_code == 422
    assert "请先勾选同意" in answer.text
    with site.engine.files.doors.read() as connection:
        assert site.engine.files.door_log.head(connection, "captures")[1] == 0

    assert site.client.post(action, data={**values, "consent": "yes"}).status_code == 303
    lead = site.live.wait_for("lead", lambda row: True)
    assert '"text_version":"2026-01"' in lead["more_json"]


def test_the_campaign_survives_a_mistake(site: Site) -> None:
    page = site.client.get("/f/site?utm_campaign=spring&gclid=abc&evil=1").text
    action, values = filled(page, phone="1")
    assert "evil" not in values
    action, values = filled(site.client.post(action, data=values).text, phone="13812345678")
    site.client.post(action, data=values)
    lead = site.live.wait_for("lead", lambda row: True)
    assert '"spring"' in lead["more_json"]
    assert "gclid=abc" in lead["more_json"]


def test_the_snippet_works_from_another_site(site: Site) -> None:
    page = site.client.get("/f/site/html?lang=en").text
    snippet = html.unescape(re.search(r"<textarea[^>]*>(.*?)</textarea>", page, re.DOTALL)[1])  # type: ignore[index]
    assert "<script" not in snippet
    form = _Inputs(snippet)
    assert form.action == "http://127.0.0.1/f/site"
    assert "_token" not in form.values, "a pasted page is one rendering for everybody"
    values = {**form.values, "name": "Li Na", "phone": "13812345678"}
    headers = {"origin": "https://www.haichuan.example", "sec-fetch-site": "cross-site"}
    assert site.client.post("/f/site", data=values, headers=headers).status_code == 303
    lead = site.live.wait_for("lead", lambda row: True)
    assert lead["language"] == "en"


@pytest.mark.parametrize(
    "site", [{"hosts": ["www.haichuan.cn"], "thanks": "https://www.haichuan.cn/thanks"}], indirect=True
)
def test_the_thank_you_page_may_be_the_company_s_own(site: Site) -> None:
    page = site.client.get("/f/site")
    assert "form-action 'self' www.haichuan.cn" in page.headers["content-security-policy"]
    action, values = filled(page.text, phone="13812345678")
    place = site.client.post(action, data=values).headers["location"]
    assert place == "https://www.haichuan.cn/thanks"
    values["retURL"] = "https://www.haichuan.cn/danke?x=1"
    assert site.client.post(action, data=values).headers["location"] == values["retURL"]


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example/",
        "//evil.example/",
        "https://www.haichuan.cn@evil.example/",
        "https://evil.example\\@www.haichuan.cn/",
        "https://www.haichuan.cn.evil.example/",
        "https://evil.example#www.haichuan.cn",
        "javascript:alert(1)//www.haichuan.cn",
        "https://user:x@www.haichuan.cn/",
        "https://www.haichuan.cn\r\nset-cookie: a=b",
        "https://[www.haichuan.cn/",
        "https://www.haichuan.cn:99999/",
        "/somewhere",
        "data:text/html,x",
    ],
)
def test_a_visitor_is_sent_nowhere_else(asked: str) -> None:
    source = WebForm(source_id="site", channel="web", format="web.form", name="x", hosts=("www.haichuan.cn",))
    for name in ("retURL", "next"):
        assert next_page(Posted(pairs=((name, asked),)), source) == "/thanks/site"


def test_unknown_forms_are_told_as_a_page(site: Site) -> None:
    for path in ("/f/none", "/f/none/html", "/thanks/none"):
        answer = site.client.get(f"{path}?lang=zh")
        assert answer.status_code == 404
        assert "此地址没有表单" in answer.text
    assert site.client.post("/f/none", data={"a": "b"}).status_code == 404


def test_what_is_no_form_is_told_as_a_page(site: Site) -> None:
    broken = {"content-type": "multipart/form-data; boundary=x", **PAGE}
    answer = site.client.post("/f/site", content=b"--y\r\n", headers=broken)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    huge = site.client.post("/f/site", data={"message": "x" * 1_100_000})
    assert huge.status_code == 413
    assert site.client.get("/healthz").status_code == 200


def test_the_pages_load_nothing_but_their_own_style(site: Site) -> None:
    page = site.client.get("/f/site")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "<script" not in page.text
    assert set(re.findall(r'(?:src|href)="([^"?]+)', page.text)) == {"/f/_/form.css"}
    assert site.client.get("/f/_/form.css").headers["content-type"].startswith("text/css")


PHONES = [
    "13812345678", "138 1234 5678", "+86 138-1234-5678", "８６１３８１２３４５６７８", "021-62345678",
    "021-62345678转801", "(021) 6234 5678", "0512-6234567", "010-62345678-801", "400-800-1234", "+49 30 1234567",
    "+1 (415) 555-2671", "0086 138 1234 5678", "021 6234 5678 ext. 12", "13812345678 分机 3",
]  # fmt: skip


@pytest.mark.parametrize("number", PHONES)
def test_a_number_that_can_be_read_is_never_sent_back(number: str) -> None:
    assert is_phone(number)


@given(
    area=st.sampled_from(["", "0", "021", "0512", "+86", "+86 ", "+1", "0086", "400", "1"]),
    digits=st.text("0123456789- ().·", max_size=14),
    extension=st.sampled_from(["", "转801", "-12", " ext. 3", "#4", "分机：22"]),
)
def test_the_form_takes_every_number_that_the_pipeline_can_read(
    area: str, digits: str, extension: str
) -> None:
    number = area + digits + extension
    if parse_phone(number) is not None:
        assert is_phone(number)


@pytest.mark.parametrize(
    "number", ["1381234567", "12345", "abc", "1.38E+10", "138123456789012345678901", "-", "张伟"]
)
def test_a_number_that_nobody_could_dial_is_sent_back(number: str) -> None:
    assert not is_phone(number)


@pytest.mark.parametrize("address", ["a@b.cn", " Zhang.Wei@daheng.com.cn ", "ａ＠ｂ．ｃｎ", "张伟@例子.公司"])
def test_addresses(address: str) -> None:
    assert is_email(address)


@pytest.mark.parametrize("address", ["a", "a@", "@b.cn", "a@b", "a b@c.cn", "a@b..cn", "a@b.cn, c@d.cn"])
def test_no_addresses(address: str) -> None:
    assert not is_email(address)


def test_the_site_s_own_names_are_understood() -> None:
    source = WebForm(source_id="site", channel="web", format="web.form", name="x", fields={"lianxi": "phone"})
    assert mistakes(Posted(pairs=(("lianxi", "13812345678"),)), source) == {}
    assert mistakes(Posted(pairs=(("手机", "13812345678"),)), source) == {}
    assert mistakes(Posted(pairs=(("lianxi", " "),)), source) == {"phone": "reach", "email": "reach"}
