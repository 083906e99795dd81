"""Deciding which contact and which customer a lead belongs to, by trusted identifiers, else by likeness."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal

from enrich.match.cluster import Found
from enrich.similar import NOBODY, Alike
from schemas.ids import child_id
from schemas.lead import Lead
from schemas.resolved import CONTACT_KINDS, Evidence, Identifier

Key = tuple[str, str]
"""An identifier's (kind, value)."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known already of the identifiers of a lead.

    `bound` maps an identifier to the contact or customer it points at, `status` to why it points at
    nobody; `primary` maps a contact to the customer it mainly buys for; `kinds` a customer to its kind.
    """

    bound: Mapping[Key, str]
    status: Mapping[Key, str]
    primary: Mapping[str, str]
    kinds: Mapping[str, str]
    named_by: Mapping[str, AbstractSet[str]]
    """Customer to the kinds of company identifiers that point at it."""
    joined: Mapping[str, tuple[str, str]]
    """Lead id to (contact, customer), for leads that a later capture may join."""
    alias: Mapping[str, str] = field(default_factory=dict)
    """What was merged to its present id; `kinds` and `named_by` go by that."""

    def now(self, any_id: str) -> str:
        """Return the present id."""
        return self.alias.get(any_id, any_id)


@dataclass(frozen=True, slots=True)
class Resolution:
    """The answer: who, whether they are new, what to remember of it, and the evidence."""

    contact_id: str
    customer_id: str
    customer_kind: Literal["person", "company"]
    new_contact: bool
    new_customer: bool
    becomes_company: bool
    bind: tuple[tuple[Identifier, str], ...]
    evidence: tuple[Evidence, ...]


def resolve(
    lead: Lead, identifiers: tuple[Identifier, ...], known: Known, alike: Alike = NOBODY
) -> Resolution:
    """Decide by the strongest trusted identifier that points at somebody, else by whom the lead resembles.

    Contact: mobile, then email, then landline with name; a capture that continues a lead and names nobody
    else stays with its contact; else the one that the model finds alike. Customer: that of the lead it continues, else the company that a company
    identifier points at, else the one the contact mainly buys for, else the one that is alike. What points elsewhere is kept as evidence `conflict` and merges nobody.
    """
    joined = known.joined.get(lead.joins) if lead.joins else None
    usable = [one for one in identifiers if one.trust == "trusted" and _key(one) not in known.status]
    # Whom a correction is about was said, not to be found: a colleague's number in it makes it none of the colleague's.
    is_said = lead.kind == "correction"
    contact_hit = None if is_said else _first_bound(usable, known, to_contact=True)
    company_hit = None if is_said else _first_bound(usable, known, to_contact=False)

    contact_id = known.bound[_key(contact_hit)] if contact_hit else None
    found_alike: Found[str] | None = None
    if joined and contact_id is None and not _is_colleague(lead, usable):
        contact_id = joined[0]
    if contact_id is None and alike.contact is not None:
        contact_id = alike.contact.id
        found_alike = alike.contact
    new_contact = contact_id is None
    contact_id = contact_id or child_id("con", lead.lead_id)

    mainly = known.primary.get(contact_id)
    says_company = any(one.kind not in CONTACT_KINDS for one in usable) or lead.first("company") is not None
    kind: Literal["person", "company"] = "company" if says_company else "person"
    becomes_company = False
    if joined:
        customer_id, new_customer = joined[1], False
    elif company_hit:
        customer_id, new_customer = known.bound[_key(company_hit)], False
    elif mainly is not None and _may_be(mainly, usable, known):
        customer_id, new_customer = mainly, False
        becomes_company = says_company and known.kinds.get(known.now(mainly)) == "person"
    elif alike.customer is not None and new_contact and _may_be(alike.customer.id, usable, known):
        customer_id, new_customer = alike.customer.id, False
        found_alike = alike.customer
        becomes_company = known.kinds.get(known.now(customer_id)) == "person"
    else:
        customer_id, new_customer = child_id("cus", lead.lead_id), True
    if not new_customer and not becomes_company:
        kind = "company" if known.kinds.get(known.now(customer_id)) == "company" else "person"

    used = {_key(hit) for hit in (contact_hit, company_hit) if hit is not None}
    return Resolution(
        contact_id=contact_id,
        customer_id=customer_id,
        customer_kind=kind,
        new_contact=new_contact,
        new_customer=new_customer,
        becomes_company=becomes_company,
        bind=tuple(
            (one, contact_id if one.kind in CONTACT_KINDS else customer_id)
            for one in usable
            if _key(one) not in known.bound
        ),
        evidence=(
            *(_evidence(one, known, contact_id, customer_id, used) for one in identifiers),
            *((_likeness(found_alike),) if found_alike else ()),
        ),
    )


def _likeness(found: Found[str]) -> Evidence:
    return Evidence(kind="similar", value=f"{found.bits:.1f}", pointed_at=found.id, used=True)


def _key(identifier: Identifier) -> Key:
    return identifier.kind, identifier.value


def _first_bound(usable: list[Identifier], known: Known, *, to_contact: bool) -> Identifier | None:
    return next(
        (one for one in usable if (one.kind in CONTACT_KINDS) == to_contact and _key(one) in known.bound),
        None,
    )


def _is_colleague(lead: Lead, usable: list[Identifier]) -> bool:
    """Tell whether somebody new has answered in a thread: a mail from an address that is nobody's yet."""
    return lead.mail is not None and any(one.kind == "email" for one in usable)


def _may_be(mainly: str, usable: list[Identifier], known: Known) -> bool:
    """Tell whether the contact's main customer may be meant although new company identifiers are given.

    A private customer may turn out to be a company. A company known by another identifier of the same
    kind is another company: the person has moved, or buys for two.
    """
    kinds = {one.kind for one in usable if one.kind not in CONTACT_KINDS and one.kind != "landline"}
    return kinds.isdisjoint(known.named_by.get(known.now(mainly), ()))


def _evidence(
    identifier: Identifier, known: Known, contact_id: str, customer_id: str, used: set[Key]
) -> Evidence:
    key = _key(identifier)
    target = known.bound.get(key)
    if identifier.trust != "trusted":
        note = identifier.reason
    elif key in known.status:
        note = known.status[key]
    elif target is None:
        note = "new"
    elif known.now(target) not in (known.now(contact_id), known.now(customer_id)):
        note = "conflict"
    else:
        note = None
    return Evidence(
        kind=identifier.kind, value=identifier.value, pointed_at=target, used=key in used, note=note
    )
