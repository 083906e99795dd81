"""What a receiver should know of each customer, in a few lines of their language, built from the story that is recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, select

from console.story import Step, steps
from console.view import View
from enrich.golden import called_of
from schemas.base import Language
from schemas.company import Company
from store import tables, views
from store.acts_job import items
from store.bulk import keys_in
from store.present import atoms_of, present_ids

EVENTS = 5
"""Last events shown: enough to pick up the thread; the story has the rest."""
_LEADS = 5
"""Newest leads whose stories are read: an old customer has hundreds."""
_SHOWN = ("received", "decided", "outcome", "refused")
_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "contact": "contact",
        "open": "open",
        "next": "next step",
        "none": "no step ahead: plan one",
        "events": "last",
    },
    "zh": {
        "contact": "联系人",
        "open": "未完成",
        "next": "下一步",
        "none": "没有下一步，请安排",
        "events": "最近",
    },
}


def given_to(connection: Connection, named: Sequence[str], person_id: str) -> list[str]:
    """Return the customers that are named, those of a hand-over in their place; of one receiver only, if one is given."""
    found: list[str] = []
    for one in named:
        if not one.startswith("job_"):
            found.append(one)
            continue
        rows = items(connection, one, "given")
        found += [row["customer_id"] for row in rows if person_id in ("", row["holder_id"])]
    names = present_ids(connection, found)
    return list(dict.fromkeys(names[one] for one in found))


def briefs(
    connection: Connection, company: Company, customers: Sequence[str], language: Language, now_us: int
) -> Iterator[str]:
    """Yield a block of lines for each customer."""
    view = View(language, company, now_us)
    for customer_id in customers:
        yield "\n".join(_lines(connection, view, customer_id))


def _lines(connection: Connection, view: View, customer_id: str) -> Iterator[str]:
    words = _WORDS[view.language]
    leads = _newest_leads(connection, customer_id)
    happened: dict[tuple[int, str, str], Step] = {}
    contact = called_of(connection, [customer_id])[customer_id]
    for lead_id in leads:
        story = views.story(connection, lead_id)
        for step in steps(story):
            happened[step.at_us, step.kind, _id_of(step)] = step
    yield f"{customer_id}  {view.who(contact)}"
    reach = [number for number, _ in view.phones(contact)[:2]] + [one for one, _ in view.mails(contact)[:1]]
    company = view.company_of(contact)
    yield f"  {words['contact']}: " + " · ".join(
        dict.fromkeys(one for one in (view.who(contact), company, *reach) if one)
    )
    tasks = _open_tasks(connection, customer_id)
    for row in tasks:
        yield f"  {words['open']}: {view.word('ORIGINS', row['origin'])} · {view.when(row['due_us'])}"
    ahead = next((row for row in tasks if row["due_us"] > view.now_us), None)
    step_ahead = (
        f"{view.word('ORIGINS', ahead['origin'])} · {view.when(ahead['due_us'])}" if ahead else words["none"]
    )
    yield f"  {words['next']}: {step_ahead}"
    last = [step for _, step in sorted(happened.items(), key=lambda item: item[0]) if step.kind in _SHOWN]
    for step in last[-EVENTS:]:
        yield f"  {words['events']}: {view.exact(step.at_us)[:16]} {_event(view, step)}"


def _event(view: View, step: Step) -> str:
    row = step.row
    match step.kind:
        case "received":
            return f"{view.word('CHANNELS', row['channel'])} · {view.source(row['source_id'])}"
        case "decided":
            return f"{view.word('DECISIONS', row['code'])} → {view.name(row['holder_id'])}"
        case "outcome":
            note = f" · {row['note']}" if row["note"] else ""
            return f"{view.choice('outcome', row['code'])} · {view.name(row['person_id'])}{note}"
        case _:
            return view.letter(row)[0]


def _id_of(step: Step) -> str:
    names = {
        "received": "capture_id",
        "decided": "decision_id",
        "outcome": "outcome_id",
        "refused": "dead_id",
    }
    return str(step.row.get(names.get(step.kind, ""), ""))


def _newest_leads(connection: Connection, customer_id: str) -> list[str]:
    lead, member = tables.lead, tables.membership
    wanted = keys_in(
        connection, ["membership.customer_id"], [(one,) for one in atoms_of(connection, [customer_id])]
    )
    return list(
        connection.execute(
            select(lead.c.lead_id)
            .join(member, (member.c.lead_id == lead.c.lead_id) & member.c.to_us.is_(None))
            .where(wanted, lead.c.kind != "correction")
            .order_by(lead.c.accepted_us.desc(), lead.c.lead_id)
            .limit(_LEADS)
        ).scalars()
    )


def _open_tasks(connection: Connection, customer_id: str) -> list[dict[str, Any]]:
    task = tables.task
    rows = connection.execute(
        select(task)
        .where(task.c.customer_id == customer_id, task.c.state == "open")
        .order_by(task.c.due_us, task.c.task_id)
    )
    return [dict(row) for row in rows.mappings()]
