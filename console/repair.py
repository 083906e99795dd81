"""What needs repair, as work: the list by filter, one letter with its bytes and a form, and what became of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args
from urllib.parse import quote, urlencode

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.operations import Operations
from console.repair_fields import MOST_FIELDS, Corrected, corrected, editable
from console.texts import page
from console.timeline import FindCapture, as_text
from console.view import View
from sales.unlisted import unlisted
from schemas.capture import Capture
from schemas.results import Stage as StageName
from store.acts import ActRefused
from store.breakers import open_breakers
from store.repairs import Place, Wanted, became, codes, letter, letters, oldest, repaired_as

SHOWN = 50
MOST_AT_ONCE = 500
"""Letters that one button replays: some seconds. Whoever has more presses it again."""
STATES = ("open", "repaired", "replayed", "discarded")
UNLISTED_SHOWN = 50
"""The most frequent are those worth a line in the company's files."""
REASON_CHARS = 500


@dataclass(frozen=True)
class RepairPage:
    """For operations; an auditor reads, with numbers masked."""

    desk: Desk
    find_capture: FindCapture
    operations: Operations | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/needs-repair", self.show),
            Route("/needs-repair/replay", self.replay, methods=["POST"]),
            Route("/needs-repair/{any_id}", self.one),
            Route("/needs-repair/{any_id}/became", self.became),
            Route("/needs-repair/{any_id}/{verb}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What is held, what could not be read, what no list of the company has, and what to do about it."""
        return await run_in_threadpool(self._list, request, None, 200)

    async def one(self, request: Request) -> Response:
        """One letter: what is wrong, what was received, and the form to correct it."""
        return await run_in_threadpool(self._one, request, request.query_params.get("refused"), {}, 200)

    async def became(self, request: Request) -> Response:
        """The part of the page that says what became of a repair, asked again until it is known."""
        return await run_in_threadpool(self._became, request)

    async def replay(self, request: Request) -> Response:
        """Replay the letters of a filter, if the number that was typed is theirs; then show the list again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._replay, request, entered)

    async def act(self, request: Request) -> Response:
        """Repair, replay or discard one letter; then show it again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 2 * MOST_FIELDS + 10)
        return await run_in_threadpool(self._act, request, entered)

    def _list(self, request: Request, refused: str | None, status: int) -> Response:
        asked = request.query_params
        wanted, after = wanted_in(asked), _place(asked.get("after", ""))
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            found = letters(connection, wanted, after, SHOWN + 1)
            to_replay = self._to_replay(connection, wanted)
            known = codes(connection, wanted.state, 1_000)
            breakers = open_breakers(connection) if wanted.state == "open" else []
            on_no_list = unlisted(connection, company)[:UNLISTED_SHOWN] if after is None else []
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        narrowed = {
            name: value for name, value in asked.items() if name in ("state", "source", "stage", "code")
        }
        more = None
        if len(found) > SHOWN:
            last = found[SHOWN - 1]
            place = f"{last['refused_us']}.{last['dead_id']}"
            more = f"/needs-repair?{urlencode({**narrowed, 'after': place})}"
        values = {
            "view": view,
            "letters": found[:SHOWN],
            "more": more,
            "wanted": wanted,
            "is_narrowed": bool(narrowed),
            "states": STATES,
            "sources": {**company.sources, **company.sources_off},
            "stages": get_args(StageName),
            "codes": known,
            "to_replay": to_replay,
            "most": MOST_AT_ONCE,
            "breakers": breakers,
            "on_no_list": on_no_list,
            "acts": self._may_act(request),
            "new_key": self.desk.new_id,
            "refused": refused,
            "done": asked.get("done"),
            "replayed": asked.get("replayed"),
            "failed": asked.get("failed"),
        }
        return page(request, view.language, "needs_repair.html", values, status)

    def _to_replay(self, connection: Connection, wanted: Wanted) -> int:
        return len(oldest(connection, wanted, MOST_AT_ONCE)) if wanted.state == "open" else 0

    def _replay(self, request: Request, entered: Mapping[str, str]) -> Response:
        wanted = wanted_in(entered)
        with self.desk.store.read() as connection:
            ids = oldest(connection, wanted, MOST_AT_ONCE) if wanted.state == "open" else []
        if entered.get("count", "").strip() != str(len(ids)) or not ids:
            return self._list(request, "count_differs", 409)
        key = entered.get("key") or self.desk.new_id()
        failed = 0
        for dead_id in ids:
            try:
                self._do(
                    "replay", {"id": dead_id, "actor": visitor(request).actor, "key": f"{key}:{dead_id}"}
                )
            except ActRefused:
                failed += 1  # somebody settled it meanwhile: its own page says who
        said = {"source": wanted.source_id, "stage": wanted.stage, "code": wanted.code}
        result = {"done": "replay", "replayed": len(ids) - failed, "failed": failed}
        kept = {name: value for name, value in said.items() if value}
        return RedirectResponse(f"/needs-repair?{urlencode({**kept, **result})}", status_code=303)

    def _act(self, request: Request, entered: Mapping[str, str]) -> Response:
        dead_id, verb = request.path_params["any_id"], request.path_params["verb"]
        reason = entered.get("reason", "").strip()[:REASON_CHARS]
        payload: dict[str, Any] = {"id": dead_id, "actor": visitor(request).actor, "reason": reason or None}
        payload |= self.desk.keyed(request, entered)
        try:
            if verb == "repair":
                payload |= self._body(request, dead_id, entered)
            elif verb == "discard" and not reason:
                raise ActRefused("discard_reason_missing", "Say why it is given up.")
            elif verb not in ("replay", "discard"):
                raise ActRefused("unknown_verb", f"There is no act {verb!r}.")
            with self.desk.remembers(request, entered):
                self._do(verb, payload)
        except ActRefused as refused:
            if refused.code != "dead_letter_ended" or not self._is_same(request, dead_id, verb, entered):
                return self._one(request, refused.code, entered, 409)
        return RedirectResponse(f"/needs-repair/{quote(dead_id, safe='')}?done={verb}", status_code=303)

    def _body(self, request: Request, dead_id: str, entered: Mapping[str, str]) -> dict[str, str]:
        return correction(*self._capture(request, dead_id), entered)

    def _is_same(self, request: Request, dead_id: str, verb: str, entered: Mapping[str, str]) -> bool:
        """Tell whether a repair was made before exactly so, by a second click: then nothing is refused."""
        theirs, mine = self._theirs(request, dead_id), self._mine(request, dead_id, entered)
        return verb == "repair" and theirs is not None and mine is not None and theirs.body == mine.body

    def _theirs(self, request: Request, dead_id: str) -> Capture | None:
        with self.desk.store.read() as connection:
            dead = letter(connection, dead_id)
            capture_id = repaired_as(connection, dead) if dead is not None else None
        return self.find_capture(capture_id) if capture_id else None

    def _mine(self, request: Request, dead_id: str, entered: Mapping[str, str]) -> Corrected | None:
        capture, is_clear = self._capture(request, dead_id)
        return corrected(capture, entered) if capture is not None and is_clear else None

    def _capture(self, request: Request, dead_id: str) -> tuple[Capture | None, bool]:
        with self.desk.store.read() as connection:
            dead = letter(connection, dead_id)
        found = self.find_capture(dead["capture_id"]) if dead is not None and dead["capture_id"] else None
        return found, getattr(request.state, "clear", True)

    def _one(
        self, request: Request, refused: str | None, entered: Mapping[str, str], status: int
    ) -> Response:
        dead_id = request.path_params["any_id"]
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            dead = letter(connection, dead_id)
            found = became(connection, dead) if dead is not None else None
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        if dead is None:
            return page(request, view.language, "unknown.html", {"view": view, "asked_for": dead_id}, 404)
        capture, is_clear = self._capture(request, dead_id)
        lost = refused in ("dead_letter_ended", "key_reused") and bool(entered)
        theirs = self._theirs(request, dead_id) if lost and is_clear else None
        mine = self._mine(request, dead_id, entered) if lost and is_clear else None
        values = {
            "view": view,
            "dead": dead,
            "became": found,
            "capture": capture,
            "text": as_text(capture.body) if capture is not None else "",
            "edit": _shown(editable(capture), entered) if capture is not None and is_clear else None,
            "is_clear": is_clear,
            "theirs": as_text(theirs.body) if theirs is not None else None,
            "mine": as_text(mine.body) if mine is not None else None,
            "acts": self._may_act(request),
            "new_key": self.desk.new_id,
            "refused": refused,
            "done": request.query_params.get("done"),
        }
        return page(request, view.language, "repair.html", values, status)

    def _became(self, request: Request) -> Response:
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            dead = letter(connection, request.path_params["any_id"])
            found = became(connection, dead) if dead is not None else None
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        if dead is None:
            asked_for = request.path_params["any_id"]
            return page(request, view.language, "unknown.html", {"view": view, "asked_for": asked_for}, 404)
        values = {"view": view, "dead": dead, "became": found}
        return page(request, view.language, "_repair_became.html", values)

    def _may_act(self, request: Request) -> bool:
        return self.operations is not None and "operations" in visitor(request).roles

    def _do(self, verb: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        if self.operations is None:
            raise ActRefused("unknown_verb", "Nothing can be done here.")
        return self.operations.do(verb, payload)


def correction(capture: Capture | None, is_clear: bool, entered: Mapping[str, str]) -> dict[str, str]:
    """Return corrected bytes as the host takes them. Raises ActRefused for what is gone, and what was seen masked alone."""
    if capture is None:
        raise ActRefused("no_raw_bytes", "The raw bytes of this are gone (erased), so it cannot be repaired.")
    if not is_clear:
        raise ActRefused("numbers_masked", "See it in full first.")
    made = corrected(capture, entered)
    return {"body": b64encode(made.body).decode(), "type": made.content_type}


def wanted_in(asked: Mapping[str, str]) -> Wanted:
    """Return which letters are asked for, in an address or a form."""
    state = asked.get("state", "open")
    return Wanted(
        state if state in STATES else "open",
        asked.get("source", ""),
        asked.get("stage", ""),
        asked.get("code", ""),
    )


def _place(text: str) -> Place | None:
    at, _, dead_id = text.partition(".")
    return (int(at), dead_id) if at.isdecimal() and len(at) < 19 and dead_id else None


def _shown(found: Any, entered: Mapping[str, str]) -> dict[str, Any]:
    """Return a body to correct as the page shows it: with what was entered before, and room for one more field."""
    if found.kind in ("form", "json"):
        pairs = [*found.pairs, ("", "")]
        shown = [
            (entered.get(f"name:{at}", name), entered.get(f"value:{at}", value))
            for at, (name, value) in enumerate(pairs)
        ]
        return {"kind": found.kind, "pairs": shown, "text": ""}
    return {"kind": found.kind, "pairs": (), "text": entered.get("text", found.text)}
