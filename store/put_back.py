"""What a store that was put back from a backup must know of the time that was undone: which messages are not its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy import Connection, insert, literal, select, union_all, update

from store import tables
from store.bulk import Prepared, keys_in


@dataclass(frozen=True, slots=True)
class Logs:
    """How far each topic of the store's log goes, under its identity of now and those of the past."""

    now: dict[tuple[str, str], int] = field(default_factory=dict)
    """By topic and identity: the next offset."""
    past: dict[tuple[str, str], int] = field(default_factory=dict)
    """The same: from where on what was forwarded is not this store's own."""


_HEAD, _PAST = tables.topic_head, tables.log_past
_LOGS = Prepared(
    union_all(
        select(
            _HEAD.c.topic, _HEAD.c.topic_id, _HEAD.c.next_off.label("end_off"), literal(0).label("is_past")
        ),
        select(_PAST.c.topic, _PAST.c.topic_id, _PAST.c.end_off, literal(1)),
    )
)


def begin_new_log(connection: Connection, log_id: str) -> None:
    """Go on under a new identity of the log, as of now: what was forwarded later under the old one was undone.

    A store that was put back gives the same offsets out once more, for other events.
    """
    so_far = select(_HEAD.c.topic, _HEAD.c.topic_id, _HEAD.c.next_off)
    connection.execute(insert(_PAST).from_select(["topic", "topic_id", "end_off"], so_far))
    connection.execute(update(_HEAD).values(topic_id=log_id))


def known_logs(connection: Connection) -> Logs:
    """Return the identities that this store's log has and had, and how far it goes under each."""
    found = Logs()
    for row in _LOGS(connection):
        (found.past if row.is_past else found.now)[row.topic, row.topic_id] = row.end_off
    return found


def without_reason(connection: Connection, captures: Collection[str]) -> set[str]:
    """Return those of these captures, none of which can be opened, that were neither erased nor read before.

    Their keys are missing: nobody deleted them.
    """
    marks, seen = tables.erased, tables.capture
    erased = select(marks.c.keyed_hash).where(
        keys_in(connection, ["kind", "keyed_hash"], [("capture", one) for one in captures])
    )
    read = select(seen.c.capture_id).where(keys_in(connection, ["capture_id"], [(one,) for one in captures]))
    known = {*connection.execute(erased).scalars(), *connection.execute(read).scalars()}
    return set(captures) - known
