"""Review of matches: pairs that may be one, with the sum of the evidence, joined or kept apart; and parting again.

What is done are the acts of `leadflow match review`, `merge` and `unmerge`; what was answered can be taken back here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast, get_args
from urllib.parse import quote

from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in
from console.gate import visitor
from console.matches_read import Side, answered, is_theirs, open_cases, owners_of, side_of
from console.may import Visitor
from console.texts import page
from console.view import View
from enrich.acts_merge import merge_with
from enrich.acts_part import Wish, part, plan_parting
from enrich.review import Answer, Place, answer
from store import tables
from store.acts import ActRefused, Plan
from store.present import present_ids

REASON_CHARS = 500
ALTHOUGH = "join"
"""Joining two after somebody had kept them apart."""


@dataclass(frozen=True)
class MatchesPage:
    """For managers of both sides' holders, and for whoever sees all."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/matches", self.show),
            Route("/matches/{review_id}/{verb}", self.act, methods=["POST"]),
            Route("/parting/{customer_id}", self.preview),
            Route("/parting/{customer_id}", self.part, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What is open (or, `?view=answered`, what was answered)."""
        return await run_in_threadpool(self._page, request, None, 200)

    async def act(self, request: Request) -> Response:
        """Answer a review, or join what was kept apart; then show the list again (303)."""
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._act, request, entered)

    async def preview(self, request: Request) -> Response:
        """What parting a customer again would do; `leads` or `act` in the address say what is parted."""
        return await run_in_threadpool(self._parting, request, None, 200)

    async def part(self, request: Request) -> Response:
        """Part it, and show both (303)."""
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._part, request, entered)

    def _act(self, request: Request, entered: Mapping[str, str]) -> Response:
        review_id, verb = request.path_params["review_id"], request.path_params["verb"]
        who = visitor(request)
        reason = entered.get("reason", "").strip()[:REASON_CHARS] or None
        try:
            with self.desk.store.read() as connection:
                kind, scope, plan = wanted_answer(connection, who, review_id, verb)
            command = self.desk.command(request, entered, kind, who.actor, scope, reason=reason)
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._page(request, refused.code, 409)
        return RedirectResponse(f"/matches?view=answered&done={verb}", status_code=303)

    def _page(self, request: Request, refused: str | None, status: int) -> Response:
        who, asked = visitor(request), request.query_params
        shows = "answered" if asked.get("view") == "answered" else "open"
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            view = View(language_of(request, company.language), company, self.desk.clock(), who)
            found, following = (
                open_cases(connection, who, view.language, _place(asked.get("after", "")))
                if shows == "open"
                else ([], None)
            )
            done = answered(connection, who) if shows == "answered" else []
        values = {
            "view": view,
            "shows": shows,
            "cases": found,
            "following": ".".join(map(str, following)) if following else "",
            "answered": done,
            "refused": refused,
            "done": asked.get("done"),
            "new_key": self.desk.new_id,
            "may_act": who.acts("/matches/x/same"),
        }
        return page(request, view.language, "matches.html", values, status)

    def _part(self, request: Request, entered: Mapping[str, str]) -> Response:
        customer_id = request.path_params["customer_id"]
        who = visitor(request)
        reason = entered.get("reason", "").strip()[:REASON_CHARS] or None
        command = self.desk.command(request, entered, "unmerge", who.actor, customer_id, reason=reason)
        try:
            with self.desk.store.read() as connection:
                parts(connection, who, customer_id)
            self.desk.perform_form(request, entered, command, part(_wish(customer_id, entered)))
        except ActRefused as refused:
            return self._parting(request, refused.code, 409)
        return RedirectResponse(
            f"/parting/{quote(customer_id, safe='')}?done={command.act_id}", status_code=303
        )

    def _parting(self, request: Request, refused: str | None, status: int) -> Response:
        who, asked = visitor(request), _asked(request)
        customer_id, now_us = request.path_params["customer_id"], self.desk.clock()
        parting, parted = None, []
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            now = present_ids(connection, [customer_id])[customer_id]
            owners = owners_of(connection, [now])
            side = side_of(connection, now, owners[now]) if now in owners else None
            if act_id := asked.get("done"):
                parted = [one for one in parted_by(connection, act_id) if who.sees(one.holder_id)]
            elif side is not None:
                try:
                    parting = plan_parting(connection, _wish(now, asked), now_us)
                except ActRefused as why:
                    refused = refused or (None if why.code == "nothing_merged" else why.code)
        view = View(language_of(request, company.language), company, now_us, who)
        if side is None:
            return page(request, view.language, "unknown.html", {"view": view, "asked_for": customer_id}, 404)
        values = {
            "view": view,
            "side": side,
            "members": {one.lead_id: one for one in side.leads},
            "parting": parting,
            "parted": parted,
            "leads": _leads(asked),
            "act": asked.get("act", ""),
            "refused": refused,
            "new_key": self.desk.new_id,
        }
        return page(request, view.language, "parting.html", values, status)


def wanted_answer(connection: Connection, who: Visitor, review_id: str, said: str) -> tuple[str, str, Plan]:
    """Return verb, scope and plan of an answer to a review, or of joining after all. Raises ActRefused for one that is not theirs."""
    review = tables.review
    row = connection.execute(
        select(review.c.a, review.c.b).where(review.c.review_id == review_id)
    ).one_or_none()
    ids = [one for one in (row.a, row.b) if one] if row is not None else []
    now = present_ids(connection, ids)
    if not ids or not is_theirs(who, owners_of(connection, now.values()), list(now.values())):
        raise ActRefused("unknown_review", f"There is no review {review_id}.")
    if said in get_args(Answer):
        return "review", review_id, answer(cast("Answer", said))
    if said == ALTHOUGH and len(ids) > 1:
        return "merge", now[ids[0]], merge_with(now[ids[1]], although=True)
    raise ActRefused("unknown_verb", f"There is no act {said!r}.")


def parts(connection: Connection, who: Visitor, customer_id: str) -> None:
    """Raise ActRefused unless a visitor may part a customer: is above its owner; who works on it beside is not enough."""
    now = present_ids(connection, [customer_id])[customer_id]
    if not is_theirs(who, owners_of(connection, [now]), [now]):
        raise ActRefused("not_below", "Its owner is not below you; ask their manager.")


def _place(text: str) -> Place | None:
    parts = text.split(".", 2)
    if len(parts) < 3 or not all(one.isdecimal() and len(one) < 19 for one in parts[:2]):
        return None
    return int(parts[0]), int(parts[1]), parts[2]


def _asked(request: Request) -> dict[str, str]:
    """Return what is to be parted, as the address says it: `leads` with commas, or a box ticked for each."""
    asked = dict(request.query_params)
    ticked = request.query_params.getlist("lead")
    return {**asked, "leads": ",".join(ticked)} if ticked else asked


def _leads(asked: Mapping[str, str]) -> list[str]:
    return [one.strip() for one in asked.get("leads", "").split(",") if one.strip()]


def _wish(customer_id: str, asked: Mapping[str, str]) -> Wish:
    return Wish(customer_id, leads=frozenset(_leads(asked)), act_id=asked.get("act") or None)


def parted_by(connection: Connection, act_id: str) -> list[Side]:
    """Return the customers that an act of parting left, as they are now."""
    table = tables.parted
    rows = connection.execute(select(table.c.a, table.c.b).where(table.c.act_id == act_id)).all()
    names = present_ids(connection, [one for row in rows for one in row if one.startswith("cus_")])
    owners = owners_of(connection, set(names.values()))
    return [side_of(connection, one, owners[one]) for one in sorted(set(names.values())) if one in owners]
