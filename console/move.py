"""Moving customers as pages: choose by a filter, see what would happen, do it, see what became of each, take it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.may import Visitor
from console.move_filter import MOST, Filter, count, find, offered, segments_of
from console.neglected import first_leads
from console.texts import page
from console.view import View
from schemas.company import Company, Role
from store.acted import counted, lately, read_act, rows_of
from store.acts import ActRefused
from store.acts_move import Judged
from store.acts_undo import Undoing
from store.customer_list import Place
from store.find import WIDE

SHOWN = 50
"""Rows of the list, and of a preview: what a person reads through before they decide."""
RESULTS = 200
"""Rows of an act's result on one page."""
FIELDS = 2 * SHOWN + 30
"""Of a form: a row and a box for each customer of the page, and what else there is."""
REASON_CHARS = 500
WEIGHTS = "by-weight"
"""To whom: several people, each with a weight, which the form names in fields of their own."""
SEVERAL = 5
"""People that one form shares customers out to; more are a team."""
WEIGHT_FIELDS = tuple(f"{name}{n}" for n in range(1, SEVERAL + 1) for name in ("person", "weight"))


class Mover(Protocol):
    """What the page has done by the host (leadflow.desk_moves). Methods raise ActRefused."""

    def preview(
        self, customers: Sequence[str], to: str, actor: str, role: Role | None = None
    ) -> list[Judged]:
        """Return what would become of each customer, moved by the actor in one role or in all of theirs."""
        ...

    def move(self, customers: Sequence[str], to: str, about: Mapping[str, str]) -> str:
        """Move customers; `about`: actor, reason, key, and `acting_role`, if it is in one. Returns the act."""
        ...

    def undoing(self, act_id: str, actor: str, role: Role | None = None) -> Undoing:
        """Return what taking an act back would do."""
        ...

    def undo(self, act_id: str, actor: str, reason: str, role: Role | None = None) -> str:
        """Take an act back; return the act that did."""
        ...


