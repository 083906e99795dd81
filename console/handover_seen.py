"""What is asked of a hand-over, by a form or by the API, and whose hand-overs somebody sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from console.may import Visitor, managed_units
from console.times import parse_local
from schemas.company import Company
from store.acted import Above
from store.acts import ActRefused
from store.acts_job import Job, read_job

WHY = ("leaving", "transfer", "until")
"""They leave; part or all of it goes for good; somebody stands in until a day."""
MOST_AHEAD_US = 10 * 366 * 86_400_000_000
"""Of the day on which somebody is back."""


def asked_for(
    why: str | None,
    parts: Sequence[tuple[str, str]],
    company: Company,
    now_us: int,
    *,
    until: str = "",
    duties_to: str | None = None,
) -> dict[str, Any]:
    """Return what is asked for: parts as (filter, to whom), the last one without a filter; `until` a local day. Raises ActRefused."""
    if why not in WHY or not parts:
        raise ActRefused("choice", "Say why, and who gets them.")
    until_us = None
    if why == "until":
        try:
            until_us = parse_local(f"{until}T00:00", company.zone)
        except (ValueError, OverflowError):
            raise ActRefused("bad_date", "The date cannot be read.") from None
        if until_us <= now_us:
            raise ActRefused("past_date", "The date lies in the past.")
        if until_us > now_us + MOST_AHEAD_US:
            raise ActRefused(
                "bad_date", "The date lies more than ten years ahead; whoever stays away so long has left."
            )
    leaving = why == "leaving"
    return {
        "parts": [f"{filter_} => {to}".lstrip() for filter_, to in parts],
        "plan_csv": None,
        "leaving": leaving,
        "duties_to": (duties_to or None) if leaving else None,
        "until_us": until_us,
    }


def of_theirs(who: Visitor, person_id: str) -> None:
    """Raise ActRefused for somebody whose customers a visitor does not see."""
    if not person_id or not who.sees(person_id):
        raise ActRefused("unknown_person", "Nobody of yours has this code.")


def above_of(company: Company, who: Visitor) -> Above | None:
    """Return whose hand-overs a visitor sees; None: everybody's."""
    if who.sees_all:
        return None
    return Above(who.holders, managed_units(company, who.person_id), who.person_id)


def seen_job(connection: Connection, company: Company, who: Visitor, job_id: str) -> Job:
    """Return a hand-over, if it is of somebody whom the visitor sees or was above then, or they began it. Raises ActRefused."""
    job, above = read_job(connection, job_id), above_of(company, who)
    theirs = above is None or job.person_id in above.people or job.actor == above.actor
    if job.kind != "hand_over" or not (theirs or (above and not job.units.isdisjoint(above.units))):
        raise ActRefused("unknown_job", "There is no such hand-over.")
    return job
