"""The gate before everything but the doors: who asks, whether they may, and what they are told if not.

On this machine all is open, as ever. From elsewhere a bearer token or the session of a one-time link says who
asks; what each of them may see is decided in `console.may`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from cachetools import TTLCache
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from answers.problem import problem
from console.desk import Desk, is_own_page
from console.entrance import entrance
from console.may import AT_THIS_MACHINE, Area, Visitor, may, visitor_of
from schemas.company import Company
from store import tables, views
from store.access import AccessKind, find_access

COOKIE = "leadflow_session"
_SAFE = ("GET", "HEAD", "OPTIONS")

IsLocal = Callable[[str | None, Iterable[tuple[bytes, bytes]]], bool]
"""Tells from the peer's address and the headers whether a request comes from this machine and means it."""

Trouble = Literal["token_needed", "token_invalid", "not_allowed", "cross_site"]
_STATUS: dict[Trouble, int] = {
    "token_needed": 401,
    "token_invalid": 401,
    "not_allowed": 403,
    "cross_site": 403,
}
_MESSAGES: dict[Trouble, str] = {
    "token_needed": "Send a token (Authorization: Bearer …), or open a one-time link: leadflow token --help",
    "token_invalid": "This token is unknown, over, or was ended; ask for a new one: leadflow token new",
    "not_allowed": "This is not for your role.",
    "cross_site": "This request was sent by a page of another site.",
}


class Failures:
    """Slows down whoever guesses: an address that failed often is answered later and later.

    What is right is answered at once, wherever it comes from: nobody is locked out by a neighbour behind the
    same router. Secrets have 256 bits; this only keeps guessing from being free.
    """

    FREE = 5
    """Failures a minute that cost nothing: an ended token in a script, an old link opened again."""
    LONGEST_S = 5.0
    """More would hold connections of ours open for longer than it holds up a guesser."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._counts: TTLCache[str, int] = TTLCache(maxsize=10_000, ttl=60, timer=clock)

    def delay_s(self, address: str) -> float:
        """Count a failure of an address; return how long to wait before saying so."""
        count = self._counts[address] = self._counts.get(address, 0) + 1
        return min(0.1 * 2 ** min(count - self.FREE, 10), self.LONGEST_S) if count > self.FREE else 0.0


@dataclass
class Guard:
    """What gate and entrance share: the desk, the company, who failed, and how to wait."""

    desk: Desk
    is_local: IsLocal
    failures: Failures = field(default_factory=Failures)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    def visitor(self, secret: str, kind: AccessKind) -> Visitor | None:
        """Return whom a secret of this kind belongs to; None if it opens nothing now."""
        now_us = self.desk.clock()
        with self.desk.store.read() as connection:
            access = find_access(connection, secret)
            if access is None or access.kind != kind or access.state(now_us) != "valid":
                return None
            company = self.desk.companies.get(connection)
        return visitor_of(company, access.person_id, access.role, now_us)

    def company(self) -> Company:
        """Return the company as it is now."""
        with self.desk.store.read() as connection:
            return self.desk.companies.get(connection)

    async def failed(self, request: HTTPConnection) -> None:
        """Count a wrong secret, and wait if there were many from the same address."""
        if wait_s := self.failures.delay_s(_address(request)):
            await self.sleep(wait_s)


class Gate:
    """Lets each request through that may pass, with its visitor in `request.state.visitor`."""

    def __init__(self, app: ASGIApp, guard: Guard, doors: tuple[str, ...]) -> None:
        self._app = app
        self._guard = guard
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401 or 403."""
        if scope["type"] != "http" or scope["path"].startswith(self._doors):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer = await self._answer(request)
        await (self._app if answer is None else answer)(scope, receive, send)

    async def _answer(self, request: Request) -> Response | None:
        """Return what to answer instead of the application, or None after setting the visitor."""
        if request.method not in _SAFE and not _is_meant(request):
            return await self._refused(request, "cross_site", None)
        who = await self._who(request)
        if who is None:
            given = "authorization" in request.headers or COOKIE in request.cookies
            if given:
                await self._guard.failed(request)
            return await self._refused(request, "token_invalid" if given else "token_needed", None)
        request.state.visitor = who
        if request.url.path == "/" and not who.sees_all:
            return RedirectResponse(f"/inbox/{quote(str(who.person_id), safe='')}", status_code=303)
        if who is not AT_THIS_MACHINE and not await run_in_threadpool(self._may, who, request.url.path):
            return await self._refused(request, "not_allowed", who)
        return None

    async def _who(self, request: Request) -> Visitor | None:
        if self._guard.is_local(request.client.host if request.client else None, request.scope["headers"]):
            return AT_THIS_MACHINE
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await run_in_threadpool(self._guard.visitor, token.strip(), "token")
        if cookie := request.cookies.get(COOKIE):
            return await run_in_threadpool(self._guard.visitor, cookie, "session")
        return None

    def _may(self, who: Visitor, path: str) -> bool:
        if who.sees_all:
            return True
        with self._guard.desk.store.read() as connection:
            area, things = asked_for(connection, path)
        return may(who, area, things)

    async def _refused(self, request: Request, trouble: Trouble, who: Visitor | None) -> Response:
        status = _STATUS[trouble]
        headers = {"www-authenticate": "Bearer"} if status == 401 else {}
        if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith("/api/"):
            answer = problem(status, trouble, _MESSAGES[trouble])
            answer.headers.update(headers)
            return answer
        company = await run_in_threadpool(self._guard.company)
        page = entrance(request, company, trouble, status, person_id=who.person_id if who else None)
        page.headers.update(headers)
        return page


