"""The rule book as a page: a draft to edit cell by cell, checked as one types, simulated, published, and taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.operations import Operations
from console.rules_view import SHOWN, sheet
from console.texts import page
from console.view import View
from router.book import SHAPE
from sales.book_draft import (
    DROP,
    EDIT,
    Draft,
    Edit,
    add_column,
    add_row,
    drop_draft,
    edit_draft,
    find_draft,
    move_row,
    remove_row,
    set_cells,
)
from sales.book_files import BookText, book_of
from sales.diff import Change, diff
from sales.problems import Problem
from schemas.company import Company
from store.acts import ActRefused, Command
from store.company import last_book_number, list_books, load_book

DAYS = (1, 7, 30)
MOST_LEADS = 2_000
"""Leads that a simulation on the page goes by: some seconds. The command takes any stretch."""
MOST_CHECKED = 1_000
"""Rules of a book that is checked whole at each change: a third of a second."""
LISTED = 100
REASON_CHARS = 500
COLUMNS = (SHAPE.name, *SHAPE.facts, *SHAPE.results, "note")
"""Every column that a table may have, in the order in which new ones are put."""


@dataclass(frozen=True)
class RulesPage:
    """For operations; an auditor reads."""

    desk: Desk
    operations: Operations

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/rules", self.show),
            Route("/rules/history", self.history),
            Route("/rules/simulate", self.simulate),
            Route("/rules/{verb}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The draft as a grid, what is wrong with it, and what may be done with it."""
        return await run_in_threadpool(self._grid, request, None, {}, 200)

    async def history(self, request: Request) -> Response:
        """Every version, and what changed from one to the next."""
        return await run_in_threadpool(self._history, request, None, 200)

    async def simulate(self, request: Request) -> Response:
        """Who would have had the last leads by the draft."""
        return await run_in_threadpool(self._simulate, request)

    async def act(self, request: Request) -> Response:
        """Edit the draft, throw it away, publish it, or take a version back; then show the book again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 3 * len(COLUMNS) + 20)
        return await run_in_threadpool(self._act, request, entered)

    def _act(self, request: Request, entered: Mapping[str, str]) -> Response:
        verb = request.path_params["verb"]
        try:
            match verb:
                case "check":
                    return self._parts(request, entered, saved=False)
                case "publish":
                    return self._publish(request, entered)
                case "rollback":
                    return self._roll_back(request, entered)
                case "drop":
                    plan = drop_draft(entered.get("seen", ""), self.desk.companies.get)
                    self.desk.perform_form(request, entered, self._command(DROP, request, entered), plan)
                    return RedirectResponse("/rules?done=drop", status_code=303)
                case _:
                    self._edit(request, entered, _edit_of(verb, entered))
        except ActRefused as refused:
            if _is_htmx(request):
                return self._parts(request, entered, saved=False, refused=refused.code)
            return self._grid(request, refused.code, entered, 409)
        if _is_htmx(request):
            return self._parts(request, entered, saved=True)
        asked = {"table": entered.get("table", ""), "from": entered.get("from", "")}
        place = urlencode({name: value for name, value in asked.items() if value})
        return RedirectResponse(f"/rules?{place}#r{quote(entered.get('row', ''))}", status_code=303)

    def _edit(self, request: Request, entered: Mapping[str, str], edit: Edit) -> None:
        def current(draft: Draft) -> Draft:
            if entered.get("base", "") != str(draft.base):
                raise ActRefused("book_replaced", "Another rule book was published meanwhile; load it again.")
            return edit(draft)

        command = self._command(EDIT, request, entered, _told(entered))
        self.desk.perform_form(request, entered, command, edit_draft(current, self.desk.companies.get))

    def _command(
        self, verb: str, request: Request, entered: Mapping[str, str], reason: str | None = None
    ) -> Command:
        # A row is sent again at each change, from the same form; what a button does has the button's key.
        own = {**entered, "key": ""} if request.path_params["verb"] == "row" else entered
        scope_id = entered.get("table") or "rules"
        command = self.desk.command(request, own, verb, visitor(request).actor, scope_id, reason=reason)
        if verb == DROP:  # publishing has an act of its own under the form's key
            return replace(command, idem_key=f"{command.idem_key}:drop")
        return command

    def _publish(self, request: Request, entered: Mapping[str, str]) -> Response:
        reason = entered.get("reason", "").strip()[:REASON_CHARS]
        if not reason:
            raise ActRefused("publish_reason_missing", "Say what is changed and why.")
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            draft, number = find_draft(connection, company), last_book_number(connection)
        text = draft.text(company.book_examples)
        actor = visitor(request).actor
        command = self.desk.command(request, entered, "publish_book", actor, "book", reason=reason)
        if not self.desk.was_done(request, entered, command):
            if text.version != entered.get("seen"):
                raise ActRefused("draft_changed", "Somebody has changed the draft since you looked at it.")
            if draft.base != number and entered.get("over") != str(number):
                raise ActRefused("book_replaced", "Another rule book was published meanwhile.")
        payload = {"id": "book", "actor": actor, "reason": reason, **_payload(text)}
        keyed = self.desk.keyed(request, entered)
        with self.desk.remembers(request, entered):
            done = self.operations.do("publish_book", {**payload, "over": number, **keyed})
        drop = drop_draft(text.version, self.desk.companies.get)
        # Whoever typed meanwhile keeps the draft; the book is in force all the same.
        with suppress(ActRefused):
            self.desk.perform(self._command(DROP, request, entered, "published"), drop)
        return RedirectResponse(f"/rules?done=publish&number={done['number']}", status_code=303)

    def _roll_back(self, request: Request, entered: Mapping[str, str]) -> Response:
        number, reason = entered.get("number", ""), entered.get("reason", "").strip()[:REASON_CHARS]
        if not number.isdecimal() or len(number) > 9:
            raise ActRefused("unknown_book", "There is no such version.")
        if not reason:
            return self._history(request, "publish_reason_missing", 409)
        payload = {"id": "book", "actor": visitor(request).actor, "reason": reason, "number": int(number)}
        try:
            with self.desk.remembers(request, entered):
                done = self.operations.do("roll_back_book", {**payload, **self.desk.keyed(request, entered)})
        except ActRefused as refused:
            return self._history(request, refused.code, 409)
        return RedirectResponse(f"/rules?done=rollback&number={done['number']}", status_code=303)

    def _grid(
        self, request: Request, refused: str | None, entered: Mapping[str, str], status: int
    ) -> Response:
        asked = {**request.query_params, **{k: v for k, v in entered.items() if k in ("table", "from")}}
        view, draft, number, meanwhile = self._read(request)
        table = asked.get("table", "") if asked.get("table", "") in draft.grids else ""
        values = self._sheet(view, draft, table, asked.get("from", ""))
        book = book_of(view.company)
        values |= {
            "number": number,
            "meanwhile": meanwhile,
            "columns_left": [one for one in COLUMNS if one not in draft.grids[table].columns],
            "known": _known(view, draft),
            "changes": _changes(view.company, draft),
            "has_book": book is not None,
            "acts": "operations" in view.visitor.roles,
            "refused": refused,
            "entered": entered,
            "done": request.query_params.get("done"),
            "done_number": request.query_params.get("number"),
            "tab": entered.get("tab") or self.desk.new_id(),
            "new_key": self.desk.new_id,
            "days": DAYS,
        }
        return page(request, view.language, "rules.html", values, status)

    def _parts(
        self, request: Request, entered: Mapping[str, str], *, saved: bool, refused: str | None = None
    ) -> Response:
        """Return what the page shows of the draft but for the fields that somebody is typing in."""
        view, draft, _, _ = self._read(request)
        stored = draft
        if not saved and refused is None:
            try:
                draft = _edit_of("row", {**entered, "tab": ""})(draft)
            except ActRefused:
                draft = stored  # what is typed meets somebody else's: saving says so
        table = entered.get("table", "") if entered.get("table", "") in draft.grids else ""
        values = self._sheet(view, draft, table, entered.get("from", ""))
        row_id = _row_of(entered)
        theirs = next((one for one in stored.grids[table].rows if one.row_id == row_id), None)
        values |= {
            "row_id": row_id,
            "saved": saved,
            "refused": refused,
            "entered": entered,
            "theirs": dict(zip(stored.grids[table].columns, theirs.cells, strict=True)) if theirs else None,
            "changes": _changes(view.company, stored),
        }
        return page(request, view.language, "_rules_parts.html", values)

    def _sheet(self, view: View, draft: Draft, table: str, begin: str) -> dict[str, Any]:
        problems, thorough = self._problems(view.company, draft)
        at = int(begin) if begin.isdecimal() and len(begin) < 9 else 0
        return {
            "view": view,
            "draft": draft,
            "table": table,
            "sheet": sheet(draft, (table, at), problems, view.company, view.language),
            "shown": SHOWN,
            "problems": problems,
            "errors": sum(one.severity == "error" for one in problems),
            "thorough": thorough,
            "version": draft.text(None).version,
        }

    def _problems(self, company: Company, draft: Draft) -> tuple[Sequence[Problem], bool]:
        thorough = sum(len(one.rows) for one in draft.grids.values()) <= MOST_CHECKED
        return self.operations.problems_of_book(_with(company, draft), thorough=thorough), thorough

    def _read(self, request: Request) -> tuple[View, Draft, int, list[Change]]:
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            draft, number = find_draft(connection, company), last_book_number(connection)
            meanwhile = _since(connection, company, draft.base) if draft.base != number else []
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        return view, draft, number, meanwhile

    def _history(self, request: Request, refused: str | None, status: int) -> Response:
        chosen = request.query_params.get("diff", "")
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            books = list_books(connection, LISTED)
            changes = None
            if chosen.isdecimal() and len(chosen) < 9:
                changes = _between(connection, company, int(chosen) - 1, int(chosen))
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        values = {
            "view": view,
            "books": books,
            "chosen": chosen,
            "changes": changes,
            "acts": "operations" in view.visitor.roles,
            "refused": refused,
            "new_key": self.desk.new_id,
        }
        return page(request, view.language, "rules_history.html", values, status)

    def _simulate(self, request: Request) -> Response:
        view, draft, _, _ = self._read(request)
        asked = request.query_params.get("days", "7")
        days = int(asked) if asked in map(str, DAYS) else DAYS[1]
        found, refused = None, None
        wrong = self.operations.problems_of_book(_with(view.company, draft), thorough=False)
        if any(one.severity == "error" for one in wrong):
            refused = "draft_wrong"
        else:
            since_us = view.now_us - days * 24 * 3_600_000_000
            try:
                found = self.operations.simulated(_with(view.company, draft), since_us, MOST_LEADS)
            except ActRefused as error:
                refused = error.code
        values = {
            "view": view,
            "found": found,
            "refused": refused,
            "days": DAYS,
            "chosen": days,
            "most": MOST_LEADS,
        }
        return page(request, view.language, "rules_simulate.html", values, 409 if refused else 200)


def _row_of(entered: Mapping[str, str]) -> int:
    """Return the number of a form's row; 0, which no row has, for what is none."""
    row = entered.get("row", "")
    return int(row) if row.isdecimal() and len(row) < 9 else 0


