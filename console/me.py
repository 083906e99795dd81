"""One's own account as a page: roles, password, second factor, and the devices that are signed in."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time
from typing import Any

import segno
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import COOKIE, address_of, visitor
from console.passwords import Passwords, SecondFactors, weakness
from console.sign_in import known_of
from console.texts import page
from console.tries import Tries
from console.view import View
from store.access import CALENDAR_US, AccessKind, end, find_access, grant, open_access
from store.accounts import Account, change_password, find_account, set_second_factor
from store.acts import ActRefused, Command
from store.notices import DEFAULT, SET_NOTICE, Notice, notices_of, set_notice


@dataclass(frozen=True)
class MePage:
    """What somebody sees and changes of their own account; whoever is not signed in has none."""

    desk: Desk
    factors: SecondFactors
    passwords: Passwords
    tries: Tries
    new_secret: Callable[[], str]
    address: Callable[[Request], str]

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [Route("/me", self.show), Route("/me/{verb}", self.act, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """The account as it is."""
        return await run_in_threadpool(self._page, request, None, 200)

    async def act(self, request: Request) -> Response:
        """Change the password, set up or take away the second factor, end a device; then show the page again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        given = await entered_in(request, 10)
        return await run_in_threadpool(self._act, request, given)

    def _act(self, request: Request, given: dict[str, str]) -> Response:
        me, verb = visitor(request).person_id, request.path_params["verb"]
        account = self._account(me)
        try:
            if me is None or account is None or not self._is_by_session(request, me):
                raise ActRefused(
                    "no_password", "Only somebody who signs in with a password has an account here."
                )
            match verb:
                case "password":
                    self._change_password(request, account, given)
                case "begin":
                    return self._page(request, None, 200, secret=self.factors.made())
                case "factor":
                    self._set_factor(request, account, given)
                case "no-factor":
                    self._drop_factor(request, account, given)
                case "calendar":
                    return self._page(request, None, 200, calendar=self._new_calendar(request, me))
                case "notices":
                    self._do(SET_NOTICE, me, set_notice(_notice(given)))
                case "end":
                    self._end(me, given.get("id", ""))
                case _:
                    raise ActRefused("unknown_verb", f"There is no act {verb!r}.")
        except ActRefused as refused:
            secret = (
                self._opened(me, given.get("factor", "")) if verb == "factor" and me is not None else None
            )
            return self._page(request, refused.code, 409, secret=secret)
        return RedirectResponse(f"/me?done={verb}", status_code=303)

    def _change_password(self, request: Request, account: Account, given: dict[str, str]) -> None:
        self._prove(request, account, given)
        new = given.get("new", "")
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            session = find_access(connection, request.cookies.get(COOKIE, ""))
        if why := weakness(new, known_of(company, company.people[account.person_id])):
            raise ActRefused(why, "This password will not do.")
        but = session.access_id if session is not None else None
        self._do("set_password", account.person_id, change_password(self.passwords.hash(new), but))

    def _set_factor(self, request: Request, account: Account, given: dict[str, str]) -> None:
        self._prove(request, account, given)
        secret = self._opened(account.person_id, given.get("factor", ""))
        step = self.factors.step(secret, given.get("code", ""), self.desk.clock()) if secret else None
        if secret is None or step is None:
            raise ActRefused("wrong_code", "The code is not right.")
        sealed = self.factors.seal(secret, account.person_id)
        self._do("second_factor", account.person_id, set_second_factor(sealed, step))

    def _drop_factor(self, request: Request, account: Account, given: dict[str, str]) -> None:
        self._prove(request, account, given)
        opened = self.factors.open(account.second_factor or b"", account.person_id)
        step = self.factors.step(opened, given.get("code", ""), self.desk.clock()) if opened else None
        if step is None:
            raise ActRefused("wrong_code", "The code is not right.")
        self._do("second_factor", account.person_id, set_second_factor(None, step))

    def _prove(self, request: Request, account: Account, given: dict[str, str]) -> None:
        """Raise ActRefused unless the present password was typed: a phone left on a table must not be enough."""
        name, address = account.person_id, address_of(request)
        if not self.tries.may_try(name, address):
            raise ActRefused("too_many_tries", "Too many wrong passwords; wait a quarter of an hour.")
        if not self.passwords.fits(given.get("password", "")[:200], account.password_hash):
            raise ActRefused("wrong_password", "The password is not right.")
        self.tries.right(name, address)

    def _end(self, me: str, access_id: str) -> None:
        with self.desk.store.read() as connection:
            mine = {
                one.access_id
                for one in open_access(connection, self.desk.clock(), (*_DEVICES, *_CALENDARS), me)
            }
        if access_id not in mine:
            raise ActRefused("unknown_access", "This is none of your devices.")
        self._do("end_access", me, end(), scope=access_id)

    def _new_calendar(self, request: Request, me: str) -> str:
        """Make a secret address for somebody's calendar, which ends the one before; return it."""
        secret = self.new_secret()
        self._do("grant", me, grant("calendar", secret, CALENDAR_US))
        return f"{self.address(request)}/calendar/{secret}.ics"

    def _is_by_session(self, request: Request, me: str) -> bool:
        """Tell whether a person signed in: the token of a program changes nobody's account."""
        with self.desk.store.read() as connection:
            session = find_access(connection, request.cookies.get(COOKIE, ""))
        return session is not None and (session.kind, session.person_id) == ("session", me)

    def _do(self, verb: str, me: str, plan: Any, scope: str = "") -> None:
        self.desk.perform(Command(verb, me, self.desk.new_id(), scope or me), plan)

    def _account(self, me: str | None) -> Account | None:
        if me is None:
            return None
        with self.desk.store.read() as connection:
            return find_account(connection, me)

    def _sealed(self, me: str, secret: str) -> str:
        return base64.urlsafe_b64encode(self.factors.seal(secret, me)).decode()

    def _opened(self, me: str, text: str) -> str | None:
        try:
            sealed = base64.urlsafe_b64decode(text)
        except (ValueError, binascii.Error):
            return None
        return self.factors.open(sealed, me) if sealed else None

    def _page(
        self,
        request: Request,
        refused: str | None,
        status: int,
        secret: str | None = None,
        calendar: str | None = None,
    ) -> Response:
        who, now_us = visitor(request), self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            session = find_access(connection, request.cookies.get(COOKIE, ""))
            account = find_account(connection, who.person_id) if who.person_id else None
            have = open_access(connection, now_us, _DEVICES, who.person_id) if who.person_id else []
            calendars = open_access(connection, now_us, _CALENDARS, who.person_id) if who.person_id else []
            notice = notices_of(connection, [who.person_id or ""]).get(who.person_id or "", DEFAULT)
        view = View(language_of(request, company.language), company, now_us, who)
        values: dict[str, Any] = {
            "view": view,
            "account": account,
            "devices": have,
            "calendars": calendars,
            "calendar": calendar,
            "notice": notice,
            "robot": any(one.get("person") == who.person_id for one in company.sinks.values()),
            "this": session.access_id if session is not None else None,
            "refused": refused,
            "done": request.query_params.get("done"),
            "secret": None,
        }
        if secret is not None and who.person_id is not None:
            address = self.factors.address(secret, who.person_id, company.name)
            picture = segno.make(address, error="m").svg_data_uri(scale=4, light="#fff")
            values |= {"secret": secret, "picture": picture, "factor": self._sealed(who.person_id, secret)}
        return page(request, view.language, "me.html", values, status)


_DEVICES: tuple[AccessKind, ...] = ("session", "token")
_CALENDARS: tuple[AccessKind, ...] = ("calendar",)


def _notice(given: dict[str, str]) -> Notice:
    """Return what was chosen. Raises ActRefused for quiet hours of which only one end, or no time, is said."""
    start, end = (given.get(name, "").strip() for name in ("quiet_from", "quiet_to"))
    chosen = Notice(mail=given.get("mail") == "yes", robot=given.get("robot") == "yes")
    if not start and not end:
        return chosen
    try:
        moments = [time.fromisoformat(one) for one in (start, end)]
    except ValueError:
        raise ActRefused(
            "quiet_hours", "Quiet hours have a beginning and an end, such as 22:00 and 07:00."
        ) from None
    quiet_from, quiet_to = (one.hour * 60 + one.minute for one in moments)
    return replace(chosen, quiet=(quiet_from, quiet_to))
