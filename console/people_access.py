"""Who may come in, as a page for operations: roles, invitations, and whose devices are signed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, begins_at, is_own_page
from console.gate import visitor
from console.may import roles_of
from console.permits import ROLES
from console.texts import page
from console.view import View
from sales.roles import set_roles
from schemas.company import Role
from store.access import HOUR_US, end, grant, open_access, with_open_link
from store.accounts import with_password
from store.acts import ActRefused, Command

SHOWN = 50
"""People on a page."""
INVITATION_HOURS = 72
"""Over a weekend."""


@dataclass(frozen=True)
class AccessPage:
    """A row a person who works here."""

    desk: Desk
    new_secret: Callable[[], str]
    address: Callable[[Request], str]
    """What the addresses of links begin with."""

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/access", self.show),
            Route("/access/{person_id}/{verb}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Everybody."""
        return await run_in_threadpool(self._page, request, None, 200)

    async def act(self, request: Request) -> Response:
        """Invite somebody (the link is shown once), change their roles, or end all that they have."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        async with request.form(max_files=0, max_fields=20) as posted:
            roles = [value for value in posted.getlist("role") if isinstance(value, str)]
        return await run_in_threadpool(self._act, request, roles)

    def _act(self, request: Request, roles: list[str]) -> Response:
        person_id, verb = request.path_params["person_id"], request.path_params["verb"]
        actor = visitor(request).actor
        try:
            match verb:
                case "invite":
                    secret = self.new_secret()
                    plan = grant("invitation", secret, INVITATION_HOURS * HOUR_US)
                    self.desk.perform(Command("grant", actor, self.desk.new_id(), person_id), plan)
                    link = f"{self.address(request)}/enter/{secret}"
                    return self._page(request, None, 200, invited=person_id, link=link)
                case "roles":
                    known: list[Role] = [one for one in get_args(Role) if one in roles]
                    command = Command("set_roles", actor, self.desk.new_id(), person_id)
                    self.desk.perform(command, set_roles(known))
                case "end":
                    self.desk.perform(Command("end_access", actor, self.desk.new_id(), person_id), end())
                case _:
                    raise ActRefused("unknown_verb", f"There is no act {verb!r}.")
        except ActRefused as refused:
            return self._page(request, refused.code, 409)
        return RedirectResponse(
            f"/access?{urlencode({'done': verb, 'who': person_id})}#{quote(person_id, safe='')}",
            status_code=303,
        )

    def _page(self, request: Request, refused: str | None, status: int, **shown: Any) -> Response:
        now_us, begin = self.desk.clock(), begins_at(request)
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            have = open_access(connection, now_us, ("session", "token", "invitation"))
            linked = with_open_link(connection, now_us, list(company.people))
            signs_in = with_password(connection)
            active = [one for one in company.people.values() if one.state == "active"]
            acted_on = request.path_params.get("person_id") or request.query_params.get("who")
            place = next((n for n, one in enumerate(active) if one.person_id == acted_on), begin)
            begin = place - place % SHOWN
        people = [
            {
                "person": person,
                "roles": roles_of(company, person.person_id),
                "signs_in": person.person_id in signs_in,
                "has_link": person.person_id in linked,
                "have": [one for one in have if one.person_id == person.person_id],
            }
            for person in active[begin : begin + SHOWN]
        ]
        view = View(language_of(request, company.language), company, now_us, visitor(request))
        values = {
            "view": view,
            "people": people,
            "begin": begin,
            "pages": [
                (
                    n,
                    view.name(active[n].person_id),
                    view.name(active[min(n + SHOWN, len(active)) - 1].person_id),
                )
                for n in range(0, len(active), SHOWN)
            ],
            "all_roles": ROLES,
            "refused": refused,
            "done": request.query_params.get("done"),
            "link": None,
            **shown,
        }
        return page(request, view.language, "access.html", values, status)