def _edit_of(verb: str, entered: Mapping[str, str]) -> Edit:
    """Return what a form asks for. A row's cells come as `cell:COLUMN`, as they were before as `was:COLUMN`."""
    table = entered.get("table", "")
    row_id = _row_of(entered)
    cells = {name[5:]: value for name, value in entered.items() if name.startswith("cell:")}
    was = {name[4:]: value for name, value in entered.items() if name.startswith("was:")}
    write = set_cells(table, row_id, was, cells, entered.get("tab", ""))
    match verb:
        case "row":
            return write
        case "add":
            return add_row(table, row_id or None)
        case "up" | "down":
            move = move_row(table, row_id, -1 if verb == "up" else 1)
            return lambda draft: move(write(draft))
        case "remove":
            return remove_row(table, row_id, was)
        case "column":
            return add_column(table, entered.get("column", ""), COLUMNS)
        case _:
            raise ActRefused("unknown_verb", f"There is no act {verb!r}.")


def _told(entered: Mapping[str, str]) -> str | None:
    """Return in short what is changed, for the record."""
    changed = [
        f"{name[5:]}: {entered.get('was:' + name[5:], '')} → {value}"
        for name, value in entered.items()
        if name.startswith("cell:") and value != entered.get("was:" + name[5:], "")
    ]
    return f"{entered.get('was:rule', '')}: {'; '.join(changed)}"[:REASON_CHARS] if changed else None


