"""The backups: which there are and whether they were verified, one more now, and how to put one back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.texts import page
from console.view import View
from store import tables
from store.acts import ActRefused

NEAR_US = 36 * 3_600_000_000
"""A night and half a day: whoever has none younger has missed a night."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One finished archive. It has its name only since it was restored into a scratch place and compared."""

    name: str
    why: str
    made_us: int
    size: int
    leads: int | None
    """None: what it says of itself cannot be read (any more)."""
    version: str


@dataclass(frozen=True, slots=True)
class Making:
    """A backup that is being made, or how the last one that was asked for here ended: `running`, `made` or `failed`."""

    state: str
    since_us: int
    said: tuple[str, str] = ("", "")
    """What failed, in English and Chinese."""


class Backups(Protocol):
    """What the page has done by the host (leadflow.console_backups)."""

    @property
    def folder(self) -> str:
        """Where they lie, on the machine of the console."""
        ...

    @property
    def nightly(self) -> str:
        """At which time of day one is made, HH:MM; empty: never."""
        ...

    def kept(self) -> Sequence[Kept]:
        """Return the finished ones, newest first."""
        ...

    def making(self) -> Making | None:
        """Return what is being made, or was made last on the page's behalf."""
        ...

    def begin(self, actor: str, key: str) -> None:
        """Begin one. Raises ActRefused while another is being made."""
        ...


@dataclass(frozen=True)
class BackupsPage:
    """For operations; an auditor reads."""

    desk: Desk
    backups: Backups

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [Route("/backups", self.show), Route("/backups", self.make, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """The list, and what is under way."""
        return await run_in_threadpool(self._page, request, None, 200)

    async def make(self, request: Request) -> Response:
        """Begin a backup; then show the list again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 5)
        key = entered.get("key") or self.desk.new_id()
        try:
            await run_in_threadpool(self.backups.begin, visitor(request).actor, key)
        except ActRefused as refused:
            return await run_in_threadpool(self._page, request, refused.code, 409)
        return RedirectResponse("/backups", status_code=303)

    def _page(self, request: Request, refused: str | None, status: int) -> Response:
        # Whoever took their first lead today has missed no night yet.
        first = select(func.min(tables.capture.c.accepted_us))
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            since_us = connection.execute(first).scalar() or self.desk.clock()
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        found = self.backups.kept()
        values = {
            "view": view,
            "found": found,
            "is_late": view.now_us - max(since_us, *(one.made_us for one in found[:1]), 0) > NEAR_US,
            "making": self.backups.making(),
            "folder": self.backups.folder,
            "nightly": self.backups.nightly,
            "acts": "operations" in view.visitor.roles,
            "new_key": self.desk.new_id,
            "refused": refused,
        }
        return page(request, view.language, "backups.html", values, status)
