"""How resolve and route get on when 1, 2 or 4 worker processes share one PostgreSQL.

    python bench/shared.py [--leads N] [--rounds N] [--json]

Leads are dealt out to the workers by their keys, as a broker does. Beside it, route without its turns at a team: what
they cost, and how far from their shares people end up then. `_waiting` is the share of the time that a worker waits for
customers and for teams.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch
from zlib import crc32

from sqlalchemy import Connection, create_engine, func, make_url, select, text

from bench.measure import median, report, spread
from bench.workload import captures, company, fill
from leadflow import pipeline
from leadflow.embedded import Files, open_files
from store import tables
from store.company import CompanyCache, put_company
from store.database import Database, open_postgres
from store.locks import lock_customers, lock_teams
from store.migrate import migrate
from stream.host import StageHost
from stream.log import Head, Logged, LogReader, Place, SqlLog, SqlReader
from tools.servers import postgres

WORKERS = (1, 2, 4)
BATCH = 500
"""As many events as a worker of the cluster takes at once."""
TOPIC = {"resolve": "leads", "route": "resolved"}


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=8_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="leadflow-bench-") as place, postgres(Path(place) / "server") as url:
        result = measure(Path(place) / "data", url, args.leads, args.rounds)
    report("workers on one PostgreSQL", result, args.json)


def measure(folder: Path, url: str, leads: int, rounds: int) -> dict[str, Any]:
    """Let 1, 2 and 4 workers take turns, each on a copy of the same store."""
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for stage in TOPIC:
        _prepare(folder / stage, _named(url, f"before_{stage}"), leads, stage)
    for _ in range(rounds):
        for workers in WORKERS:
            for stage, turns in (("resolve", True), ("route", True), ("route", False)):
                job = Job(folder / stage, _named(url, "run"), stage, 0, workers, turns)
                name = f"{stage}{'' if turns else '_without_turns'}_{workers}"
                found[name].append(_run(job, url))
    result: dict[str, Any] = {"leads": leads}
    for name, runs in found.items():
        speeds = [leads / took for took, _, _ in runs]
        result |= {f"{name}_per_s": median(speeds), f"{name}_per_s_spread": spread(speeds)}
        if name.startswith("route"):
            result[f"{name}_off_share"] = max(off for _, _, off in runs)
        result[f"{name}_waiting"] = median(waiting for _, waiting, _ in runs)
    return result


def _prepare(folder: Path, url: str, leads: int, stage: str) -> None:
    """Fill a database with what the stage finds before it."""
    folder.mkdir(parents=True)
    _administrate(url, f"CREATE DATABASE {make_url(url).database}")
    store = open_postgres(url)
    migrate(store, "state")
    files = open_files(folder)
    fill(files, islice(captures(), leads))
    log = SqlLog(tables.log, tables.topic_head, files.keys)
    with store.write() as connection:
        log.create(connection, pipeline.STORE_TOPICS, "store-topic")
        put_company(connection, company(), 0)
    before = ("parse", "resolve")[: 1 if stage == "resolve" else 2]
    for name in before:
        host, _ = _host(files, store, name)
        while host.run_place(Place("captures" if name == "parse" else "leads")):
            pass
    files.close()
    store.close()


class Keyed:
    """A topic that is complete, dealt out by the keys of its events."""

    def __init__(self, whole: LogReader, topic: str, parts: int) -> None:
        self._topic_id = whole.head(Place(topic)).topic_id
        self._parts: list[list[Logged]] = [[] for _ in range(parts)]
        for one in whole.read(Place(topic), 0, whole.head(Place(topic)).end):
            part = crc32(one.event.key.encode()) % parts
            self._parts[part].append(replace(one, part=part, off=len(self._parts[part])))

    def read(self, place: Place, from_off: int, limit: int) -> list[Logged]:
        """Return up to `limit` events from `from_off` on."""
        return self._parts[place.part][from_off : from_off + limit]

    def head(self, place: Place) -> Head:
        """Return the topic's identity and how far this partition goes."""
        return Head(self._topic_id, len(self._parts[place.part]))


