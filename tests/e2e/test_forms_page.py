"""Putting a hosted form together: preview without keeping anything, saving as the next version, and the form that asks so."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from console.desk import Desk
from ingest.web.door import WebDoor
from leadflow.forms_page import FormsPage
from sales.files import read_company, write_folder
from store.company import company_version, load_company
from stream.door_log import DoorLog
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_marketing import COMPANY
from tests.support.rig import MINUTE, MONDAY_10, Rig

NUMBERS = itertools.count()
DRAFT = {
    "place_phone": "1",
    "required_phone": "yes",
    "zh_phone": "手机号",
    "place_full_name": "2",
    "place_product": "3",
    "en_product": "Which machine?",
    "title_zh": "预约<试驾>",
    "title_en": "Book a test drive",
    "intro_zh": "当天回复。",
    "thanks_zh": "收到了。",
    "consent_version": "2026-11",
    "consent_text": "我同意联系。",
    "campaign": "fair",
    "actor": "ann",
    "reason": "new landing page",
}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, company=COMPANY.model_copy(update={"responsible_id": "ann"}))
    yield made
    made.close()


@pytest.fixture
def client(rig: Rig) -> Iterator[TestClient]:
    desk = Desk(
        rig.store, lambda: MONDAY_10 + MINUTE, lambda: f"{next(NUMBERS):032x}", rig.files.store_log.append
    )
    door = DoorLog(
        rig.files.doors, rig.files.door_log, rig.files.keys, clock=lambda: MONDAY_10, new_id=desk.new_id
    )
    door.start()

    def sources() -> dict[str, dict[str, Any]]:
        with rig.store.read() as connection:
            return load_company(connection, company_version(connection)).sources

    web = WebDoor(door, sources, desk.clock, desk.new_id)
    routes = [*FormsPage(desk).routes(), *web.routes()]
    yield TestClient(Starlette(routes=routes), follow_redirects=False)
    door.close()


def was(client: TestClient) -> str:
    page = client.get("/forms").text
    return page.partition('name="was" value="')[2].partition('"')[0]


def saved(client: TestClient, **changes: str) -> Any:
    return client.post("/forms/site", data={"was": was(client), **DRAFT, **changes})


def test_what_is_previewed_is_not_kept_and_what_is_saved_is_what_visitors_see(
    rig: Rig, client: TestClient
) -> None:
    seen = client.post("/forms/site/preview", data={**DRAFT, "shown": "zh"})
    assert "预约&lt;试驾&gt;" in seen.text
    assert text_of(seen.text).index("手机号 （必填）") < text_of(seen.text).rindex("姓名")
    assert "frame-src 'self'" in client.get("/forms").headers["content-security-policy"], (
        "else it shows no preview"
    )
    assert "form-action 'none'" in seen.headers["content-security-policy"]
    assert "预约" not in client.get("/f/site").text
    assert rig.rows("act") == []

    done = saved(client)
    assert (done.status_code, done.headers["location"]) == (303, "/forms?form=site&done=saved")
    (act,) = rig.rows("act")
    assert (act["actor"], act["verb"], act["scope_id"], act["reason"]) == (
        "ann",
        "save_form",
        "site",
        "new landing page",
    )
    zh, en = client.get("/f/site?lang=zh").text, client.get("/f/site?lang=en").text
    assert "预约&lt;试驾&gt;" in zh
    assert "当天回复。" in zh
    assert "我同意联系。" in zh
    assert text_of(en).startswith("中文 Book a test drive")
    assert "Which machine?" in en
    assert 'name="email"' not in zh
    snippet = client.get("/f/site/html?lang=zh").text
    assert "手机号" in snippet
    assert "required" in snippet
    assert "收到了。" in client.get("/thanks/site?lang=zh").text


def test_what_is_required_is_asked_for_and_the_lead_counts_for_the_forms_campaign(
    rig: Rig, client: TestClient
) -> None:
    assert saved(client).status_code == 303
    sent = {"lang": "zh", "consent": "yes", "product": "叉车", "_token": "t"}
    again = client.post("/f/site", data=sent, headers={"accept": "text/html"})
    assert again.status_code == 422
    assert "请填写此项" in again.text
    assert 'value="叉车"' in again.text
    assert (
        client.post(
            "/f/site", data={**sent, "phone": "13812345678"}, headers={"accept": "text/html"}
        ).status_code
        == 303
    )
    rig.run()
    (lead,) = rig.rows("lead")
    assert (lead["campaign_id"], lead["product_line"]) == ("fair", "forklift")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"place_phone": "", "zh_phone": ""}, "phone number or a mail address"),
        ({"title_zh": "长" * 201}, "too long"),
        ({"campaign": "none"}, "Choose a campaign"),
        ({"actor": "nobody"}, "choose a person who works here"),
        ({"reason": " "}, "Say why"),
        ({"was": "x"}, "changed this form meanwhile"),
    ],
)
def test_what_no_form_can_be_is_told_and_what_was_entered_stays(
    rig: Rig, client: TestClient, changes: dict[str, str], told: str
) -> None:
    answer = client.post(
        "/forms/site", data={"was": was(client), **DRAFT, **changes}, headers={"accept-language": "en"}
    )
    assert answer.status_code == 409
    assert told in text_of(answer.text)
    assert 'value="Which machine?"' in answer.text
    assert rig.rows("act") == []


def test_of_two_who_change_one_form_the_second_is_told(client: TestClient) -> None:
    mine = was(client)
    assert saved(client).status_code == 303
    stale = client.post("/forms/site", data={**DRAFT, "was": mine, "title_zh": "另一个"})
    assert stale.status_code == 409
    assert "另一个" in stale.text
    assert (
        client.post("/forms/site", data={**DRAFT, "was": was(client), "title_zh": "另一个"}).status_code
        == 303
    )


def test_another_consent_text_needs_another_version(client: TestClient) -> None:
    assert saved(client).status_code == 303
    assert saved(client, consent_text="我什么都同意。").status_code == 409
    assert saved(client, consent_text="我什么都同意。", consent_version="2026-12").status_code == 303


def test_no_other_site_can_save_or_preview_and_unknown_forms_are_none(client: TestClient) -> None:
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert client.post("/forms/site", data=DRAFT, headers=elsewhere).status_code == 403
    assert client.post("/forms/site/preview", data=DRAFT, headers=elsewhere).status_code == 403
    assert client.get("/forms/none/preview").status_code == 404
    assert client.post("/forms/none", data=DRAFT).status_code == 409


def test_a_form_goes_out_with_the_company_and_comes_in_again(
    rig: Rig, client: TestClient, tmp_path: Path
) -> None:
    assert saved(client).status_code == 303
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
    write_folder(company, tmp_path / "out")
    assert read_company(tmp_path / "out").sources["site"] == company.sources["site"]
