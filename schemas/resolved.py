"""A resolved lead: normalised, and tied to a contact and a customer with the evidence for it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Frozen
from schemas.lead import Lead

IdentifierKind = Literal["mobile", "email", "landline_name", "tax_id", "domain", "landline"]
"""What can recognise somebody. The first three point at a contact, the others at a customer (company).

`landline_name` is a landline together with the normalised name given with it: two people behind one
switchboard stay two, and an unnamed caller from the same landline stays one.
"""

CONTACT_KINDS: frozenset[IdentifierKind] = frozenset({"mobile", "email", "landline_name"})

Trust = Literal["trusted", "weak", "none"]


class Identifier(Frozen):
    """A normalised value that may recognise a contact or a customer, and how far it can be trusted."""

    kind: IdentifierKind
    value: str
    trust: Trust = "trusted"
    reason: str | None = Field(None, description="Why it is not trusted, such as `placeholder`")


class Evidence(Frozen):
    """One comparison that spoke for or against a match."""

    kind: IdentifierKind | Literal["similar"] = Field(
        description="`similar`: the model's likeness; its value is in bits, prior included"
    )
    value: str
    pointed_at: str | None = Field(description="The contact or customer it was bound to, None if to nobody")
    used: bool = Field(description="Whether it decided the match")
    note: str | None = Field(None, description="Such as `conflict`, `shared`, `new`")


class Region(Frozen):
    """Where the customer is, and how we think to know it."""

    province: str
    city: str | None = None
    basis: Literal["address", "company", "landline", "mobile", "none"]


JunkSign = Literal[
    "link_in_name",
    "spam_words",
    "test_entry",
    "disposable_mail",
    "mashed_keys",
    "many_links",
    "offers_to_us",
    "same_everywhere",
    "no_way_back",
]


class Junk(Frozen):
    """How much a lead looks like junk, and by which signs (enrich.junk)."""

    score: int = Field(0, ge=0, le=100)
    signs: tuple[JunkSign, ...] = ()


Grade = Literal["A", "B", "C", "D"]


class ScorePoint(Frozen):
    """One row of the table of points that held for a lead."""

    name: str
    points: int


class Score(Frozen):
    """How promising a lead is by the company's table of points (schemas.score), and which rows counted."""

    points: int = Field(0, ge=0, le=100)
    grade: Grade = "D"
    counted: tuple[ScorePoint, ...] = ()


class ResolvedLead(Frozen):
    """A lead with its contact and customer."""

    lead: Lead
    contact_id: str
    customer_id: str
    customer_kind: Literal["person", "company"]
    new_contact: bool
    new_customer: bool
    evidence: tuple[Evidence, ...]
    region: Region | None = None
    campaign_id: str | None = None
    product_line: str | None = None
    product: str | None = Field(None, description="The product of the company's list that was asked for")
    industry: str | None = None
    junk: Junk = Junk()
    score: Score = Score()
    joined_lead_id: str | None = Field(None, description="The lead that this one corrects or continues")
