"""Assigning a name that leads came with, and no list has, to a campaign: from now on, and for the leads that came with it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from sales.apply import apply
from schemas.company import ALIAS_KINDS, Alias, Campaign, Company, alias_key
from store import tables
from store.acts import ActRefused, Command, Plan, tells, told_before
from store.company import company_version, load_company
from store.effects import Effect, Update
from store.locks import lock_company

VERB = "assign_alias"


def assign_alias(kind: str, value: str, counted: list[str]) -> Plan:
    """Return the plan by which a name counts for a campaign: the command's scope is its code.

    The name goes onto the campaign's list, as if written into campaigns.csv, if it is not there already; leads that came with it and have no
    campaign get this one. `counted` is filled with them; how many they were is kept with the act (`counted_before`).
    Refused: an unknown campaign or kind, a name that another has.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        counted.clear()
        lock_company(connection)
        company = load_company(connection, company_version(connection))
        apply(connection, _with_alias(company, command.scope_id, kind, value), now_us, command.act_id)
        leads = _leads(connection, kind, value)
        counted.extend(leads)
        named = [Update("lead", {"lead_id": one}, {"campaign_id": command.scope_id}) for one in leads]
        return [*named, tells(command, len(leads))]

    return plan


def counted_before(connection: Connection, act_id: str) -> int:
    """Return for how many leads a name counted when this act assigned it, for who asks again under its key."""
    return int(told_before(connection, act_id) or 0)


def _with_alias(company: Company, campaign_id: str, kind: str, value: str) -> Company:
    campaign = company.campaigns.get(campaign_id)
    if campaign is None:
        known = ", ".join(company.campaigns) or "none"
        raise ActRefused("unknown_campaign", f"There is no campaign {campaign_id!r}; there are: {known}.")
    listed = next((one for one in ALIAS_KINDS if one == kind), None)
    key = alias_key(kind, value) if listed else ""
    if listed is None or not key:
        raise ActRefused("unknown_alias", f"An alias is one of {', '.join(ALIAS_KINDS)}, and is not empty.")
    for one in company.campaigns.values():
        if not any(alias.kind == listed and alias_key(listed, alias.value) == key for alias in one.aliases):
            continue
        if one.campaign_id == campaign_id:
            return company  # leads that came just before are looked at once more
        raise ActRefused("alias_taken", f"{value!r} stands with the campaign {one.campaign_id} already.")
    more = Campaign.model_validate(
        {**campaign.model_dump(), "aliases": (*campaign.aliases, Alias(kind=listed, value=value))}
    )
    return company.model_copy(update={"campaigns": {**company.campaigns, campaign_id: more}})


def _leads(connection: Connection, kind: str, value: str) -> list[str]:
    """Return the leads without a campaign that came with a name, in any of the ways it can be written."""
    unlisted, lead = tables.unlisted, tables.lead
    rows = connection.execute(
        select(unlisted.c.value, lead.c.lead_id)
        .join(lead, lead.c.lead_id == unlisted.c.lead_id)
        .where(unlisted.c.kind == kind, lead.c.campaign_id.is_(None))
    )
    key = alias_key(kind, value)
    return sorted({row.lead_id for row in rows if alias_key(kind, row.value) == key})
