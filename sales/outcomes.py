"""What follows from the outcome of a task: the next attempt, the next step, or the end of the work on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from sales.nurture import put_aside
from sales.orders import typed_in
from schemas.company import Choice, ChoiceList, Company
from schemas.events import Event, event_of
from schemas.ids import child_id, make_id
from schemas.orders import OrderRow
from schemas.outcomes import OutcomeCode
from schemas.work import Task, TaskOrigin
from store import tables
from store.acts import ActRefused, Command, Plan, open_task
from store.effects import Effect, Emit, Insert, Update
from store.ended import endings
from store.ledger import credited
from store.locks import share_company
from store.moves import Held, held_customer
from store.present import present_ids
from store.waiting import freed

Due = Callable[[str, int, int], int]
"""When so many minutes of a holder's working time have passed: (holder id, from µs, minutes) → µs."""

NEXT_STEP_MINUTES = 480
"""An interested customer for whom no date was said is taken up again after one working day: long enough to
send a quotation, too short to be forgotten."""

INVALID: frozenset[OutcomeCode] = frozenset({"not_a_lead", "wrong_number"})
"""Outcomes by which a lead turns out to be none: who received it is credited."""

_REASONS: dict[OutcomeCode, ChoiceList] = {
    "no_need": "no_need",
    "not_a_lead": "not_a_lead",
    "nurture": "nurture",
}
"""Outcomes that want a reason, and the company's list of them."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a salesperson records about a task."""

    code: OutcomeCode
    note: str | None = None
    next_us: int | None = None
    reason: str | None = None
    order: OrderRow | None = None
    """Of `won`: the order that it led to, if its number is known."""


@dataclass(frozen=True, slots=True)
class Next:
    """The step that follows: when, and whether it is another attempt at the same (`retry`) or a planned one.

    Of `at_us` and `minutes` (working time of the holder) one is set.
    """

    at_us: int | None
    minutes: int | None
    retry: bool


def next_step(said: Said, attempts: int, ladder: Sequence[int]) -> Next | None:
    """Return what follows an outcome; None when the work on this lead has ended.

    `attempts` is how often nobody had answered before, `ladder` how many minutes of working time lie before
    each further attempt. A date that was said always counts. Raises ActRefused for `later` without a date,
    and when the ladder is at its end: somebody then has to decide.
    """
    if said.next_us is not None:
        return Next(said.next_us, None, retry=said.code == "no_answer")
    match said.code:
        case "later":
            raise ActRefused("date_missing", "“Later” needs the date on which to take it up again.")
        case "no_answer" if attempts >= len(ladder):
            raise ActRefused(
                "ladder_ended",
                f"Nobody answered {attempts + 1} times, and no further attempt is planned. "
                "Choose a date, or another outcome such as “no need” or “wrong number”.",
            )
        case "no_answer":
            return Next(None, ladder[attempts], retry=True)
        case "interested":
            return Next(None, NEXT_STEP_MINUTES, retry=False)
        case _:
            return None


