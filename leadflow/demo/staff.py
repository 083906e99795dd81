"""What the demo's salespeople do with their inboxes: mostly what they should, a little late, now and then not.

Everything follows from the task, its holder and the time since when they have it, so that working on after a
kill does the same as never having been killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from sqlalchemy import Connection, select

from leadflow.demo.cast import dice
from leadflow.demo.money import sold
from router.office import Office
from sales.outcomes import Said, reasons_for, record_outcome
from schemas.outcomes import OutcomeCode
from store import tables
from store.acts import Command, Plan
from store.acts_inbox import give_back, take
from worktime import add_working

_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE
_AHEAD_US = 30 * _MINUTE
"""How long before it is due somebody may begin with a planned step."""
_ATTEMPTS = 4
"""How often the demo's people try in vain before they decide."""
_SAYS_GOODBYE_US = 10 * _MINUTE
"""How long before the end of their last day somebody who leaves returns what is open."""

_OUTCOMES: tuple[tuple[OutcomeCode, int], ...] = (
    ("interested", 36),
    ("no_answer", 21),
    ("later", 15),
    ("no_need", 13),
    ("won", 6),
    ("not_a_lead", 5),
    ("wrong_number", 4),
)
_NOTES: dict[str, tuple[str, ...]] = {
    "interested": ("已发报价单", "约好下周看样机", "要两种配置的对比", "Sent the quotation", "需要带侧移器"),
    "later": ("年后再谈", "等预算批复", "Budget next quarter"),
    "no_need": ("买了二手车", "只是了解", "改为租赁"),
    "won": ("已签合同", "Order received"),
    "not_a_lead": ("供应商推销", "求职"),
}


@dataclass(frozen=True, slots=True)
class _OpenTask:
    """An open task, and who has had its customer since when."""

    task_id: str
    customer_id: str
    origin: str
    ordinal: int
    holder_kind: str
    holder_id: str
    created_us: int
    due_us: int
    from_us: int
    line: str | None


@dataclass(frozen=True, slots=True)
class Deed:
    """One act of a salesperson, when, and on which customer."""

    at_us: int
    command: Command
    plan: Plan
    customer_id: str
    moves: bool


def deeds(connection: Connection, office: Office, until_us: int) -> list[Deed]:
    """Return what people do before `until_us` about the tasks that are open now, in the order of time."""
    found = [
        deed
        for row in _open_tasks(connection)
        if _since(row) < until_us and (deed := _deed(row, office)) is not None and deed.at_us < until_us
    ]
    return sorted(found, key=lambda one: (one.at_us, one.command.idem_key))


def perform_all(some: list[Deed], perform: Callable[[Deed], object]) -> int:
    """Do the deeds in order; once a customer has moved, the others about it wait for the next look."""
    moved: set[str] = set()
    done = 0
    for deed in some:
        if deed.customer_id in moved:
            continue
        perform(deed)
        done += 1
        if deed.moves:
            moved.add(deed.customer_id)
    return done


def _open_tasks(connection: Connection) -> Iterator[_OpenTask]:
    task, holding, lead = tables.task, tables.holding, tables.lead
    rows = connection.execute(
        select(
            task.c.task_id,
            task.c.customer_id,
            task.c.origin,
            task.c.ordinal,
            holding.c.holder_kind,
            holding.c.holder_id,
            task.c.created_us,
            task.c.due_us,
            holding.c.from_us,
            lead.c.product_line,
        )
        .join(holding, holding.c.customer_id == task.c.customer_id)
        .outerjoin(lead, lead.c.lead_id == task.c.lead_id)
        .where(task.c.state == "open", holding.c.role == "owner", holding.c.to_us.is_(None))
    )
    return (_OpenTask(*tuple(row)) for row in rows)


def _since(row: _OpenTask) -> int:
    """Return when the holder of a task can begin with it."""
    since_us = max(row.created_us, row.from_us)
    return max(since_us, row.due_us - _AHEAD_US) if row.ordinal > 0 else since_us


