"""The demo company with more people: the same teams, rules and customers, and many more who share them. Pure."""

from __future__ import annotations

from itertools import cycle, islice

from leadflow.demo.cast import dice, prospect
from leadflow.demo.script import SEED
from schemas.company import Company, Member, Person

_SHARES = (2, 3, 4)
_FIRST = 60_000_000
"""Numbers of people who work here: apart from those of customers."""


def enlarged(company: Company, people: int) -> Company:
    """Return the company with so many people who work there, the new ones spread over the teams that have any now.

    Nobody is taken out: fewer than there are changes nothing.
    """
    active = [one for one in company.people.values() if one.state == "active"]
    teams = list(
        dict.fromkeys(
            one.unit_id
            for one in company.members
            if one.to_us is None and company.units[one.unit_id].kind == "team"
        )
    )
    begun_us = min(one.from_us for one in company.members)
    found, members = dict(company.people), list(company.members)
    for number, unit_id in enumerate(islice(cycle(teams), max(0, people - len(active)))):
        person_id = f"p{number + 1:03}"
        calendar = next(
            (found[one.person_id].calendar_id for one in company.members if one.unit_id == unit_id), None
        )
        found[person_id] = Person(
            person_id=person_id,
            name=_name(number),
            email=f"{person_id}@haichuan.example",
            extension=f"7{number:03}",
            language=company.language,
            calendar_id=calendar,
        )
        share = dice(SEED, "share", number).choice(_SHARES)
        members.append(Member(unit_id=unit_id, person_id=person_id, from_us=begun_us, share=share))
    return company.model_copy(update={"people": found, "members": tuple(members)})


def _name(number: int) -> str:
    """Return the Chinese name of a person, the same every time."""
    return next(
        one.name
        for one in (prospect(f"{SEED}/staff", _FIRST + 1_000 * number + ordinal) for ordinal in range(1_000))
        if one.language == "zh"
    )
