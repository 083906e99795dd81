"""Signing in: by name and password, by an invitation, by a one-time link; and leaving again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.desk import entered_in, is_own_page
from console.entrance import entrance, sign_in_page
from console.gate import COOKIE, Guard, address_of, home
from console.may import visitor_of
from console.passwords import Passwords, SecondFactors, weakness
from console.tries import PAIR_S, Tries
from console.whence import came_for
from schemas.company import Company, Person, Role
from store.access import SESSION_US, Access, end, find_access, redeem, redemption
from store.accounts import Account, accept, acceptance, find_account, sign_in, spend_step
from store.acts import ActRefused, Command

log = structlog.get_logger(__name__)

_STATES = {"valid": "link", "used": "link_used", "expired": "link_over", "ended": "link_over"}
_STATUS = {
    "link": 200,
    "invitation": 200,
    "link_unknown": 404,
    "link_used": 410,
    "link_over": 410,
    "unknown_person": 410,
    "wrong_code": 401,
    "code_used": 401,
}
_DIGITS = 11
"""Of a mobile number in China, without +86: what somebody types of their own."""


@dataclass(frozen=True)
class SignIn:
    """The ways in and out for people; programs send a bearer token instead."""

    guard: Guard
    new_secret: Callable[[], str]
    is_https: bool
    """Whether people reach us by https: their browsers then send the session over nothing else."""
    factors: SecondFactors
    passwords: Passwords = field(default_factory=Passwords)
    tries: Tries = field(default_factory=Tries)

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/sign-in", self.form, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/enter/{code}", self.ask, methods=["GET"]),
            Route("/enter/{code}", self.enter, methods=["POST"]),
            Route("/leave", self.leave, methods=["POST"]),
        ]

    async def form(self, request: Request) -> Response:
        """GET: the form; whoever is in already is led on."""
        company = await run_in_threadpool(self.guard.company)
        return sign_in_page(request, company, came_for(request.query_params.get("next", "/")))

    async def sign_in(self, request: Request) -> Response:
        """POST: check name, password and code; set the session's cookie and lead on to where they wanted to go."""
        company = await run_in_threadpool(self.guard.company)
        if not is_own_page(request):
            return entrance(request, company, "cross_site", 403)
        given = await entered_in(request, 10)
        name, address = given.get("name", "").strip()[:200], address_of(request)
        place = came_for(given.get("next", "/"))
        person, account = await run_in_threadpool(self._account, company, name)
        # By person, not by what was typed: a number can be written in a hundred ways.
        tried = person.person_id if person is not None else name.casefold()
        if not self.tries.may_try(tried, address):
            page = sign_in_page(request, company, place, what="too_many_tries", status=429, name=name)
            page.headers["retry-after"] = str(PAIR_S)
            return page
        hashed = account.password_hash if account else None
        fits = await run_in_threadpool(self.passwords.fits, given.get("password", "")[:200], hashed)
        trouble, step = "wrong_password", None
        if fits and account is not None and person is not None:
            trouble, step = self._second(account, given.get("code", ""))
        if trouble:
            if trouble == "code_needed":
                self.tries.uncount(tried, address)
            else:
                log.warning("sign_in_refused", why=trouble, address=address)
                await self.guard.failed(request)
            return sign_in_page(request, company, place, what=trouble, status=401, name=name)
        assert person is not None
        self.tries.right(tried, address)
        secret, key = self.new_secret(), self.guard.desk.new_id()
        command = Command("sign_in", person.person_id, key, person.person_id)
        try:
            plan = sign_in(secret, _device(request), step)
            await run_in_threadpool(self.guard.desk.perform, command, plan)
        except ActRefused as refused:
            return sign_in_page(request, company, place, what=refused.code, status=401, name=name)
        await run_in_threadpool(self._end, request.cookies.get(COOKIE, ""))
        return self._let_in(company, person.person_id, secret, place)

    async def ask(self, request: Request) -> Response:
        """GET: a page with one button, or the form for a password. Only its POST uses the link up: programs that check
        mail open links, too."""
        company, link, what = await run_in_threadpool(self._look_up, request.path_params["code"])
        if link is None:
            await self.guard.failed(request)
        elif (session := request.cookies.get(COOKIE)) is not None and link.kind == "link":
            who = await run_in_threadpool(self.guard.visitor, session, "session")
            if who is not None and who.person_id == link.person_id:
                return RedirectResponse(_place(request) or home(who), status_code=303)
        return await run_in_threadpool(self._asked, request, company, link, what)

    async def enter(self, request: Request) -> Response:
        """POST: use the link up, set the session's cookie and show the task that the link is for, else the person's page."""
        code = request.path_params["code"]
        company, link, what = await run_in_threadpool(self._look_up, code)
        if not is_own_page(request):
            return entrance(request, company, "cross_site", 403)
        if link is None:
            await self.guard.failed(request)
        if link is None or what not in ("link", "invitation"):
            return entrance(request, company, what, _STATUS[what])
        given = await entered_in(request, 10)
        if link.kind == "invitation":
            return await run_in_threadpool(self._accept, request, company, link, given.get("password", ""))
        return await self._redeem(request, company, link, given.get("code", ""))

    async def leave(self, request: Request) -> Response:
        """POST: end the session and forget its cookie."""
        company = await run_in_threadpool(self._end, request.cookies.get(COOKIE, ""))
        signs_in = await run_in_threadpool(self.guard.asks_who_comes)
        answer = (
            sign_in_page(request, company, "/", what="left_for_now")
            if signs_in
            else entrance(request, company, "left")
        )
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=self.is_https)
        return answer

    def _account(self, company: Company, name: str) -> tuple[Person | None, Account | None]:
        person = called(company, name)
        if person is None:
            return None, None
        with self.guard.desk.store.read() as connection:
            return person, find_account(connection, person.person_id)

    def _second(self, account: Account, code: str) -> tuple[str, int | None]:
        """Return what is wrong with a code (empty: nothing), and its step."""
        if account.second_factor is None:
            return "", None
        if not code.strip():
            return "code_needed", None
        secret = self.factors.open(account.second_factor, account.person_id)
        step = self.factors.step(secret, code, self.guard.desk.clock()) if secret is not None else None
        return ("", step) if step is not None else ("wrong_code", None)

    def _asked(
        self, request: Request, company: Company, link: Access | None, what: str, trouble: str = ""
    ) -> Response:
        status = _STATUS[trouble or what] if trouble not in _WEAK else 422
        if link is None or what not in ("link", "invitation"):
            return entrance(request, company, what, status)
        if link.kind == "invitation":
            name = company.people[link.person_id].email or link.person_id
            return entrance(
                request, company, trouble or what, status, form="password", name=name, trouble=bool(trouble)
            )
        with self.guard.desk.store.read() as connection:
            account = find_account(connection, link.person_id)
        asks_code = account is not None and account.second_factor is not None
        return entrance(request, company, trouble or what, status, form="open", asks_code=asks_code)

    async def _redeem(self, request: Request, company: Company, link: Access, code: str) -> Response:
        desk = self.guard.desk
        with desk.store.read() as connection:
            account = find_account(connection, link.person_id)
        # Counted apart from passwords: whoever guesses those must not shut the way in that is left.
        name, address = f"code of {link.person_id}", address_of(request)
        if not self.tries.may_try(name, address):
            return entrance(request, company, "too_many_tries", 429)
        trouble, step = self._second(account, code) if account is not None else ("", None)
        if trouble:
            await self.guard.failed(request)
            return await run_in_threadpool(self._asked, request, company, link, "link", "wrong_code")
        self.tries.right(name, address)
        secret = self.new_secret()
        try:
            if step is not None:
                spent = Command("second_factor", link.person_id, desk.new_id(), link.person_id)
                await run_in_threadpool(desk.perform, spent, spend_step(step))
            plan = redeem(request.path_params["code"], secret, _device(request))
            done = await run_in_threadpool(desk.perform, redemption(link), plan)
        except ActRefused as refused:
            return entrance(request, company, refused.code, _STATUS[refused.code])
        if not done:
            return entrance(request, company, "link_used", _STATUS["link_used"])
        return self._let_in(company, link.person_id, secret, _place(request) or "/", link.role)

    def _accept(self, request: Request, company: Company, link: Access, password: str) -> Response:
        person = company.people.get(link.person_id)
        if person is None or person.state != "active":
            return entrance(request, company, "unknown_person", _STATUS["unknown_person"])
        if why := weakness(password, known_of(company, person)):
            return self._asked(request, company, link, "invitation", why)
        secret = self.new_secret()
        plan = accept(request.path_params["code"], self.passwords.hash(password), secret, _device(request))
        try:
            done = self.guard.desk.perform(acceptance(link), plan)
        except ActRefused as refused:
            return entrance(request, company, refused.code, _STATUS[refused.code])
        if not done:
            return entrance(request, company, "link_used", _STATUS["link_used"])
        return self._let_in(company, link.person_id, secret, "/")

    def _let_in(
        self, company: Company, person_id: str, secret: str, place: str, role: Role | None = None
    ) -> Response:
        who = visitor_of(company, person_id, role, self.guard.desk.clock())
        answer = RedirectResponse(home(who) if place == "/" and who is not None else place, status_code=303)
        answer.set_cookie(
            COOKIE,
            secret,
            max_age=SESSION_US // 1_000_000,
            httponly=True,
            samesite="lax",
            secure=self.is_https,
        )
        return answer

    def _look_up(self, code: str) -> tuple[Company, Access | None, str]:
        with self.guard.desk.store.read() as connection:
            link = find_access(connection, code)
            company = self.guard.desk.companies.get(connection)
        if link is None or link.kind not in ("link", "invitation"):
            return company, None, "link_unknown"
        what = _STATES[link.state(self.guard.desk.clock())]
        person = company.people.get(link.person_id)
        if person is None or person.state != "active":
            return company, link, "unknown_person"
        return company, link, link.kind if what == "link" else what

    def _end(self, secret: str) -> Company:
        with self.guard.desk.store.read() as connection:
            session = find_access(connection, secret)
        if session is not None and session.kind == "session":
            command = Command(
                "end_access", session.person_id, f"leave:{session.access_id}", session.access_id
            )
            self.guard.desk.perform(command, end())
        return self.guard.company()


