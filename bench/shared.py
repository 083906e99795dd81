"""How resolve and route get on when 1, 2 or 4 worker processes share one PostgreSQL.

    python bench/shared.py [--leads N] [--rounds N] [--json]

Leads are dealt out to the workers one by one, so that leads of one customer meet on different workers as often as
they can; keyed partitions do better. Beside it, route without its turns at a team: what they cost, and how far from
their shares people end up then.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection, create_engine, func, make_url, select, text

from bench.measure import median, report, spread
from bench.workload import captures, company, fill
from leadflow import pipeline
from leadflow.embedded import Files, open_files
from store import tables
from store.company import CompanyCache, put_company
from store.database import Database, open_postgres
from store.locks import lock_teams
from store.migrate import migrate
from stream.host import StageHost
from stream.log import LogReader, Place, SqlLog, SqlReader
from tests.support.workers import Dealt
from tools.servers import postgres

WORKERS = (1, 2, 4)
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
        if name.startswith("route_") and "without" not in name:
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
        host = _host(files, store, name, 1)
        while host.run_place(Place("captures" if name == "parse" else "leads")):
            pass
    files.close()
    store.close()


def _host(files: Files, store: Database, name: str, parts: int) -> StageHost[Any, Any]:
    log = SqlLog(tables.log, tables.topic_head, files.keys)
    readers: dict[str, LogReader] = dict.fromkeys(
        pipeline.DOOR_TOPICS, Dealt(SqlReader(files.doors, files.door_log), parts)
    )
    readers |= dict.fromkeys(pipeline.STORE_TOPICS, Dealt(SqlReader(store, log), parts))
    stage = next(one for one in pipeline.stages(CompanyCache()) if one.name == name)
    return StageHost(stage, readers, store, log, lambda event: event.time_us)


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

    def timed(connection: Connection, teams: Iterable[str]) -> None:
        started = time.perf_counter()
        if job.turns:
            lock_teams(connection, teams)
        waiting.append(time.perf_counter() - started)

    store, files = open_postgres(job.url), open_files(job.folder)
    host = _host(files, store, job.stage, job.workers)
    place = Place(TOPIC[job.stage], job.part)
    host.verify(place)
    barrier.wait()
    with patch("router.gateway.lock_teams", timed):
        while host.run_place(place):
            pass
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
