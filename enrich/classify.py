"""What a lead is in the company's own terms: campaign, product, industry and region, and what no list knows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from schemas.company import Company, asked_for, campaign_for, industry_for, territory_for
from schemas.lead import FieldName, Lead
from schemas.resolved import Region


@dataclass(frozen=True, slots=True)
class Classified:
    """The company's terms for a lead; `unlisted` are (kind, value) that it named and no list has."""

    campaign_id: str | None
    product_line: str | None
    product: str | None
    industry: str | None
    region: Region | None
    unlisted: tuple[tuple[str, str], ...]


def classify(lead: Lead, region: Region | None, company: Company) -> Classified:
    """Find a lead's campaign by its hints, product and industry by its words, and whether its place is on the map.

    The industry is the one that was stated, else the one that the company's name shows.
    """
    campaign_id, unknown = campaign_for(company, lead.hints, lead.source_id)
    line, product = asked_for(company, " ".join(_texts(lead, _ASKING)))
    unlisted: list[tuple[str, str]] = [(hint.kind, hint.value) for hint in unknown]
    if region is not None and territory_for(company, region.province, region.city) is None:
        unlisted.append(("place", "/".join(filter(None, (region.province, region.city)))))
    return Classified(
        campaign_id,
        line,
        product,
        industry_for(company, (text for name in _SHOWING for text in _texts(lead, (name,)))),
        region,
        () if lead.purpose == "probe" else tuple(unlisted),
    )


_ASKING: tuple[FieldName, ...] = ("product", "subject", "message")
_SHOWING: tuple[FieldName, ...] = ("industry", "company")


def _texts(lead: Lead, names: Collection[FieldName]) -> Iterator[str]:
    return (field.value or field.received for field in lead.fields if field.name in names)
