"""The plan that takes a list back, a chunk of its rows in one transaction each: what went on since stays, and is named.

A customer that only this list brought is closed, and its numbers recognise nobody any more; a row that joined a customer
who was there is taken out of it, with what it brought; whoever had the customer before has it again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from schemas.company import Company
from schemas.ids import child_id
from schemas.work import Reason
from store import tables
from store.acts import Command
from store.acts_move import is_there
from store.bulk import keys_in
from store.company import company_version, load_company
from store.effects import Close, Effect, Emit, Insert, Update
from store.imports import Run, read_run
from store.ledger import taken_back
from store.locks import share_company
from store.moves import Held, Move, decided, give, held_of
from store.nurture import NURTURE_WAKES
from store.present import present_ids
from store.similar import forget

CHUNK = 250
"""Rows in one transaction: some 50 ms of the store's lock on SQLite."""
REVERT = "revert_list"
_DAY_US = 86_400 * 1_000_000


def revert_command(run: Run, actor: str, reason: str) -> Command:
    """Return the command of the chunk that is due; its key says which one it is."""
    # `taken` grows where a batch that was under way is noted behind what was taken back already.
    key = f"{run.import_id}:revert:{run.next_row}:{run.taken}"
    return Command(REVERT, actor, key, run.import_id, reason)


def who_reverts(connection: Connection, run: Run) -> tuple[str, str]:
    """Return who began to take a list back, and why."""
    act = tables.act
    row = connection.execute(select(act.c.actor, act.c.reason).where(act.c.idem_key == begin_key(run))).one()
    return row.actor, row.reason or ""


