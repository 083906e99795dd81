"""The gate before everything but the doors: who asks, whether they may, and what they are told if not.

On this machine all is open, as ever. From elsewhere a bearer token or the session of a one-time link says who
asks; what each of them may see is decided in `console.may`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cachetools import TTLCache
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from answers.problem import problem
from console.desk import Desk, is_own_page
from console.entrance import entrance, sign_in_page
from console.mask import masked_html, masked_json
from console.may import AT_THIS_MACHINE, Visitor, may, visitor_of
from console.permits import ANY_SCOPE, ROLES, SCOPES, Permit, permit_of, scope_of
from console.whence import came_for, page_of
from schemas.company import Company
from schemas.mask import masked
from store import tables, views
from store.access import AccessKind, find_access, seen
from store.accounts import anybody_signs_in
from store.acts import ActRefused
from store.present import present_ids
from store.reveal import is_revealed
from store.whose import whose

COOKIE = "leadflow_session"
LOOK = "leadflow_look"
"""As whom somebody at this machine looks at the demo: a role, a colon, a person."""
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
    _asks: bool = False

    def visitor(self, secret: str, kind: AccessKind) -> Visitor | None:
        """Return whom a secret of this kind belongs to; None if it opens nothing now."""
        now_us = self.desk.clock()
        with self.desk.store.read() as connection:
            access = find_access(connection, secret)
            if access is None or access.kind != kind or access.state(now_us) != "valid":
                return None
            company = self.desk.companies.get(connection)
        seen(self.desk.store, access, now_us)
        who = visitor_of(company, access.person_id, access.role, now_us)
        return who and replace(who, scopes=access.scopes)

    def asks_who_comes(self) -> bool:
        """Tell whether people sign in here; nobody's account is ever taken away, so once is for good."""
        if not self._asks:
            with self.desk.store.read() as connection:
                self._asks = anybody_signs_in(connection)
        return self._asks

    def looking(self, look: str) -> Visitor:
        """Return as whom somebody at this machine looks at the demo; anywhere else a look changes nothing."""
        role, _, person_id = look.partition(":")
        company, wanted = self.company(), next((one for one in ROLES if one == role), None)
        if not company.is_demo or wanted is None:
            return AT_THIS_MACHINE
        return visitor_of(company, person_id, wanted, self.desk.clock()) or AT_THIS_MACHINE

    def company(self) -> Company:
        """Return the company as it is now."""
        with self.desk.store.read() as connection:
            return self.desk.companies.get(connection)

    async def failed(self, request: HTTPConnection) -> None:
        """Count a wrong secret, and wait if there were many from the same address."""
        if wait_s := self.failures.delay_s(address_of(request)):
            await self.sleep(wait_s)


class Gate:
    """Lets each request through that may pass, with its visitor in `request.state.visitor`; masks what is not theirs to call."""

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
        if any(sign < " " for sign in scope["path"]) or b"%00" in scope["query_string"]:
            # Neither a route nor a mount takes a line break for part of an id: it would be nobody's address.
            answer: Response | None = problem(400, "bad_parameter", "An address holds no control characters.")
        else:
            answer = await self._answer(request)
        if answer is None:
            clear = getattr(request.state, "clear", True)
            await self._app(scope, receive, send if clear else Masking(send))
        else:
            await answer(scope, receive, send)

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
        if who is AT_THIS_MACHINE:
            return None
        if (refused := _out_of_scope(request, who)) is not None:
            return refused
        if request.url.path == "/" and (place := home(who)) != "/":
            return RedirectResponse(place, status_code=303)
        return await self._judged(request, who)

    async def _judged(self, request: Request, who: Visitor) -> Response | None:
        """Return the refusal of a visitor's request; None if they may, after noting whether they read numbers in full."""
        permit, parts = permit_of(request.method, request.url.path)
        things = await run_in_threadpool(self._things, permit, parts) if permit.of else ()
        if not may(who, permit, things):
            return await self._refused(request, "not_allowed", who)
        request.state.visitor = replace(who, acting=who.roles & permit.roles)
        request.state.clear = permit.clear or who.reads_clearly(things)
        if not request.state.clear and "story" in permit.of:
            request.state.clear = await run_in_threadpool(self._is_revealed, who, parts["any_id"])
        return None

    async def _who(self, request: Request) -> Visitor | None:
        if self._guard.is_local(request.client.host if request.client else None, request.scope["headers"]):
            # A browser here is as good as one elsewhere, once people sign in: this may be the PC of the front desk.
            accepts = request.headers.get("accept", "")
            is_browser = (
                "sec-fetch-site" in request.headers or COOKIE in request.cookies or "text/html" in accepts
            )
            if not is_browser or not await run_in_threadpool(self._guard.asks_who_comes):
                look = request.cookies.get(LOOK, "")
                return await run_in_threadpool(self._guard.looking, look) if look else AT_THIS_MACHINE
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return await run_in_threadpool(self._guard.visitor, token.strip(), "token")
        if cookie := request.cookies.get(COOKIE):
            return await run_in_threadpool(self._guard.visitor, cookie, "session")
        return None

    def _things(self, permit: Permit, parts: Mapping[str, str]) -> list[list[str]]:
        with self._guard.desk.store.read() as connection:
            found = []
            for of in permit.of:
                if of == "holder":
                    found.append([parts["holder_id"]])
                elif of == "task":
                    found.append(_task_holders(connection, parts["task_id"]))
                elif of == "story":
                    found += _story_holders(connection, parts["any_id"])
                elif of == "list":
                    found.append(_list_holders(connection, parts["import_id"]))
                elif of == "customer":
                    found.append(_customer_holders(connection, parts["customer_id"]))
            return found

    def _is_revealed(self, who: Visitor, any_id: str) -> bool:
        with self._guard.desk.store.read() as connection:
            return is_revealed(connection, str(who.person_id), any_id, self._guard.desk.clock())

    async def _refused(self, request: Request, trouble: Trouble, who: Visitor | None) -> Response:
        status = _STATUS[trouble]
        headers = {"www-authenticate": "Bearer"} if status == 401 else {}
        if "text/html" not in request.headers.get("accept", "") or request.url.path.startswith("/api/"):
            answer = problem(status, trouble, _MESSAGES[trouble])
            answer.headers.update(headers)
            return answer
        company = await run_in_threadpool(self._guard.company)
        if status == 401 and await run_in_threadpool(self._guard.asks_who_comes):
            page = sign_in_page(request, company, came_for(page_of(request)), status=401)
        else:
            page = entrance(request, company, trouble, status, place=home(who) if who else None)
        page.headers.update(headers)
        return page


