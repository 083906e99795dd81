"""What an operator does: replay, repair, erase, ingest, apply; one function each, for host and command line.

The running host is the only one who writes. The command line sends an act to it when it runs, and else opens
the data folder itself, under the same lock.
"""

from __future__ import annotations

import http.client
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, get_args
from urllib.parse import urlsplit

import orjson

from console.may import roles_of
from console.permits import SCOPES
from enrich.acts_merge import merge_with
from enrich.acts_part import Wish, part
from enrich.live import publish_model
from enrich.review import Answer, answer
from enrich.taken import an_hour, asking, look_up, scopes_of
from ingest.files import captures_of_file
from leadflow.clock import new_id, new_secret, wall_clock_us
from leadflow.company import problems_of_book
from leadflow.crowding import look_over
from leadflow.embedded import Embedded, open_files
from leadflow.engine import Data, Engine
from leadflow.lock import AlreadyRunning, take_lock
from leadflow.operate_claims import do_decide_claim, do_register
from leadflow.operate_correct import do_correct
from leadflow.operate_imports import IMPORT_VERBS
from leadflow.operate_marketing import (
    do_assign_alias,
    do_assign_order,
    do_end_spend,
    do_stage,
    do_take_orders,
    do_take_spend,
)
from leadflow.operate_moves import do_auto_moves, do_hand_back, do_hand_over, do_move, do_undo, do_undo_scope
from leadflow.operate_pools import do_claim, do_release
from leadflow.payload import Payload, command_of
from leadflow.settings import Settings
from sales.apply import merged, publish, publish_book, roll_back
from sales.away import cancel_leave, come_back, covers, go_away
from sales.book_files import BookText
from sales.diff import diff
from sales.roles import set_roles
from schemas.capture import KEPT_FILE, Capture, capture_of
from schemas.company import Absence, Company, Role
from schemas.work import ASKED
from store.access import HOUR_US, end, find_access, grant
from store.acts import ActRefused, Command, is_done, perform
from store.acts_dead import discard, open_dead_letter, repaired, replay
from store.acts_erase import Outgrown, erase_customer, find_erasure, marked
from store.acts_move import owned_by
from store.acts_opt_out import find_opt_out, opt_out
from store.breakers import reset
from store.company import company_version, last_book_number, load_company, number_by
from store.journal import Erasure, write_journal
from store.present import present_ids


