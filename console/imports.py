"""The page of lists: bring one, say what its columns are, see what would happen, run it, watch it, correct it, take it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_larger, is_own_page
from console.gate import visitor
from console.texts import page
from console.view import View
from schemas.base import Language
from store.acts import ActRefused
from store.imports import Run, became, codes_of, left_of, read_run, runs

SHOWN = 100


class ListTrouble(ValueError):
    """A file is no list; what is wrong, in the language of whoever brought it."""

    def __init__(self, code: str, en: str, zh: str) -> None:
        super().__init__(en)
        self.code, self.en, self.zh = code, en, zh


class Lists(Protocol):
    """What the page has done by the host (leadflow.imports.desk). Methods raise ListTrouble and ActRefused."""

    @property
    def most_bytes(self) -> int:
        """How large a file the page takes."""
        ...

    @property
    def targets(self) -> Sequence[str]:
        """What a column may be."""
        ...

    def check(self, file: BinaryIO) -> None:
        """Raise ListTrouble for a file that is no table, or would burst."""
        ...

    def keep(self, file: BinaryIO, about: Mapping[str, str]) -> str:
        """Make a file durable, and write it down as a draft; `about`: name, source, kind, actor. Returns its id."""
        ...

    def preview(self, import_id: str, asked: Mapping[str, Any]) -> Any:
        """Return what would happen (leadflow.imports.preview); None while its file is not there yet."""
        ...

    def columns(self, import_id: str, asked: Mapping[str, Any]) -> Any:
        """Return the columns of a draft of which nobody knows any (leadflow.imports.preview.Columns)."""
        ...

    def begin(self, import_id: str, asked: Mapping[str, Any], actor: str) -> None:
        """Begin a draft."""
        ...

    def go_on(self, import_id: str, actor: str) -> None:
        """Go on with a list that has stopped."""
        ...

    def throw_away(self, import_id: str, actor: str) -> None:
        """Throw a draft away."""
        ...

    def revert(self, import_id: str, actor: str, reason: str) -> None:
        """Begin to take a list back."""
        ...

    def errors(self, import_id: str, suffix: str, language: Language) -> bytes:
        """Return the refused rows as a file."""
        ...


@dataclass(frozen=True)
class ImportsPage:
    """For whoever sees everything: lists say whose customers are."""

    desk: Desk
    lists: Lists

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/import", self.show),
            Route("/import", self.bring, methods=["POST"]),
            Route("/import/{import_id}", self.one),
            Route("/import/{import_id}/progress", self.progress),
            Route("/import/{import_id}/errors.{suffix}", self.errors),
            Route("/import/{import_id}/{verb}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Every list, the newest first, and the form that brings one."""
        return await run_in_threadpool(self._all, request, None, 200)

    async def bring(self, request: Request) -> Response:
        """Take a file in; then show it as a draft (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        if is_larger(request, self.lists.most_bytes):
            return await run_in_threadpool(self._all, request, _too_large(), 413)
        async with request.form(max_files=1, max_fields=10) as posted:
            return await run_in_threadpool(self._bring, request, posted)

    def _bring(self, request: Request, posted: FormData) -> Response:
        file = posted.get("file")
        if not isinstance(file, UploadFile) or not file.filename:
            return self._all(request, ActRefused("choose_file", "Choose a file first."), 422)
        if (file.size or 0) > self.lists.most_bytes:
            return self._all(request, _too_large(), 413)
        about = {name: str(posted.get(name) or "") for name in ("source", "kind")}
        about |= {"name": file.filename, "actor": _actor(request, str(posted.get("actor") or ""))}
        try:
            import_id = self.lists.keep(file.file, about)
        except (ListTrouble, ActRefused) as refused:
            return self._all(request, refused, 422)
        return RedirectResponse(f"/import/{quote(import_id)}", status_code=303)

    async def one(self, request: Request) -> Response:
        """One list: a draft with its columns and what would happen, else how far it is and what became of it."""
        return await run_in_threadpool(self._one, request, None, 200)

    async def progress(self, request: Request) -> Response:
        """The part of the page that changes while a list runs."""

        def answer() -> Response:
            return self._answer(request, "_import_progress.html", self._of_run(request), 200)

        try:
            return await run_in_threadpool(answer)
        except ActRefused as refused:
            return await run_in_threadpool(self._all, request, refused, 404)

    async def errors(self, request: Request) -> Response:
        """The refused rows as CSV or XLSX."""
        import_id, suffix = request.path_params["import_id"], request.path_params["suffix"]
        if suffix not in _TYPES:
            return await run_in_threadpool(self._all, request, None, 404)
        try:
            language = await run_in_threadpool(self._language, request)
            body = await run_in_threadpool(self.lists.errors, import_id, suffix, language)
        except (ListTrouble, ActRefused) as refused:
            return await run_in_threadpool(self._all, request, refused, 404)
        headers = {"content-disposition": f'attachment; filename="errors-{import_id}.{suffix}"'}
        return Response(body, media_type=_TYPES[suffix], headers=headers)

    async def act(self, request: Request) -> Response:
        """Look at a draft with other columns, run it or throw it away; go on with a list, or take it back (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 700)
        return await run_in_threadpool(self._act, request, entered)

    def _act(self, request: Request, entered: Mapping[str, str]) -> Response:
        import_id, verb = request.path_params["import_id"], request.path_params["verb"]
        actor = _actor(request, entered.get("actor", ""))
        try:
            if verb == "look" or (verb == "run" and entered.get("sheet") != entered.get("seen_sheet")):
                return self._one(request, None, 200, entered)
            if verb == "run":
                self.lists.begin(import_id, asked_of(entered), actor)
            elif verb == "go-on":
                self.lists.go_on(import_id, actor)
            elif verb == "throw-away":
                self.lists.throw_away(import_id, actor)
                return RedirectResponse("/import", status_code=303)
            elif verb == "revert":
                self.lists.revert(import_id, actor, entered.get("reason", "").strip()[:500])
            else:
                raise ActRefused("unknown_verb", f"There is no act {verb!r}.")
        except (ListTrouble, ActRefused) as refused:
            return self._one(request, refused, 409, entered)
        return RedirectResponse(f"/import/{quote(import_id)}", status_code=303)

    def _all(self, request: Request, refused: Exception | None, status: int) -> Response:
        with self.desk.store.read() as connection:
            found = runs(connection, limit=SHOWN)
            company = self.desk.companies.get(connection)
        sources = [one for one in company.sources.values() if one["format"] == "list.row"]
        values = {"runs": found, "sources": sources, "most_mb": self.lists.most_bytes // 1024**2}
        return self._answer(request, "imports.html", values, status, refused)

    def _one(
        self,
        request: Request,
        refused: Exception | None,
        status: int,
        entered: Mapping[str, str] | None = None,
    ) -> Response:
        try:
            values = self._of_run(request)
        except ActRefused as unknown:
            return self._all(request, unknown, 404)
        run: Run = values["run"]
        found = unread = None
        if run.state == "draft":
            quiet = {"no_route": "on", "no_notify": "on"} if run.kind == "customers" else {}
            asked = asked_of(quiet if entered is None else entered)
            try:
                found = self.lists.preview(run.import_id, asked)
            except ListTrouble as trouble:
                if trouble.code == "no_header":
                    unread = self.lists.columns(run.import_id, asked)
                refused = refused or trouble
            except ActRefused as trouble:
                refused = refused or trouble
            values |= {"asked": asked, "targets": self.lists.targets}
        return self._answer(
            request, "import.html", {**values, "found": found, "unread": unread}, status, refused
        )

    def _of_run(self, request: Request) -> dict[str, Any]:
        import_id = request.path_params["import_id"]
        with self.desk.store.read() as connection:
            run = read_run(connection, import_id)
            return {
                "run": run,
                "became": became(connection, import_id),
                "codes": codes_of(connection, import_id),
                "left": left_of(connection, import_id),
            }

    def _language(self, request: Request) -> Language:
        with self.desk.store.read() as connection:
            return language_of(request, self.desk.companies.get(connection).language)

    def _answer(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any],
        status: int,
        refused: Exception | None = None,
    ) -> Response:
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        who = visitor(request)
        view = View(language_of(request, company.language), company, self.desk.clock(), who)
        people = [] if who.person_id else [one for one in company.people.values() if one.state == "active"]
        told = refused.zh if isinstance(refused, ListTrouble) and view.language == "zh" else None
        shared = {
            "view": view,
            "people": people,
            "new_key": self.desk.new_id,
            "refused": getattr(refused, "code", None),
            "trouble": told or (str(refused) if isinstance(refused, ListTrouble) else None),
        }
        return page(request, view.language, template, {**shared, **values}, status)


def _number(text: str, most: int) -> int:
    """Return a number from 1 to `most`; 0 for anything else."""
    number = int(text) if text.isdecimal() and len(text) < 9 else 0
    return number if number <= most else 0


def asked_of(entered: Mapping[str, str]) -> dict[str, Any]:
    """Return what was entered as what is asked for; columns are `map:NAME`."""
    said = {key[4:]: value for key, value in entered.items() if key.startswith("map:") and value}
    horizon = entered.get("horizon_days", "").strip()
    per_day = entered.get("per_day", "").strip()
    return {
        "route": "no_route" not in entered,
        "notify": "no_notify" not in entered,
        "heap": entered.get("heap") or None,
        "horizon_days": _number(horizon, 99_999) or None,
        "per_day": _number(per_day, 1_000) or 10,
        "sheet": entered.get("sheet") or None,
        "campaign": entered.get("campaign") or None,
        "cost": entered.get("cost", "").strip(),
        "currency": entered.get("currency", "").strip() or "CNY",
        "columns": said,
    }


def _actor(request: Request, entered: str) -> str:
    return visitor(request).person_id or entered or "operator"


def _too_large() -> ActRefused:
    return ActRefused("too_large_list", "The file is larger than this page takes.")


_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
