"""A person's tasks as a calendar: read by a library, masked, by an address that opens nothing else and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar
from starlette.applications import Starlette
from starlette.testclient import TestClient

from console.calendar_feed import CalendarFeed
from console.desk import Desk
from console.gate import Guard
from store.access import CALENDAR_US, end, grant
from store.acts import Command, perform
from store.database import Database
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig, post, small_company

SECRET = "s3cret-of-a-calendar"


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=small_company())
    made.feed([post(made="a", name="王芳", phone="13812345678", message="请打 13812345678")])
    made.run()
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def client_of(rig: Rig) -> TestClient:
    append = rig.files.store_log.append
    desk = Desk(rig.store, lambda: MONDAY_10 + HOUR, lambda: "k", append)
    guard = Guard(desk, lambda _peer, _headers: False)
    return TestClient(Starlette(routes=CalendarFeed(guard, "https://leads.example.com").routes()))


def give(rig: Rig, person_id: str, kind: str, secret: str, at_us: int) -> None:
    plan = grant(kind, secret, CALENDAR_US)  # type: ignore[arg-type]
    command = Command("grant", person_id, f"{secret} {at_us}", person_id)
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)


def test_the_feed_says_when_what_is_due_and_of_the_customer_one_sign(rig: Rig) -> None:
    (task,) = rig.rows("task")
    give(rig, task["holder_id"], "calendar", SECRET, MONDAY_10 + MINUTE)
    answer = client_of(rig).get(f"/calendar/{SECRET}.ics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    (entry,) = Calendar.from_ical(answer.content).walk("VEVENT")
    assert entry["uid"] == f"{task['task_id']}@leadflow"
    start: Any = entry["dtstart"]
    assert int(start.dt.timestamp()) == task["due_us"] // 1_000_000
    assert str(entry["summary"]).endswith("王••")
    assert str(entry["url"]) == "https://leads.example.com/day"
    for secret in ("王芳", "138", "5678", "请打"):
        assert secret not in answer.text


def test_it_opens_for_its_own_secret_only_and_not_when_it_was_taken_back(rig: Rig) -> None:
    (task,) = rig.rows("task")
    me = task["holder_id"]
    give(rig, me, "calendar", SECRET, MONDAY_10 + MINUTE)
    give(rig, me, "token", "a-token", MONDAY_10 + MINUTE)
    client = client_of(rig)
    assert client.get("/calendar/a-token.ics").status_code == 404, "a token is no calendar"
    assert client.get("/calendar/nothing.ics").status_code == 404
    give(rig, me, "calendar", "the-next-one", MONDAY_10 + 2 * MINUTE)
    assert client.get(f"/calendar/{SECRET}.ics").status_code == 404, "the next one takes its place"
    assert client.get("/calendar/the-next-one").status_code == 200
    mine = next(row for row in rig.rows("access") if row["kind"] == "calendar" and row["ended_us"] is None)
    command = Command("end_access", me, "end", mine["access_id"])
    perform(rig.store, command, end(), MONDAY_10 + 3 * MINUTE, rig.files.store_log.append)
    assert client.get("/calendar/the-next-one").status_code == 404