def begin_key(run: Run) -> str:
    """Return the key of the act that begins to take a list back."""
    return f"{run.import_id}:revert"


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the list that became a lead, and where its lead is now."""

    number: int
    lead_id: str
    contact_id: str
    atom: str
    customer_id: str
    trace_id: str


def revert_chunk(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """Take back the next CHUNK rows of a list (the command's scope)."""
    share_company(connection)
    company = load_company(connection, company_version(connection))
    run = read_run(connection, command.scope_id)
    numbers = _chunk(connection, run)
    if not numbers:
        values = {"state": "reverted", "reverted_us": now_us}
        return [Update("import_run", {"import_id": run.import_id}, values)]
    rows = _rows(connection, run, numbers)
    held = held_of(connection, {one.customer_id for one in rows})
    rows = _rows(connection, run, numbers)  # what is locked cannot move any more
    stays = _went_on(connection, run, rows)
    effects: list[Effect] = []
    for one in rows:
        why = stays.get(one.lead_id) or (None if one.customer_id in held else "erased")
        key = {"import_id": run.import_id, "number": one.number}
        effects.append(Update("import_row", key, {"reverted": why or "out"}))
    out = [one for one in rows if one.lead_id not in stays and one.customer_id in held]
    effects += _out(connection, (run, company, command, now_us), out, held)
    progress = {"next_row": numbers[-1] + 1}
    return [*effects, Update("import_run", {"import_id": run.import_id}, progress)]


def _chunk(connection: Connection, run: Run) -> list[int]:
    row = tables.import_row
    return list(
        connection.execute(
            select(row.c.number)
            .where(
                row.c.import_id == run.import_id, row.c.number >= run.next_row, row.c.capture_id.is_not(None)
            )
            .order_by(row.c.number)
            .limit(CHUNK)
        ).scalars()
    )


def on_their_way(connection: Connection, run: Run, now_us: int) -> int:
    """Return how many rows of the next chunk the stages have yet to come to: not read, not resolved, or not decided.

    They are taken back when they have arrived: who is taken back before would be there afterwards. What waits for a
    person (a dead letter) is not waited for, nor what stands still for a day.
    """
    numbers = _chunk(connection, run)
    if not numbers:
        return 0
    row, capture, origin = tables.import_row, tables.capture, tables.lead_capture
    lead, member, decision, dead = tables.lead, tables.membership, tables.decision, tables.dead
    settled = dead.c.state.in_(("open", "discarded"))
    stands = or_(
        exists().where(dead.c.capture_id == row.c.capture_id, settled),
        exists().where(dead.c.trace_id == capture.c.trace_id, settled),
    )
    resolved = exists().where(member.c.lead_id == origin.c.lead_id)  # also of somebody who was erased
    decided = exists().where(decision.c.lead_id == lead.c.lead_id, decision.c.stage == "route")
    waits = or_(
        and_(lead.c.lead_id.is_(None), ~resolved),
        and_(lead.c.kind == "enquiry", ~decided),
    )
    return int(
        connection.execute(
            select(func.count())
            .select_from(
                row.outerjoin(capture, capture.c.capture_id == row.c.capture_id)
                .outerjoin(origin, (origin.c.capture_id == row.c.capture_id) & (origin.c.role == "origin"))
                .outerjoin(lead, lead.c.lead_id == origin.c.lead_id)
            )
            .where(
                row.c.import_id == run.import_id,
                row.c.number.between(numbers[0], numbers[-1]),
                row.c.capture_id.is_not(None),
                or_(
                    capture.c.capture_id.is_(None),
                    and_(capture.c.result == "lead", capture.c.accepted_us > now_us - _DAY_US, waits),
                ),
                ~stands,
            )
        ).scalar_one()
    )


def _rows(connection: Connection, run: Run, numbers: Sequence[int]) -> list[_Row]:
    row, origin, member, lead = tables.import_row, tables.lead_capture, tables.membership, tables.lead
    found = connection.execute(
        select(row.c.number, origin.c.lead_id, member.c.contact_id, member.c.customer_id, lead.c.trace_id)
        .join(origin, (origin.c.capture_id == row.c.capture_id) & (origin.c.role == "origin"))
        .join(lead, lead.c.lead_id == origin.c.lead_id)
        .join(member, (member.c.lead_id == origin.c.lead_id) & member.c.to_us.is_(None))
        .where(row.c.import_id == run.import_id, row.c.number >= numbers[0], row.c.number <= numbers[-1])
        .order_by(row.c.number)
    ).all()
    names = present_ids(connection, {one.customer_id for one in found})
    return [
        _Row(one.number, one.lead_id, one.contact_id, one.customer_id, names[one.customer_id], one.trace_id)
        for one in found
    ]


def _went_on(connection: Connection, run: Run, rows: Sequence[_Row]) -> dict[str, str]:
    """Return which leads are left where they are, and why: `merged`, or `moved_on`: somebody did something since."""
    lead, member, task, outcome, decision, alias, origin, row = (
        tables.lead,
        tables.membership,
        tables.task,
        tables.outcome,
        tables.decision,
        tables.alias,
        tables.lead_capture,
        tables.import_row,
    )
    customers = [(one,) for one in sorted({one.customer_id for one in rows})]
    leads = [(one.lead_id,) for one in rows]
    merged = set(
        connection.execute(select(alias.c.now_id).where(keys_in(connection, ["now_id"], customers))).scalars()
    )
    born = _born(connection, run, [one.customer_id for one in rows])
    of_list = select(origin.c.lead_id).join(row, row.c.capture_id == origin.c.capture_id)
    others = set(
        connection.execute(
            select(member.c.customer_id)
            .join(lead, lead.c.lead_id == member.c.lead_id)
            .where(
                keys_in(connection, ["membership.customer_id"], customers),
                member.c.to_us.is_(None),
                lead.c.lead_id.not_in(of_list.where(row.c.import_id == run.import_id)),
            )
        ).scalars()
    )
    acted = set(
        connection.execute(
            select(decision.c.subject_id).where(
                keys_in(connection, ["subject_id"], customers),
                decision.c.stage == "act",
                decision.c.decided_us >= run.at_us,
            )
        ).scalars()
    )
    acted |= set(
        connection.execute(
            select(outcome.c.customer_id).where(
                keys_in(connection, ["customer_id"], customers), outcome.c.recorded_us >= run.at_us
            )
        ).scalars()
    )
    worked = set(
        connection.execute(
            select(task.c.lead_id)
            .join(outcome, outcome.c.task_id == task.c.task_id)
            .where(keys_in(connection, ["task.lead_id"], leads))
        ).scalars()
    )
    found: dict[str, str] = {}
    for one in rows:
        if one.customer_id in merged:
            found[one.lead_id] = "merged"
        elif one.lead_id in worked or (one.customer_id in born and one.customer_id in others | acted):
            found[one.lead_id] = "moved_on"
    return found


Seen = tuple[Run, Company, Command, int]


def _out(connection: Connection, seen: Seen, rows: Sequence[_Row], held: dict[str, Held]) -> list[Effect]:
    run, company, command, now_us = seen
    leads = [one.lead_id for one in rows]
    forget(connection, leads)
    born = _born(connection, run, [one.customer_id for one in rows])
    effects: list[Effect] = _unbound(connection, leads, now_us)
    effects += _tasks_cancelled(connection, leads, now_us)
    decisions = _decisions(connection, leads)
    effects += taken_back(connection, decisions.values(), (now_us, company.zone), command.act_id)
    timers = _timers(connection, [one.customer_id for one in rows])
    before = _before(connection, {one.customer_id for one in rows if one.customer_id not in born})
    closed: set[str] = set()
    moved: set[str] = set()
    for one in rows:
        has = held[one.customer_id]
        at_us = max(now_us, has.after_us)
        if one.customer_id in born:
            if one.customer_id not in closed:
                closed.add(one.customer_id)
                move = Move(has, command, at_us, one.lead_id, one.trace_id)
                reason = Reason(code="list_reverted", import_id=run.import_id)
                effects.append(decided(move, reason))
                values = {"state": "closed", "routed_us": at_us}
                effects.append(Update("customer", {"customer_id": one.customer_id}, values))
                effects += [
                    Update("timer", key, {"fired_us": now_us}) for key in timers.get(one.customer_id, ())
                ]
            continue
        effects += _taken_out(one, has, at_us)
        who = before.get(one.customer_id)
        gave = decisions.get(one.lead_id)
        if (
            who
            and gave
            and has.decision_id == gave
            and one.customer_id not in moved
            and is_there(company, *who)
        ):
            moved.add(one.customer_id)
            move = Move(replace(has, open_tasks=()), command, at_us, one.lead_id, one.trace_id)
            reason = Reason(code="moved_back", import_id=run.import_id)
            back = give(move, who[0], who[1], reason)
            quiet = not run.spec.get("notify", True)
            effects += [each for each in back if not (quiet and isinstance(each, Emit))]
    return effects


def _taken_out(one: _Row, has: Held, at_us: int) -> list[Effect]:
    """Return what makes a lead that joined a customer somebody of its own again, who is closed."""
    contact_id, customer_id = child_id("con", one.lead_id), child_id("cus", one.lead_id)
    effects: list[Effect] = [Close("membership", (one.lead_id,), at_us)]
    if contact_id != one.contact_id:
        effects.append(
            Insert("contact", {"contact_id": contact_id, "born_lead": one.lead_id, "born_us": at_us})
        )
    else:
        effects.append(Close("contact_customer", (contact_id, one.atom), at_us))
    customer = {
        "customer_id": customer_id,
        "kind": "person",
        "born_lead": one.lead_id,
        "purpose": has.purpose,
        "born_us": at_us,
        "touched_us": at_us,
        "routed_us": at_us,
        "state": "closed",
    }
    holding = {
        "customer_id": customer_id,
        "role": "owner",
        "from_us": at_us,
        "holder_kind": "queue",
        "holder_id": "intake",
    }
    relation = {"contact_id": contact_id, "customer_id": customer_id, "from_us": at_us, "is_primary": True}
    member = {"lead_id": one.lead_id, "from_us": at_us, "contact_id": contact_id, "customer_id": customer_id}
    return [
        *effects,
        Insert("customer", customer),
        Insert("holding", holding),
        Insert("membership", member),
        Insert("contact_customer", relation),
    ]


def _born(connection: Connection, run: Run, customers: Collection[str]) -> set[str]:
    """Return which of these customers the list brought."""
    customer, origin, row = tables.customer, tables.lead_capture, tables.import_row
    wanted = keys_in(connection, ["customer.customer_id"], [(one,) for one in sorted(set(customers))])
    return set(
        connection.execute(
            select(customer.c.customer_id)
            .join(origin, (origin.c.lead_id == customer.c.born_lead) & (origin.c.role == "origin"))
            .join(row, row.c.capture_id == origin.c.capture_id)
            .where(wanted, row.c.import_id == run.import_id)
        ).scalars()
    )


def _unbound(connection: Connection, leads: Sequence[str], now_us: int) -> list[Effect]:
    binding = tables.binding
    rows = connection.execute(
        select(binding.c.kind, binding.c.value, binding.c.from_us).where(
            keys_in(connection, ["lead_id"], [(one,) for one in leads]), binding.c.to_us.is_(None)
        )
    )
    return [Close("binding", (row.kind, row.value), max(now_us, row.from_us + 1)) for row in rows]


def _tasks_cancelled(connection: Connection, leads: Sequence[str], now_us: int) -> list[Effect]:
    task = tables.task
    rows = connection.execute(
        select(task.c.task_id).where(
            keys_in(connection, ["lead_id"], [(one,) for one in leads]), task.c.state == "open"
        )
    )
    ended = {"state": "cancelled", "ended_us": now_us}
    return [Update("task", {"task_id": row.task_id}, dict(ended)) for row in rows]


def _decisions(connection: Connection, leads: Sequence[str]) -> dict[str, str]:
    decision = tables.decision
    rows = connection.execute(
        select(decision.c.lead_id, decision.c.decision_id).where(
            keys_in(connection, ["lead_id"], [(one,) for one in leads]), decision.c.stage == "route"
        )
    )
    return {row.lead_id: row.decision_id for row in rows}


def _timers(connection: Connection, customers: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    timer = tables.timer
    rows = connection.execute(
        select(timer.c.kind, timer.c.subject_id, timer.c.due_us).where(
            keys_in(connection, ["subject_id"], [(one,) for one in sorted(set(customers))]),
            timer.c.kind == NURTURE_WAKES,
            timer.c.fired_us.is_(None),
        )
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row.subject_id, []).append(dict(row._mapping))
    return found


def _before(connection: Connection, customers: Collection[str]) -> dict[str, tuple[Any, str]]:
    """Return who had each of these customers before whoever has it now."""
    holding = tables.holding
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.holder_kind, holding.c.holder_id, holding.c.to_us)
        .where(keys_in(connection, ["customer_id"], [(one,) for one in customers]), holding.c.role == "owner")
        .order_by(holding.c.customer_id, holding.c.from_us)
    )
    found: dict[str, tuple[Any, str]] = {}
    for row in rows:
        if row.to_us is not None:
            found[row.customer_id] = (row.holder_kind, row.holder_id)
    return found
