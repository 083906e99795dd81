"""Handing over as pages: who gets which of somebody's customers, exactly; then the job, its certificate, and its way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import orjson
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.handover_seen import above_of, asked_for, of_theirs, seen_job
from console.move import REASON_CHARS
from console.move_filter import offered
from console.neglected import first_leads
from console.texts import page
from console.view import View
from schemas.company import Role
from store.acted import Meanwhile, job_rows, jobs_lately, meanwhile
from store.acts import ActRefused
from store.acts_job import GOING, Job, counts, job_id_of, jobs, read_job
from store.acts_move import Judged
from store.belongings import KINDS, MENTIONS, Belonging
from store.certificates import Certificate, read_certificate

SHOWN = 100
"""Rows of a plan on the page; `leadflow handover plan --out` writes them all."""
RESULTS = 200
CERTIFIED = 2_000
"""Objects of a certificate on the page that is printed: some forty sheets. The file has them all."""
PARTS = 3
"""Parts that the form has room for; more are for a file: `leadflow handover plan --plan`."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A hand-over that was begun, or (`resumed`) the one of the same person that was under way and goes on as it was planned."""

    job_id: str
    resumed: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """A dry run: what would become of each customer, how many no part takes, and all that is the person's now."""

    judged: Sequence[Judged]
    left: int
    had: Sequence[Belonging]


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing would do: (sink, to whom, how many) that went out, why rows stay, how many go back, what ended for good."""

    sent: tuple[tuple[str, str, int], ...]
    left: tuple[str, ...]
    back: int
    ended: int


class HandOver(Protocol):
    """What the page has done by the host (leadflow.desk_handover). Methods raise ActRefused."""

    def plan(self, person_id: str, asked: Mapping[str, Any], actor: str, role: Role | None = None) -> Planned:
        """Return exactly who would get what, by the actor in one role or in all of theirs; changes nothing."""
        ...

    def begin(self, person_id: str, asked: Mapping[str, Any], about: Mapping[str, str]) -> Begun:
        """Begin a hand-over, or go on with the one that is under way; `about`: as of a move."""
        ...

    def undoing(self, job_id: str) -> Undone:
        """Return what undoing it would do."""
        ...

    def undo(self, job_id: str, actor: str, reason: str, role: Role | None = None) -> None:
        """Begin to undo it."""
        ...


@dataclass(frozen=True)
class HandOverPage:
    """For managers the hand-overs of whom they see, for whoever is at this machine all."""

    desk: Desk
    host: HandOver

    def routes(self) -> list[BaseRoute]:
        """Return the pages' routes."""
        return [
            Route("/handover", self.show),
            Route("/handover/plan", self.plan),
            Route("/handover/apply", self.apply, methods=["POST"]),
            Route("/handover/{job_id}", self.job),
            Route("/handover/{job_id}/progress", self.progress),
            Route("/handover/{job_id}/certificate", self.certificate),
            Route("/handover/{job_id}/certificate.json", self.certificate_file),
            Route("/handover/{job_id}/undo", self.undo, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The form, and the last hand-overs."""
        return await run_in_threadpool(self._all, request, request.query_params, None, 200)

    async def plan(self, request: Request) -> Response:
        """Exactly what would happen, by what the address asks for; nothing is changed."""
        return await run_in_threadpool(self._plan, request, dict(request.query_params), None, 200)

    async def apply(self, request: Request) -> Response:
        """Begin it; then show its page (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 30)
        return await run_in_threadpool(self._apply, request, entered)

    async def job(self, request: Request) -> Response:
        """How far it is, what was given and what was left and why."""
        return await run_in_threadpool(self._job, request, "handover_job.html", None, 200)

    async def progress(self, request: Request) -> Response:
        """The part of it that changes while it runs."""
        return await run_in_threadpool(self._job, request, "_handover_progress.html", None, 200)

    async def certificate(self, request: Request) -> Response:
        """The certificate, to be printed."""
        return await run_in_threadpool(self._certificate, request, False)

    async def certificate_file(self, request: Request) -> Response:
        """The certificate as the file that `leadflow handover verify` reads."""
        return await run_in_threadpool(self._certificate, request, True)

    async def undo(self, request: Request) -> Response:
        """Begin to undo it; then show its page again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._undo, request, entered)

    def _all(
        self, request: Request, entered: Mapping[str, str], refused: str | None, status: int
    ) -> Response:
        who = visitor(request)
        with self.desk.store.read() as connection:
            above = above_of(self.desk.companies.get(connection), who)
            found = jobs_lately(connection, above, RESULTS)
        values = {"jobs": found, "entered": entered, "refused": refused}
        return self._answer(request, "handover.html", values, status)

    def _plan(
        self, request: Request, entered: Mapping[str, str], refused: str | None, status: int
    ) -> Response:
        who, person_id = visitor(request), entered.get("person", "")
        try:
            of_theirs(who, person_id)
            asked = self._asked(entered)
            found = self.host.plan(person_id, asked, who.actor, who.as_role)
        except ActRefused as why:
            return self._all(request, entered, refused or why.code, 422 if status == 200 else status)
        moves = [one for one in found.judged if one.refused is None]
        stays = Counter(str(one.refused) for one in found.judged if one.refused is not None)
        besides = Counter(one.kind for one in found.had if one.kind not in ("customer", "task", "pool_claim"))
        with self.desk.store.read() as connection:
            leads = first_leads(connection, [one.held.customer_id for one in moves[:SHOWN] if one.held])
            under_way = jobs(connection, person_id, GOING)
        values = {
            "entered": entered,
            "person": person_id,
            "leads": leads,
            "count": len(moves),
            "tasks": sum(len(one.held.open_tasks) for one in moves if one.held),
            "receivers": Counter(one.give.holder_id for one in moves).most_common(),
            "stays": stays.most_common(),
            "left": found.left,
            "besides": [(kind, number) for kind, number in besides.items() if kind not in MENTIONS],
            "under_way": under_way[0].job_id if under_way else None,
            "mentions": [one for one in found.had if one.kind in MENTIONS],
            "moves": moves[:SHOWN],
            "key": entered.get("key") or self.desk.new_id(),
            "refused": refused,
        }
        return self._answer(request, "handover_plan.html", values, status)

    def _apply(self, request: Request, entered: Mapping[str, str]) -> Response:
        who, person_id = visitor(request), entered.get("person", "")
        about = {
            **who.acting_as,
            "reason": entered.get("reason", "").strip()[:REASON_CHARS],
            **self.desk.keyed(request, entered),
        }
        command = self.desk.command(request, entered, "hand_over_begin", about["actor"], person_id)
        begun = job_id_of(command)
        try:
            if self.desk.was_done(request, entered, command):
                return RedirectResponse(f"/handover/{quote(begun)}", status_code=303)  # sent twice
            of_theirs(who, person_id)
            done = self.host.begin(person_id, self._asked(entered), about)
        except ActRefused as refused:
            if refused.code == "key_reused":
                return self._plan(request, entered, refused.code, 409)
            with self.desk.store.read() as connection, suppress(ActRefused):
                read_job(
                    connection, begun
                )  # it was begun, and stopped on its way: its page says how far it came
                return RedirectResponse(f"/handover/{quote(begun)}", status_code=303)
            return self._plan(request, entered, refused.code, 409)
        said = "?resumed=1" if done.resumed else ""
        return RedirectResponse(f"/handover/{quote(done.job_id)}{said}", status_code=303)

    def _asked(self, entered: Mapping[str, str]) -> dict[str, Any]:
        """Return what was entered as what is asked for. Raises ActRefused."""
        parts = [
            (filter_, to)
            for n in range(1, PARTS + 1)
            if (filter_ := entered.get(f"filter{n}", "").strip()) and (to := entered.get(f"to{n}", ""))
        ]
        if rest := entered.get("to", ""):
            parts.append(("", rest))
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        return asked_for(
            entered.get("why"),
            parts,
            company,
            self.desk.clock(),
            until=entered.get("until", ""),
            duties_to=entered.get("duties_to"),
        )

    def _job(self, request: Request, template: str, refused: str | None, status: int) -> Response:
        who = visitor(request)
        after = request.query_params.get("after", "")
        number = int(after) if after.isdecimal() and len(after) < 10 else -1
        with self.desk.store.read() as connection:
            try:
                job = self._read(connection, request)
            except ActRefused as unknown:
                return self._all(request, {}, unknown.code, 404)
            tally = counts(connection, job.job_id)
            rows = job_rows(connection, job.job_id, number, RESULTS + 1)
            done: list[Meanwhile] = []
            if job.until_us is not None:
                done = meanwhile(
                    connection, job.job_id, (job.made_us, job.ended_us or self.desk.clock()), SHOWN
                )
            certified = has_certificate(connection, job.job_id)
            told = [row.customer_id for row in rows[:RESULTS] if who.sees(row.holder_id)]
            leads = first_leads(connection, [*told, *(one.customer_id for one in done)])
        undoing = None
        if "undo" in request.query_params and job.state in ("done", "covering", "stopped"):
            try:
                undoing = self.host.undoing(job.job_id)
            except ActRefused as why:
                refused = why.code
        values = {
            "job": job,
            "leads": leads,
            "given": tally.get(("given", None), 0),
            "left": sorted((str(code), n) for (state, code), n in tally.items() if state == "left"),
            "rows": rows[:RESULTS],
            "following": rows[RESULTS - 1].number if len(rows) > RESULTS else None,
            "meanwhile": done,
            "has_certificate": certified,
            "undoing": undoing,
            "resumed": "resumed" in request.query_params,
            "undo_left": Counter(undoing.left).most_common() if undoing else [],
            "refused": refused,
        }
        return self._answer(request, template, values, status)

    def _certificate(self, request: Request, as_file: bool) -> Response:
        with self.desk.store.read() as connection:
            try:
                job = self._read(connection, request)
                found = read_certificate(connection, job.job_id)
            except ActRefused as unknown:
                return self._all(request, {}, unknown.code, 404)
        if as_file:
            headers = {"content-disposition": f'attachment; filename="{found.certificate_id}.json"'}
            return Response(_as_file(found), media_type="application/json", headers=headers)
        objects = found.body["objects"]
        values = {
            "job": job,
            "certificate": found,
            "objects": objects[:CERTIFIED],
            "count": len(objects),
            "sums": Counter((kind, holder) for kind, _, holder in objects).most_common(),
        }
        return self._answer(request, "handover_certificate.html", values, 200)

    def _undo(self, request: Request, entered: Mapping[str, str]) -> Response:
        who = visitor(request)
        try:
            with self.desk.store.read() as connection:
                job = self._read(connection, request)
            reason = entered.get("reason", "").strip()[:REASON_CHARS]
            self.host.undo(job.job_id, who.actor, reason, who.as_role)
        except ActRefused as refused:
            return self._job(request, "handover_job.html", refused.code, 409)
        return RedirectResponse(f"/handover/{quote(job.job_id)}", status_code=303)

    def _read(self, connection: Connection, request: Request) -> Job:
        """Return the hand-over of an address, if the visitor sees it. Raises ActRefused."""
        company = self.desk.companies.get(connection)
        return seen_job(connection, company, visitor(request), request.path_params["job_id"])

    def _answer(self, request: Request, template: str, values: Mapping[str, Any], status: int) -> Response:
        who = visitor(request)
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        view = View(language_of(request, company.language), company, self.desk.clock(), who)
        kinds = {kind: zh if view.language == "zh" else en for kind, (en, zh) in KINDS.items()}
        again = {key: value for key, value in values.get("entered", {}).items() if key != "key" and value}
        shared = {
            "view": view,
            "offered": offered(company, who),
            "kinds": kinds,
            "parts": range(1, PARTS + 1),
            "names": {key: view.who(fields) for key, (_, fields) in values.get("leads", {}).items()},
            "again": f"/handover?{urlencode(again)}",
        }
        return page(request, view.language, template, {**shared, **values}, status)


def has_certificate(connection: Connection, job_id: str) -> bool:
    """Tell whether a hand-over has its certificate already."""
    try:
        return bool(read_certificate(connection, job_id))
    except ActRefused:
        return False


def _as_file(found: Certificate) -> bytes:
    names = ("certificate_id", "number", "before", "digest", "body")
    return orjson.dumps({name: getattr(found, name) for name in names}, option=orjson.OPT_INDENT_2)
