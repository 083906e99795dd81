"""Who is eligible: what a lead needs of a person, how much somebody has already, and why somebody cannot have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.company import Person
from worktime import Calendar, is_working, next_working, working_seconds

CAP_LOOK_US = 10 * 60 * 1_000_000
"""How soon a queue is looked at again that waits for somebody's cap. A customer that is closed or returned asks for it
at once; this is for whatever else takes one away (a merge, an erasure). Shorter reads the queue for nothing."""

_MINUTE_US = 60_000_000
_ABOUT = ("product", "product_line", "industry", "campaign", "territory", "province", "city", "language")


@dataclass(frozen=True, slots=True)
class Needs:
    """What a lead needs of whoever gets it; empty where it is unknown."""

    language: str = ""
    line: str = ""
    territory: str = ""
    about: frozenset[str] = frozenset()
    """Codes that it is about, by which skills count."""


@dataclass(frozen=True, slots=True)
class Loads:
    """How much people have: open customers, and leads received on this day; of those of whom it matters."""

    open: Mapping[str, int] = field(default_factory=dict)
    today: Mapping[str, int] = field(default_factory=dict)


NO_NEEDS, NO_LOADS = Needs(), Loads()


def needs_of(facts: Mapping[str, str]) -> Needs:
    """Return what a lead with these facts (`schemas.facts`) needs."""
    about = frozenset(facts[name] for name in _ABOUT) - {""}
    return Needs(facts["language"], facts["product_line"], facts["territory"], about)


def unfit(person: Person, needs: Needs) -> str | None:
    """Return `lacks_language`, `other_line` or `other_territory`, or None: at any time, this is for them."""
    if person.languages and needs.language and needs.language not in person.languages:
        return "lacks_language"
    if person.lines and needs.line and needs.line not in person.lines:
        return "other_line"
    if person.territories and needs.territory and needs.territory not in person.territories:
        return "other_territory"
    return None


def matches(person: Person, needs: Needs) -> int:
    """Return how many of the codes that a lead is about are among a person's skills and languages."""
    return len(needs.about.intersection((*person.skills, *person.languages)))


def full(person: Person, loads: Loads) -> str | None:
    """Return `at_cap` or `at_day_cap`, or None."""
    if person.open_cap is not None and loads.open.get(person.person_id, 0) >= person.open_cap:
        return "at_cap"
    if person.day_cap is not None and loads.today.get(person.person_id, 0) >= person.day_cap:
        return "at_day_cap"
    return None


def at_the_edge(person: Person, calendar: Calendar, at_us: int) -> str | None:
    """Return `opening` or `closing` for who works, but just began or is about to stop; else None."""
    if (begin := person.opening_minutes) and _worked(calendar, at_us - begin * _MINUTE_US, at_us) < begin:
        return "opening"
    if (end := person.closing_minutes) and _worked(calendar, at_us, at_us + end * _MINUTE_US) < end:
        return "closing"
    return None


def ready(person: Person, calendar: Calendar, from_us: int) -> int | None:
    """Return when somebody may get something new, by their hours alone, from a moment on; None if never.

    May be too early, or some minutes late, where shifts are shorter than what is kept free of them: ask again then.
    """
    moment = next_working(calendar, from_us)
    if moment is None:
        return None
    match at_the_edge(person, calendar, moment):
        case "opening":
            return moment + person.opening_minutes * _MINUTE_US
        case "closing":
            later = next_working(calendar, moment + person.closing_minutes * _MINUTE_US)
            return None if later is None else later + person.opening_minutes * _MINUTE_US
        case _:
            return moment


def _worked(calendar: Calendar, from_us: int, to_us: int) -> int:
    return working_seconds(calendar, from_us, to_us) // 60 if is_working(calendar, from_us) else 0