def _place(request: Request) -> str | None:
    """Return where the task is that a one-time link names, if it names one."""
    task = request.query_params.get("task", "")
    return f"/day?task={task}" if _TASK.fullmatch(task) else None


_TASK = re.compile(r"task_[0-9a-z]{1,64}")
_WEAK = ("too_short", "too_long", "too_easy")


def called(company: Company, name: str) -> Person | None:
    """Return the one person who works here and goes by a code, mail address or mobile number; None if none or several do."""
    wanted = name.strip().casefold()
    number = "".join(sign for sign in wanted if sign.isdigit())[-_DIGITS:]
    found = [
        one
        for one in company.people.values()
        if one.state == "active"
        and (
            wanted in (one.person_id.casefold(), (one.email or "").casefold())
            or (len(number) == _DIGITS and number == (one.phone or "")[-_DIGITS:])
        )
    ]
    return found[0] if wanted and len(found) == 1 else None


def known_of(company: Company, person: Person) -> list[str]:
    """Return the words that somebody who knows a person would try first as their password."""
    words = (company.name, person.name, person.name_en, person.person_id, person.email, person.phone)
    return ["leadflow", *(word for word in words if word), *person.person_id.split("-")]


def _device(request: Request) -> str:
    return request.headers.get("user-agent", "")
