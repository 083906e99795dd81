"""The stories of the demo's first page: a click sends real leads through the real doors, and a page tells what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.stories_cast import LEAVER, NAMES, Name, mail_of, phone_of, run_of
from console.stories_read import DOORS, leaving_job, read_told
from console.texts import page
from console.view import View
from store.acts import ActRefused
from store.certificates import read_certificate


class Sender(Protocol):
    """What sends a story's leads, and does what its buttons say."""

    def send(self, story: Name, run: int) -> None:
        """Send what a story begins with, through the doors, in the background."""
        ...

    def repair(self, dead_id: str, run: int) -> None:
        """Send the right fields for the refused form."""
        ...

    def plan(self) -> list[tuple[str, int]]:
        """Return who would get how many of the leaver's customers."""
        ...

    def hand_over(self) -> str:
        """Hand the leaver's customers over; return the job."""
        ...

    def hand_back(self, job_id: str) -> None:
        """Undo the hand-over."""
        ...


@dataclass(frozen=True)
class StoriesPage:
    """One page a run of a story; it fetches its steps again until it is done."""

    desk: Desk
    sender: Sender

    def routes(self) -> list[BaseRoute]:
        """Return the routes; they exist in the demo only."""
        return [
            Route("/stories/{story}", self.begin, methods=["POST"]),
            Route("/stories/{story}/{run}", self.show),
            Route("/stories/{story}/{run}/steps", self.steps),
            Route("/stories/{story}/{run}/{verb}", self.act, methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        """Send the leads, and lead to the page of this run (303)."""
        story = _story(request)
        if story is None:
            return Response("There is no such story.\n", status_code=404)
        run = run_of(self.desk.clock())
        if story != "leaver":
            await run_in_threadpool(self.sender.send, story, run)
        return RedirectResponse(f"/stories/{story}/{run if story != 'leaver' else 'plan'}", status_code=303)

    async def show(self, request: Request) -> Response:
        """What became of it so far."""
        return await run_in_threadpool(self._page, request, "story_run.html")

    async def steps(self, request: Request) -> Response:
        """The steps alone, for the page to fetch."""
        return await run_in_threadpool(self._page, request, "_story_run.html")

    async def act(self, request: Request) -> Response:
        """Repair the broken row; hand the leaver's customers over, or back; then show the page again (303)."""
        return await run_in_threadpool(self._act, request)

    def _act(self, request: Request) -> Response:
        story, verb = _story(request), request.path_params["verb"]
        run = request.path_params["run"]
        try:
            if story == "broken_row" and verb == "repair" and run.isdecimal():
                with self.desk.store.read() as connection:
                    told = read_told(connection, story, int(run))
                if told.dead is not None and told.dead["state"] == "open":
                    self.sender.repair(told.dead["dead_id"], int(run))
            elif story == "leaver" and verb == "hand_over":
                run = self.sender.hand_over()
            elif story == "leaver" and verb == "hand_back":
                self.sender.hand_back(run)
            else:
                return Response("There is no such act.\n", status_code=404)
        except ActRefused as refused:
            return self._page(request, "story_run.html", refused.code, 409)
        return RedirectResponse(f"/stories/{story}/{quote(run, safe='')}", status_code=303)

    def _page(
        self, request: Request, template: str, refused: str | None = None, status: int = 200
    ) -> Response:
        story, run = _story(request), request.path_params["run"]
        who, now_us = visitor(request), self.desk.clock()
        values: Mapping[str, Any] | None = None
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            if story == "leaver":
                job = leaving_job(connection, run)
                has = job is not None and job["state"] in ("done", "undoing", "undone")
                values = {"job": job, "certificate": read_certificate(connection, run) if has else None}
            elif story is not None and run.isdecimal():
                values = {"told": read_told(connection, story, int(run))}
        view = View(language_of(request, company.language), company, now_us, who)
        if values is None:
            return page(request, view.language, "unknown.html", {"view": view, "asked_for": run}, 404)
        if story == "leaver" and values["job"] is None:
            values = {**values, "plan": self.sender.plan()}
        more = {
            "view": view,
            "story": story,
            "run": run,
            "doors": DOORS.get(cast(Name, story), ()),
            "phone": phone_of(cast(Name, story), int(run)) if run.isdecimal() and story != "leaver" else "",
            "mail": mail_of(int(run)) if story == "four_doors" else "",
            "leaver": LEAVER,
            "refused": refused,
        }
        return page(request, view.language, template, {**more, **values}, status)


def _story(request: Request) -> Name | None:
    return next((one for one in NAMES if one == request.path_params["story"]), None)
