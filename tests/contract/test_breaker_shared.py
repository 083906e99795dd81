"""One breaker for any number of workers: opened once, nothing is stranded when it closes. On PostgreSQL, with threads."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from leadflow import pipeline
from schemas.capture import Capture
from schemas.lead import Lead
from store import tables
from store.acts import Command, perform
from store.breakers import Opening, blocked, close_breaker, put_breaker, reset
from store.bulk import insert_ignore
from store.company import CompanyCache, put_company
from store.database import Database
from stream.breaker import Policy
from stream.door_log import CAPTURES, capture_event
from stream.host import StageHost
from stream.letters import held_letter
from stream.log import Head, Logged, LogReader, Place
from tests.support.rig import HOUR, MONDAY_10, Rig
from tests.support.senders import bad, senders

POLICY = Policy(share=0.5, window_us=HOUR, minimum=5)
WORKERS = 4
EACH = 120


class Partitions(LogReader):
    """Captures in memory, one list a partition."""

    def __init__(self) -> None:
        self.parts: list[list[Logged]] = [[] for _ in range(WORKERS)]

    def add(self, part: int, capture: Capture) -> None:
        event = capture_event(capture, "").model_copy(update={"key_id": None})
        self.parts[part].append(Logged(CAPTURES, part, len(self.parts[part]), event))

    def read(self, place: Place, from_off: int, limit: int) -> list[Logged]:
        return self.parts[place.part][from_off : from_off + limit]

    def head(self, place: Place) -> Head:
        return Head("captures-topic", len(self.parts[place.part]))


def side_by_side(work: Callable[[int], None], count: int = WORKERS) -> None:
    """Run workers at once; raise the first error of any."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_workers_share_a_breaker_and_strand_nothing_when_it_closes(
    clean_postgres: Database, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, clean_postgres, company=senders("site", "fair", "shop"))
    captures = Partitions()
    for part in range(WORKERS):
        for number in range(EACH):
            captures.add(part, bad("site", part * 1_000 + number, MONDAY_10 + number))
    readers = {**rig.readers, CAPTURES: captures}

    def worker() -> StageHost[object, object]:
        (parse, *_) = pipeline.stages(CompanyCache())
        return StageHost(
            parse,
            readers,
            rig.store,
            rig.files.store_log,
            lambda event: event.time_us,
            batch_max=7,
            policy=POLICY,
        )

    def take(part: int, also_drain: bool = False) -> None:
        host = worker()
        while host.run_place(Place(CAPTURES, part)) + (host.drain() if also_drain else 0):
            pass

    side_by_side(take)
    states = Counter(row["state"] for row in rig.rows("dead"))
    (breaker,) = rig.rows("breaker")
    assert breaker["state"] == "open"
    assert sum(states.values()) == WORKERS * EACH, "each is on record once"
    assert 5 <= states["open"] <= WORKERS * 7 + 5, "a worker may finish the batch it has at hand"

    with rig.store.write() as connection:
        put_company(connection, senders("site", "fair", "shop", fields={"sj": "phone"}), 0)
    command = Command("reset_breaker", "ann", "reset", "site")
    perform(rig.store, command, reset(), MONDAY_10, rig.files.store_log.append)
    for part in range(WORKERS):
        for number in range(EACH, 2 * EACH):
            captures.add(part, bad("site", part * 1_000 + number, MONDAY_10 + number))
    side_by_side(lambda part: take(part, also_drain=True))
    host = worker()
    while host.drain() or rig.rows("breaker"):
        pass

    after = Counter(row["state"] for row in rig.rows("dead"))
    assert set(after) <= {"open", "replayed"}
    assert after["open"] == states["open"]
    assert len(rig.rows("capture")) == 2 * WORKERS * EACH
    told = rig.readers["leads"].read(Place("leads"), 0, 10_000)
    assert len({one.subject for one in (logged.event for logged in told)}) == len(told)
    assert len(told) == 2 * WORKERS * EACH - states["open"]
    places = {row["capture_id"]: (row["part"], row["off"]) for row in rig.rows("capture")}
    taken = [places[one.event.read(Lead).capture_id] for one in told]
    for part in range(WORKERS):
        offs = [off for one, off in taken if one == part]
        assert offs == sorted(offs), "one of a partition overtook another"
    rig.files.doors.close()


def test_a_breaker_does_not_close_while_another_worker_still_holds_an_event_by_it(
    clean_postgres: Database, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, clean_postgres, company=senders("site", "fair", "shop"))
    with rig.store.write() as connection:
        put_breaker(connection, "parse", "site", Opening("open", MONDAY_10, 5, 5, "no_known_field"))
    command = Command("reset_breaker", "ann", "reset", "site")
    perform(rig.store, command, reset(), MONDAY_10, rig.files.store_log.append)
    closed: list[bool] = []

    def close() -> None:
        with rig.store.write() as connection:
            closed.append(close_breaker(connection, "parse", "site"))

    event = capture_event(bad("site", 1), "")
    with rig.store.write() as connection:
        assert [row.state for row in blocked(connection, "parse")] == ["draining"]
        closing = threading.Thread(target=close)
        closing.start()
        closing.join(0.3)
        assert closed == [], "it waits for whoever holds"
        letter = held_letter("parse", Logged(CAPTURES, 0, 0, event), MONDAY_10)
        insert_ignore(connection, tables.dead, [letter.row])
    closing.join(10)
    assert closed == [False], "and finds what was held"
    assert [row["state"] for row in rig.rows("breaker")] == ["draining"]
    rig.files.doors.close()
