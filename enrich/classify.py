"""What a lead is in the company's own terms: its campaign, product line and region, and what no list knows."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.company import Company, campaign_for, product_line_for, territory_for
from schemas.lead import Lead
from schemas.resolved import Region


@dataclass(frozen=True, slots=True)
class Classified:
    """The company's terms for a lead; `unlisted` are (kind, value) that it named and no list has."""

    campaign_id: str | None
    product_line: str | None
    region: Region | None
    unlisted: tuple[tuple[str, str], ...]


def classify(lead: Lead, region: Region | None, company: Company) -> Classified:
    """Find a lead's campaign (by its hints), product line (by its words), and whether its place is on the map."""
    campaign_id, unknown = campaign_for(company, lead.hints, lead.source_id)
    words = (field.value or field.received for field in lead.fields if field.name in _ASKING)
    unlisted: list[tuple[str, str]] = [(hint.kind, hint.value) for hint in unknown]
    if region is not None and territory_for(company, region.province, region.city) is None:
        unlisted.append(("place", "/".join(filter(None, (region.province, region.city)))))
    return Classified(
        campaign_id,
        product_line_for(company, " ".join(words)),
        region,
        () if lead.purpose == "probe" else tuple(unlisted),
    )


_ASKING = frozenset({"product", "subject", "message"})
