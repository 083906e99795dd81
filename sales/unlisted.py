"""What leads named and no list of the company has: campaign aliases and places, counted, never lost."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from schemas.company import Company, alias_key, campaign_for, territory_for
from schemas.lead import CampaignHint
from store import tables


@dataclass(frozen=True, slots=True)
class Unlisted:
    """A name that some leads came with, how many, and when it was seen first and last (µs)."""

    kind: str
    value: str
    leads: int
    first_us: int
    last_us: int


def unlisted(connection: Connection, company: Company) -> list[Unlisted]:
    """Return what is still on no list, most frequent first: entered meanwhile, a name vanishes from here.

    Places count only for a company that has drawn a map of territories.
    """
    table = tables.unlisted
    rows = connection.execute(
        select(
            table.c.kind, table.c.value, func.count(), func.min(table.c.at_us), func.max(table.c.at_us)
        ).group_by(table.c.kind, table.c.value)
    )
    found = [Unlisted(*row) for row in rows if not _is_listed(company, row[0], row[1])]
    return sorted(found, key=lambda one: (-one.leads, one.kind, one.value))


def _is_listed(company: Company, kind: str, value: str) -> bool:
    if kind == "place":
        if not company.territories:
            return True
        province, _, city = value.partition("/")
        return territory_for(company, province, city or None) is not None
    hint = CampaignHint.model_validate({"kind": kind, "value": value})
    return bool(alias_key(kind, value)) and not campaign_for(company, [hint], "")[1]
