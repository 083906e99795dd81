"""Which lead of a customer something is kept with: what is kept with a lead follows it through merging and parting."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from store import tables
from store.bulk import keys_in
from store.present import atoms_of, present_ids


def leads_of(connection: Connection, customers: Iterable[str]) -> dict[str, list[tuple[str, int, str]]]:
    """Return the leads of these customers (under any of their ids) as (lead id, arrival, product line), oldest first.

    By the customers' present ids. Enquiries only, but for somebody who has none.
    """
    names = set(present_ids(connection, customers).values())
    atoms = atoms_of(connection, names)
    member, lead = tables.membership, tables.lead
    rows = connection.execute(
        select(member.c.customer_id, lead.c.lead_id, lead.c.accepted_us, lead.c.product_line, lead.c.kind)
        .join(lead, lead.c.lead_id == member.c.lead_id)
        .where(
            keys_in(connection, ["customer_id"], [(one,) for one in sorted(atoms)]), member.c.to_us.is_(None)
        )
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    )
    found: dict[str, list[tuple[str, int, str, str]]] = {}
    for row in rows:
        one = (row.lead_id, row.accepted_us, row.product_line or "", row.kind)
        found.setdefault(atoms[row.customer_id], []).append(one)
    return {
        name: [one[:3] for one in several if one[3] == "enquiry"] or [one[:3] for one in several]
        for name, several in found.items()
    }


def anchor(leads: list[tuple[str, int, str]], line: str | None, by_us: int) -> str:
    """Return the lead that something on a product line at a moment belongs to: the last one on that line that had come by
    then, else the last one on any line, else the first that came at all."""
    before = [one for one in leads if one[1] <= by_us]
    on_line = [one for one in before if line is None or one[2] == line]
    return (on_line or before or leads[:1])[-1][0]
