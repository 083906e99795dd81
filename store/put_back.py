"""What a store that was put back from a backup must know of the time that was undone: which messages are not its own."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, insert, select, update

from store import tables
from store.bulk import keys_in

Logs = dict[tuple[str, str], float]
"""By topic and identity of the store's log: the offset from which on what was forwarded is not this store's own."""


def begin_new_log(connection: Connection, log_id: str) -> None:
    """Go on under a new identity of the log, as of now: what was forwarded later under the old one was undone.

    A store that was put back gives the same offsets out once more, for other events.
    """
    head, past = tables.topic_head, tables.log_past
    so_far = select(head.c.topic, head.c.topic_id, head.c.next_off)
    connection.execute(insert(past).from_select(["topic", "topic_id", "end_off"], so_far))
    connection.execute(update(head).values(topic_id=log_id))


def known_logs(connection: Connection) -> Logs:
    """Return the identities that this store's log has and had, and how far each is its own."""
    head, past = tables.topic_head, tables.log_past
    found: Logs = {
        (row.topic, row.topic_id): float("inf")
        for row in connection.execute(select(head.c.topic, head.c.topic_id))
    }
    return found | {(row.topic, row.topic_id): row.end_off for row in connection.execute(select(past))}


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
