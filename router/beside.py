"""What the route stage writes beside an owner: who collaborates from now on, and claims of other departments."""

from __future__ import annotations

from dataclasses import replace

from router.book import Found
from router.collision import claimant_of
from router.reads import RouteFacts
from router.route import Routing
from schemas.work import Reason
from store.claims import claim_row
from store.effects import Effect, Insert


def met(facts: RouteFacts, routing: Routing, found: Found, customer_id: str) -> Routing:
    """Return how a customer that stays goes on where the rule of another department meets its owner.

    Told once: who works on it already, and a claim that is open, are not named again.
    """
    office, owner = facts.office, routing.holder.holder_id
    found_by = claimant_of(found, office.company, office.places.get(owner))
    if found_by is None:
        return routing
    claimant, people = found_by
    new = set(people) - facts.beside.get(customer_id, set()) - {owner}
    if (people and not new) or (not people and (customer_id, claimant) in facts.claims):
        return routing
    said = {"book_version": office.book.version, "rule_id": found[0].rule_id, "conditions": found[1]}
    reason = routing.reason.model_copy(update={**said, "claimant": claimant, "collaborators": people})
    return replace(routing, reason=reason)


def new_beside(facts: RouteFacts, routing: Routing, customer_id: str) -> Routing:
    """Return a decision with those collaborators only who are new, and are not the owner."""
    people = routing.reason.collaborators
    if not people:
        return routing
    known = facts.beside.setdefault(customer_id, set())
    new = tuple(one for one in people if one not in known and one != routing.holder.holder_id)
    known |= set(new)
    return replace(routing, reason=routing.reason.model_copy(update={"collaborators": new}))


def beside(about: tuple[str, str, int], facts: RouteFacts, reason: Reason) -> list[Effect]:
    """Return what comes beside the holder: collaborators, and a claim of which a manager decides.

    `about` is the customer, the decision, and its moment.
    """
    customer_id, decision_id, decided_us = about
    effects: list[Effect] = []
    for ordinal, person_id in enumerate(reason.collaborators):
        at_us = decided_us + ordinal  # the key of a holding has its moment, and no person
        facts.routed[customer_id] = at_us
        row = {"customer_id": customer_id, "role": "collaborator", "from_us": at_us}
        row |= {"holder_kind": "person", "holder_id": person_id, "decision_id": decision_id}
        effects.append(Insert("holding", row))
    if reason.claimant is not None and not reason.collaborators:
        facts.claims.add((customer_id, reason.claimant))
        effects.append(
            Insert("claim", claim_row((customer_id, reason.claimant), "rule", decision_id, decided_us))
        )
    return effects
