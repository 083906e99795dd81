"""Plans of the acts on open pools: claim a customer out of one, release one into one.

One claim of many at the same instant gets it: the customer is locked before it is decided about, and whoever comes second finds
it gone. Limits are counted with the claimer locked, so that two claims of one person do not both find the last place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, select

from schemas.company import Company
from schemas.events import event_of
from schemas.ids import child_id
from schemas.pools import Pool, free_from, why_not
from schemas.work import Reason, Task
from store import tables
from store.acts import ActRefused, Command, Plan
from store.company import company_version, load_company
from store.effects import Effect, Emit, Insert, Update
from store.ledger import grade_of, period_of, taken
from store.locks import lock_teams, share_company
from store.moves import Held, Move, give, held_customer
from store.pools import claimed_from, claimer, entries, may_claim, team_of
from store.present import atoms_of, present_ids
from store.waiting import freed

Due = Callable[[str, int, int], int]
"""When so many minutes of a holder's working time have passed: (holder id, from µs, minutes) → µs."""

_REFUSED = {
    "other_pool": "This pool is for other units: pools.csv, column units.",
    "held_back": "It came in lately and is held back for a time, so that all see it: pools.csv, column hold_hours.",
    "was_yours": "You had this customer before and have to wait: pools.csv, columns again_days and owner_days.",
    "pool_full": "You have as many open customers from this pool as it allows: pools.csv, column open_limit.",
    "pool_day_full": "You have claimed as many today as this pool allows: pools.csv, column day_limit.",
}


def claim(due: Due) -> Plan:
    """Return the plan by which the actor claims a customer (the command's scope) out of its pool.

    Its open tasks become the actor's, due within the company's first response from now on; without any, there is one. Counts in
    the ledger as received, and as entitled to. Refused: not in a pool (any more), not for the actor, a limit, too early.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        company, held = _case(connection, command)
        if held.holder_kind == "person":
            whose = "You have" if held.holder_id == command.actor else "Somebody has claimed"
            raise ActRefused("claimed_already", f"{whose} this customer already; look at the pool again.")
        pool = company.pools.get(held.holder_id) if held.holder_kind == "pool" else None
        if pool is None:
            raise ActRefused("not_in_pool", "This customer is in no pool; look at the pool again.")
        at_us = max(now_us, held.after_us)
        lock_teams(connection, [f"person {command.actor}"])
        _check(connection, company, (pool, held), command.actor, at_us)
        lead_id, trace_id = _newest_enquiry(connection, held.customer_id)
        move = Move(held, command, at_us, lead_id, trace_id)
        team_id = team_of(company, pool, command.actor, at_us)
        reason = Reason(code="claimed", team_id=team_id, pool_id=pool.pool_id)
        where = (team_id, period_of(at_us, company.zone), grade_of(connection, lead_id))
        due_us = due(command.actor, at_us, company.first_response_minutes)
        return [
            *give(move, "person", command.actor, reason),
            *taken(move.decision_id, command.actor, where, at_us),
            *_to_be_done(move, due_us),
            Update("customer", {"customer_id": held.customer_id}, {"state": "open"}),
        ]

    return plan


def release(pool_id: str | None = None) -> Plan:
    """Return the plan by which the actor puts a customer of theirs (the command's scope) into a pool, with its open tasks.

    Without a name it is the pool that they claimed it from, else the only one there is. Refused: no reason, not theirs, no pool,
    one that is for other units than theirs (unless it came from there): nobody of its team would see it again.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        if not (command.reason or "").strip():
            raise ActRefused("reason_missing", "Say why it is released; whoever claims it next will ask.")
        company, held = _case(connection, command)
        if (held.holder_kind, held.holder_id) != ("person", command.actor):
            raise ActRefused("not_yours", "Only the owner can release a customer; a manager moves it.")
        came_from = claimed_from(connection, held.decision_id)
        target = pool_id or came_from
        if target is None and len(company.pools) == 1:
            target = next(iter(company.pools))
        if target is None or target not in company.pools:
            known = ", ".join(company.pools) or "none: write pools.csv"
            raise ActRefused("unknown_pool", f"Say into which pool, there are: {known}.")
        if target != came_from and not may_claim(company, company.pools[target], command.actor, now_us):
            raise ActRefused("other_pool", _REFUSED["other_pool"])
        move = Move(held, command, max(now_us, held.after_us))
        reason = Reason(code="released", pool_id=target)
        return [
            *give(move, "pool", target, reason),
            *freed(connection, [command.actor], command, now_us),
        ]

    return plan


def _case(connection: Connection, command: Command) -> tuple[Company, Held]:
    """Return the company and the customer, which stay as they are until this is done."""
    share_company(connection)
    company = load_company(connection, company_version(connection))
    person = company.people.get(command.actor)
    if person is None or person.state != "active":
        raise ActRefused("unknown_actor", "Only a person who works here can do this; say who with --by.")
    held = held_customer(connection, present_ids(connection, [command.scope_id])[command.scope_id])
    if held is None:
        raise ActRefused("unknown_customer", f"There is no customer {command.scope_id}.")
    return company, held


def _check(
    connection: Connection, company: Company, where: tuple[Pool, Held], person_id: str, at_us: int
) -> None:
    pool, held = where
    holding = tables.holding
    since_us = connection.execute(
        select(holding.c.from_us).where(
            holding.c.customer_id == held.customer_id, holding.c.role == "owner", holding.c.to_us.is_(None)
        )
    ).scalar_one()
    entry = entries(connection, {held.customer_id: since_us}, person_id)[held.customer_id]
    why = why_not(pool, claimer(connection, company, pool, person_id, at_us), entry, at_us)
    if why is not None:
        wait = free_from(pool, entry)[0] - at_us
        hours = f" {-(-wait // 3_600_000_000)} hours to go." if why in ("held_back", "was_yours") else ""
        raise ActRefused(why, _REFUSED[why] + hours)


def _to_be_done(move: Move, due_us: int) -> list[Effect]:
    held = move.held
    if held.open_tasks:
        return [Update("task", {"task_id": one}, {"due_us": due_us}) for one in held.open_tasks]
    task = Task(
        task_id=child_id("task", move.decision_id, 0),
        decision_id=move.decision_id,
        ordinal=0,
        customer_id=held.customer_id,
        lead_id=move.lead_id,
        holder_kind="person",
        holder_id=move.command.actor,
        origin="first_response",
        due_us=due_us,
    )
    news = event_of(
        task,
        source=f"/acts/{move.command.verb}/task",
        subject=held.customer_id,
        key=held.customer_id,
        time_us=move.at_us,
        trace_id=move.trace,
        purpose=held.purpose,
        key_id=None,
        cause=move.command.act_id,
    )
    return [Insert("task", {**task.model_dump(), "created_us": move.at_us}), Emit("tasks", news)]


def _newest_enquiry(connection: Connection, customer_id: str) -> tuple[str | None, str | None]:
    lead, member = tables.lead, tables.membership
    atoms = atoms_of(connection, [customer_id])
    row = connection.execute(
        select(lead.c.lead_id, lead.c.trace_id)
        .join(member, member.c.lead_id == lead.c.lead_id)
        .where(member.c.customer_id.in_(sorted(atoms)), member.c.to_us.is_(None), lead.c.kind == "enquiry")
        .order_by(lead.c.accepted_us.desc(), lead.c.lead_id.desc())
        .limit(1)
    ).one_or_none()
    return (row.lead_id, row.trace_id) if row is not None else (None, None)
