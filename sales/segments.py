"""Which customers are in which segment: each customer's facts from all its leads, and what is still to be asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, func, select, true

from schemas.company import Company, territory_for
from schemas.lead import FieldName
from schemas.segments import Segment
from store import tables
from store.bulk import keys_in
from store.present import atoms_of, present_ids

_DAY_US = 86_400 * 1_000_000
_OF_LEAD = (
    "accepted_us",
    "campaign_id",
    "channel",
    "city",
    "fields_json",
    "grade",
    "industry",
    "kind",
    "language",
    "product",
    "product_line",
    "province",
    "region_basis",
    "score",
)


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """A customer, what a segment may ask about it (schemas.segments), and which required fields nobody has told."""

    customer_id: str
    facts: dict[str, str]
    gaps: tuple[FieldName, ...]


def gaps_of(known: Collection[str], required: Sequence[FieldName]) -> tuple[FieldName, ...]:
    """Return the required fields that none of a customer's leads has told, in the order of the list."""
    return tuple(name for name in required if name not in known)


def gaps_for(
    connection: Connection, company: Company, customers: Collection[str]
) -> dict[str, tuple[FieldName, ...]]:
    """Return what these customers are still to be asked, under the ids they are asked about by."""
    if not company.required:
        return {}
    now = present_ids(connection, customers)
    found = {
        one.customer_id: one.gaps for one in customers_of(connection, company, 0, only=set(now.values()))
    }
    return {name: found[now[name]] for name in customers if found.get(now[name])}


def members(customers: Iterable[CustomerFacts], segment: Segment) -> Iterator[CustomerFacts]:
    """Yield the customers in a segment."""
    return (one for one in customers if segment.row.holds(one.facts))


def customers_of(
    connection: Connection, company: Company, now_us: int, only: Collection[str] | None = None
) -> Iterator[CustomerFacts]:
    """Yield every customer that is no probe with its facts as of now, a merged one under its present id.

    `only` these, named by their present ids.
    """
    lead, member, customer = tables.lead, tables.membership, tables.customer
    alias, holding = tables.alias, tables.holding
    present = func.coalesce(alias.c.now_id, member.c.customer_id).label("present_id")
    owns = (holding.c.role == "owner") & holding.c.to_us.is_(None)
    wanted: ColumnElement[bool] = true()
    if only is not None:
        atoms = atoms_of(connection, only)
        wanted = keys_in(connection, ["membership.customer_id"], [(one,) for one in atoms])
    rows = connection.execute(
        select(
            *(lead.c[name] for name in _OF_LEAD),
            present,
            customer.c.kind.label("customer_kind"),
            customer.c.state,
            holding.c.holder_kind,
            holding.c.holder_id,
        )
        .join(member, (member.c.lead_id == lead.c.lead_id) & member.c.to_us.is_(None))
        .outerjoin(alias, alias.c.old_id == member.c.customer_id)
        .join(customer, customer.c.customer_id == func.coalesce(alias.c.now_id, member.c.customer_id))
        .outerjoin(holding, (holding.c.customer_id == customer.c.customer_id) & owns)
        .where(customer.c.purpose != "probe", wanted)
        .order_by(present, lead.c.accepted_us, lead.c.lead_id)
    )
    for customer_id, leads in groupby(rows, key=lambda row: str(row.present_id)):
        yield _facts(customer_id, list(leads), company, now_us)


def _facts(customer_id: str, leads: list[Any], company: Company, now_us: int) -> CustomerFacts:
    # What the customer said, not we; a parting may have left nothing but a correction on one side.
    said = [row for row in leads if row.kind != "correction"] or leads
    newest = said[-1]
    known = {
        field["name"]
        for row in leads
        for field in orjson.loads(row.fields_json)
        if field.get("value") is not None
    }
    gaps = gaps_of(known | _understood(leads), company.required)
    # A corrected number says no more of where they are than the one before it did.
    placed = [
        row
        for row in leads
        if row.province and (row.kind != "correction" or row.region_basis in ("address", "company"))
    ]
    place = placed[-1] if placed else None
    territory = territory_for(company, place.province, place.city) if place else None
    scored = next((row for row in reversed(leads) if row.score is not None), None)
    share = 100 - 100 * len(gaps) // len(company.required) if company.required else 100
    return CustomerFacts(
        customer_id,
        {
            "kind": newest.customer_kind,
            "province": place.province if place else "",
            "city": (place.city or "") if place else "",
            "territory": territory.territory_id if territory else "",
            "industry": _newest(leads, "industry"),
            "product_line": _newest(leads, "product_line"),
            "product": _newest(leads, "product"),
            "channel": newest.channel,
            "campaign": _newest(leads, "campaign_id"),
            "language": _newest(leads, "language"),
            "grade": scored.grade if scored else "",
            "score": str(scored.score) if scored else "",
            "leads": str(len(said)),
            "days_silent": str(max(0, now_us - newest.accepted_us) // _DAY_US),
            "holder_kind": newest.holder_kind or "",
            "holder": newest.holder_id or "",
            "state": newest.state,
            "complete": str(share),
        },
        gaps,
    )


def _understood(leads: list[Any]) -> set[str]:
    """Return the fields that were understood from others: the product from a message, the place from an address.

    Where a mobile was bought says little of where its owner is: that is asked.
    """
    placed = [row for row in leads if row.province and row.region_basis not in ("mobile", "none")]
    found = {
        "product": any(row.product or row.product_line for row in leads),
        "industry": any(row.industry for row in leads),
        "region": bool(placed),
        "city": any(row.city for row in placed),
    }
    return {name for name, is_known in found.items() if is_known}


def _newest(leads: list[Any], column: str) -> str:
    return next((str(value) for row in reversed(leads) if (value := getattr(row, column))), "")