class Masking:
    """Masks the telephone numbers of an answer on its way out. What it cannot read, it does not let out."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._mask: Callable[[str], str] | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        """Pass on a part of the answer; a page or JSON as a whole, once it is complete."""
        if message["type"] == "http.response.start":
            self._start = message
            kind = Headers(raw=message["headers"]).get("content-type", "").partition(";")[0]
            self._mask = _MASKS.get(kind)
            if self._mask is None and kind:
                self._start = {**message, "status": 403, "headers": [(b"content-length", b"0")]}
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message.get("more_body", False):
            return
        body = self._mask(self._body.decode()).encode() if self._mask is not None else b""
        headers = MutableHeaders(raw=list(self._start["headers"]))
        headers["content-length"] = str(len(body))
        await self._send({**self._start, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": body})


_MASKS: Mapping[str, Callable[[str], str]] = {
    "text/html": masked_html,
    "application/json": masked_json,
    "application/problem+json": masked_json,
    "text/plain": masked,
    "text/csv": masked,
}


def home(who: Visitor) -> str:
    """Return the page that a visitor begins with."""
    if who.sees_all or who.person_id is None:
        return "/"
    if who.roles.isdisjoint({"representative", "manager"}):
        return "/desk"
    return "/team" if "manager" in who.roles else "/day"


def visitor(request: HTTPConnection) -> Visitor:
    """Return who asks, as the gate found out; behind no gate, somebody at this machine.

    Whoever has a `person_id` is the actor of what they do, whatever the request says.
    """
    found: Visitor = getattr(request.state, "visitor", AT_THIS_MACHINE)
    return found


def actor_of(request: Request, entered: Mapping[str, str], company: Company) -> str:
    """Return who acts by a form: the visitor, or whom the form names where nobody signs in. Raises ActRefused for nobody who works here."""
    actor = visitor(request).person_id or entered.get("actor", "")
    person = company.people.get(actor)
    if person is None or person.state != "active":
        raise ActRefused("unknown_actor", "The actor is nobody who works here.")
    return actor


def _out_of_scope(request: Request, who: Visitor) -> Response | None:
    """Return the refusal of a request that a narrow token does not open."""
    if who.scopes is None or request.url.path in ANY_SCOPE:
        return None
    wanted = scope_of(request.method, request.url.path)
    if wanted in who.scopes:
        return None
    why = f"This token does not open {wanted}" if wanted in SCOPES else "This token is for the API alone"
    message = f"{why}; it opens {', '.join(sorted(who.scopes))}."
    return problem(403, "out_of_scope", message, "Make another: leadflow token new --scope …")


def _task_holders(connection: Connection, task_id: str) -> list[str]:
    task = tables.task
    return list(connection.execute(select(task.c.holder_id).where(task.c.task_id == task_id)).scalars())


def _customer_holders(connection: Connection, customer_id: str) -> list[str]:
    now = present_ids(connection, [customer_id])[customer_id]
    return whose(connection, [now])[now]


def _list_holders(connection: Connection, import_id: str) -> list[str]:
    table = tables.import_run
    return list(connection.execute(select(table.c.actor).where(table.c.import_id == import_id)).scalars())


def _story_holders(connection: Connection, any_id: str) -> list[list[str]]:
    told = views.story(connection, any_id)
    customers = {row["customer_id"] for row in told["memberships"] if row["to_us"] is None}
    found = whose(connection, customers)
    return [found[one] for one in sorted(customers)]


def _is_meant(request: Request) -> bool:
    """Tell whether no other site sent a request. One that brings a cookie has to say where it comes from."""
    says_where = "sec-fetch-site" in request.headers or "origin" in request.headers
    return is_own_page(request) and (says_where or COOKIE not in request.cookies)


def address_of(request: HTTPConnection) -> str:
    """Return where a request comes from; through a proxy on this machine, what the proxy added last."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded if forwarded and (not peer or peer in ("127.0.0.1", "::1")) else peer
