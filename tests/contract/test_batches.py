"""How much a stage takes at once, by what else waits for the store meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from store.database import Database
from stream.host import BATCH_MIN, BATCH_SHARED
from tests.support.rig import Rig, post

LEADS = 1_200


def test_a_slow_store(rig: Rig) -> None:
    """SQLite has one writer, so batches shrink to let people in; PostgreSQL has not, and many small ones cost more."""
    rig.feed(
        post(made=f"m{number}", name=f"客户{number}", phone=f"138{number:08d}") for number in range(LEADS)
    )
    with _slow(rig.store, 0.003):
        taken = []
        while done := rig.step(0):
            taken.append(done)
    assert sum(taken) == LEADS
    if rig.store.dialect == "sqlite":
        assert taken[-2] == BATCH_MIN
    else:
        assert max(taken) == BATCH_SHARED
        assert len(taken) == 3


@contextmanager
def _slow(store: Database, seconds: float) -> Iterator[None]:
    def pause(*_all: Any) -> None:
        time.sleep(seconds)

    event.listen(store.engine, "before_cursor_execute", pause)
    yield
    event.remove(store.engine, "before_cursor_execute", pause)
