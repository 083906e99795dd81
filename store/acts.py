"""The one command path: what a person does, as one transaction with its actor, reason and key.

An act carries an idempotency key: done twice, the second time changes nothing and answers the same. Console,
API and command line all come through here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from schemas.events import Event
from schemas.ids import body_digest, make_id
from store import tables
from store.contention import until_alone
from store.database import Database
from store.effects import Effect, Insert, Update, Writes
from store.locks import lock_act, lock_customers


class ActRefused(ValueError):
    """The act cannot be done; the message says why and what to do instead."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


ITSELF = "leadflow"
"""The actor of what nobody asked for: what Leadflow does by itself."""


@dataclass(frozen=True, slots=True)
class Command:
    """Who wants what, and the key that makes a repetition harmless."""

    verb: str
    actor: str
    idem_key: str
    scope_id: str
    reason: str | None = None
    undoes: str | None = None
    """The act that this one takes back: once at most."""
    asked: str | None = None
    """Digest of all that was sent with the key (`digest_of`), if that was more than verb, scope and reason."""

    @property
    def act_id(self) -> str:
        """The id of the act this command leads to."""
        return make_id("act", self.idem_key)


_DIGITS = 6
"""Of a digest: another body under the same key passes once in 16 million times, and what somebody's number was in a body of
somebody who is erased since can not be found by trying numbers: thousands fit."""


def digest_of(body: bytes) -> str:
    """Return the digest of what was sent with a key, by which another body under the same key is told."""
    return body_digest(body)[:_DIGITS]


def tells(command: Command, answer: Any) -> Update:
    """Return the effect that keeps what an act is answered with (plain data), for who asks again under its key."""
    return Update("act", {"act_id": command.act_id}, {"told_json": orjson.dumps(answer).decode()})


def told_before(connection: Connection, act_id: str) -> Any:
    """Return what an act that was done before was answered with; None if nothing is kept of it."""
    act = tables.act
    asked = select(act.c.told_json).where(act.c.act_id == act_id)
    kept = connection.execute(asked).scalar_one_or_none()
    return None if kept is None else orjson.loads(kept)


Plan = Callable[[Connection, Command, int], Sequence[Effect]]
"""Checks an act against the present state and returns its effects. Raises ActRefused."""


Append = Callable[[Connection, str, Sequence[Event], int], object]
"""Puts events on a topic inside a transaction (`stream.log.SqlLog.append`)."""


def open_task(connection: Connection, task_id: str) -> dict[str, Any]:
    """Return an open task's row, its customer locked, for an act on it.

    Raises ActRefused if there is none, or it has ended.
    """
    table = tables.task
    asked = select(table).where(table.c.task_id == task_id)
    row = connection.execute(asked).mappings().one_or_none()
    if row is None:
        raise ActRefused("unknown_task", f"There is no task {task_id}.")
    while lock_customers(connection, [row["customer_id"]]):
        before, row = row, connection.execute(asked).mappings().one()
        if row["customer_id"] == before["customer_id"]:
            break  # else it was merged or parted meanwhile
    if row["state"] != "open":
        raise ActRefused("task_ended", f"Task {task_id} is {row['state']} already; reload the inbox.")
    return dict(row)


def perform(store: Database, command: Command, plan: Plan, now_us: int, append: Append) -> bool:
    """Do an act in one transaction; return False if it had been done before under this key.

    Judged anew when somebody else was at the same customer meanwhile. Raises ActRefused, and then nothing
    was changed.
    """
    return until_alone(lambda: _perform(store, command, plan, now_us, append))


def is_done(connection: Connection, command: Command) -> bool:
    """Tell whether an act was done before under this key.

    Asked for in the same words it is the same act, whatever its scope is by now: that may follow from how things
    stood. Raises ActRefused for a key that belongs to another act, or came with another body.
    """
    act = tables.act
    known = connection.execute(
        select(act.c.verb, act.c.scope_id, act.c.asked).where(act.c.idem_key == command.idem_key)
    ).one_or_none()
    if known is None:
        return False
    told = None not in (known.asked, command.asked)
    if known.verb != command.verb or (known.scope_id != command.scope_id and not told):
        raise ActRefused("key_reused", "This key was used for another act; send a new one.")
    if told and known.asked != command.asked:
        raise ActRefused("key_reused", "This key was used with another body; send that again, or a new key.")
    return True


def _perform(store: Database, command: Command, plan: Plan, now_us: int, append: Append) -> bool:
    with store.write() as connection:
        lock_act(connection, command.idem_key)
        if is_done(connection, command):
            return False
        writes = Writes()
        writes.add(plan(connection, command, now_us))
        row = {
            "act_id": command.act_id,
            "idem_key": command.idem_key,
            "actor": command.actor,
            "verb": command.verb,
            "reason": command.reason,
            "scope_id": command.scope_id,
            "undoes": command.undoes,
            "asked": command.asked,
            "recorded_us": now_us,
        }
        writes.add([Insert("act", row)])
        writes.flush(connection)
        for topic in sorted(writes.emitted):
            append(connection, topic, writes.emitted[topic], now_us)
    return True
