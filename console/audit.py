"""Who did what, when, and why: every act of people and of the machine, to filter, to page through, and as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console import words
from console.desk import Desk
from console.gate import visitor
from console.texts import page
from console.times import parse_local
from console.view import View
from sales.tables import write_csv
from schemas.company import Company
from store.audit import Asked, acts, all_acts

SHOWN = 100
MOST_IN_FILE = 20_000
"""Of the newest; whoever needs more narrows the time."""
_NAMES = ("person", "kind", "from", "to")


@dataclass(frozen=True)
class AuditPage:
    """For operations and auditors."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [Route("/audit", self.show), Route("/audit.csv", self.csv)]

    async def show(self, request: Request) -> Response:
        """A page of acts, newest first."""
        return await run_in_threadpool(self._show, request)

    async def csv(self, request: Request) -> Response:
        """The same acts as a file."""
        return await run_in_threadpool(self._csv, request)

    def _show(self, request: Request) -> Response:
        given = {name: request.query_params.get(name, "") for name in _NAMES}
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            asked = asked_of({**given, "after": request.query_params.get("after", "")}, company)
            found = acts(connection, asked, SHOWN + 1)
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        kept = {name: value for name, value in given.items() if value}
        more = None
        if len(found) > SHOWN:
            last = found[SHOWN - 1]
            place = f"{last['recorded_us']}.{last['act_id']}"
            more = f"/audit?{urlencode({**kept, 'after': place})}"
        values = {
            "view": view,
            "acts": [(row, place_of(row["scope_id"])) for row in found[:SHOWN]],
            "more": more,
            "given": given,
            "is_narrowed": bool(kept),
            "file": f"/audit.csv?{urlencode(kept)}",
            "people": list(company.people),
            "machines": words.MACHINES,
            "kinds": words.ACTS,
        }
        return page(request, view.language, "audit.html", values)

    def _csv(self, request: Request) -> Response:
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
            _ = view.gettext
            header = [_("Time"), _("Who"), _("Did"), _("What it was done to"), _("Reason"), _("Act")]
            rows = [
                (
                    view.exact(row["recorded_us"]),
                    view.name(row["actor"]),
                    view.word("ACTS", row["verb"]),
                    row["scope_id"] or "",
                    row["reason"] or "",
                    row["act_id"],
                )
                for row in all_acts(connection, asked_of(request.query_params, company), MOST_IN_FILE)
            ]
        headers = {"content-disposition": 'attachment; filename="audit.csv"', "cache-control": "no-store"}
        return Response(write_csv(header, rows), media_type="text/csv; charset=utf-8", headers=headers)


def asked_of(given: Mapping[str, str], company: Company) -> Asked:
    """Return what an address asks for; what cannot be read narrows nothing."""
    to_us = _day(given.get("to", ""), company, later=1)
    at, _, act_id = given.get("after", "").partition(".")
    return Asked(
        given.get("person", ""),
        given.get("kind", ""),
        _day(given.get("from", ""), company),
        to_us,
        (int(at), act_id) if at.isdecimal() and len(at) < 19 and act_id else None,
    )


def place_of(scope_id: str | None) -> str | None:
    """Return the page about what an act was done to; None where there is none."""
    kind = (scope_id or "").partition("_")[0]
    pages = {"cus": "customer", "dead": "needs-repair", "imp": "import"}
    pages |= dict.fromkeys(("task", "lead", "cap", "dec", "dlv"), "story")
    return (
        f"/{pages[kind]}/{quote(str(scope_id), safe='')}" if kind in pages and "_" in str(scope_id) else None
    )


def _day(text: str, company: Company, later: int = 0) -> int | None:
    """Return when a day begins, or one some days later: where clocks are set, a day has no 24 hours."""
    try:
        day = date.fromisoformat(text) + timedelta(days=later)
        return parse_local(day.isoformat(), company.zone)
    except (ValueError, OverflowError):
        return None
