"""Why somebody did not get a lead, in one sentence: for representatives about themselves, for managers about their people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.may import Visitor
from console.move_filter import offered
from console.texts import page
from console.view import View
from schemas.company import Company
from schemas.work import Reason
from store import views
from store.decided_lately import decided_lately

SHOWN = 30
FEW = 30
"""People offered by a click; of more, the others are in the form's list."""


@dataclass(frozen=True)
class WhyNotPage:
    """What is asked stands in the address. Of the customer it says nothing; of the decision what its team may know."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/why-not", self.show)]

    async def show(self, request: Request) -> Response:
        """The form, the sentence if somebody and a lead are named, and the newest leads to ask about."""
        return await run_in_threadpool(self._page, request)

    def _page(self, request: Request) -> Response:
        who, now_us, asked = visitor(request), self.desk.clock(), request.query_params
        lead_id = asked.get("lead", "").strip()[:200]
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            people = _people(company, who)
            person_id = asked.get("person") or (people[0] if len(people) == 1 else "")
            found = self._found(connection, who, lead_id, person_id) if lead_id else None
            teams = None if who.sees_all else who.holders & set(company.units)
            lately = decided_lately(connection, teams, SHOWN)
        view = View(language_of(request, company.language), company, now_us, who)
        values = {
            "view": view,
            "people": people,
            "few": FEW,
            "person": person_id if person_id in people else "",
            "lead": lead_id,
            "sentence": self._sentence(view, found, person_id) if person_id in people else None,
            "is_known": found is not None,
            "lately": lately,
        }
        return page(request, view.language, "why_not.html", values)

    @staticmethod
    def _found(
        connection: Connection, who: Visitor, lead_id: str, person_id: str
    ) -> Mapping[str, Any] | None:
        """Return the decision on a lead, if it concerns the visitor's teams or people."""
        told = [] if lead_id.startswith("lead_") else views.story(connection, lead_id)["leads"]
        found = views.given_by(connection, told[0]["lead_id"] if told else lead_id)
        if found is None or who.sees_all:
            return found
        reason = Reason.model_validate_json(found["reason_json"])
        named = {*reason.eligible, *(one for one, _ in reason.passed_over)}
        concerns = reason.team_id in who.holders or who.sees(found["holder_id"]) or person_id in named
        return found if concerns else None

    @staticmethod
    def _sentence(view: View, found: Mapping[str, Any] | None, person_id: str) -> str | None:
        if found is None:
            return None
        reason = Reason.model_validate_json(found["reason_json"])
        return view.teller.why_not(reason, found["holder_id"], person_id)


def _people(company: Company, who: Visitor) -> list[str]:
    """Return about whom somebody may ask: a representative about themselves, a manager about theirs, others about all."""
    if not who.sees_all and "manager" not in who.roles:
        return [who.person_id] if who.person_id in company.people else []
    return offered(company, who).people