def record_outcome(said: Said, company: Company, due: Due) -> Plan:
    """Return the plan that ends a task (the command's scope) with an outcome and makes what follows.

    The next step is a task of the same holder; without one, a customer with nothing else open is closed, and
    stays with its holder for when it comes back. Refused: a task that has ended, one that nobody has taken yet, a
    missing date or reason, a ladder at its end, and to put aside a customer with whom something else is open.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        task = open_task(connection, command.scope_id)
        if task["holder_kind"] != "person":
            raise ActRefused(
                "not_taken", "Nobody has this customer yet: take it first, then record the outcome."
            )
        return _ended(connection, command, task, (said, company, due), now_us)

    return plan


CONTACT = "contact"
"""The verb of an act by which somebody records what came of a contact that no task asked for."""


def record_contact(said: Said, company: Company, due: Due) -> Plan:
    """Return the plan that records what came of a contact with a customer (the command's scope) who has no open task.

    It is as if there had been a task for it: a step that follows is one of the owner's, and a customer who was closed is
    open again by it. Refused: whom no person has, who has a task (its outcome is recorded there), and who is closed
    although nothing was ever done (erased, or of a list that was taken back).
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        share_company(connection)
        customer_id = present_ids(connection, [command.scope_id])[command.scope_id]
        held = held_customer(connection, customer_id)
        if held is None:
            raise ActRefused("unknown_customer", f"There is no customer {command.scope_id}.")
        if held.holder_kind != "person":
            raise ActRefused("not_taken", "Nobody has this customer: take it first, then record the contact.")
        if held.open_tasks:
            raise ActRefused("task_open", f"Task {held.open_tasks[0]} is open: record the outcome there.")
        customer = tables.customer
        state = connection.execute(
            select(customer.c.state).where(customer.c.customer_id == customer_id)
        ).scalar_one()
        if state != "open" and not endings(connection, [customer_id]):
            raise ActRefused("customer_closed", f"{customer_id} is closed for good.")
        decision_id, lead_id = _decided(connection, held)
        task = Task(
            task_id=child_id("task", command.act_id, 0),
            decision_id=decision_id,
            ordinal=_last_ordinal(connection, decision_id) + 1,
            customer_id=customer_id,
            lead_id=lead_id,
            holder_kind=held.holder_kind,
            holder_id=held.holder_id,
            origin="plan",
            due_us=now_us,
        )
        row = {**task.model_dump(), "created_us": now_us}
        reopened = (
            [Update("customer", {"customer_id": customer_id}, {"state": "open"})] if state != "open" else []
        )
        ended = _ended(connection, command, task.model_dump(), (said, company, due), now_us)
        return [Insert("task", row), *reopened, *ended]

    return plan


def _ended(
    connection: Connection,
    command: Command,
    task: dict[str, Any],
    recorded: tuple[Said, Company, Due],
    now_us: int,
) -> list[Effect]:
    """Return what ending a task with an outcome writes."""
    said, company, due = recorded
    ladder = next((one.retry_minutes for one in company.choices_of("outcome") if one.code == "no_answer"), ())
    _check_reason(said, company)
    attempts = _attempts(connection, task) if said.code == "no_answer" else 0
    step = next_step(said, attempts, ladder) if said.code != "nurture" else None
    effects: list[Effect] = [
        Insert("outcome", _outcome_row(said, command, task, now_us)),
        Update("task", {"task_id": task["task_id"]}, {"state": "done", "ended_us": now_us}),
    ]
    if said.code == "won" and said.order is not None:
        effects += typed_in(connection, said.order, task["lead_id"], command.act_id, now_us)
    if said.code in INVALID and task["lead_id"] is not None:
        at = (now_us, company.zone)
        effects += credited(connection, (task["customer_id"], task["lead_id"]), "invalid", at, command.act_id)
    if step is not None:
        at_us = step.at_us
        task["holder_id"] = _next_holder(connection, company, task, now_us)
        if at_us is None:
            at_us = due(task["holder_id"], now_us, step.minutes or 0)
        return effects + _followed(connection, command, task, (step, at_us), now_us)
    if said.code == "nurture":
        if _has_more(connection, task):
            raise ActRefused(
                "more_is_open",
                "Something else is open with this customer; record the outcome of that first.",
            )
        effects += put_aside(connection, command, company, (task, said.reason, said.next_us), now_us)
    elif not _has_more(connection, task):
        effects.append(Update("customer", {"customer_id": task["customer_id"]}, {"state": "closed"}))
        effects += freed(connection, [task["holder_id"]], command, now_us)
    return effects


def _decided(connection: Connection, held: Held) -> tuple[str, str | None]:
    """Return the decision by which somebody has a customer (a parting leaves them with the one before), and its lead."""
    decision = tables.decision
    asked = select(decision.c.decision_id, decision.c.lead_id)
    if held.decision_id is not None:
        row = connection.execute(asked.where(decision.c.decision_id == held.decision_id)).one()
    else:
        of_customer = asked.where(decision.c.subject_id == held.customer_id)
        row = connection.execute(of_customer.order_by(decision.c.decided_us.desc()).limit(1)).one()
    return row.decision_id, row.lead_id


def reasons_for(company: Company) -> list[tuple[OutcomeCode, list[Choice]]]:
    """Return the outcomes that want a reason, each with the company's choices."""
    lists = [(code, list(company.choices_of(which))) for code, which in _REASONS.items()]
    return [(code, choices) for code, choices in lists if choices]


def _next_holder(connection: Connection, company: Company, task: dict[str, Any], now_us: int) -> str:
    """Return whose the next step is: a stand-in's only as long as the owner is away."""
    holding = tables.holding
    owner = connection.execute(
        select(holding.c.holder_id).where(
            holding.c.customer_id == task["customer_id"],
            holding.c.role == "owner",
            holding.c.holder_kind == "person",
            holding.c.to_us.is_(None),
        )
    ).scalar_one_or_none()
    absences = [one for one in company.absences if one.person_id == owner]
    stood_in = any(one.stand_in_id == task["holder_id"] for one in absences)
    is_away = any(one.from_us <= now_us < one.to_us for one in absences)
    return str(owner if stood_in and not is_away else task["holder_id"])


def _check_reason(said: Said, company: Company) -> None:
    wanted = {one.code for one in company.choices_of(_REASONS[said.code])} if said.code in _REASONS else set()
    if wanted and said.reason not in wanted:
        raise ActRefused(
            "outcome_reason_missing",
            f"{said.code!r} needs one of the reasons {', '.join(sorted(wanted))}.",
        )


def _outcome_row(said: Said, command: Command, task: dict[str, Any], now_us: int) -> dict[str, Any]:
    return {
        "outcome_id": make_id("act", command.act_id, "outcome"),
        "task_id": task["task_id"],
        "customer_id": task["customer_id"],
        "person_id": command.actor,
        "code": said.code,
        "reason": said.reason if said.code in _REASONS else None,
        "note": said.note,
        "next_us": said.next_us,
        "recorded_us": now_us,
    }


def _followed(
    connection: Connection,
    command: Command,
    task: dict[str, Any],
    step: tuple[Next, int],
    now_us: int,
) -> list[Effect]:
    what, due_us = step
    origin: TaskOrigin = task["origin"] if what.retry else "plan"
    ordinal = max(_last_ordinal(connection, task["decision_id"]), task["ordinal"]) + 1
    follow_up = Task(
        task_id=child_id("task", task["decision_id"], ordinal),
        decision_id=task["decision_id"],
        ordinal=ordinal,
        customer_id=task["customer_id"],
        lead_id=task["lead_id"],
        holder_kind=task["holder_kind"],
        holder_id=task["holder_id"],
        origin=origin,
        due_us=due_us,
    )
    row = {**follow_up.model_dump(), "created_us": now_us}
    return [Insert("task", row), Emit("tasks", _news(connection, command, follow_up, now_us))]


def _news(connection: Connection, command: Command, task: Task, now_us: int) -> Event:
    customer, decision = tables.customer, tables.decision
    purpose = select(customer.c.purpose).where(customer.c.customer_id == task.customer_id)
    about = connection.execute(
        select(decision.c.trace_id, purpose.scalar_subquery().label("purpose")).where(
            decision.c.decision_id == task.decision_id
        )
    ).one()
    return event_of(
        task,
        source="/acts/outcome",
        subject=task.customer_id,
        key=task.customer_id,
        time_us=now_us,
        trace_id=about.trace_id,
        purpose=about.purpose,
        key_id=None,
        cause=command.act_id,
    )


def _attempts(connection: Connection, task: dict[str, Any]) -> int:
    """Return how many attempts in a row before this task found nobody."""
    outcome, chain = tables.outcome, tables.task
    codes = connection.execute(
        select(outcome.c.code)
        .join(chain, chain.c.task_id == outcome.c.task_id)
        .where(chain.c.decision_id == task["decision_id"], chain.c.ordinal < task["ordinal"])
        .order_by(chain.c.ordinal.desc())
    ).scalars()
    attempts = 0
    for code in codes:
        if code != "no_answer":
            break
        attempts += 1
    return attempts


def _last_ordinal(connection: Connection, decision_id: str) -> int:
    table = tables.task
    last = select(func.max(table.c.ordinal)).where(table.c.decision_id == decision_id)
    return int(connection.execute(select(func.coalesce(last.scalar_subquery(), -1))).scalar_one())


def _has_more(connection: Connection, task: dict[str, Any]) -> bool:
    table = tables.task
    other = connection.execute(
        select(table.c.task_id)
        .where(
            table.c.customer_id == task["customer_id"],
            table.c.state == "open",
            table.c.task_id != task["task_id"],
        )
        .limit(1)
    ).first()
    return other is not None