@dataclass(frozen=True)
class MovePage:
    """For managers what is below them, for whoever is at this machine all."""

    desk: Desk
    mover: Mover

    def routes(self) -> list[BaseRoute]:
        """Return the pages' routes."""
        return [
            Route("/move", self.show),
            Route("/move/preview", self.preview, methods=["POST"]),
            Route("/move/apply", self.apply, methods=["POST"]),
            Route("/move/{act_id}", self.act),
            Route("/move/{act_id}/undo", self.undo, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The list by the filter in the address."""
        return await run_in_threadpool(self._list, request, Filter.read(request.query_params), None, 200)

    async def preview(self, request: Request) -> Response:
        """What would happen to what was chosen; nothing is changed."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, FIELDS)
        return await run_in_threadpool(self._preview, request, entered)

    async def apply(self, request: Request) -> Response:
        """Move what was chosen; then show what became of it (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, FIELDS)
        return await run_in_threadpool(self._apply, request, entered)

    async def act(self, request: Request) -> Response:
        """What an act did, row by row, and the form that takes it back."""
        return await run_in_threadpool(self._act, request, None, 200)

    async def undo(self, request: Request) -> Response:
        """Take an act back; then show what became of that (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._undo, request, entered)

    def _list(
        self,
        request: Request,
        asked: Filter,
        refused: str | None,
        status: int,
        entered: Mapping[str, str] | None = None,
    ) -> Response:
        who, now_us = visitor(request), self.desk.clock()
        entered = entered or {}
        after = Place.read(entered.get("after", "") or request.query_params.get("after", ""))
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            seen = (company, who, now_us)
            found = find(connection, seen, asked, after, SHOWN)
            is_whole = found.is_all and after is None
            total = len(found.rows) if is_whole else count(connection, seen, asked)
            leads = first_leads(connection, [one.customer_id for one in found.rows])
            before = lately(connection, who.actor, 5)
        following = str(found.rows[-1].place) if found.rows and not found.is_all else ""
        values = {
            "filter": asked,
            "found": found.rows,
            "trouble": found.trouble,
            "wide": WIDE,
            "total": total,
            "most": MOST,
            "after": str(after) if after else "",
            "following": asked.address(after=following) if following else "",
            "segments": segments_of(company),
            "before": before,
            "entered": entered,
            "several": range(1, SEVERAL + 1),
        }
        return self._answer(request, (company, leads), "move.html", {**values, "refused": refused}, status)

    def _preview(self, request: Request, entered: Mapping[str, str]) -> Response:
        who, asked = visitor(request), Filter.read(entered)
        try:
            customers = self._chosen(who, asked, entered)
            if not entered.get("reason", "").strip():
                raise ActRefused("reason_missing", "Say why they are moved; both sides will ask.")
            judged = self.mover.preview(customers, _to(entered), who.actor, who.as_role)
        except ActRefused as refused:
            return self._list(request, asked, refused.code, 422, entered)
        return self._judged(request, (judged, asked, entered), None, 200)

    def _judged(
        self,
        request: Request,
        about: tuple[list[Judged], Filter, Mapping[str, str]],
        refused: str | None,
        status: int,
    ) -> Response:
        judged, asked, entered = about
        who = visitor(request)
        moves = [one for one in judged if one.refused is None]
        stays = [one for one in judged if one.refused is not None]
        shown = [*moves[:SHOWN], *stays[:SHOWN]]
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            seen = [one.held.customer_id for one in shown if one.held and who.sees(one.held.holder_id)]
            leads = first_leads(connection, seen)
        values = {
            "filter": asked,
            "entered": entered,
            "weight_fields": WEIGHT_FIELDS if entered.get("to") == WEIGHTS else (),
            "picked": [key for key in entered if key.startswith("c:")] if _which(entered) == "ticked" else [],
            "rows": [key for key in entered if key.startswith("row:")] if _which(entered) == "page" else [],
            "count": len(moves),
            "tasks": sum(len(one.held.open_tasks) for one in moves if one.held),
            "receivers": Counter(one.give.holder_id for one in moves).most_common(),
            "codes": Counter(str(one.refused) for one in stays).most_common(),
            "moves": moves[:SHOWN],
            "stays": stays[:SHOWN],
            "refused": refused,
            "key": entered.get("key") or self.desk.new_id(),
        }
        return self._answer(request, (company, leads), "move_preview.html", values, status)

    def _apply(self, request: Request, entered: Mapping[str, str]) -> Response:
        who, asked = visitor(request), Filter.read(entered)
        command = self.desk.command(request, entered, "move", who.actor, "")
        customers: list[str] = []
        try:
            if self.desk.was_done(request, entered, command):
                return RedirectResponse(f"/move/{quote(command.act_id)}", status_code=303)  # sent twice
            customers, to = self._chosen(who, asked, entered), _to(entered)
            reason = entered.get("reason", "").strip()[:REASON_CHARS]
            about = {**who.acting_as, "reason": reason, **self.desk.keyed(request, entered)}
            act_id = self.mover.move(customers, to, about)
        except ActRefused as refused:
            if refused.code != "nothing_to_move" or not customers:
                return self._list(request, asked, refused.code, 409, entered)
            judged = self.mover.preview(customers, to, who.actor, who.as_role)
            return self._judged(request, (judged, asked, entered), refused.code, 409)
        return RedirectResponse(f"/move/{quote(act_id)}", status_code=303)

    def _chosen(self, who: Visitor, asked: Filter, entered: Mapping[str, str]) -> list[str]:
        """Return the customers that a form names: some, those of its page, or all of its filter, of which it says how many."""
        which = _which(entered)
        if which == "all":
            found = all_that_match(self.desk, who, asked)
            if _number(entered.get("typed", "")) != len(found):
                raise ActRefused("count_differs", f"{len(found)} match; type this number.")
            return found
        sign = "row:" if which == "page" else "c:"
        customers = [key.removeprefix(sign) for key in entered if key.startswith(sign)]
        if not customers:
            raise ActRefused("nothing_chosen", "Choose customers first.")
        return customers

    def _act(self, request: Request, refused: str | None, status: int) -> Response:
        who, act_id = visitor(request), request.path_params["act_id"]
        after = request.query_params.get("after", "")
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            try:
                act = seen_act(connection, who, act_id)
            except ActRefused as unknown:
                return self._list(request, Filter(), unknown.code, 404)
            rows = rows_of(connection, act_id, after, RESULTS + 1)
            gave, stayed = counted(connection, act_id)
            leads = first_leads(connection, [one.customer_id for one in rows[:RESULTS] if _theirs(who, one)])
        undoing, cannot = None, None
        try:
            undoing = self.mover.undoing(act_id, who.actor, who.as_role)
        except ActRefused as why:
            cannot = why.code
        values = {
            "act": act,
            "rows": rows[:RESULTS],
            "following": rows[RESULTS - 1].customer_id if len(rows) > RESULTS else "",
            "gave": gave,
            "stayed": stayed,
            "undoing": undoing,
            "left": Counter(code for _, code in undoing.left).most_common() if undoing else [],
            "sent": Counter((one["sink_id"], one["dest"]) for one in undoing.sent).most_common()
            if undoing
            else [],
            "cannot": cannot,
            "refused": refused,
        }
        return self._answer(request, (company, leads), "move_act.html", values, status)

    def _undo(self, request: Request, entered: Mapping[str, str]) -> Response:
        who, act_id = visitor(request), request.path_params["act_id"]
        try:
            with self.desk.store.read() as connection:
                seen_act(connection, who, act_id)
            reason = entered.get("reason", "").strip()[:REASON_CHARS]
            undone_by = self.mover.undo(act_id, who.actor, reason, who.as_role)
        except ActRefused as refused:
            return self._act(request, refused.code, 409)
        return RedirectResponse(f"/move/{quote(undone_by)}", status_code=303)

    def _answer(
        self,
        request: Request,
        known: tuple[Company, Mapping[str, tuple[str, Any]]],
        template: str,
        values: Mapping[str, Any],
        status: int,
    ) -> Response:
        company, leads = known
        who = visitor(request)
        view = View(language_of(request, company.language), company, self.desk.clock(), who)
        shared = {
            "view": view,
            "offered": offered(company, who),
            "leads": {key: lead_id for key, (lead_id, _) in leads.items()},
            "names": {key: view.who(fields) for key, (_, fields) in leads.items()},
        }
        return page(request, view.language, template, {**shared, **values}, status)


def all_that_match(desk: Desk, who: Visitor, asked: Filter) -> list[str]:
    """Return all customers of a filter that a visitor sees. Raises ActRefused for none, and for more than one act moves."""
    with desk.store.read() as connection:
        seen = (desk.companies.get(connection), who, desk.clock())
        found = find(connection, seen, asked, None, MOST)
    if not found.is_all:
        raise ActRefused("too_many", f"More than {MOST} match; narrow the filter.")
    if not found.rows:
        raise ActRefused("nothing_chosen", "Nobody matches; choose customers first.")
    return [one.customer_id for one in found.rows]


def seen_act(connection: Connection, who: Visitor, act_id: str) -> dict[str, Any]:
    """Return a move or an undo: one's own, or of somebody whose work one sees. Raises ActRefused."""
    act = read_act(connection, act_id)
    if act["actor"] != who.actor and not who.sees(act["actor"]):
        raise ActRefused("unknown_act", f"There is no move {act_id}.")
    return act


def _which(entered: Mapping[str, str]) -> str:
    return entered.get("which", "ticked")


def _to(entered: Mapping[str, str]) -> str:
    """Return whom a form names, as `leadflow move --to` has it. Raises ActRefused for weights that share nothing out."""
    to = entered.get("to", "")
    if to != WEIGHTS:
        return to
    parts: dict[str, int] = {}
    for n in range(1, SEVERAL + 1):
        person, said = entered.get(f"person{n}", ""), entered.get(f"weight{n}", "").strip(" %％")
        if not person and not said:
            continue
        weight = _number(said)
        if not person or person in parts or not weight:
            raise ActRefused("weights", "Name each person once, with a whole number above 0.")
        parts[person] = weight
    if not parts:
        raise ActRefused("weights", "Name each person once, with a whole number above 0.")
    return ",".join(f"{person}:{weight}" for person, weight in parts.items())


def _number(text: str) -> int | None:
    plain = text.strip().replace(",", "").replace("，", "")
    return int(plain) if plain.isdecimal() and len(plain) < 10 else None


def _theirs(who: Visitor, row: Any) -> bool:
    """Tell whether a visitor may see who a row's customer is: they see who had it or got it; of what was left, by the list."""
    holders = [one for one in (row.before_id, row.holder_id) if one is not None]
    return who.sees_all or any(who.sees(one) for one in holders)
