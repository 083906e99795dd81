"""Coming in by a one-time link, and leaving again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.desk import is_own_page
from console.entrance import entrance
from console.gate import COOKIE, Guard
from schemas.company import Company
from store.access import SESSION_US, Access, end, find_access, redeem, redemption
from store.acts import ActRefused, Command

_STATES = {"valid": "link", "used": "link_used", "expired": "link_over", "ended": "link_over"}
_STATUS = {"link": 200, "link_unknown": 404, "link_used": 410, "link_over": 410, "unknown_person": 410}


@dataclass(frozen=True)
class Enter:
    """The way in and out for people; programs send a bearer token instead."""

    guard: Guard
    new_secret: Callable[[], str]
    is_https: bool
    """Whether people reach us by https: their browsers then send the session over nothing else."""

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/enter/{code}", self.ask, methods=["GET"]),
            Route("/enter/{code}", self.redeem, methods=["POST"]),
            Route("/leave", self.leave, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """GET: a page with one button. Only the button uses the link up: programs that check mail open links, too."""
        company, link, what = await run_in_threadpool(self._look_up, request.path_params["code"])
        if link is None:
            await self.guard.failed(request)
        elif (session := request.cookies.get(COOKIE)) is not None:
            who = await run_in_threadpool(self.guard.visitor, session, "session")
            if who is not None and who.person_id == link.person_id:
                return _to_inbox(link)
        return entrance(request, company, what, _STATUS[what])

    async def redeem(self, request: Request) -> Response:
        """POST: use the link up, set the session's cookie and show the person's inbox."""
        code = request.path_params["code"]
        company, link, what = await run_in_threadpool(self._look_up, code)
        if not is_own_page(request):
            return entrance(request, company, "cross_site", 403)
        if link is None:
            await self.guard.failed(request)
        if link is None or what != "link":
            return entrance(request, company, what, _STATUS[what])
        secret = self.new_secret()
        try:
            done = await run_in_threadpool(self.guard.desk.perform, redemption(link), redeem(code, secret))
        except ActRefused as refused:
            return entrance(request, company, refused.code, _STATUS[refused.code])
        if not done:
            return entrance(request, company, "link_used", _STATUS["link_used"])
        answer = _to_inbox(link)
        answer.set_cookie(
            COOKIE,
            secret,
            max_age=SESSION_US // 1_000_000,
            httponly=True,
            samesite="lax",
            secure=self.is_https,
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """POST: end the session and forget its cookie."""
        company = await run_in_threadpool(self._end, request.cookies.get(COOKIE, ""))
        answer = entrance(request, company, "left")
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self.is_https)
        return answer

    def _look_up(self, code: str) -> tuple[Company, Access | None, str]:
        with self.guard.desk.store.read() as connection:
            link = find_access(connection, code)
            company = self.guard.desk.companies.get(connection)
        if link is None or link.kind != "link":
            return company, None, "link_unknown"
        return company, link, _STATES[link.state(self.guard.desk.clock())]

    def _end(self, secret: str) -> Company:
        with self.guard.desk.store.read() as connection:
            session = find_access(connection, secret)
        if session is not None and session.kind == "session":
            command = Command(
                "end_access", session.person_id, f"leave:{session.access_id}", session.access_id
            )
            self.guard.desk.perform(command, end())
        return self.guard.company()


def _to_inbox(link: Access) -> RedirectResponse:
    return RedirectResponse(f"/inbox/{quote(link.person_id, safe='')}", status_code=303)
