"""Everything that is recorded about a customer, as a parting has to know it: read at once, and what it gave to whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from enrich.groups import rows_by
from enrich.merge import Holder
from enrich.part import Given
from schemas.resolved import CONTACT_KINDS
from store import tables
from store.acts import ActRefused
from store.present import Span, known_as, read_together, within

FOLLOWED = ("merged", "parted")
"""Decisions that followed from what was joined or parted: they gave nobody's leads to anybody."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """A customer as it is before the parting: everything that is recorded about its atoms."""

    name: str
    customers: tuple[Row, ...]
    members: tuple[Row, ...]
    leads_by_id: Mapping[str, Row]
    given_identifiers: Mapping[str, frozenset[tuple[str, str]]]
    holdings: tuple[Row, ...]
    decisions: tuple[Row, ...]
    ledger: tuple[Row, ...]
    tasks: tuple[Row, ...]
    deliveries: tuple[Row, ...]
    given: tuple[Given, ...]
    after_us: int

    @property
    def leads(self) -> frozenset[str]:
        return frozenset(row["lead_id"] for row in self.members)

    @property
    def accepted(self) -> dict[str, int]:
        return {lead_id: row["accepted_us"] for lead_id, row in self.leads_by_id.items()}

    @property
    def row(self) -> Row:
        """The customer's own row."""
        return next(row for row in self.customers if row["customer_id"] == self.name)

    @property
    def holder(self) -> Holder:
        """Who has it."""
        (owner,) = [
            row
            for row in self.holdings
            if (row["customer_id"], row["role"], row["to_us"]) == (self.name, "owner", None)
        ]
        return owner["holder_kind"], owner["holder_id"]

    @property
    def sent(self) -> tuple[Row, ...]:
        """What went out: it cannot be taken back."""
        return tuple(row for row in self.deliveries if row["state"] == "sent")

    def leads_of(self, atom: str) -> set[str]:
        """Return the leads that an atom has."""
        return {row["lead_id"] for row in self.members if row["customer_id"] == atom}

    def identifiers(self, leads: AbstractSet[str]) -> set[tuple[str, str]]:
        """Return the trusted identifiers that these leads gave."""
        return {one for lead_id in leads for one in self.given_identifiers.get(lead_id, ())}

    def says_company(self, lead_id: str) -> bool:
        """Tell whether a lead names a company."""
        if any(kind not in CONTACT_KINDS for kind, _ in self.given_identifiers.get(lead_id, ())):
            return True
        fields = orjson.loads(self.leads_by_id[lead_id]["fields_json"]) if lead_id in self.leads_by_id else []
        return any(one["name"] == "company" for one in fields)

    def born(self, new: str, of: str, lead_id: str, at_us: int) -> Row:
        """Return the row of an atom split off from another."""
        old = next(row for row in self.customers if row["customer_id"] == of)
        stamps = {"born_us": at_us, "touched_us": at_us, "routed_us": at_us}
        return {**old, "customer_id": new, "born_lead": lead_id, "state": "merged", **stamps}


def read_whole(connection: Connection, name: str, atoms: Sequence[str]) -> Whole:
    """Read everything that is recorded about a customer. Raises ActRefused for one that was erased."""
    customers = rows_by(connection, tables.customer, "customer_id", atoms)
    member = tables.membership
    history = rows_by(connection, member, "customer_id", atoms)
    members = [row for row in history if row["to_us"] is None]
    leads = {row["lead_id"] for row in members}
    known = rows_by(connection, tables.lead, "lead_id", leads)
    identifier = tables.lead_identifier
    given: dict[str, set[tuple[str, str]]] = {}
    for row in rows_by(connection, identifier, "lead_id", leads, identifier.c.trust == "trusted"):
        given.setdefault(row["lead_id"], set()).add((row["kind"], row["value"]))
    periods = _periods(connection, rows_by(connection, member, "lead_id", leads))
    subjects = {subject for one in periods.values() for subject in one} | set(atoms)
    decisions = rows_by(connection, tables.decision, "subject_id", subjects)
    holdings = rows_by(connection, tables.holding, "customer_id", subjects)
    if not [
        one for one in holdings if (one["customer_id"], one["role"], one["to_us"]) == (name, "owner", None)
    ]:
        raise ActRefused("without_owner", f"Nobody has {name}: it was erased, or see `leadflow orphans`.")
    relation = tables.contact_customer
    contacts = {row["contact_id"] for row in members}
    stamps = [
        *(row["touched_us"] for row in customers),
        *(row["routed_us"] for row in customers),
        *(row["from_us"] for row in (*history, *holdings)),
        *(row["from_us"] for row in rows_by(connection, relation, "contact_id", contacts)),
    ]
    return Whole(
        name=name,
        customers=tuple(customers),
        members=tuple(members),
        leads_by_id={row["lead_id"]: row for row in known},
        given_identifiers={lead_id: frozenset(many) for lead_id, many in given.items()},
        holdings=tuple(row for row in holdings if row["customer_id"] in set(atoms)),
        decisions=tuple(decisions),
        ledger=tuple(
            rows_by(connection, tables.ledger, "decision_id", {row["decision_id"] for row in decisions})
        ),
        tasks=tuple(rows_by(connection, tables.task, "customer_id", atoms)),
        deliveries=tuple(rows_by(connection, tables.delivery, "customer_id", atoms)),
        given=tuple(_given(decisions, holdings, periods)),
        after_us=max(stamps) + 1,
    )


def _periods(connection: Connection, history: Sequence[Row]) -> dict[str, Mapping[str, Sequence[Span]]]:
    """Return for each lead as which customers it was known, and when."""
    own: dict[str, dict[str, list[Span]]] = {}
    for row in history:
        own.setdefault(row["lead_id"], {}).setdefault(row["customer_id"], []).append(
            (row["from_us"], row["to_us"])
        )
    together = read_together(connection, {row["customer_id"] for row in history})
    return {lead_id: known_as(start, together) for lead_id, start in own.items()}


def _given(
    decisions: Sequence[Row], holdings: Sequence[Row], periods: Mapping[str, Mapping[str, Sequence[Span]]]
) -> Iterator[Given]:
    """Yield what the recorded decisions gave to each lead; one about a whole customer, to all it had then."""
    owners = [row for row in holdings if row["role"] == "owner"]
    by_decision = {row["decision_id"]: row for row in owners if row["decision_id"]}
    for row in decisions:
        if row["code"] in FOLLOWED:
            continue
        held = by_decision.get(row["decision_id"]) or _held_at(owners, row["subject_id"], row["decided_us"])
        if held is None:
            continue
        leads = [row["lead_id"]] if row["lead_id"] else _known_then(periods, row)
        for lead_id in leads:
            holder = (held["holder_kind"], held["holder_id"])
            yield Given(
                lead_id, row["decided_us"], row["decision_id"], holder, gave=row["code"] != "sticky_owner"
            )


def _known_then(periods: Mapping[str, Mapping[str, Sequence[Span]]], decision: Row) -> list[str]:
    return [
        lead_id
        for lead_id, names in periods.items()
        if within(decision["decided_us"], names.get(decision["subject_id"], ()))
    ]


def _held_at(owners: Sequence[Row], customer_id: str, at_us: int) -> Row | None:
    return next(
        (
            row
            for row in owners
            if row["customer_id"] == customer_id
            and row["from_us"] <= at_us
            and (row["to_us"] is None or at_us < row["to_us"])
        ),
        None,
    )
