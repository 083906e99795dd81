"""The facts of a lead on record, as the rule book was asked about it."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, select

from schemas.company import Company, territory_for
from schemas.facts import SAID, day_of, yes_no
from store import tables
from store.present import present, with_alias


def lead_facts(connection: Connection, company: Company, lead_id: str) -> dict[str, str] | None:
    """Return the facts of a lead by name, as `schemas.facts.facts_of` had them; None if there is no such lead.

    What the customer is (person or company) counts as of now.
    """
    lead, member, customer = tables.lead, tables.membership, tables.customer
    now = present(member.c.customer_id)
    row = connection.execute(
        select(lead, member.c.customer_id.label("first_customer"), customer.c.kind.label("customer_kind"))
        .select_from(
            with_alias(lead.join(member, member.c.lead_id == lead.c.lead_id), member.c.customer_id).join(
                customer, customer.c.customer_id == now
            )
        )
        .where(lead.c.lead_id == lead_id, member.c.to_us.is_(None))
    ).one_or_none()
    if row is None:
        return None
    born = connection.execute(
        select(customer.c.born_lead).where(customer.c.customer_id == row.first_customer)
    ).scalar_one()
    return facts_of_row(row, company, is_new=born == lead_id)


def facts_of_row(row: Any, company: Company, *, is_new: bool) -> dict[str, str]:
    """Return the facts of a lead from its row, which has the kind of its customer as well (`customer_kind`)."""
    fields = [one for one in orjson.loads(row.fields_json) if one.get("value")]
    said = {one["name"] for one in fields}
    message = next((one["value"] for one in fields if one["name"] == "message"), "")
    more = orjson.loads(row.more_json)
    call = more.get("call")
    territory = territory_for(company, row.province, row.city)
    return {
        "channel": row.channel,
        "source": row.source_id,
        "campaign": row.campaign_id or "",
        "product_line": row.product_line or "",
        "product": row.product or "",
        "industry": row.industry or "",
        "territory": territory.territory_id if territory else "",
        "province": row.province or "",
        "city": row.city or "",
        "customer_kind": row.customer_kind,
        "language": row.language or "",
        "call_missed": yes_no(bool(call) and call["direction"] == "inbound" and not call["answered"]),
        "new_customer": yes_no(is_new),
        "junk": str(more.get("junk", {}).get("score", 0)),
        **{fact: yes_no(name in said) for fact, name in SAID.items()},
        "message_length": str(len(message)),
        "came_on": day_of(company.zone, row.accepted_us),
        "score": str(row.score or 0),
        "grade": row.grade or "D",
    }
