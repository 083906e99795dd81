"""The other language is one click away on every page, and that click loses nothing: no filter, no task, no way back."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from tests.e2e.test_access import AWAY, PAGE, House
from tests.e2e.test_move_page import house as moving
from tests.e2e.test_moves import rig
from tests.e2e.test_sign_in import account, house

__all__ = ["house", "moving", "rig"]


def switched(client: TestClient, answer: Any) -> Any:
    """Follow a page's link to the other language."""
    found = re.search(r'<a href="([^"]*)" lang="[^"]*" hreflang="', answer.text)
    assert found, "there is a link to the other language"
    address = html.unescape(found[1])
    assert urlsplit(address).netloc == ""
    return client.get(address, headers=PAGE)


def sent(client: TestClient, page: str, path: str, **form: str) -> Any:
    """Send a form as a browser does: with the page that it stands on."""
    site = f"http://{AWAY}"
    return client.post(path, data=form, headers={**PAGE, "origin": site, "referer": f"{site}{page}"})


@pytest.mark.parametrize(
    "address",
    ["/inbox?x=1", "/why-not?lead=l_1&lang=en", "/customers?text=%E5%BC%A0+a&state=open", "/day?task=task_1"],
)
def test_filters_and_task_stay(house: House, address: str) -> None:
    client = house.client(house.grant("ann"))
    answer = client.get(address, headers=PAGE)
    other = switched(client, answer)
    assert other.headers["content-language"] == "zh"
    before = {one for one in urlsplit(address).query.split("&") if one != "lang=en"}
    assert set(other.url.query.decode().split("&")) == before | {"lang=zh"}
    assert other.url.path == urlsplit(address).path


@pytest.mark.parametrize(
    ("page", "path", "back"),
    [
        ("/move?silent=3", "/move/preview", "/move?silent=3&lang=zh"),
        ("/move/preview", "/move/apply", "/move?lang=zh"),
        ("/inbox/bo?from=25", "/inbox/bo/task_x/outcome", "/inbox/bo?from=25&lang=zh"),
        ("/inbox/bo/task_x/outcome", "/inbox/bo/task_x/outcome", "/inbox/bo?lang=zh"),
        ("//evil.example/move", "/move/preview", "/move?lang=zh"),
    ],
)
def test_after_a_refused_form_it_leads_to_the_form_s_page(
    moving: House, page: str, path: str, back: str
) -> None:
    client = moving.client(moving.grant("mia"))
    answer = sent(client, page, path)
    assert answer.status_code in (403, 409, 422)
    other = switched(client, answer)
    assert (str(other.url).removeprefix(f"http://{AWAY}"), other.status_code) == (back, 200)
    assert other.headers["content-language"] == "zh"


def test_the_way_in_keeps_where_one_wanted_to_go(house: House) -> None:
    account(house, "ann")
    client = house.client()
    first = switched(client, client.get("/day?task=task_1", headers=PAGE))
    assert 'name="next" value="/day?task=task_1"' in first.text
    wrong = sent(client, "/sign-in", "/sign-in", name="ann", password="no", next="/day?task=task_1")
    assert 'name="next" value="/day?task=task_1"' in switched(client, wrong).text
    link = house.grant("bo", "link")
    assert (
        switched(client, client.get(f"/enter/{link}?task=task_1")).url.query.decode() == "task=task_1&lang=zh"
    )
    for someone in (client, account(house, "bo")):
        left = switched(someone, sent(someone, "/customers?text=zhang", "/leave"))
        assert 'name="next" value="/"' in left.text, (
            "whoever comes next is not led to where somebody else was"
        )


def test_who_is_out_when_a_form_is_sent_comes_back_to_its_page(house: House) -> None:
    account(house, "ann")
    answer = sent(house.client(), "/day?task=task_1", "/inbox/ann/task_1/outcome", code="won")
    assert answer.status_code == 401
    assert 'name="next" value="/day?task=task_1"' in answer.text


def test_no_address_makes_the_link_lead_to_another_site(house: House) -> None:
    account(house, "ann")
    answer = house.client().get(f"http://{AWAY}//evil.example/x", headers=PAGE)
    assert answer.status_code == 401
    assert 'href="/evil.example/x?lang=' in answer.text
    assert 'href="//' not in answer.text
