"""Sharing customers out: who gets which of many at once, the same whenever it is asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.book import POOL
from router.eligible import needs_of, unfit
from router.office import Office
from router.route import named_person, tie_of
from router.strategies import Candidate, strategy_named
from router.strategies.weighted_turn import weighted_turn
from schemas.company import Company
from schemas.shares import parts_of
from schemas.work import Condition, HolderKind

BY_RULES = "by-rules"
"""The target that leaves it to the rule book."""

_ONE = re.compile(r"^\s*([^:,\s]+)\s*(?::\s*(\d+)\s*)?$")

_WEIGHT_DIGITS = 6
"""Of weights only the ratio counts."""


class TargetError(ValueError):
    """A target names nobody; the message says what could stand there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is to have what: the rule book's choice, a unit's waiting queue, an open pool, or people by weight, in turn."""

    by_rules: bool = False
    unit_id: str | None = None
    pool_id: str | None = None
    people: tuple[tuple[str, int], ...] = ()
    """Each with their weight."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who gets a customer, and by which rule, if it was by one."""

    kind: HolderKind
    holder_id: str
    team_id: str | None = None
    rule_id: str | None = None
    conditions: tuple[Condition, ...] = ()


def read_target(text: str, company: Company) -> Target:
    """Read `wu-ting`, `wu-ting:2, gao-feng:1`, the code of a unit, `pool:ID`, or `by-rules`. Raises TargetError."""
    plain = text.strip()
    if plain == BY_RULES:
        return Target(by_rules=True)
    if plain in company.units and plain not in company.people:
        return Target(unit_id=plain)
    if plain.startswith(POOL):
        pool_id = plain.removeprefix(POOL)
        if pool_id not in company.pools:
            raise TargetError(f"there is no pool {pool_id!r}; there are {', '.join(company.pools) or 'none'}")
        return Target(pool_id=pool_id)
    people = []
    for part in plain.split(","):
        match = _ONE.match(part)
        person = company.people.get(match[1]) if match else None
        if match is None or person is None or person.state != "active":
            raise TargetError(
                f"{part.strip()[:60]!r} is nobody who works here and no unit; write a person, several with weights "
                f"(ann:2,bo:1), a unit, pool:ID, or {BY_RULES}"
            )
        weight = match[2] or "1"
        if not weight.strip("0"):
            raise TargetError(f"{match[1]!r} has weight 0 and would get nothing; leave it out")
        if len(weight) > _WEIGHT_DIGITS:
            raise TargetError(
                f"{match[1]!r} has a weight of {len(weight)} digits; write at most {_WEIGHT_DIGITS}"
            )
        people.append((match[1], int(weight)))
    return Target(people=tuple(people))


@dataclass
class Sharing:
    """One sharing-out: what each has got of it so far decides whose turn is next.

    `without`: a person who gets nothing, since it is theirs that is shared out.
    """

    office: Office
    at_us: int
    without: str | None = None
    _totals: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """By group and person: how many received, and entitled to in parts (`schemas.shares`)."""

    def choose(self, target: Target, customer_id: str, facts: Mapping[str, str] | None = None) -> Chosen:
        """Return who gets a customer; by rules, `facts` are what the rule book asks of its newest enquiry."""
        if target.unit_id is not None:
            return Chosen("queue", target.unit_id)
        if target.pool_id is not None:
            return Chosen("pool", target.pool_id)
        if not target.by_rules:
            group = ",".join(person_id for person_id, _ in target.people)
            return Chosen("person", self._turn(group, target.people, customer_id))
        found = self.office.book.first(facts) if facts is not None else None
        if found is None:
            return Chosen("queue", self.office.company.default_queue)
        rule, conditions = found
        if rule.pool is not None:
            return Chosen("pool", rule.pool, None, rule.rule_id, conditions)
        said = (rule.team, rule.rule_id, conditions)
        people = self._people_of(rule.team, facts or {})
        named = named_person(strategy_named(rule.strategy), rule.team, self.office)
        people = [one for one in people if one[0] == named] or people
        if not people:
            return Chosen("queue", rule.team, *said)
        return Chosen("person", self._turn(rule.team, people, customer_id), *said)

    def _turn(self, group: str, people: Sequence[tuple[str, int]], customer_id: str) -> str:
        totals = self._totals.setdefault(group, {})
        team = [Candidate(person_id, share, *totals.get(person_id, (0, 0))) for person_id, share in people]
        chosen = weighted_turn(team, tie_of(customer_id)).person_id
        for one, part in zip(team, parts_of([one.share for one in team]), strict=True):
            totals[one.person_id] = one.received + (one.person_id == chosen), one.entitled + part
        return chosen

    def _people_of(self, team_id: str, facts: Mapping[str, str]) -> list[tuple[str, int]]:
        """Return who of a team can have such customers for good: there, not away, with a share; on shift or not."""
        needs = needs_of(facts)
        return [
            (one.person_id, one.share)
            for one in self.office.members.get(team_id, ())
            if one.share > 0
            and one.person_id != self.without
            and one.from_us <= self.at_us
            and (one.to_us is None or self.at_us < one.to_us)
            and self.office.why_not(one.person_id, self.at_us) in (None, "off_shift")
            and unfit(self.office.company.people[one.person_id], needs) is None
        ]


def needs_rules(targets: Iterable[Target]) -> bool:
    """Tell whether the rule book decides on any of it."""
    return any(one.by_rules for one in targets)
