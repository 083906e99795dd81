"""Whether a customer moves by itself: the first rule that holds, and what keeps it from going to and fro. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.company import Company
from schemas.moves import AutoRule
from schemas.work import HolderKind

_DAY_US = 86_400 * 1_000_000

Kept = Literal["there_already", "protected", "had_it", "moved_before", "moved_often", "holder_gone"]
"""Why a customer to which a rule applies stays where it is."""


@dataclass(frozen=True, slots=True)
class Past:
    """What counts against moving a customer: its owner, its protection, and the holders and automatic moves of late."""

    owner: str
    protected: bool
    holders: Sequence[tuple[HolderKind, str]]
    """Whose it was within the company's time of rest, the owner of now left out."""
    rules: Sequence[str]
    """By which rules it moved by itself within that time."""


def first(rules: Sequence[AutoRule], facts: Mapping[str, str]) -> AutoRule | None:
    """Return the first rule whose every condition holds."""
    return next((rule for rule in rules if rule.row.holds(facts)), None)


def kept(rule: AutoRule, past: Past, company: Company) -> Kept | None:
    """Return why a customer stays although a rule applies to it; None if it moves.

    A rule moves a customer once within the time of rest, all rules together `auto_moves_most` times, and none gives it
    back to somebody, or to the team of somebody, who had it within that time.
    """
    if not _is_there(rule, company):
        return "holder_gone"
    people = _people(rule, company)
    if past.owner in people or (rule.kind == "person" and rule.target == past.owner):
        return "there_already"
    if past.protected:
        return "protected"
    if rule.row.name in past.rules:
        return "moved_before"
    if len(past.rules) >= company.auto_moves_most:
        return "moved_often"
    before = {holder_id for _, holder_id in past.holders}
    return "had_it" if before & (people | {rule.target}) else None


def _is_there(rule: AutoRule, company: Company) -> bool:
    if rule.kind == "queue":
        return rule.target in company.units
    person = company.people.get(rule.target)
    return person is not None and person.state == "active"


def _people(rule: AutoRule, company: Company) -> set[str]:
    """Return who works in the team that a rule names; the one person that it names."""
    if rule.kind == "person":
        return {rule.target}
    return {one.person_id for one in company.members if one.unit_id == rule.target and one.to_us is None}


def rest_us(company: Company) -> int:
    """Return the time of rest in microseconds."""
    return company.auto_rest_days * _DAY_US