def _deed(row: _OpenTask, office: Office) -> Deed | None:
    since_us = _since(row)
    rng = dice(row.task_id, row.holder_id, since_us)
    if row.holder_kind == "queue":
        return _taken(row, office, since_us, rng)
    deed = _worked(row, office, since_us, rng)
    last_us = _last_moment(office, row.holder_id)
    if last_us is not None and (deed is None or deed.at_us > last_us):
        reason = next(one.name_zh for one in office.company.choices_of("return") if one.code == "leaving")
        return _act(row, row.holder_id, give_back(), ("return", max(last_us, since_us + 1), reason))
    return deed


def _worked(row: _OpenTask, office: Office, since_us: int, rng: Random) -> Deed | None:
    person = office.company.people.get(row.holder_id)
    draw = rng.random()
    if person is None or draw < 0.03:
        return None  # forgotten: what `neglected` is for
    diligence = 0.6 + dice(row.holder_id).random()
    worked_s = min(int(rng.lognormvariate(6.6, 1.1) * diligence), 3 * 8 * 3_600)
    due = add_working(office.calendar_of(person), since_us + 1, worked_s).due_us
    if due is None:
        return None
    at_us = max(due, since_us + 1)
    if draw < 0.055:
        reasons = [one.name_zh for one in office.company.choices_of("return") if one.code != "leaving"]
        return _act(row, row.holder_id, give_back(), ("return", at_us, rng.choice(reasons)))
    said = [(one, weight) for one, weight in _OUTCOMES if one != "no_answer" or row.ordinal < _ATTEMPTS]
    code = rng.choices([one for one, _ in said], [weight for _, weight in said])[0]
    notes = _NOTES.get(code, ())
    note = rng.choice(notes) if notes and rng.random() < 0.5 else None
    next_us = at_us + rng.randint(7, 45) * _DAY if code == "later" else None
    choices = dict(reasons_for(office.company)).get(code)
    why = rng.choice(choices).code if choices else None
    products = [one for one in office.company.products.values() if row.line in (None, one.line_id)]
    order = sold(row.task_id, products, at_us) if code == "won" else None
    outcome = record_outcome(Said(code, note, next_us, why, order), office.company, office.due)
    return _act(row, row.holder_id, outcome, ("outcome", at_us, why))


def _taken(row: _OpenTask, office: Office, since_us: int, rng: Random) -> Deed | None:
    """One in ten waiting customers is taken by somebody of the team who looks in before their hours."""
    at_us = since_us + rng.randint(5, 120) * _MINUTE
    team = [
        member.person_id
        for member in office.members.get(row.holder_id, ())
        if member.from_us <= at_us
        and (member.to_us is None or at_us < member.to_us)
        and office.why_not(member.person_id, at_us) in (None, "off_shift")
    ]
    if not team or rng.random() >= 0.1:
        return None
    return _act(row, rng.choice(team), take(), ("take", at_us, None))


def _last_moment(office: Office, person_id: str) -> int | None:
    """Return when somebody who leaves clears their desk; None for whoever stays."""
    person = office.company.people.get(person_id)
    ends = [one.to_us for one in office.company.members if one.person_id == person_id]
    if person is None or person.state == "active" or None in ends:
        return None
    return max((end for end in ends if end is not None), default=0) - _SAYS_GOODBYE_US


def _act(
    row: _OpenTask,
    actor: str,
    plan: Plan,
    what: tuple[str, int, str | None],
) -> Deed:
    verb, at_us, reason = what
    key = f"demo:{verb}:{row.task_id}:{row.from_us}"
    command = Command(verb=verb, actor=actor, idem_key=key, scope_id=row.task_id, reason=reason)
    return Deed(at_us, command, plan, row.customer_id, moves=verb != "outcome")
