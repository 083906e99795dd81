"""What a table of the company may ask about a lead once it is known whose it is: all facts are text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.company import Company, territory_for
from schemas.lead import FieldName, Lead
from schemas.resolved import ResolvedLead
from schemas.unary import FactKind

FACTS: Mapping[str, FactKind] = {
    "channel": "text", "source": "text", "campaign": "text", "product_line": "text", "product": "text", "industry": "text",
    "territory": "text", "province": "text", "city": "text", "customer_kind": "text", "language": "text",
    "call_missed": "yes_no", "new_customer": "yes_no", "junk": "number",
    "has_name": "yes_no", "has_company": "yes_no", "has_phone": "yes_no", "has_email": "yes_no", "message_length": "number",
    "came_on": "date",
}  # fmt: skip
"""What the lead score may ask about, each with what it is; a fact is empty where it is unknown. `came_on` is the
company's local day on which the lead was accepted."""

SCORED_FACTS: Mapping[str, FactKind] = {**FACTS, "score": "number", "grade": "text"}
"""What the rule book may ask about: all that, and what the lead score made of it."""


def facts_of(resolved: ResolvedLead, company: Company) -> dict[str, str]:
    """Return the facts of a resolved lead by name, those of the score included."""
    lead, region = resolved.lead, resolved.region
    territory = territory_for(company, region.province, region.city) if region else None
    said = {field.name for field in lead.fields if field.value}
    message = next((field.value for field in lead.fields if field.name == "message" and field.value), "")
    return {
        "channel": lead.channel,
        "source": lead.source_id,
        "campaign": resolved.campaign_id or "",
        "product_line": resolved.product_line or "",
        "product": resolved.product or "",
        "industry": resolved.industry or "",
        "territory": territory.territory_id if territory else "",
        "province": region.province if region else "",
        "city": (region.city or "") if region else "",
        "customer_kind": resolved.customer_kind,
        "language": lead.language or "",
        "call_missed": yes_no(is_missed(lead)),
        "new_customer": yes_no(resolved.new_customer),
        "junk": str(resolved.junk.score),
        **{fact: yes_no(name in said) for fact, name in SAID.items()},
        "message_length": str(len(message)),
        "came_on": day_of(company.zone, lead.accepted_us),
        "score": str(resolved.score.points),
        "grade": resolved.score.grade,
    }


def day_of(zone: str, at_us: int) -> str:
    """Return the local day of a moment in a zone, such as 2026-01-31."""
    return _day(zone, at_us // _QUARTER_US)


@lru_cache(maxsize=1_000)
def _day(zone: str, quarter: int) -> str:
    """Return the local day of a quarter of an hour: days begin with one in every zone there is since 1972."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarter)
    return moment.astimezone(ZoneInfo(zone)).date().isoformat()


_QUARTER_US = 15 * 60 * 1_000_000


def is_missed(lead: Lead) -> bool:
    """Tell whether the lead is an inbound call that nobody answered."""
    return lead.call is not None and lead.call.direction == "inbound" and not lead.call.answered


SAID: dict[str, FieldName] = {
    "has_name": "full_name",
    "has_company": "company",
    "has_phone": "phone",
    "has_email": "email",
}
"""Facts that say whether a field was given and can be read."""


def yes_no(holds: bool) -> str:
    """Return a fact that is so or not as it is written."""
    return "yes" if holds else "no"
