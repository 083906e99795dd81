"""The first company of somebody who starts: one team, its people, office hours, one source, one rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any, Literal

from babel.core import get_global

from sales.people import new_person_id
from schemas.base import Language
from schemas.company import Company, Member, Person, Unit, book_version
from worktime import CalendarError, parse_calendar

FirstSource = Literal["web", "email", "counter"]

TEAM, CALENDAR = "sales", "office"
_HOURS = ["09:00-12:00", "13:00-18:00"]
_BOOK = "rule,then_team,then_respond_within,note\neverything,{team},30,{note}\n"
_NOTES = {"zh": "在这一行之上添加更细的规则", "en": "write finer rules above this one"}
_SOURCES: dict[FirstSource, tuple[str, str, dict[Language, str]]] = {
    "web": ("site", "web.form", {"zh": "官网表单", "en": "Website form"}),
    "email": ("mail", "email.message", {"zh": "询价邮箱", "en": "Enquiries by mail"}),
    "counter": ("front-desk", "counter.visit", {"zh": "前台", "en": "Front desk"}),
}


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """What is asked at the start. A person is written `Li Na <li.na@daheng.example>`, the address if there is one."""

    name: str
    zone: str
    language: Language
    people: Sequence[str]
    source: FirstSource = "web"
    address: str = ""
    """Where mail for the source `email` is sent."""


def first_company(steps: FirstSteps) -> Company:
    """Return a company that passes the check; the first person manages the team and answers for its queue."""
    people = _people(steps)
    first = next(iter(people))
    source_id, format_, names = _SOURCES[steps.source]
    source: dict[str, Any] = {
        "source_id": source_id,
        "channel": steps.source,
        "format": format_,
        "name": names[steps.language],
        "zone": steps.zone,
        "language": steps.language,
    }
    if steps.source == "email":
        source["addresses"] = [steps.address]
    book = _BOOK.format(team=TEAM, note=_NOTES[steps.language])
    return Company(
        version=0,
        name=steps.name,
        zone=steps.zone,
        language=steps.language,
        default_queue=TEAM,
        responsible_id=first,
        units={
            "company": Unit(unit_id="company", kind="company", name_zh=steps.name, name_en=steps.name),
            TEAM: Unit(
                unit_id=TEAM,
                parent_id="company",
                kind="team",
                name_zh="销售组",
                name_en="Sales",
                manager_id=first,
                calendar_id=CALENDAR,
            ),
        },
        people=people,
        members=tuple(Member(unit_id=TEAM, person_id=one, from_us=0) for one in people),
        calendars={CALENDAR: _calendar(steps.zone)},
        sources={source_id: source},
        book_csv=book,
        book_version=book_version(book),
    )


def _people(steps: FirstSteps) -> dict[str, Person]:
    people: dict[str, Person] = {}
    for number, text in enumerate(steps.people, start=1):
        name, email = parseaddr(text) if "@" in text else (text, "")
        name = name.strip() or email.partition("@")[0]
        person_id = new_person_id({"name": name, "email": email}, people)
        code = f"{number:02}" if number < 100 else None
        people[person_id] = Person(
            person_id=person_id,
            name=name,
            email=email or None,
            desk_code=code,
            language=steps.language,
            # The first looks after Leadflow until they give that to somebody else.
            roles=("manager", "operations") if number == 1 else (),
        )
    return people


def _calendar(zone: str) -> dict[str, Any]:
    """Return office hours with the public holidays of the zone's country, where they are known."""
    week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), _HOURS)
    calendar = {"zone": zone, "country": get_global("zone_territories").get(zone), "week": week}
    try:
        parse_calendar(calendar)
    except CalendarError:
        del calendar["country"]
    return calendar
