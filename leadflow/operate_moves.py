"""What an operator does about who has customers: move them, and take that back; verbs of `leadflow.operate`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from leadflow.above import may_give_as
from leadflow.auto_moves import move_now
from leadflow.choosing import ChoiceError
from leadflow.clock import new_id, wall_clock_us
from leadflow.engine import Engine
from leadflow.handover_job import begin_undo, planned, run, spec_of
from leadflow.handover_leave import without
from leadflow.payload import Payload, command_of
from leadflow.undo_scope import plan_scope, scope_of
from schemas.work import Condition
from store.acts import ActRefused, Command, perform
from store.acts_job import GOING, OPEN, Begin, counts, job_id_of, jobs, read_job, to_state
from store.acts_move import Give, Moving, judge
from store.acts_scope import BeginReturn
from store.acts_undo import Undo, Undoing
from store.company import company_version, load_company


def do_move(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Give customers to others; return how many, and the rows that were refused."""
    moving = Moving(gives_from(payload["gives"]), may_give_as(payload["actor"], payload.get("acting_role")))
    command = command_of(payload, "move")
    files = engine.files
    done = perform(files.store, command, moving, wall_clock_us(), files.store_log.append)
    refused = [[one.give.customer_id, one.refused] for one in moving.judged if one.refused]
    moved = len(moving.judged) - len(refused)
    return {"act_id": command.act_id, "repeated": not done, "moved": moved, "refused": refused}


def do_undo(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Take an act back; return what went back, and what was left."""
    undo = Undo(may_give_as(payload["actor"], payload.get("acting_role")))
    command = command_of(payload, "undo", undoes=payload["id"])
    files = engine.files
    done = perform(files.store, command, undo, wall_clock_us(), files.store_log.append)
    return {"act_id": command.act_id, "repeated": not done, **told(undo.undoing)}


def told(undoing: Undoing | None) -> dict[str, Any]:
    """Return what taking back does, or did, to be shown."""
    if undoing is None:
        return {"back": [], "left": [], "sent": []}
    return {
        "back": [[one.held.customer_id, one.held.holder_id, one.holder_id] for one in undoing.back],
        "left": [list(one) for one in undoing.left],
        "sent": [[row["delivery_id"], row["sink_id"], row["dest"]] for row in undoing.sent],
    }


def gives_to(gives: Iterable[Give]) -> list[dict[str, Any]]:
    """Return rows to be sent to the host."""
    return [{**asdict(one), "conditions": [each.model_dump() for each in one.conditions]} for one in gives]


def gives_from(rows: Iterable[dict[str, Any]]) -> list[Give]:
    """Return the rows that were sent."""
    return [
        Give(**{**row, "conditions": tuple(Condition.model_validate(one) for one in row["conditions"])})
        for row in rows
    ]


def do_auto_moves(engine: Engine, _payload: Payload) -> dict[str, Any]:
    """Move what moves by itself, now; return how many did."""
    files = engine.files
    return {"moved": move_now(files.store, files.store_log.append, wall_clock_us())}


STEP_S = 8.0
"""How long one request goes on with a hand-over before it answers: well within the minute that a client waits."""


def do_hand_over(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Begin the hand-over of a person, or take up the one that is under way; go on with it for some seconds."""
    store, append = engine.files.store, engine.files.store_log.append
    with store.read() as connection:
        under_way = jobs(connection, payload["id"], GOING)
    if not under_way:
        return {**_went_on(engine, _begun(engine, payload)), "resumed": False}
    job = under_way[0]
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
    may = may_give_as(payload["actor"], payload.get("acting_role"))(company, wall_clock_us())
    if not may(job.person_id) and payload["actor"] != job.actor:
        raise ActRefused("not_below", f"{job.person_id} is not below {payload['actor']}; ask their manager.")
    if job.state == "stopped":
        going = Command("hand_over_go", payload["actor"], new_id(), job.job_id)
        perform(store, going, to_state("running"), wall_clock_us(), append)
    own = job_id_of(command_of(payload, "hand_over_begin"))
    return {**_went_on(engine, job.job_id), "resumed": job.job_id != own}


def _begun(engine: Engine, payload: Payload) -> str:
    """Plan a hand-over and write it down; return its job. The plan is let go before the job is worked on."""
    command, now_us = command_of(payload, "hand_over_begin"), wall_clock_us()
    person_id, store = command.scope_id, engine.files.store
    asked = {key: payload[key] for key in ("parts", "plan_csv", "leaving", "duties_to")}
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
        if person_id not in company.people:
            raise ActRefused("unknown_person", f"There is nobody {person_id!r} in people.csv.")
        try:
            gives, left = planned(connection, company, person_id, asked, now_us)
        except ChoiceError as error:
            raise ActRefused("choice", str(error)) from None
        spec = spec_of(connection, company, person_id, asked, now_us)
        may = may_give_as(payload["actor"], payload.get("acting_role"))(company, now_us)
        judged = judge(connection, gives, (company, may), owner=person_id)
    if asked["leaving"]:
        if left:
            raise ActRefused(
                "left_over", f"No part takes {len(left)} of their customers; add --to for the rest."
            )
        without(company, person_id, asked["duties_to"], now_us)
    begin = Begin(
        judged, spec, payload.get("until_us"), may_give_as(payload["actor"], payload.get("acting_role"))
    )
    perform(store, command, begin, now_us, engine.files.store_log.append)
    return job_id_of(command)


def do_undo_scope(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Undo all that a scope did, or go on with it if that is under way, for some seconds."""
    store, append, now_us = engine.files.store, engine.files.store_log.append, wall_clock_us()
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
        name, scope = scope_of(connection, company, payload, now_us)
        under_way = [one for one in jobs(connection, name, OPEN) if one.state == "running"]
        plan = None if under_way else plan_scope(connection, company, scope, payload["actor"], now_us)
    if plan is None:
        return {**_went_on(engine, under_way[0].job_id), "resumed": True}
    command = command_of({**payload, "id": name}, "undo_scope")
    spec = {"since_us": scope.since_us, "until_us": scope.until_us}
    perform(store, command, BeginReturn(plan.returns, spec, plan.decisions), now_us, append)
    return {**_went_on(engine, job_id_of(command)), "resumed": False}


def do_hand_back(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Undo a hand-over (the payload's id is the job), or go on with undoing it, for some seconds."""
    store, append = engine.files.store, engine.files.store_log.append
    with store.read() as connection:
        job = read_job(connection, payload["id"])
        company = load_company(connection, company_version(connection))
    may = may_give_as(payload["actor"], payload.get("acting_role"))(company, wall_clock_us())
    if not may(job.person_id) and payload["actor"] != job.actor:
        raise ActRefused("not_below", f"{job.person_id} is not below {payload['actor']}; ask their manager.")
    if job.state != "undoing":
        begin_undo(store, append, job, payload["actor"], wall_clock_us())
    return _went_on(engine, job.job_id)


def _went_on(engine: Engine, job_id: str) -> dict[str, Any]:
    store, append = engine.files.store, engine.files.store_log.append
    try:
        more = run(store, append, job_id, wall_clock_us, STEP_S)
    except ChoiceError as error:  # whoever was to get it left, or a segment ended, since it was planned
        raise ActRefused("choice", str(error)) from None
    with store.read() as connection:
        job = read_job(connection, job_id)
        found = counts(connection, job_id)
    left = {str(code): count for (state, code), count in found.items() if state == "left"}
    return {
        "job_id": job_id,
        "state": job.state,
        "more": more,
        "items": job.items,
        "done": job.next_item,
        "given": found.get(("given", None), 0),
        "left": left,
    }
