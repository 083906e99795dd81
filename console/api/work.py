"""Inboxes and tasks: what is to be done, take it, return it, say what came of it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request

from console.api.acting import Key, command_for, company_of, done, said_by
from console.api.models import Body, Done, Id, Outcome, Reasoned
from console.api.operations import operations
from console.desk import Desk
from sales.outcomes import record_outcome
from store import views
from store.acts_inbox import give_back, take

TaskId = Annotated[Id, Path(description="The id of a task")]


def work_routes(desk: Desk) -> APIRouter:
    """Return the operations about tasks."""
    router = operations("work")

    @router.get("/inbox/{holder_id}", summary="The open tasks of a person or queue, most urgent first")
    def inbox(holder_id: Id) -> dict[str, list[dict[str, Any]]]:
        with desk.store.read() as connection:
            return {"tasks": views.inbox(connection, holder_id)}

    @router.post("/tasks/{task_id}/take", summary="Take the customer of a waiting task")
    def take_it(request: Request, task_id: TaskId, body: Body, key: Key = "") -> Done:
        return done(desk, command_for(desk, request, body, "take", key, scope=task_id), take())

    @router.post("/tasks/{task_id}/return", summary="Return the customer of a task to its team's queue")
    def return_it(request: Request, task_id: TaskId, body: Reasoned, key: Key = "") -> Done:
        command = command_for(desk, request, body, "return", key, scope=task_id, reason=body.reason)
        return done(desk, command, give_back())

    @router.post(
        "/tasks/{task_id}/outcome", summary="End a task with its outcome; what follows is made by it"
    )
    def outcome(request: Request, task_id: TaskId, body: Outcome, key: Key = "") -> Done:
        company = company_of(desk)
        said = said_by(body, company, desk.clock())
        command = command_for(desk, request, body, "outcome", key, scope=task_id, reason=body.reason)
        return done(desk, command, record_outcome(said, company, desk.offices.get(company).due))

    return router