def do_replay(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Have the stage that refused decide once more."""
    return _act(engine, payload, "replay", replay())


def do_discard(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Give a dead letter up; its raw bytes stay."""
    return _act(engine, payload, "discard", discard())


def do_repair(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Take the repaired bytes of a dead letter as a new capture, child of the refused one."""
    with _REPAIRING:
        return _repair(engine, payload)


_REPAIRING = threading.Lock()
"""Two who repair the same at once: the second must find it settled before their bytes are taken as a correction."""


def _repair(engine: Engine, payload: Payload) -> dict[str, Any]:
    dead_id, body, command = payload["id"], b64decode(payload["body"]), command_of(payload, "repair")
    with engine.files.store.read() as connection:
        if is_done(connection, command):
            return {"act_id": command.act_id, "repeated": True}
        dead = open_dead_letter(connection, dead_id)
    original = raw_capture(engine, dead["capture_id"])
    child = capture_of(
        source_id=original.source_id,
        channel=original.channel,
        format=original.format,
        body=body,
        accepted_us=wall_clock_us(),
        trace_id=original.trace_id,
        idem_key=f"repair:{dead_id}",
        # What is repaired is as old as it was: somebody erased since does not come back by it.
        occurred_us=original.accepted_us if original.occurred_us is None else original.occurred_us,
        purpose=original.purpose,
        parent_id=original.capture_id,
        meta={**original.meta, **({"content_type": payload["type"]} if payload.get("type") else {})},
    )
    engine.door.append([child]).result()
    return {**_act(engine, payload, "repair", repaired()), "capture_id": child.capture_id}


def do_erase(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Erase a customer: journal first, then keys, then rows; both files are emptied of what was deleted."""
    files = engine.files
    command = command_of(payload, "erase")
    erasure = _erase_once(files, command)
    while erasure is None:
        erasure = _erase_once(files, command)
    files.empty_deleted()
    return {"act_id": command.act_id, "captures": len(erasure.captures), "leads": len(erasure.leads)}


def _erase_once(files: Data, command: Command) -> Erasure | None:
    """Erase a customer; None when something came to it meanwhile, so that it is not done yet."""
    with files.store.read() as connection:
        found = find_erasure(connection, command.act_id, command.scope_id)
        erasure = marked(connection, found, files.keys.hash_secret, wall_clock_us())
    write_journal(files.journal, erasure)
    files.forget_keys(erasure)
    plan = erase_customer(erasure)
    try:
        perform(files.store, command, plan, wall_clock_us(), files.store_log.append)
    except Outgrown:
        return None
    return erasure


def do_opt_out(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Note that a customer does not agree to some purposes any more: journal first, so that a backup cannot undo it."""
    files = engine.files
    command, now_us = command_of(payload, "opt_out"), wall_clock_us()
    with files.store.read() as connection:
        found = find_opt_out(connection, command, payload["purposes"], files.keys.hash_secret, now_us)
    write_journal(files.journal, found)
    done = perform(files.store, command, opt_out(found), now_us, files.store_log.append)
    return {"act_id": command.act_id, "repeated": not done, "leads": len(found.leads)}


def do_ingest(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Take one file (an `.eml`, a posted form) as if it had come through its source's door."""
    source = engine.sources().get(payload["source"])
    if source is None:
        raise ActRefused("unknown_source", f"There is no source {payload['source']!r}.")
    captures = captures_of_file(
        source,
        b64decode(payload["body"]),
        accepted_us=wall_clock_us(),
        new_id=new_id,
        meta={"file": payload["name"], KEPT_FILE: "yes"},
    )
    engine.door.append(captures).result()
    return {"receipt": captures[0].capture_id, "trace_id": captures[0].trace_id}


def do_apply(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Write a whole company over the present one; return the changes as sentences."""
    new = Company.model_validate(payload["company"])
    with engine.files.store.read() as connection:
        old = load_company(connection, company_version(connection))
        here = [key for key, person in old.people.items() if person.state == "active"]
        owned = {key: len(owned_by(connection, key)) for key in here if _leaves(new, key)}
    changes = [change.text(new.language) for change in diff(old, merged(old, new, wall_clock_us()))]
    left = {key: count for key, count in owned.items() if count}
    return {
        **_act(engine, payload, "publish", publish(new, problems_of_book)),
        "changes": changes,
        "left": left,
    }


def _leaves(new: Company, person_id: str) -> bool:
    return person_id not in new.people or new.people[person_id].state == "left"


def do_publish_book(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Put a rule book in force; return the number under which it is."""
    first, tables = payload["csv"], dict(payload["tables"])
    if not all(isinstance(text, str) for text in (first, *tables.values())):
        raise ValueError("csv and tables hold the text of each table")
    book = BookText(first, tables, payload.get("examples"))
    over = payload.get("over")
    if over is not None and not isinstance(over, int):
        raise ValueError("over is the number of the version that it takes the place of")
    plan = publish_book(book, problems_of_book, over)
    return _numbered(engine, _act(engine, payload, "publish_book", plan))


def do_roll_back_book(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Put an earlier rule book in force again; return the number under which it is."""
    plan = roll_back(payload.get("number"), problems_of_book)
    return _numbered(engine, _act(engine, payload, "roll_back_book", plan))


def _numbered(engine: Engine, done: dict[str, Any]) -> dict[str, Any]:
    with engine.files.store.read() as connection:
        number = number_by(connection, done["act_id"]) or last_book_number(connection)
    return {**done, "number": number}


def do_grant(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Give a person a token or a one-time link; the secret is returned once and kept nowhere."""
    secret = new_secret()
    if payload["kind"] not in ("token", "link", "invitation") or payload.get("role") not in (
        None,
        *get_args(Role),
    ):
        raise ValueError("no such kind or role")
    scopes = payload.get("scopes") or ()
    if scopes and (payload["kind"] != "token" or not all(one in SCOPES for one in scopes)):
        raise ValueError("scopes are a token's, and parts of the API")
    plan = grant(payload["kind"], secret, int(payload["hours"]) * HOUR_US, payload.get("role"), scopes)
    _act(engine, payload, "grant", plan)
    with engine.files.store.read() as connection:
        access = find_access(connection, secret)
    if access is None:
        raise ActRefused(
            "key_reused", "This was granted before, and its secret is kept nowhere; ask for another."
        )
    return {
        "secret": secret,
        "access_id": access.access_id,
        "role": access.role,
        "scope": access.scope,
    }


def do_set_roles(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Give a person roles; in force at their next request."""
    wanted: list[Role] = [one for one in get_args(Role) if one in payload["roles"]]
    if len(wanted) < len(set(payload["roles"])):
        raise ValueError("no such role")
    return _act(engine, payload, "set_roles", set_roles(wanted))


def do_end_access(engine: Engine, payload: Payload) -> dict[str, Any]:
    """End a token, link or session, or all that a person has."""
    return _act(engine, payload, "end_access", end())


def do_reset_breaker(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Have the events that are held of a source replayed, in order; `*`: of all, and stopped stages go on."""
    return _act(engine, payload, "reset_breaker", reset())


def do_merge(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Make two customers (or contacts) one; return under which id."""
    plan = merge_with(payload["other"], although=bool(payload.get("although")))
    done = _act(engine, payload, "merge", plan)
    with engine.files.store.read() as connection:
        return {**done, "name": present_ids(connection, [payload["id"]])[payload["id"]]}


def do_unmerge(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Part a customer (or contact): undo a merge, or part leads of it."""
    return _act(engine, payload, "unmerge", part(wish_of(payload)))


def do_answer(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Answer a review, and do what follows from it."""
    if payload["answer"] not in get_args(Answer):
        raise ValueError("no such answer")
    return _act(engine, payload, "review", answer(payload["answer"]))


def do_use_model(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Put a match model and its bands in use."""
    plan = publish_model(payload.get("model"), payload.get("bands"), payload.get("seen"))
    return _act(engine, payload, "use_model", plan)


def do_away(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Note that somebody is away for a time."""
    plan = go_away(int(payload["from_us"]), int(payload["to_us"]), payload.get("stand_in"))
    return _act(engine, payload, "away", plan)


def do_away_many(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Note for many people that they are away, each by an act of its own; what was noted before is left as it is."""
    done, known, refused = [], 0, []
    for number, row in enumerate(payload["rows"]):
        with engine.files.store.read() as connection:
            company = load_company(connection, company_version(connection))
        wanted = Absence(**row)
        if any(covers(one, wanted) for one in company.absences):
            known += 1
            continue
        plan = go_away(wanted.from_us, wanted.to_us, wanted.stand_in_id)
        try:
            done.append(_act(engine, {**payload, "id": wanted.person_id}, "away", plan)["act_id"])
        except ActRefused as why:
            refused.append({"row": number, "code": why.code, "message": str(why)})
    return {"done": len(done), "known": known, "refused": refused}


def do_back(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Note that somebody is back."""
    return _act(engine, payload, "back", come_back())


def do_cancel_leave(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Note that somebody does not go on a leave after all."""
    return _act(engine, payload, "cancel_leave", cancel_leave(int(payload["from_us"])))


def do_look_over(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Look over everything for identifiers that sit on too many people."""
    files = engine.files
    return {"demoted": look_over(files.store, files.store_log.append, wall_clock_us(), 0)}


def do_ask_taken(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Say who has a customer, to whoever asks; each of them is told who asked."""
    with engine.files.store.read() as connection:
        company = load_company(connection, company_version(connection))
        found = look_up(connection, company, payload["asked"], payload["actor"])
    plan = asking(an_hour(roles_of(company, payload["actor"])))
    for customer_id in scopes_of(found):
        _act(engine, {"actor": payload["actor"], "id": customer_id}, ASKED, plan)
    return {
        "taken": [
            {
                "unit": one.unit_id,
                "since_us": one.since_us,
                "ask": one.ask,
                "yours": one.yours,
                "closed": one.ended is not None,
            }
            for one in found
        ]
    }


def wish_of(payload: Payload) -> Wish:
    """Return what is to be parted."""
    return Wish(
        payload["id"],
        leads=frozenset(payload.get("leads") or ()),
        act_id=payload.get("act_id"),
        keep_contacts=bool(payload.get("keep_contacts")),
    )


VERBS: Mapping[str, Callable[[Engine, Payload], dict[str, Any]]] = {
    "replay": do_replay,
    "discard": do_discard,
    "reset_breaker": do_reset_breaker,
    "repair": do_repair,
    "correct": do_correct,
    "erase": do_erase,
    "opt_out": do_opt_out,
    "ingest": do_ingest,
    "apply": do_apply,
    "grant": do_grant,
    "end_access": do_end_access,
    "merge": do_merge,
    "unmerge": do_unmerge,
    "review": do_answer,
    "look_over": do_look_over,
    "away": do_away,
    "away_many": do_away_many,
    "back": do_back,
    "cancel_leave": do_cancel_leave,
    "use_model": do_use_model,
    "ask_taken": do_ask_taken,
    "publish_book": do_publish_book,
    "roll_back_book": do_roll_back_book,
    "move": do_move,
    "register": do_register,
    "decide_claim": do_decide_claim,
    "auto_moves": do_auto_moves,
    "undo": do_undo,
    "claim": do_claim,
    "release": do_release,
    "undo_scope": do_undo_scope,
    "hand_over": do_hand_over,
    "hand_back": do_hand_back,
    "set_roles": do_set_roles,
    "stage": do_stage,
    "take_orders": do_take_orders,
    "assign_order": do_assign_order,
    "take_spend": do_take_spend,
    "end_spend": do_end_spend,
    "assign_alias": do_assign_alias,
    **IMPORT_VERBS,
}


def operate(settings: Settings, verb: str, payload: Payload) -> dict[str, Any]:
    """Do it in the running host, else here, and then let the stages work until nothing is left.

    Raises ActRefused when it cannot be done, ConnectionError when the host does not answer.
    """
    try:
        lock = take_lock(settings.data)
    except AlreadyRunning as running:
        return _ask_host(running.url, verb, payload)
    try:
        if settings.is_cluster:
            return _in_cluster(settings, verb, payload)
        return _here(settings, verb, payload)
    finally:
        lock.close()


def _here(settings: Settings, verb: str, payload: Payload) -> dict[str, Any]:
    files = open_files(
        settings.data, settings.wal_limit_bytes, backups=settings.backups, journal=settings.erasures
    )
    engine = Embedded(files, policy=settings.breaker)
    engine.door.start()
    try:
        answer = VERBS[verb](engine, payload)
        engine.work_off()
        return answer
    finally:
        engine.door.close()
        engine.files.close()


def _in_cluster(settings: Settings, verb: str, payload: Payload) -> dict[str, Any]:
    from leadflow.cluster import ClusterEngine, open_cluster  # Kafka's client is an extra

    engine = ClusterEngine(open_cluster(settings, "operate"), settings, "console")
    engine.start()
    try:
        return VERBS[verb](engine, payload)
    finally:
        engine.stop()


def raw_capture(engine: Engine, capture_id: str | None) -> Capture:
    """Return a capture with its raw bytes. Raises ActRefused if it is unknown or erased."""
    found = engine.files.capture(capture_id) if capture_id else None
    if found is None:
        raise ActRefused("no_raw_bytes", "The raw bytes of this are gone (erased), so it cannot be repaired.")
    return found


def _act(engine: Engine, payload: Payload, verb: str, plan: Any) -> dict[str, Any]:
    command = command_of(payload, verb)
    append = engine.files.store_log.append
    done = perform(engine.files.store, command, plan, wall_clock_us(), append)
    return {"act_id": command.act_id, "repeated": not done}


def _ask_host(url: str, verb: str, payload: Payload) -> dict[str, Any]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=60)
    try:
        body = orjson.dumps(dict(payload))
        connection.request("POST", f"/api/operate/{verb}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = orjson.loads(answer.read())
    finally:
        connection.close()
    if answer.status >= 400:
        raise ActRefused(content["code"], content["detail"])
    return dict(content)
