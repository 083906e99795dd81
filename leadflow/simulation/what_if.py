"""Other plans of people: one away, a starter, another company's people under the same rules. Pure."""

from __future__ import annotations

import re

from sales.cells import DAY, TO, CellError
from schemas.company import Absence, Company, Member, Person
from worktime.localtime import zone_of


class WhatIfError(ValueError):
    """The plan cannot be read; the message says why, in English and Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


_STARTER = re.compile(r"([^:\s]+):([^:\s]+)(?::(\d{1,4}))?")


def with_away(company: Company, text: str, since_us: int, until_us: int) -> Company:
    """Return the company with somebody away: `ann`, all the time, or `ann:2026-11-02..2026-11-06`. Raises WhatIfError."""
    person_id, _, days = text.partition(":")
    if person_id not in company.people:
        raise WhatIfError(
            f"Nobody has the code {person_id!r}; see people.csv",
            f"没有人使用代码 {person_id!r}，请查看 people.csv",
        )
    if days:
        first, _, last = days.partition("..")
        zone = zone_of(company.zone)
        try:
            since_us, until_us = DAY.read(first, zone), TO.read(last or first, zone)
        except CellError:
            raise WhatIfError(
                f"--away {text}: write PERSON or PERSON:2026-11-02..2026-11-06",
                f"--away {text}：请写成 人员 或 人员:2026-11-02..2026-11-06",
            ) from None
    if until_us <= since_us:
        raise WhatIfError(f"--away {text}: the end lies before the beginning", f"--away {text}：结束早于开始")
    absence = Absence(person_id=person_id, from_us=since_us, to_us=until_us)
    return company.model_copy(update={"absences": (*company.absences, absence)})


def with_starter(company: Company, text: str) -> Company:
    """Return the company with somebody more in a team from the beginning: `new-one:east:2`. Raises WhatIfError.

    Somebody with this code who is there already joins the team as they are; whoever is new takes whatever comes.
    """
    match = _STARTER.fullmatch(text)
    if match is None or int(match[3] or 1) == 0:
        raise WhatIfError(
            f"--starter {text}: write PERSON:TEAM or PERSON:TEAM:SHARE, with a share of at least 1",
            f"--starter {text}：请写成 人员:团队 或 人员:团队:份额，份额至少为 1",
        )
    person_id, team_id = match[1], match[2]
    if team_id not in company.units:
        raise WhatIfError(f"There is no unit {team_id}", f"没有单位 {team_id}")
    person = company.people.get(person_id) or Person(person_id=person_id, name=person_id)
    others = (one for one in company.members if (one.unit_id, one.person_id) != (team_id, person_id))
    member = Member(unit_id=team_id, person_id=person_id, from_us=0, share=int(match[3] or 1))
    return company.model_copy(
        update={
            "people": {**company.people, person_id: person.model_copy(update={"state": "active"})},
            "members": (*others, member),
        }
    )
