"""A mail to an owner, and their own robot, carry a one-time link that opens that very task from elsewhere, once."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import Live
from tests.support.postbox import Postbox
from tests.support.rig import small_company
from tests.support.robots import KEY, Vendor, wecom

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
AWAY = "leads.example"


ROBOT = {"kind": "wecom", "name": "群", "secret": KEY}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    made = wecom()
    yield made
    made.close()


def started(tmp_path: Path, sinks: dict[str, Any]) -> Live:
    company = small_company(absences=(), sinks=sinks, calendars={}, responsible_id="chen")
    people = {
        key: one.model_copy(update={"email": f"{key}@haichuan.example"})
        for key, one in company.people.items()
    }
    units = {key: one.model_copy(update={"calendar_id": None}) for key, one in company.units.items()}
    company = company.model_copy(update={"people": people, "units": units})
    running = Live(tmp_path / "data", company, LEADFLOW_PUBLIC_URL=f"http://{AWAY}")
    running.start()
    return running


@pytest.fixture
def live(tmp_path: Path, postbox: Postbox) -> Iterator[Live]:
    running = started(tmp_path, {"mail": postbox.sink()})
    yield running
    running.stop()


@pytest.fixture
def live_by_robot(tmp_path: Path, vendor: Vendor) -> Iterator[Live]:
    """A group's robot, and one of their own for each person."""
    sinks = {"group": {**ROBOT, "sink_id": "group", "url": vendor.url}}
    sinks |= {
        one: {**ROBOT, "sink_id": one, "url": vendor.url, "person": one} for one in ("ann", "bo", "chen")
    }
    running = started(tmp_path, sinks)
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
    ((task,),) = live.query("SELECT task_id FROM task")
    assert (entered.status, entered.headers["location"]) == (303, f"/day?task={task}")
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


def test_the_own_robot_s_link_opens_the_task_once_and_the_group_s_asks_who_it_is(
    live_by_robot: Live, vendor: Vendor
) -> None:
    live = live_by_robot
    live.post("/in/web/site", b"name=%E5%BC%A0%E4%BC%9F&phone=13812345678", FORM)
    give_up = time.monotonic() + 20
    while len(vendor.shown) < 2:
        assert time.monotonic() < give_up, "no message came"
        time.sleep(0.05)
    texts = [one["markdown"]["content"] for one in vendor.shown]
    (own,) = [found[1] for text in texts if (found := re.search(rf"http://{AWAY}(/enter/[^)]+)", text))]
    (group,) = [found[1] for text in texts if (found := re.search(rf"http://{AWAY}(/day[^)]*)", text))]
    ((task,),) = live.query("SELECT task_id FROM task")
    assert all("13812345678" not in text and "张伟" not in text for text in texts)
    assert group == f"/day?task={task}"
    assert ask(live, "GET", group).status == 401
    entered = ask(live, "POST", own)
    assert (entered.status, entered.headers["location"]) == (303, group)
    cookie = entered.headers["set-cookie"].partition(";")[0]
    page = ask(live, "GET", group, cookie).body  # type: ignore[attr-defined]
    first = page.index('aria-labelledby="first"')
    assert first < page.index(f'id="{task}"') < page.index("</section>", first), (
        "that very task, before all others"
    )
    assert page.count(f'id="{task}"') == 1
    assert "set-cookie" not in ask(live, "POST", own).headers
    again = ask(live, "GET", own, cookie)
    assert (again.status, again.headers["location"]) == (303, group), "who is in already is led on"
    for wrong in ("//evil.example", "task_1%0d%0aset-cookie:x=1", "../x"):
        place = ask(live, "GET", f"{own.partition('?')[0]}?task={wrong}", cookie).headers["location"]
        assert place == "/day"
    gone = ask(live, "GET", "/day?task=task_0", cookie).body  # type: ignore[attr-defined]
    assert "消息里的待办已完成" in gone
