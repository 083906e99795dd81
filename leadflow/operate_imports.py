"""What an operator does with lists: keep the file, begin, go on, take back; verbs of `leadflow.operate`."""

from __future__ import annotations

import time
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from sqlalchemy import Connection

from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.imports.pieces import keep, source_of
from leadflow.imports.spec import spec_of
from leadflow.imports.work import PAUSE_S, Imports
from leadflow.payload import Payload
from schemas.company import Company
from schemas.lead import ListKind
from store.acts import ActRefused, Command, perform
from store.acts_import import begin_key, on_their_way, revert_chunk, revert_command
from store.effects import Effect, Update
from store.imports import REVERT_DAYS, REVERT_US, Begin, Run, id_of, left_of, read_run, remembered, stopped_at

STEP_S = 8.0
"""How long one request goes on with a list before it answers: well within the minute that a client waits."""


def do_import_piece(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Make a piece of a list's file durable."""
    body = b64decode(payload["body"])
    capture_id = keep(engine, payload["source"], payload["digest"], int(payload["number"]), body)
    return {"capture_id": capture_id}


def do_import_begin(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Begin a list whose file is durable (or take up the one that it is already); `draft`: only write it down."""
    store, source_id, kind = engine.files.store, payload["source"], payload["kind"]
    source_of(engine, source_id)
    if kind not in get_args(ListKind):
        raise ValueError("no such kind of list")
    with store.read() as connection:
        company = engine.companies.get(connection)
        import_id = id_of(connection, source_id, kind, payload["digest"])
        before = remembered(connection, source_id)
        stopped = stopped_at(connection, import_id)
    spec = spec_of(dict(payload["spec"]), company)
    said, spec = spec.said, spec.model_copy(update={"said": {**before, **spec.said}})
    row = {
        "source_id": source_id,
        "kind": kind,
        "name": str(payload["name"])[:200],
        "digest": payload["digest"],
        "bytes": int(payload["bytes"]),
        "state": "draft" if payload.get("draft") else "running",
        "spec_json": spec.model_dump_json(),
        **_cost(payload, company),
    }
    key = f"{import_id}:{row['state']}" + (f":{stopped}" if stopped is not None else "")
    command = Command("import_list", payload["actor"], key, import_id, payload.get("reason"))
    begin = Begin(row, payload["pieces"], said)
    done = perform(store, command, begin, wall_clock_us(), engine.files.store_log.append)
    return {"import_id": import_id, "resumed": not done}


def _cost(payload: Payload, company: Company) -> dict[str, Any]:
    campaign, cost, currency = (payload.get(name) for name in ("campaign", "cost_minor", "currency"))
    if campaign and campaign not in company.campaigns:
        raise ActRefused("unknown_campaign", f"There is no campaign {campaign!r} in campaigns.csv.")
    if cost is not None and not (currency and len(currency) == 3 and currency.isalpha()):
        raise ActRefused("no_currency", "Say in which currency, with three letters: CNY, EUR, USD.")
    return {"campaign_id": campaign or None, "cost_minor": cost, "currency": currency and currency.upper()}


def do_import_step(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Go on with a list for some seconds; return how far it is."""
    import_id = payload["id"]
    live = getattr(engine, "imports", None)
    worker = live if isinstance(live, Imports) and live.is_live else Imports(engine, is_live=False)
    more = worker.step(import_id, STEP_S)
    return {**how_far(engine, import_id), "more": more}


def how_far(engine: Engine, import_id: str) -> dict[str, Any]:
    """Return how far a list is."""
    with engine.files.store.read() as connection:
        run = read_run(connection, import_id)
    return {
        "import_id": import_id,
        "state": run.state,
        "done": run.next_row - 1,
        "total": run.total,
        "taken": run.taken,
        "refused": run.refused,
        "code": run.code,
    }


def do_import_revert(engine: Engine, payload: Payload, seconds: float = STEP_S) -> dict[str, Any]:
    """Take a list back, or go on with it, for some seconds; return what became of its rows."""
    import_id, store, append = payload["id"], engine.files.store, engine.files.store_log.append
    reason = (payload.get("reason") or "").strip()
    with store.read() as connection:
        run = read_run(connection, import_id)
    if run.state != "reverting":
        _may_go_back(run, reason)
        if run.state != "reverted":
            begin = Command("revert_list_begin", payload["actor"], begin_key(run), import_id, reason)
            perform(store, begin, _reverting, wall_clock_us(), append)
    until, more = time.monotonic() + seconds, True
    while more and time.monotonic() < until:
        with store.read() as connection:
            run = read_run(connection, import_id)
            waits = on_their_way(connection, run, wall_clock_us()) if run.state == "reverting" else 0
        more = run.state == "reverting"
        if waits:
            time.sleep(PAUSE_S)
        elif more:
            perform(
                store, revert_command(run, payload["actor"], reason), revert_chunk, wall_clock_us(), append
            )
            if store.wal_is_full():
                store.checkpoint()
    with store.read() as connection:
        return {"import_id": import_id, "more": more, "rows": left_of(connection, import_id)}


def _may_go_back(run: Run, reason: str) -> None:
    if not reason:
        raise ActRefused("reason_missing", "Say why it is taken back; whoever worked on it will ask.")
    if run.state == "draft":
        raise ActRefused("nothing_to_move", "Nothing of this list was taken yet.")
    if wall_clock_us() - run.at_us > REVERT_US:
        raise ActRefused("undo_too_late", f"{run.import_id} is older than {REVERT_DAYS} days.")


def _reverting(connection: Connection, command: Command, _now_us: int) -> Sequence[Effect]:
    read_run(connection, command.scope_id)
    return [Update("import_run", {"import_id": command.scope_id}, {"state": "reverting", "next_row": 0})]


IMPORT_VERBS: Mapping[str, Callable[[Engine, Payload], dict[str, Any]]] = {
    "import_piece": do_import_piece,
    "import_begin": do_import_begin,
    "import_step": do_import_step,
    "import_revert": do_import_revert,
}
