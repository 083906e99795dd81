"""Looks over what came in lately for identifiers that sit on too many people, and takes them out of use."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from enrich.review import crowded, demote
from leadflow.clock import new_id
from store.acts import ITSELF, Append, Command, perform
from store.database import Database

log = structlog.get_logger()

EVERY_S = 300.0
"""Between two looks: a counter's tablet makes strangers one until then, and reading a day's leads more often
would cost more than the few that it spares a person to part."""
BACK_US = 24 * 3_600 * 1_000_000
"""How far back a look goes: longer than a lead is ever held on its way, so that none is missed."""


class Crowding:
    """Looks now and then, for a loop that has nothing else to do at the moment."""

    def __init__(self, store: Database, append: Append) -> None:
        self._store = store
        self._append = append
        self._next_s = time.monotonic() + EVERY_S

    def turn(self, now_us: int) -> int:
        """Look, unless that was done a moment ago; return how many identifiers were taken out of use."""
        if time.monotonic() < self._next_s:
            return 0
        found = look_over(self._store, self._append, now_us, now_us - BACK_US)
        if not found:
            self._next_s = time.monotonic() + EVERY_S
        return found


def look_over(
    store: Database,
    append: Append,
    now_us: int,
    since_us: int,
    key: Callable[[], str] = new_id,
) -> int:
    """Demote what sits on too many people among what came since a moment; return how many there were."""
    with store.read() as connection:
        keys = crowded(connection, since_us)
    if keys:
        reason = f"{len(keys)} identifiers on too many people"
        command = Command("demote", ITSELF, key(), "identifiers", reason)
        perform(store, command, demote(keys), now_us, append)
        log.info("identifiers_demoted", count=len(keys))
    return len(keys)