def _host(files: Files, store: Database, name: str) -> tuple[StageHost[Any, Any], dict[str, LogReader]]:
    log = SqlLog(tables.log, tables.topic_head, files.keys)
    readers: dict[str, LogReader] = dict.fromkeys(
        pipeline.DOOR_TOPICS, SqlReader(files.doors, files.door_log)
    )
    readers |= dict.fromkeys(pipeline.STORE_TOPICS, SqlReader(store, log))
    stage = next(one for one in pipeline.stages(CompanyCache(), files.keys.hash_secret) if one.name == name)
    return StageHost(stage, readers, store, log, lambda event: event.time_us), readers


@dataclass(frozen=True)
class Job:
    """One worker's part of a run."""

    folder: Path
    url: str
    stage: str
    part: int
    workers: int
    turns: bool


def _run(job: Job, url: str) -> tuple[float, float, float]:
    """Return the seconds it took, the share of them spent waiting for turns, and how far off somebody's share is."""
    _administrate(url, f"CREATE DATABASE run TEMPLATE before_{job.stage}")
    context = multiprocessing.get_context("spawn")
    barrier, waited = context.Barrier(job.workers + 1), context.Queue()
    jobs = [replace(job, part=part) for part in range(job.workers)]
    processes = [context.Process(target=_work, args=(one, barrier, waited)) for one in jobs]
    for process in processes:
        process.start()
    barrier.wait()
    started = time.perf_counter()
    barrier.wait()
    took = time.perf_counter() - started
    waiting = sum(waited.get() for _ in jobs) / job.workers
    for process in processes:
        process.join()
    store = open_postgres(job.url)
    unfair = _off_share(store)
    store.close()
    _administrate(url, "DROP DATABASE run")
    return took, waiting / took, unfair


def _work(job: Job, barrier: Barrier, waited: Queue[float]) -> None:
    waiting: list[float] = []

    def timed(lock: Callable[[Connection, Iterable[str]], Any]) -> Callable[[Connection, Iterable[str]], Any]:
        def locked(connection: Connection, wanted: Iterable[str]) -> Any:
            started = time.perf_counter()
            try:
                return lock(connection, wanted)
            finally:
                waiting.append(time.perf_counter() - started)

        return locked

    teams = timed(lock_teams) if job.turns else lambda _connection, _teams: None
    customers, room = timed(lock_customers), "enrich" if job.stage == "resolve" else "router"
    store, files = open_postgres(job.url), open_files(job.folder)
    host, readers = _host(files, store, job.stage)
    place = Place(TOPIC[job.stage], job.part)
    readers[place.topic] = Keyed(readers[place.topic], place.topic, job.workers)
    host.verify(place)
    barrier.wait()
    done = 0
    with patch("router.gateway.lock_teams", teams), patch(f"{room}.gateway.lock_customers", customers):
        while events := readers[place.topic].read(place, done, BATCH):
            host.handle(events)
            done = events[-1].off + 1
    waited.put(sum(waiting))
    barrier.wait()
    store.close()
    files.close()


def _off_share(store: Database) -> float:
    shares = {(one.unit_id, one.person_id): one.share for one in company().members}
    total = tables.ledger_total
    with store.read() as connection:
        rows = connection.execute(
            select(total.c.team_id, total.c.person_id, func.sum(total.c.received).label("received")).group_by(
                total.c.team_id, total.c.person_id
            )
        ).all()
    received = {(row.team_id, row.person_id): int(row.received) for row in rows}
    worst = 0.0
    for team in {team for team, _ in received}:
        mine = {key: share for key, share in shares.items() if key[0] == team}
        each = sum(received.get(key, 0) for key in mine) / sum(mine.values())
        worst = max([worst, *(abs(received.get(key, 0) - each * share) for key, share in mine.items())])
    return round(worst, 2)


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)


def _administrate(url: str, statement: str) -> None:
    server = create_engine(_named(url, "postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(statement))
    server.dispose()


if __name__ == "__main__":
    main()
