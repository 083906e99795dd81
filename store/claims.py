"""Claims on customers that somebody else has: which wait for a manager's decision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from sqlalchemy import Connection, or_, select

from schemas.ids import make_id
from store import tables
from store.bulk import keys_in
from store.present import atoms_of, present, with_alias

Why = Literal["rule", "registered"]
"""How a claim came: a rule met an owner of another department, or somebody registered it."""


def claim_row(
    about: tuple[str, str], why: Why, caused_by: str, at_us: int, until_us: int | None = None
) -> dict[str, Any]:
    """Return a new claim; `about` is the customer and the person or unit, `caused_by` the decision or the act."""
    customer_id, claimant_id = about
    return {
        "claim_id": make_id("clm", caused_by, claimant_id),
        "customer_id": customer_id,
        "claimant_id": claimant_id,
        "why": why,
        "state": "open",
        "made_us": at_us,
        "until_us": until_us,
        "caused_by": caused_by,
    }


def open_claims(connection: Connection, customers: Iterable[str]) -> list[dict[str, Any]]:
    """Return the claims on these customers (present ids) of which nobody decided, the oldest first; also those that are over.

    What was claimed of a customer that is part of another one now is claimed of that one.
    """
    claim = tables.claim
    atoms = atoms_of(connection, customers)
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in atoms])
    rows = connection.execute(
        select(claim).where(wanted, claim.c.state == "open").order_by(claim.c.made_us, claim.c.claim_id)
    )
    return [{**row._mapping, "customer_id": atoms[row.customer_id]} for row in rows]


def collisions(connection: Connection, now_us: int) -> list[dict[str, Any]]:
    """Return every open claim that is not over, the oldest first, with whoever has the customer now and until when protected."""
    claim, holding = tables.claim, tables.holding
    named = present(claim.c.customer_id)
    rows = connection.execute(
        select(
            claim, named.label("now_id"), holding.c.holder_id, holding.c.from_us, holding.c.protected_until_us
        )
        .select_from(
            with_alias(claim, claim.c.customer_id).join(
                holding,
                (holding.c.customer_id == named) & (holding.c.role == "owner") & holding.c.to_us.is_(None),
            )
        )
        .where(claim.c.state == "open", or_(claim.c.until_us.is_(None), claim.c.until_us > now_us))
        .order_by(claim.c.made_us, claim.c.claim_id)
    )
    return [{**row._mapping, "customer_id": row.now_id} for row in rows]


def beside_owners(connection: Connection, customers: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return who works on each of these customers (present ids) beside its owner, the longest first."""
    holding = tables.holding
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in customers])
    found: dict[str, tuple[str, ...]] = {}
    for row in connection.execute(
        select(holding.c.customer_id, holding.c.holder_id)
        .where(wanted, holding.c.role == "collaborator", holding.c.to_us.is_(None))
        .order_by(holding.c.from_us)
    ):
        found[row.customer_id] = (*found.get(row.customer_id, ()), row.holder_id)
    return found
