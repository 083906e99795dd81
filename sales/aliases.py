"""Assigning a name that leads came with, and no list has, to a campaign: from now on, and for the leads that came with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from sales.apply import apply
from schemas.company import ALIAS_KINDS, Alias, Campaign, Company, alias_key
from schemas.text import storable
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
        apply(connection, with_aliases(company, command.scope_id, [(kind, value)]), now_us, command.act_id)
        return counting(connection, command, [(kind, value)], counted)

    return plan


def counted_before(connection: Connection, act_id: str) -> int:
    """Return for how many leads a name counted when this act assigned it, for who asks again under its key."""
    return int(told_before(connection, act_id) or 0)


def with_aliases(company: Company, campaign_id: str, names: Iterable[tuple[str, str]]) -> Company:
    """Return a company in which names (kind, value) stand with a campaign. Raises ActRefused, see `assign_alias`."""
    campaign = company.campaigns.get(campaign_id)
    if campaign is None:
        known = ", ".join(company.campaigns) or "none"
        raise ActRefused("unknown_campaign", f"There is no campaign {campaign_id!r}; there are: {known}.")
    taken, more = holders(company), list(campaign.aliases)
    for kind, value in names:
        listed = next((one for one in ALIAS_KINDS if one == kind), None)
        if listed is None or not (key := alias_key(kind, value)):
            raise ActRefused(
                "unknown_alias", f"An alias is one of {', '.join(ALIAS_KINDS)}, and is not empty."
            )
        holder = taken.setdefault((kind, key), campaign_id)
        if holder != campaign_id:
            raise ActRefused("alias_taken", f"{value!r} stands with the campaign {holder} already.")
        more += [Alias(kind=listed, value=written(value))]
    whole = Campaign.model_validate({**campaign.model_dump(), "aliases": tuple(_once(more))})
    return company.model_copy(update={"campaigns": {**company.campaigns, campaign_id: whole}})


def _once(aliases: Iterable[Alias]) -> Iterable[Alias]:
    """Return each name as it stands first, in their order."""
    found: dict[tuple[str, str], Alias] = {}
    for one in aliases:
        found.setdefault((one.kind, alias_key(one.kind, one.value)), one)
    return found.values()


def holders(company: Company) -> dict[tuple[str, str], str]:
    """Return by kind and key (`schemas.company.alias_key`) of every name the code of the campaign with which it stands."""
    return {
        (alias.kind, alias_key(alias.kind, alias.value)): one.campaign_id
        for one in company.campaigns.values()
        for alias in one.aliases
    }


def written(text: str) -> str:
    """Return a name as campaigns.csv gives it back: cells keep neither line breaks nor spaces around them."""
    return " ".join(storable(text).split())


def counting(
    connection: Connection, command: Command, names: Iterable[tuple[str, str]], counted: list[str]
) -> Sequence[Effect]:
    """Return the effects by which leads without a campaign that came with these names count for the command's."""
    leads = _leads(connection, {(kind, alias_key(kind, value)) for kind, value in names})
    counted.extend(leads)
    named = [Update("lead", {"lead_id": one}, {"campaign_id": command.scope_id}) for one in leads]
    return [*named, tells(command, len(leads))]


def _leads(connection: Connection, wanted: set[tuple[str, str]]) -> list[str]:
    """Return the leads without a campaign that came with one of these names, in any of the ways it can be written."""
    unlisted, lead = tables.unlisted, tables.lead
    rows = connection.execute(
        select(unlisted.c.kind, unlisted.c.value, lead.c.lead_id)
        .join(lead, lead.c.lead_id == unlisted.c.lead_id)
        .where(unlisted.c.kind.in_({kind for kind, _ in wanted}), lead.c.campaign_id.is_(None))
    )
    return sorted({row.lead_id for row in rows if (row.kind, alias_key(row.kind, row.value)) in wanted})