def visitor(request: HTTPConnection) -> Visitor:
    """Return who asks, as the gate found out; behind no gate, somebody at this machine.

    Whoever has a `person_id` is the actor of what they do, whatever the request says.
    """
    found: Visitor = getattr(request.state, "visitor", AT_THIS_MACHINE)
    return found


_OWN = re.compile(
    r"/inbox|/story|/neglected|/collisions|/customers|/taken|/leave|/pools|/pools/[^/]+/(claim|release)"
)
_HOLDER = re.compile(r"(?:/api)?/inbox/(?P<holder>[^/]+)")
_INBOX_ACT = re.compile(r"/inbox/(?P<holder>[^/]+)/(?P<task>[^/]+)/[^/]+")
_TASK_ACT = re.compile(r"/api/tasks/(?P<task>[^/]+)/[^/]+")
_STORY = re.compile(r"/story/(?P<any>[^/]+)")


def asked_for(connection: Connection, path: str) -> tuple[Area, Sequence[Sequence[str]]]:
    """Return the area of a path and the holders of each thing it speaks of; what is not listed is `operate`."""
    if _OWN.fullmatch(path):
        return "own", ()
    if match := _HOLDER.fullmatch(path):
        return "work", [[match["holder"]]]
    if match := _INBOX_ACT.fullmatch(path):
        return "work", [[match["holder"]], _task_holders(connection, match["task"])]
    if match := _TASK_ACT.fullmatch(path):
        return "work", [_task_holders(connection, match["task"])]
    if match := _STORY.fullmatch(path):
        return "work", _story_holders(connection, match["any"])
    return "operate", ()


def _task_holders(connection: Connection, task_id: str) -> list[str]:
    task = tables.task
    return list(connection.execute(select(task.c.holder_id).where(task.c.task_id == task_id)).scalars())


def _story_holders(connection: Connection, any_id: str) -> list[list[str]]:
    told = views.story(connection, any_id)
    customers = {row["customer_id"] for row in told["memberships"] if row["to_us"] is None}
    return [
        [
            row["holder_id"]
            for row in told["holdings"]
            if row["customer_id"] == customer_id and row["to_us"] is None
        ]
        for customer_id in sorted(customers)
    ]


def _is_meant(request: Request) -> bool:
    """Tell whether no other site sent a request. One that brings a cookie has to say where it comes from."""
    says_where = "sec-fetch-site" in request.headers or "origin" in request.headers
    return is_own_page(request) and (says_where or COOKIE not in request.cookies)


def _address(request: HTTPConnection) -> str:
    """Return where a request comes from; through a proxy on this machine, what the proxy added last."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded if forwarded and (not peer or peer in ("127.0.0.1", "::1")) else peer
