"""A person's open tasks as a calendar that any calendar program subscribes to (RFC 5545), by a secret address.

The address opens this feed and nothing else. What it says lies with whoever keeps the calendar, so customers are masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from icalendar import Calendar, Event
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.problem import problem
from console.gate import Guard
from console.texts import WORDING
from console.words import ORIGINS, word
from schemas.base import Language
from schemas.mask import first_sign
from store import tables

SHOWN = 300
"""Tasks, the most urgent first: more than anybody does in the days that a calendar shows."""
LASTS = timedelta(minutes=15)
"""How long an entry is drawn: a task has a moment, and no length."""
AGAIN = "PT15M"
"""How often a program that listens to it should ask again."""


@dataclass(frozen=True)
class CalendarFeed:
    """The feed; `public_url` is how the day is reached from elsewhere."""

    guard: Guard
    public_url: str | None

    def routes(self) -> list[BaseRoute]:
        """Return the feed's route."""
        return [Route("/calendar/{secret}", self.feed)]

    async def feed(self, request: Request) -> Response:
        """The calendar; 404 for an address that is unknown, was taken back, or whose person has left."""
        secret = str(request.path_params["secret"]).removesuffix(".ics")
        text = await run_in_threadpool(self._feed, secret)
        if text is None:
            await self.guard.failed(request)
            return problem(
                404, "unknown_calendar", "There is no such calendar.", "Make a new address on /me."
            )
        headers = {"cache-control": "private, no-cache", "referrer-policy": "no-referrer"}
        return Response(text, media_type="text/calendar; charset=utf-8", headers=headers)

    def _feed(self, secret: str) -> bytes | None:
        who = self.guard.visitor(secret, "calendar")
        if who is None or who.person_id is None:
            return None
        with self.guard.desk.store.read() as connection:
            company = self.guard.desk.companies.get(connection)
            tasks = open_tasks(connection, who.person_id)
        person = company.people[who.person_id]
        name = person.name if person.language == "zh" else person.name_en or person.name
        return calendar_of(tasks, f"Leadflow · {name}", person.language, self.public_url)


@dataclass(frozen=True, slots=True)
class Due:
    """A task in a calendar."""

    task_id: str
    origin: str
    due_us: int
    created_us: int
    customer: str
    """The first sign of the customer's name, or nothing."""


def open_tasks(connection: Connection, person_id: str) -> list[Due]:
    """Return a person's open tasks, the most urgent first."""
    task, lead = tables.task, tables.lead
    rows = connection.execute(
        select(task.c.task_id, task.c.origin, task.c.due_us, task.c.created_us, lead.c.fields_json)
        .outerjoin(lead, lead.c.lead_id == task.c.lead_id)
        .where(task.c.holder_id == person_id, task.c.holder_kind == "person", task.c.state == "open")
        .order_by(task.c.due_us, task.c.task_id)
        .limit(SHOWN)
    )
    return [
        Due(row.task_id, row.origin, row.due_us, row.created_us, _called(row.fields_json)) for row in rows
    ]


def calendar_of(tasks: list[Due], name: str, language: Language, public_url: str | None) -> bytes:
    """Return the tasks as an iCalendar file. Pure."""
    gettext = WORDING.translations(language).gettext
    calendar = Calendar()
    calendar.add("prodid", "-//Leadflow//tasks//")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", name)
    calendar.add("x-published-ttl", AGAIN)
    calendar["refresh-interval;value=duration"] = AGAIN
    for task in tasks:
        entry, due = Event(), _utc(task.due_us)
        entry.add("uid", f"{task.task_id}@leadflow")
        entry.add("dtstamp", _utc(task.created_us))
        entry.add("dtstart", due)
        entry.add("dtend", due + LASTS)
        entry.add("summary", " · ".join(filter(None, (word(ORIGINS, task.origin, gettext), task.customer))))
        if public_url:
            entry.add("url", f"{public_url}/day")
        calendar.add_component(entry)
    return bytes(calendar.to_ical())


def _utc(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, UTC)


def _called(fields_json: str | None) -> str:
    fields = orjson.loads(fields_json) if fields_json else []
    named = [one for one in fields if one["name"] in ("full_name", "company")]
    named.sort(key=lambda one: one["name"] != "full_name")
    return first_sign(named[0].get("value") or named[0]["received"]) if named else ""
