"""Plans about claims: a customer registered (报备) for somebody until a day, and a manager's decision on what is open.

register:  nobody has it, and the actor may give it   → whoever it is registered for has it, protected until then
           whoever it is registered for has it        → protected until then
           somebody else has it                       → a claim, on the manager's list until then
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from schemas.company import Company
from schemas.ids import make_id
from schemas.units import is_of, people_beside
from schemas.work import HolderKind, Reason
from store import tables
from store.acts import ActRefused, Command, tells
from store.acts_move import INTAKE, PROBE, MayGive, drained, is_there
from store.claims import beside_owners, claim_row, open_claims
from store.company import company_version, load_company
from store.effects import Effect, Insert, Update
from store.ledger import moved_away
from store.locks import share_company
from store.moves import Held, Move, decided, give, held_customer, tell
from store.present import present_ids
from store.waiting import freed


@dataclass(frozen=True, slots=True)
class _Case:
    """The customer that an act is about, locked, and the company as it is meanwhile."""

    company: Company
    held: Held
    move: Move

    @property
    def at_us(self) -> int:
        return self.move.at_us


def _case(connection: Connection, command: Command, now_us: int) -> _Case:
    share_company(connection)
    company = load_company(connection, company_version(connection))
    held = held_customer(connection, present_ids(connection, [command.scope_id])[command.scope_id])
    if held is None:
        raise ActRefused("unknown_customer", f"There is no customer {command.scope_id}.")
    if held.holder_id in (INTAKE, PROBE):
        raise ActRefused("in_intake", "It is still on its way through the stages; try again in a moment.")
    return _Case(company, held, Move(held, command, max(now_us, held.after_us)))


@dataclass(slots=True)
class Register:
    """The plan that registers a customer (the command's scope) for a person or unit until a moment.

    `has_it` afterwards: whether they have it now (kept with the act), or somebody has to decide.
    """

    for_id: str
    until_us: int
    may_give: MayGive
    has_it: bool = False

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Give, protect or claim it. Refused: nobody of that code, a day that is past, and for whom the actor may not."""
        case = _case(connection, command, now_us)
        company, held, may = case.company, case.held, self.may_give(case.company, now_us)
        kind: HolderKind = "queue" if self.for_id in company.units else "person"
        if not is_there(company, kind, self.for_id):
            raise ActRefused("unknown_claimant", f"{self.for_id!r} is nobody who works here, and no unit.")
        if self.until_us <= now_us:
            raise ActRefused("until_past", "Write a day that is still to come.")
        if not may(self.for_id):
            raise ActRefused(
                "not_below", f"{self.for_id} is not below {command.actor}; ask whoever manages them."
            )
        about = (held.customer_id, self.for_id)
        reason = Reason(code="registered", claimant=self.for_id)
        if held.holder_kind == "person" and is_of(company, held.holder_id, self.for_id):
            self.has_it = True
            until_us = max(self.until_us, held.protected_until_us or 0)
            return [
                tells(command, self.has_it),
                *_registered(connection, about, (command, case.at_us, self.until_us), "owner"),
                decided(case.move, reason),
                Update("holding", _key(held), {"protected_until_us": until_us}),
                Update("customer", {"customer_id": held.customer_id}, {"routed_us": case.at_us}),
            ]
        if held.holder_kind != "person" and kind == "person" and may(held.holder_id):
            self.has_it = True
            move = replace(case.move, held=replace(held, protected_until_us=self.until_us))
            return [
                tells(command, self.has_it),
                *_registered(connection, about, (command, case.at_us, self.until_us), "owner"),
                *give(move, "person", self.for_id, Reason(code="registered")),
            ]
        return [
            *_registered(connection, about, (command, case.at_us, self.until_us), "open"),
            decided(case.move, reason),
            Update("customer", {"customer_id": held.customer_id}, {"routed_us": case.at_us}),
            tell(case.move, held.holder_kind, held.holder_id, reason),
        ]


def _key(held: Held) -> dict[str, Any]:
    return {"customer_id": held.customer_id, "role": "owner", "from_us": held.from_us}


def _registered(
    connection: Connection, about: tuple[str, str], at: tuple[Command, int, int], state: str
) -> list[Effect]:
    """Return the claim, new or with another end; one that was given is over."""
    command, at_us, until_us = at
    over = {"ended_us": at_us, "ended_by": command.act_id} if state != "open" else {}
    known = [one for one in open_claims(connection, [about[0]]) if one["claimant_id"] == about[1]]
    if known:
        return [
            Update(
                "claim", {"claim_id": known[0]["claim_id"]}, {"state": state, "until_us": until_us, **over}
            )
        ]
    row = claim_row(about, "registered", make_id("dec", command.act_id, "act", about[0]), at_us, until_us)
    return [Insert("claim", {**row, "state": state, **over})]


@dataclass(frozen=True, slots=True)
class Decide:
    """The plan by which a manager decides who has a customer (the command's scope) on which there are claims."""

    owner_id: str
    beside: tuple[str, ...]
    """People and units (their managers) who work on it, too."""
    may_give: MayGive

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Move it if it has another owner now, and end the claims. Refused: no reason, no claim, not above both."""
        if not (command.reason or "").strip():
            raise ActRefused("reason_missing", "Say why; both sides will ask.")
        case = _case(connection, command, now_us)
        company, held, may = case.company, case.held, self.may_give(case.company, now_us)
        claims = open_claims(connection, [held.customer_id])
        if not claims:
            raise ActRefused("no_claim", "There is no open claim on this customer: leadflow collisions")
        kind: HolderKind = "queue" if self.owner_id in company.units else "person"
        if not is_there(company, kind, self.owner_id):
            raise ActRefused("unknown_claimant", f"{self.owner_id!r} is nobody who works here, and no unit.")
        if not (may(held.holder_id) and may(self.owner_id)):
            raise ActRefused(
                "not_below", f"Both sides must be below {command.actor}: units.csv, column manager."
            )
        known = beside_owners(connection, [held.customer_id]).get(held.customer_id, ())
        people = people_beside(self.beside, company)
        new = tuple(one for one in people if one not in known and one != self.owner_id)
        mine = [one for one in claims if is_of(company, self.owner_id, one["claimant_id"])]
        until_us = max((one["until_us"] or 0 for one in mine), default=0) or held.protected_until_us
        effects = _given(connection, case, (kind, self.owner_id), (until_us, new))
        for ordinal, person_id in enumerate(new):
            row = {"customer_id": held.customer_id, "role": "collaborator", "from_us": case.at_us + ordinal}
            row |= {"holder_kind": "person", "holder_id": person_id, "decision_id": case.move.decision_id}
            effects.append(Insert("holding", row))
        for one in claims:
            beside = set(people_beside([one["claimant_id"]], company)) & {*people, *known}
            state = "owner" if one in mine else "collaborator" if beside else "refused"
            over = {"state": state, "ended_us": case.at_us, "ended_by": command.act_id}
            effects.append(Update("claim", {"claim_id": one["claim_id"]}, over))
        last_us = case.at_us + max(0, len(new) - 1)
        return [*effects, Update("customer", {"customer_id": held.customer_id}, {"routed_us": last_us})]


def _given(
    connection: Connection, case: _Case, to: tuple[HolderKind, str], what: tuple[int | None, tuple[str, ...]]
) -> list[Effect]:
    """Return the effects by which the owner has it: another one gets it, whoever has it keeps it and is told."""
    held, (until_us, new) = case.held, what
    command, at_us = case.move.command, case.at_us
    team_id = to[1] if to[0] == "queue" else None
    reason = Reason(code="claim_decided", team_id=team_id, collaborators=new)
    if (held.holder_kind, held.holder_id) == to:
        protected = (
            [Update("holding", _key(held), {"protected_until_us": until_us})] if to[0] == "person" else []
        )
        return [decided(case.move, reason), *protected, tell(case.move, *to, reason)]
    losing = {held.customer_id: held.holder_id} if held.holder_kind == "person" else {}
    move = replace(case.move, held=replace(held, protected_until_us=until_us))
    return [
        *moved_away(connection, losing, (at_us, case.company.zone), command.act_id),
        *give(move, *to, reason),
        *freed(connection, losing.values(), command, at_us),
        *drained({to[1]: at_us} if to[0] == "queue" else {}),
    ]


def undecided(connection: Connection, act_id: str, customers: Sequence[str], now_us: int) -> list[Effect]:
    """Return the effects by which what a decision about claims ended is open again, and whom it brought is gone.

    `customers` are those that are left as they are: of them nothing changes.
    """
    claim, holding, decision = tables.claim, tables.holding, tables.decision
    ended = connection.execute(claim.select().where(claim.c.ended_by == act_id)).mappings()
    effects: list[Effect] = [
        Update("claim", {"claim_id": row["claim_id"]}, {"state": "open", "ended_us": None, "ended_by": None})
        for row in ended
        if row["customer_id"] not in customers
    ]
    brought = holding.select().where(
        holding.c.role == "collaborator",
        holding.c.to_us.is_(None),
        holding.c.decision_id.in_(
            decision.select()
            .with_only_columns(decision.c.decision_id)
            .where(decision.c.stage == "act", decision.c.event_id == act_id)
        ),
    )
    for row in connection.execute(brought).mappings():
        if row["customer_id"] not in customers:
            key = {name: row[name] for name in ("customer_id", "role", "from_us")}
            effects.append(Update("holding", key, {"to_us": max(now_us, row["from_us"] + 1)}))
    return effects