def _payload(text: BookText) -> dict[str, Any]:
    return {"csv": text.csv, "tables": dict(text.tables), "examples": text.examples}


def _with(company: Company, draft: Draft) -> Company:
    return company.model_copy(update=draft.text(company.book_examples).fields())


def _changes(company: Company, draft: Draft) -> list[Change]:
    return diff(company, _with(company, draft)) if draft.revision else []


def _since(connection: Connection, company: Company, base: int) -> list[Change]:
    """Return what was published since a version."""
    before = _book(connection, base)
    return diff(company.model_copy(update=before.fields()), company) if before is not None else []


def _between(connection: Connection, company: Company, before: int, after: int) -> list[Change] | None:
    old, new = (_book(connection, number) for number in (before, after))
    if new is None:
        return None
    empty = BookText("rule,then_team\n")
    return diff(*(company.model_copy(update=one.fields()) for one in (old or empty, new)))


def _book(connection: Connection, number: int) -> BookText | None:
    found = load_book(connection, number)
    return BookText(found["csv"], found["tables"], found["examples"]) if found is not None else None


def _known(view: View, draft: Draft) -> dict[str, list[tuple[str, str]]]:
    """Return what may stand in a column, where that is known: value, and what it is called."""
    company, named = view.company, view.named
    teams = [(key, named(one)) for key, one in company.units.items() if one.kind == "team"]
    return {
        "channel": [(one, view.word("CHANNELS", one)) for one in ("web", "email", "cti", "counter", "list")],
        "source": [(key, str(one["name"])) for key, one in company.sources.items()],
        "campaign": [(key, named(one)) for key, one in company.campaigns.items()],
        "product_line": [(key, named(one)) for key, one in company.lines.items()],
        "product": [(key, named(one)) for key, one in company.products.items()],
        "territory": [(key, named(one)) for key, one in company.territories.items()],
        "then_team": teams,
        "then_pool": [(key, named(one)) for key, one in company.pools.items()],
        "then_table": [(name, "") for name in draft.grids if name],
        "then_priority": [(one, view.word("PRIORITIES", one)) for one in ("high", "normal", "low")],
    }


def _is_htmx(request: Request) -> bool:
    return request.headers.get("hx-request") == "true"
