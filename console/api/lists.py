"""Lists: a file brought as a draft, looked at, begun, watched, its refused rows to mend, taken back."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, cast

from fastapi import APIRouter, Path, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from answers.language import language_of
from console.api.acting import actor_said, company_of
from console.api.models import Body, Id, Problem, Reasoned
from console.api.models_lists import (
    ListAnswer,
    ListAsked,
    ListBegun,
    ListColumn,
    ListPreview,
    ListRow,
    Lists,
    ReadField,
    ReadRow,
    RowRefused,
    Stranger,
    WouldHappen,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.api.refusals import Refused
from console.desk import Desk
from console.imports import Lists as Host
from console.imports import ListTrouble
from schemas.lead import ListKind
from store.acts import ActRefused
from store.imports import Run, became, codes_of, left_of, read_run, runs

IN_MEMORY = 1024 * 1024
"""So much of a file that comes in is held in memory; the rest goes to the disk."""
STRANGERS = 50
ListId = Annotated[Id, Path(description="The id of a list")]
_FILE = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}
_TOO_LARGE: dict[int | str, dict[str, Any]] = {
    413: {"description": "The file is larger than this takes (`list_upload_mb`)", "model": Problem}
}
_CSV: dict[int | str, dict[str, Any]] = {
    200: {"description": "The refused rows, with code and hint", "content": {"text/csv": {}}}
}


def list_routes(desk: Desk, host: Host) -> APIRouter:
    """Return the operations about lists."""
    router = operations("lists")

    def answer(import_id: str) -> ListAnswer:
        with desk.store.read() as connection:
            run = read_run(connection, import_id)
            is_begun = run.state != "draft" and not run.was_thrown_away
            return ListAnswer(
                **_of_run(run),
                **{name: run.spec[name] if is_begun else None for name in ("route", "notify", "heap")},
                columns=run.spec["mapping"],
                became=became(connection, import_id),
                refused_by=codes_of(connection, import_id),
                reverted_rows=left_of(connection, import_id),
            )

    @router.get("/imports", summary="Lists that were brought, the newest first")
    def lists(cursor: Cursor = "", limit: Limit = 50) -> Lists:
        place = place_of(cursor, int, str)
        after = (int(place[0]), str(place[1])) if place else None
        with desk.store.read() as connection:
            found = runs(connection, limit=limit + 1, after=after)
        shown = [ListRow(**_of_run(one)) for one in found[:limit]]
        more = len(found) > limit
        return Lists(lists=shown, next=cursor_of(shown[-1].at_us, shown[-1].import_id) if more else None)

    @router.post(
        "/imports",
        summary="Bring the file of a list as a draft; the same file again is the same list",
        openapi_extra=_FILE,
        responses=_TOO_LARGE,
    )
    async def bring(
        request: Request,
        source: Annotated[Id, Query(description="A source of format list.row")],
        kind: Annotated[ListKind, Query()],
        name: Annotated[Id, Query(description="The file's name")],
        actor: Annotated[Id | None, Query(description="Who does it, where no token says so")] = None,
    ) -> ListAnswer:
        about = {"source": source, "kind": kind, "name": name, "actor": actor_said(request, actor)}
        with SpooledTemporaryFile(IN_MEMORY) as spooled:
            size = 0
            async for piece in request.stream():
                if (size := size + len(piece)) > host.most_bytes:
                    most = f"over {host.most_bytes // 1024**2} MB: cut it in two, or use leadflow import run"
                    raise Refused(413, "too_large_list", f"The file is {most}.")
                spooled.write(piece)
            import_id = await run_in_threadpool(host.keep, cast("BinaryIO", spooled), about)
        return await run_in_threadpool(answer, import_id)

    @router.get("/imports/{import_id}", summary="How far a list is, and what became of its rows")
    def one_list(import_id: ListId) -> ListAnswer:
        return answer(import_id)

    @router.post("/imports/{import_id}/preview", summary="What would happen to a draft; changes nothing")
    def preview_list(import_id: ListId, body: ListAsked) -> ListPreview:
        with desk.store.read() as connection:
            run = read_run(connection, import_id)
        if run.state != "draft":
            raise ActRefused("list_begun", f"{import_id} is no draft any more.")
        asked = _asked(host, body)
        try:
            found = host.preview(import_id, asked)
        except ListTrouble as trouble:
            if trouble.code != "no_header":
                raise
            return _unread(host.columns(import_id, asked))
        return ListPreview(is_kept=False) if found is None else _preview(found)

    @router.post("/imports/{import_id}/begin", summary="Take the rows of a draft; it goes on by itself")
    def begin(request: Request, import_id: ListId, body: ListBegun) -> ListAnswer:
        actor = actor_said(request, body.actor)
        cost = "" if body.cost is None else str(body.cost)
        more = {"campaign": body.campaign, "cost": cost, "currency": body.currency}
        host.begin(import_id, {**_asked(host, body), **more}, actor)
        return answer(import_id)

    @router.post("/imports/{import_id}/go-on", summary="Go on with a list that has stopped")
    def go_on(request: Request, import_id: ListId, body: Body) -> ListAnswer:
        host.go_on(import_id, actor_said(request, body.actor))
        return answer(import_id)

    @router.post("/imports/{import_id}/discard", summary="Give a draft up; its file may be brought again")
    def discard_list(request: Request, import_id: ListId, body: Body) -> ListAnswer:
        host.throw_away(import_id, actor_said(request, body.actor))
        return answer(import_id)

    @router.post(
        "/imports/{import_id}/revert", summary="Take a list back within 30 days; it goes on by itself"
    )
    def revert(request: Request, import_id: ListId, body: Reasoned) -> ListAnswer:
        host.revert(import_id, actor_said(request, body.actor), body.reason.strip())
        return answer(import_id)

    @router.get(
        "/imports/{import_id}/errors",
        summary="The refused rows as CSV: to be mended and brought as a list of their own",
        response_class=Response,
        responses=_CSV,
    )
    def errors(request: Request, import_id: ListId) -> Response:
        language = language_of(request, company_of(desk).language)
        body = host.errors(import_id, "csv", language)
        return Response(body, media_type="text/csv; charset=utf-8")

    return router


def _of_run(run: Run) -> dict[str, Any]:
    own = {name: getattr(run, name) for name in ListRow.model_fields if name in Run.__slots__}
    more = {"discarded": run.was_thrown_away, "rows": run.next_row - 1, "stopped_by": run.code}
    return {**own, **more, "campaign": run.campaign_id}


def _asked(host: Host, body: ListAsked) -> dict[str, Any]:
    """Return what is asked for as the host takes it. Raises Refused for a target that there is not."""
    for name, target in body.columns.items():
        if target not in host.targets:
            field = f"columns.{name[:60]}"
            raise Refused(422, "bad_body", f"{field}: a column is one of {', '.join(host.targets)}.", field)
    return body.model_dump(include=set(ListAsked.model_fields) - {"actor"})


def _columns(header: Any, samples: list[list[str]]) -> list[ListColumn]:
    found = zip(header.names, header.targets, samples, strict=True)
    return [ListColumn(name=name, target=target, samples=some) for name, target, some in found]


def _unread(found: Any) -> ListPreview:
    """Return what is shown of a file of which nobody knows any column."""
    header = found.header
    return ListPreview(
        is_kept=True,
        sheet=found.sheet,
        sheets=list(found.sheets),
        header_row=header.number if header else None,
        columns=_columns(header, found.samples) if header else [],
    )


def _preview(found: Any) -> ListPreview:
    return ListPreview(
        is_kept=True,
        sheet=found.sheet,
        sheets=list(found.sheets),
        header_row=found.header.number,
        columns=_columns(found.header, found.samples),
        would=WouldHappen(
            encoding=found.encoding,
            delimiter=found.delimiter,
            counted=found.rows,
            is_whole=found.is_whole,
            new=found.new,
            joined=found.joined,
            refused=dict(found.refused),
            dated_steps=found.aside,
            owners=dict(found.owners),
            strangers=[
                Stranger(name=name, rows=rows) for name, rows in found.strangers.most_common(STRANGERS)
            ],
            shown=[_row(one) for one in found.shown],
        ),
    )


def _row(one: Any) -> ReadRow:
    why = one.refused
    return ReadRow(
        number=one.number,
        fields=[ReadField(name=name, value=value) for name, value in one.fields],
        owner=one.owner,
        refused=RowRefused(code=why.code, field=why.field, message=why.message, hint=why.hint)
        if why
        else None,
    )
