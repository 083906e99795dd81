"""The mail to an owner carries a one-time link that opens their inbox from elsewhere, once."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.live import Live
from tests.support.postbox import Postbox
from tests.support.rig import small_company

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
AWAY = "leads.example"


@pytest.fixture
def live(tmp_path: Path, postbox: Postbox) -> Iterator[Live]:
    company = small_company(absences=(), sinks={"mail": postbox.sink()}, calendars={}, responsible_id="chen")
    people = {
        key: one.model_copy(update={"email": f"{key}@haichuan.example"})
        for key, one in company.people.items()
    }
    units = {key: one.model_copy(update={"calendar_id": None}) for key, one in company.units.items()}
    company = company.model_copy(update={"people": people, "units": units})
    running = Live(tmp_path / "data", company, LEADFLOW_PUBLIC_URL=f"http://{AWAY}")
    running.start()
    yield running
    running.stop()


def ask(live: Live, method: str, path: str, cookie: str = "") -> http.client.HTTPResponse:
    """Ask as somebody elsewhere does, who knows the public name."""
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    headers = {"Host": AWAY, "Origin": f"http://{AWAY}", "Accept": "text/html"}
    connection.request(method, path, headers={**headers, **({"Cookie": cookie} if cookie else {})})
    answer = connection.getresponse()
    answer.body = answer.read().decode()  # type: ignore[attr-defined]
    connection.close()
    return answer


def links(postbox: Postbox, count: int) -> list[str]:
    give_up = time.monotonic() + 20
    while len(postbox.came) < count:
        assert time.monotonic() < give_up, "no mail came"
        time.sleep(0.05)
    texts = [mail.get_body(("plain",)).get_content() for _, mail in postbox.came]  # type: ignore[union-attr]
    return [found[0] for text in texts if (found := re.search(rf"http://{AWAY}/enter/\S+", text))]


def test_the_link_opens_the_owner_s_inbox_on_a_phone_and_no_second_time(live: Live, postbox: Postbox) -> None:
    live.post("/in/web/site", b"name=%E5%BC%A0%E4%BC%9F&phone=13812345678", FORM)
    (link,) = links(postbox, 1)
    path = link.removeprefix(f"http://{AWAY}")
    ((to, _),) = postbox.came
    owner = to.partition("@")[0]
    assert ask(live, "GET", f"/inbox/{owner}").status == 401
    assert ask(live, "GET", path).status == 200, "looking at it (a mail scanner does) uses nothing up"
    entered = ask(live, "POST", path)
    assert (entered.status, entered.headers["location"]) == (303, "/day")
    cookie = entered.headers["set-cookie"].partition(";")[0]
    inbox = ask(live, "GET", f"/inbox/{owner}", cookie)
    assert inbox.status == 200
    assert 'href="tel:+8613812345678"' in inbox.body  # type: ignore[attr-defined]
    again = ask(live, "POST", path)
    assert "set-cookie" not in again.headers
    assert again.status in (403, 409, 410)


def test_a_mail_sent_again_carries_the_same_link(live: Live, postbox: Postbox) -> None:
    postbox.refuse = {f"{who}@haichuan.example": "451 4.3.0 not now" for who in ("ann", "bo", "chen")}
    live.post("/in/web/site", b"name=%E5%BC%A0%E4%BC%9F&phone=13812345678", FORM)
    give_up = time.monotonic() + 20
    while not live.query("SELECT 1 FROM delivery WHERE attempt > 0"):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    postbox.refuse = {}
    live.kill()
    live.start()
    (link,) = links(postbox, 1)
    assert link
    assert live.query("SELECT count(*) FROM access WHERE kind = 'link'") == [(1,)]
