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

EVERY_S = 2.0
"""Between two looks: a counter's tablet makes strangers one until then. What a look costs goes by the leads that came
since the last one, not by how often it is made."""
SPAN_US = 20 * 1_000_000
"""How far a look reaches back behind the last one: longer than any transaction takes, so that none is missed."""
BACK_US = 24 * 3_600 * 1_000_000
"""How far back the first look goes: over what came while nobody looked."""


class Crowding:
    """Looks now and then, for a loop that has nothing else to do at the moment."""

    def __init__(self, store: Database, append: Append) -> None:
        self._store = store
        self._append = append
        self._looked_us: int | None = None
        self._next_s = 0.0

    def turn(self, now_us: int) -> int:
        """Look, unless that was done a moment ago; return how many identifiers were taken out of use."""
        if time.monotonic() < self._next_s:
            return 0
        since_us = now_us - BACK_US if self._looked_us is None else self._looked_us - SPAN_US
        found = look_over(self._store, self._append, now_us, since_us)
        if not found:
            self._looked_us = now_us
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
