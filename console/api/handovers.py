"""Hand-overs: exactly what would happen, beginning one, how far it is, its certificate, and its way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path
from sqlalchemy import Connection
from starlette.requests import Request

from console.api.acting import Key, about, command_for, company_of, is_repeated
from console.api.models import Id, Reasoned
from console.api.models_handovers import (
    Certificate,
    HandOverAsked,
    HandOverBegin,
    HandOverDone,
    HandOverPreview,
    HandOverRow,
    HandOvers,
    HandOverState,
    HandOverUndo,
    JobRow,
    JobRows,
    KindCount,
    Mention,
    SentTo,
)
from console.api.models_moves import code_counts, holder_counts
from console.api.moves import ROWS, confirm_of, row_of
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.desk import Desk
from console.gate import visitor
from console.handover import HandOver, has_certificate
from console.handover_seen import above_of, asked_for, of_theirs, seen_job
from store.acted import job_rows, jobs_lately
from store.acts import ActRefused, Command, is_done
from store.acts_job import GOING, Job, counts, job_id_of, jobs, read_job
from store.belongings import MENTIONS
from store.certificates import read_certificate

JobId = Annotated[Id, Path(description="The id of a hand-over")]
_BESIDE = ("customer", "task", "pool_claim", *MENTIONS)
"""What stands elsewhere in a preview."""
_LAST = 2**31 - 1
"""The highest number that a row can have; a cursor that somebody made up may hold a higher one."""


def handover_routes(desk: Desk, host: HandOver) -> APIRouter:
    """Return the operations about hand-overs."""
    router = operations("hand-overs")
    _beginning(router, desk, host)
    _showing(router, desk)
    _undoing(router, desk, host)
    return router


def _beginning(router: APIRouter, desk: Desk, host: HandOver) -> None:
    @router.post("/handovers/preview", summary="What a hand-over would do, exactly; changes nothing")
    def preview_handover(request: Request, body: HandOverAsked) -> HandOverPreview:
        actor = command_for(desk, request, body, "hand_over_begin", "", scope=body.person).actor
        return _planned(desk, host, request, body, actor)

    @router.post("/handovers", summary="Begin a hand-over, or go on with the one that is under way")
    def begin_handover(request: Request, body: HandOverBegin, key: Key = "") -> HandOverDone:
        command = command_for(
            desk, request, body, "hand_over_begin", key, scope=body.person, reason=body.reason
        )
        job_id, resumed = job_id_of(command), False
        repeated = is_repeated(desk, command)
        if not repeated:  # whoever has left since is below nobody
            of_theirs(visitor(request), body.person)
            if body.confirm and _planned(desk, host, request, body, command.actor).confirm != body.confirm:
                raise ActRefused(
                    "preview_differs", "Something else would happen by now; ask for a preview again."
                )
            try:
                begun = host.begin(body.person, _asked(desk, body), about(request, command))
                job_id, resumed = begun.job_id, begun.resumed
            except ActRefused:
                if not _is_begun(desk, job_id):
                    raise
                # It was begun, and stopped on its way: its state says why.
        return HandOverDone(
            act_id=command.act_id, repeated=repeated, resumed=resumed, handover=_state_of(desk, job_id)
        )


def _showing(router: APIRouter, desk: Desk) -> None:
    @router.get("/handovers", summary="Hand-overs of whom one sees, or saw then, newest first")
    def handovers(request: Request, cursor: Cursor = "", limit: Limit = 50) -> HandOvers:
        place = place_of(cursor, int, str)
        after = (int(place[0]), str(place[1])) if place else None
        with desk.store.read() as connection:
            above = above_of(desk.companies.get(connection), visitor(request))
            found = jobs_lately(connection, above, limit + 1, after)
        rows = [HandOverRow(**_columns(one)) for one in found[:limit]]
        following = cursor_of(rows[-1].made_us, rows[-1].job_id) if len(found) > limit else None
        return HandOvers(handovers=rows, next=following)

    @router.get("/handovers/{job_id}", summary="How far a hand-over is, what was given and what was left")
    def handover_state(request: Request, job_id: JobId) -> HandOverState:
        with desk.store.read() as connection:
            _seen(desk, request, job_id, connection)
        return _state_of(desk, job_id)

    @router.get("/handovers/{job_id}/rows", summary="What becomes of each customer of a hand-over")
    def handover_rows(request: Request, job_id: JobId, cursor: Cursor = "", limit: Limit = 50) -> JobRows:
        place = place_of(cursor, int)
        with desk.store.read() as connection:
            _seen(desk, request, job_id, connection)
            found = job_rows(connection, job_id, min(int(place[0]), _LAST) if place else -1, limit + 1)
        rows = [JobRow(**asdict(one)) for one in found[:limit]]
        return JobRows(rows=rows, next=cursor_of(rows[-1].number) if len(found) > limit else None)

    @router.get("/handovers/{job_id}/certificate", summary="The certificate of a hand-over that is done")
    def certificate(request: Request, job_id: JobId) -> Certificate:
        with desk.store.read() as connection:
            _seen(desk, request, job_id, connection)
            return Certificate(**asdict(read_certificate(connection, job_id)))


def _undoing(router: APIRouter, desk: Desk, host: HandOver) -> None:
    @router.get("/handovers/{job_id}/undo", summary="What taking a hand-over back would do; changes nothing")
    def preview_handover_undo(request: Request, job_id: JobId) -> HandOverUndo:
        with desk.store.read() as connection:
            _seen(desk, request, job_id, connection)
        found = host.undoing(job_id)
        sent: Counter[str] = Counter()
        for sink_id, _, count in found.sent:
            sent[sink_id] += count
        return HandOverUndo(
            back=found.back,
            left=code_counts(Counter(found.left).most_common()),
            sent=[SentTo(sink_id=sink_id, count=count) for sink_id, count in sent.most_common()],
            ended=found.ended,
        )

    @router.post("/handovers/{job_id}/undo", summary="Take a hand-over back, where nothing went on since")
    def undo_handover(request: Request, job_id: JobId, body: Reasoned) -> HandOverDone:
        actor = command_for(desk, request, body, "hand_back", "", scope=job_id).actor
        command = Command("hand_back", actor, f"{job_id}:undo", job_id)
        with desk.store.read() as connection:
            job, repeated = _seen(desk, request, job_id, connection), is_done(connection, command)
        if not (repeated and job.state == "undone"):
            host.undo(job_id, actor, body.reason, visitor(request).as_role)
        return HandOverDone(
            act_id=command.act_id, repeated=repeated, resumed=False, handover=_state_of(desk, job_id)
        )


def _asked(desk: Desk, body: HandOverAsked) -> dict[str, Any]:
    parts = [(one.filter.strip(), one.to) for one in body.parts] + ([("", body.to)] if body.to else [])
    company, now_us = company_of(desk), desk.clock()
    return asked_for(body.why, parts, company, now_us, until=body.until, duties_to=body.duties_to)


def _planned(
    desk: Desk, host: HandOver, request: Request, body: HandOverAsked, actor: str
) -> HandOverPreview:
    who = visitor(request)
    of_theirs(who, body.person)
    found = host.plan(body.person, _asked(desk, body), actor, who.as_role)
    moves = [one for one in found.judged if one.refused is None]
    stays = [one for one in found.judged if one.refused is not None]
    beside = Counter(one.kind for one in found.had if one.kind not in _BESIDE)
    with desk.store.read() as connection:
        under_way = jobs(connection, body.person, GOING)
    return HandOverPreview(
        moves=len(moves),
        open_tasks=sum(len(one.held.open_tasks) for one in moves if one.held),
        receivers=holder_counts(Counter(one.give.holder_id for one in moves).most_common()),
        stays=code_counts(Counter(str(one.refused) for one in stays).most_common()),
        left=found.left,
        besides=[KindCount(kind=kind, count=count) for kind, count in beside.items()],
        mentions=[Mention(**asdict(one)) for one in found.had if one.kind in MENTIONS],
        under_way=under_way[0].job_id if under_way else None,
        rows=[row_of(who, one) for one in [*moves, *stays][:ROWS]],
        confirm=confirm_of(found.judged),
    )


def _seen(desk: Desk, request: Request, job_id: str, connection: Connection) -> Job:
    return seen_job(connection, desk.companies.get(connection), visitor(request), job_id)


def _is_begun(desk: Desk, job_id: str) -> bool:
    with desk.store.read() as connection:
        try:
            return bool(read_job(connection, job_id))
        except ActRefused:
            return False


def _state_of(desk: Desk, job_id: str) -> HandOverState:
    with desk.store.read() as connection:
        job, tally = read_job(connection, job_id), counts(connection, job_id)
        certified = has_certificate(connection, job_id)
    stayed = sorted((str(code), count) for (state, code), count in tally.items() if state == "left")
    return HandOverState(
        **_columns(asdict(job)),
        given=tally.get(("given", None), 0),
        stayed=code_counts(stayed),
        has_certificate=certified,
    )


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in HandOverRow.model_fields}
