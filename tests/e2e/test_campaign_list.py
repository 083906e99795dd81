"""Campaigns put on the list and changed on the page: what they are known by, who may, what the files say, who comes second."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sales.campaign_list import ALIASES, NAME_CHARS
from sales.diff import diff
from sales.files import read_company, write_folder
from schemas.company import ALIAS_KINDS, Company, Role
from store.company import company_version, load_company
from tests.e2e.test_access import House
from tests.e2e.test_campaigns_page import EN, LATER, enter
from tests.e2e.test_console_pages import client_of, text_of
from tests.e2e.test_marketing import COMPANY
from tests.support.rig import HOUR, MONDAY_10, Rig, post

LIVE = {"code": "autumn-live", "name_zh": "秋季直播", "name_en": "Autumn live"}


def came(folder: Path) -> Rig:
    """Return a company to which two came by a name that no campaign has, one by another, one by Baidu."""
    made = Rig(folder, company=COMPANY.model_copy(update={"responsible_id": "chen"}))
    made.feed(
        post(
            made=f"{n}", at_us=MONDAY_10 + n * HOUR, name=f"客户{n}", phone=f"1380000000{n}", utm_campaign=one
        )
        for n, one in enumerate(("XHS", "xhs", "douyin", "bd"))
    )
    made.run()
    return made


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = came(tmp_path)
    yield made
    made.close()


def company_of(rig: Rig) -> Company:
    with rig.store.read() as connection:
        return load_company(connection, company_version(connection))


def names(rig: Rig, code: str) -> list[tuple[str, str]]:
    return [(one.kind, one.value) for one in company_of(rig).campaigns[code].aliases]


def campaigns_of(rig: Rig) -> list[str]:
    """Return for which campaign each lead counts, in the order in which they came."""
    rows = sorted(rig.rows("lead"), key=lambda row: int(row["accepted_us"]))
    return [str(row["campaign_id"]) for row in rows]


def was(rig: Rig, code: str) -> str:
    """Return what the form of a campaign says of the state it shows."""
    page = client_of(rig, LATER).get(f"/campaigns?change={code}").text
    found = re.search(r'name="was" value="(\w+)"', page)
    assert found is not None
    return found[1]


def test_a_new_campaign_counts_leads_that_came_by_its_names_once(rig: Rig) -> None:
    form = {**LIVE, "alias_utm": "xhs\r\n\r\n  DOUYIN \r\nXHS", "alias_dialled": "400-800-1234", "key": "k"}
    assert [enter(rig, "add", **form).status_code for _ in range(2)] == [303, 303]
    assert names(rig, "autumn-live") == [("utm", "xhs"), ("utm", "DOUYIN"), ("dialled", "400-800-1234")]
    assert campaigns_of(rig) == ["autumn-live", "autumn-live", "autumn-live", "baidu"]
    (act,) = [row for row in rig.rows("act") if row["verb"] == "add_campaign"]
    assert (act["actor"], act["scope_id"], act["told_json"]) == ("ann", "autumn-live", "3")
    rig.feed([post(made="n", at_us=LATER, name="赵敏", phone="13800000009", utm_campaign="DouYin")])
    rig.run()
    assert campaigns_of(rig)[-1] == "autumn-live", "so does who comes from now on"
    page = client_of(rig, LATER).get("/campaigns?from=2026-11-01&to=2026-11-30&done=add", headers=EN).text
    assert "Autumn live – 4 4" in text_of(page)
    assert "also those that came before" in page
    assert "Unknown campaign names" not in page


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"code": "baidu"}, "has this code already"),
        ({"code": "Autumn"}, "A code has small letters"),
        ({"code": "-live"}, "A code has small letters"),
        ({"code": "a" * 41}, "A code has small letters"),
        ({"code": ""}, "A code has small letters"),
        ({"name_zh": " ", "name_en": ""}, "Give the campaign a name"),
        ({"name_zh": "长" * (NAME_CHARS + 1)}, "200 characters at most"),
        ({"alias_utm": "\n".join(f"n{n}" for n in range(ALIASES + 1))}, "500 of these at most"),
        ({"alias_utm": "neu\nBD"}, "stands with a campaign already"),
        ({"alias_dialled": "hotline"}, "cannot stand with a campaign"),
        ({"actor": "nobody"}, "choose a person who works here"),
    ],
)
def test_what_cannot_be_added_is_told_and_what_was_typed_stays(
    rig: Rig, form: dict[str, str], told: str
) -> None:
    before = company_of(rig)
    answer = enter(rig, "add", **{**LIVE, "alias_tag": "<b>live", **form})
    assert answer.status_code == 409
    assert told in text_of(answer.text)
    assert answer.text.count('class="notice bad" role="alert">') == 1
    assert "<details open><summary>Add a campaign" in answer.text
    assert "&lt;b&gt;live</textarea>" in answer.text
    assert company_of(rig) == before
    assert not [row for row in rig.rows("act") if row["verb"] == "add_campaign"]
    if told.startswith("stands"):
        assert "BD : Baidu" in text_of(answer.text), "which name it is, and whose"


def test_a_campaign_is_called_something_else_and_known_by_other_names(rig: Rig) -> None:
    page = client_of(rig, LATER).get("/campaigns?change=baidu", headers=EN).text
    assert "<details open><summary>Change a campaign" in page
    assert re.search(r'<textarea name="alias_utm"[^>]*>bd</textarea>', page)
    form = {"campaign": "baidu", "was": was(rig, "baidu"), "name_zh": "百度推广", "name_en": ""}
    assert enter(rig, "change", **form, alias_utm="xhs", alias_heard="百度").status_code == 303
    changed = company_of(rig).campaigns["baidu"]
    assert (changed.name_zh, changed.name_en) == ("百度推广", "百度推广"), "one name is enough"
    assert names(rig, "baidu") == [("utm", "xhs"), ("heard", "百度")]
    assert campaigns_of(rig) == ["baidu", "baidu", "None", "baidu"], "who came by bd before stays"
    rig.feed([post(made="n", at_us=LATER, name="赵敏", phone="13800000009", utm_campaign="bd")])
    rig.run()
    assert campaigns_of(rig)[-1] == "None", "bd counts for it no more"
    gone = enter(rig, "change", campaign="gone", was="", name_zh="x")
    assert (gone.status_code, "Choose a campaign" in gone.text) == (409, True)


def test_who_saves_second_overwrites_nothing_and_sees_what_stands_now(rig: Rig) -> None:
    state = was(rig, "baidu")
    first = {"campaign": "baidu", "was": state, "name_zh": "百度", "name_en": "Baidu", "alias_utm": "bd\nbd2"}
    assert enter(rig, "change", **first).status_code == 303
    second = {**first, "name_en": "Baidu ads", "alias_utm": "bd\nbd3"}
    answer = enter(rig, "change", **second)
    assert answer.status_code == 409
    told = text_of(answer.text)
    assert "Somebody changed this campaign meanwhile" in told
    assert "As it stands now: Name in Chinese: 百度 Name in English: Baidu" in told
    assert "bd ; bd2" in told
    assert 'value="Baidu ads"' in answer.text
    assert "bd\nbd3</textarea>" in html.unescape(answer.text)
    assert names(rig, "baidu") == [("utm", "bd"), ("utm", "bd2")]
    renewed = re.search(r'name="was" value="(\w+)"', answer.text)
    assert renewed is not None
    assert enter(rig, "change", **{**second, "was": renewed[1]}).status_code == 303
    assert names(rig, "baidu") == [("utm", "bd"), ("utm", "bd3")]
    late = enter(rig, "change", **{**second, "was": renewed[1], "name_zh": ""})
    assert "Somebody changed this campaign" in late.text, "whatever else is wrong with it"


ODD = [
    "a; b",
    "a；b",
    '"',
    'say "x"',
    "=1+1",
    "'=x",
    "'x",
    "-",
    "@a",
    "秋  季",
    " trim\tme ",
    "ﬁ",
    "\x00",
    "a,b",
]


def test_what_is_written_comes_out_of_the_files_and_changes_nothing_when_applied(
    rig: Rig, tmp_path: Path
) -> None:
    for number, text in enumerate(ODD):
        heard = text.strip("\x00") or "none"
        form = {"code": f"odd{number}", "name_zh": f"{text}x", "alias_heard": f"{heard}"}
        assert enter(rig, "add", **form, alias_list=f"{heard}\n{heard} 2").status_code == 303, text
    held = company_of(rig)
    write_folder(held, tmp_path / "files")
    read = read_company(tmp_path / "files")
    assert [one for one in diff(held, read) if one.what == "campaign"] == []
    assert read.campaigns == held.campaigns


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("representative", False),
        ("manager", False),
        ("marketing", True),
        ("front_desk", False),
        ("operations", True),
        ("auditor", False),
    ],
)
def test_only_who_enters_spend_adds_a_campaign(rig: Rig, role: Role, may: bool) -> None:
    house = House(rig, now_us=LATER)
    client = house.client(house.grant("ann", role=role))
    page = client.get("/campaigns?change=baidu").text
    assert ("Add a campaign" in page, 'action="/campaigns/change' in page) == (may, may)
    answers = [
        client.post("/campaigns/add", data=LIVE, follow_redirects=False),
        client.post(
            "/campaigns/change",
            data={"campaign": "baidu", "was": was(rig, "baidu"), "name_zh": "新名"},
            follow_redirects=False,
        ),
    ]
    assert [one.status_code for one in answers] == [303 if may else 403] * 2
    assert ("autumn-live" in company_of(rig).campaigns) == may
    assert {row["actor"] for row in rig.rows("act") if row["verb"].endswith("_campaign")} == (
        {"ann"} if may else set()
    )


def test_without_a_campaign_the_page_leads_to_adding_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=COMPANY.model_copy(update={"campaigns": {}}))
    page = client_of(rig, LATER).get("/campaigns", headers=EN).text
    assert page.count('<a href="#listed">There is no campaign yet. Add the first one.</a>') == 2
    assert "<details open><summary>Add a campaign" in page
    assert "Change a campaign" not in page
    for kind in ALIAS_KINDS:
        assert f'name="alias_{kind}"' in page
    assert enter(rig, "add", **LIVE).status_code == 303
    assert "There is no campaign yet" not in client_of(rig, LATER).get("/campaigns", headers=EN).text
    rig.close()


def test_no_other_site_can_add_a_campaign(rig: Rig) -> None:
    headers: dict[str, Any] = {"sec-fetch-site": "cross-site"}
    assert client_of(rig, LATER).post("/campaigns/add", data=LIVE, headers=headers).status_code == 403
    assert "autumn-live" not in company_of(rig).campaigns
