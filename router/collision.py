"""Two departments and one customer: whose rule meets an owner who stays, and who works on it, too. Pure."""

from __future__ import annotations

from router.book import Found
from schemas.company import Company
from schemas.units import department_of, people_beside


def claimant_of(
    found: Found, company: Company, owners_unit: str | None
) -> tuple[str, tuple[str, ...]] | None:
    """Return the unit whose rule meets an owner of another department, and who works on it, too; None if none does.

    Nobody works on it where the rule says `ask`: then a manager decides.
    """
    rule, _ = found
    if rule.besides.if_owned is None or not rule.team:
        return None
    if department_of(company, rule.team) == department_of(company, owners_unit):
        return None
    if rule.besides.if_owned == "ask":
        return rule.team, ()
    return rule.team, people_beside(rule.besides.collaborators or (rule.team,), company)
