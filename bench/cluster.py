"""How fast the cluster is, beside a Faust agent that does nothing and one that writes with an ORM, a lead at a time.

    python bench/cluster.py [--leads N] [--rounds N] [--workers N …] [--rate R] [--seconds S] [--json]

Real Kafka, real PostgreSQL, parts as processes, all on this machine. Each stage finds its topic full and nobody else at
work, and is timed from its first commit to its last; the peers read with the same agent and are timed alike.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.event import listen

from bench.faust_peers import doing_nothing, naive
from bench.latency import measure_posted
from bench.measure import in_process, median, report, rounded, spread
from bench.workload import captures, company
from leadflow import pipeline
from leadflow.clock import wall_clock_us
from leadflow.cluster import cluster_outbox, cluster_stage
from schemas.capture import Capture
from store.company import CompanyCache
from store.database import open_postgres
from store.migrate import migrate
from stream.log import Place
from tests.support.cluster import Site
from tools.servers import kafka, postgres

STAGES = {str(one.name): one.topics[0] for one in pipeline.stages(CompanyCache())}
GIVE_UP_S = 600.0
LOOK_S = 0.01
WARM_UP_S = 8.0
"""Processes that have just started load what they need, and a new database has no statistics."""
ONE_PROCESS = ("p50_ms", "p99_ms")


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--naive-leads", type=int, default=1_000, help="for the ORM, which is slow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--workers", type=int, nargs="*", default=[1, 2, 4], help="how many processes, in turn"
    )
    parser.add_argument("--rate", type=float, default=200, help="leads a second for the latency")
    parser.add_argument("--seconds", type=float, default=30, help="of open-loop load; 0 leaves it out")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with (
        TemporaryDirectory(prefix="leadflow-bench-") as place,
        kafka(Path(place) / "broker") as address,
        postgres(Path(place) / "server") as url,
    ):
        bench = Bench(Path(place), address, url)
        result = bench.stages(args.leads, min(args.naive_leads, args.leads), args.rounds)
        result |= bench.round_trips(args.leads)
        result |= bench.workers(args.leads, args.workers)
        if args.seconds:
            result |= bench.latency(args.rate, args.seconds)
            result |= bench.failover(args.rate / 2)
    report("the cluster on one machine", result, args.json)


class Bench:
    """Two servers, and on them one installation after another."""

    def __init__(self, folder: Path, address: str, url: str) -> None:
        self._folder, self._address, self._url = folder, address, url
        self._brokers = folder / "broker"
        self._numbers = itertools.count()

    def stages(self, leads: int, naive_leads: int, rounds: int) -> dict[str, Any]:
        """Return each stage's speed alone, the slowest beside an idle agent, and all of them beside the ORM."""
        speeds: dict[str, list[float]] = {name: [] for name in STAGES}
        found: dict[str, list[float]] = {
            name: [] for name in ("ratio_to_noop_faust", "ratio_to_naive", "noop_per_s", "naive_per_s")
        }
        costs: dict[str, Any] = {}
        for number in range(rounds):
            with self._installed(parts=1) as site:
                wal, kept = _wal(site), _bytes(self._brokers)
                door = site.door()
                for group in _groups(leads):
                    site.accept(door, group)
                site.stop(door)
                for name in STAGES:
                    speeds[name].append(_drain(site, name, leads))
                    _forward(site)
                if not costs:  # later the brokers delete the topics of the round before
                    costs = {
                        "wal_bytes_per_lead": rounded((_wal(site) - wal) / leads),
                        "kafka_bytes_per_lead": rounded((_bytes(self._brokers) - kept) / leads),
                    }
                # The slowest of the first round stays the one that is compared.
                slowest = min(speeds, key=lambda name: speeds[name][0])
                idle = in_process(
                    doing_nothing,
                    self._address,
                    STAGES[slowest],
                    leads,
                    f"idle-{number}",
                    self._folder / "idle",
                )
                target = self._database()
                empty = open_postgres(target)
                migrate(empty, "state")
                empty.close()
                case = ("captures", naive_leads, f"naive-{number}")
                orm = in_process(
                    naive,
                    self._address,
                    str(site.settings.database_url),
                    target,
                    case,
                    self._folder / "naive",
                )
                _administrate(self._url, f"DROP DATABASE {make_url(target).database}")
            whole = 1 / sum(1 / values[-1] for values in speeds.values())
            found["noop_per_s"].append(idle)
            found["naive_per_s"].append(orm)
            found["ratio_to_noop_faust"].append(speeds[slowest][-1] / idle)
            found["ratio_to_naive"].append(whole / orm)
        result: dict[str, Any] = {"leads": leads, "slowest": slowest}
        for name, values in {**found, **{f"{name}_per_s": values for name, values in speeds.items()}}.items():
            result |= {name: median(values), f"{name}_spread": spread(values)}
        return result | costs

    def workers(self, leads: int, counts: Sequence[int]) -> dict[str, Any]:
        """Return the leads a second of the whole path with so many processes of every stage, on 8 partitions."""
        found = []
        for count in counts:
            with self._installed(parts=8) as site:
                site.part("timers", "timers")
                for number in range(count):
                    site.workers(f"w{number}")
                door = site.door()
                waiting = _groups(leads)
                site.accept(door, next(waiting))
                started = time.perf_counter()
                for group in waiting:
                    site.accept(door, group)
                _reach(site, "assignments", leads)
                found.append(rounded(leads / (time.perf_counter() - started)))
        return {f"workers_{'_'.join(map(str, counts))}": found} if counts else {}

    def round_trips(self, leads: int) -> dict[str, Any]:
        """Return the statements a batch of each stage sends to PostgreSQL, and those a lead at full batches."""
        with self._installed(parts=1) as site:
            door = site.door()
            for group in _groups(leads):
                site.accept(door, group)
            sent: list[str] = []
            engine = site.cluster.store.engine
            listen(engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
            listen(engine, "begin", lambda _connection: sent.append("BEGIN"))
            listen(engine, "commit", lambda _connection: sent.append("COMMIT"))
            batches: dict[str, float] = {}
            whole = 0
            for name, topic in STAGES.items():
                host = cluster_stage(site.cluster, name, name).worker.host
                sent.clear()
                count = 0
                while host.run_place(Place(topic, 0)):
                    count += 1
                whole += len(sent)
                batches[name] = rounded(len(sent) / count)
                _forward(site)
            return {"round_trips_per_batch": batches, "round_trips_per_lead": rounded(whole / leads)}

    def latency(self, rate: float, seconds: float) -> dict[str, Any]:
        """Return percentiles from the moment a lead was due until its assignment is committed.

        With a process for each stage, and beside it with one for all of them.
        """
        found: dict[str, Any] = {}
        each: list[list[str]] = [[name] for name in STAGES]
        one: list[list[str]] = [[]]
        for workers in (each, one):
            with self._installed(parts=8) as site:
                doors = site.part("doors", "doors")
                site.part("timers", "timers")
                for number, names in enumerate(workers):
                    site.workers(f"w{number}", names)
                figures = measure_posted(
                    doors.port, str(site.settings.database_url), rate, seconds, min(WARM_UP_S, seconds)
                )
            found |= (
                figures if workers is each else {f"one_process_{key}": figures[key] for key in ONE_PROCESS}
            )
        return found

    def failover(self, rate: float) -> dict[str, Any]:
        """Return how long the leads of a worker that is killed wait for the other one, at most, in seconds."""
        with self._installed(parts=8) as site:
            door = site.door()
            site.part("timers", "timers")
            dying = site.workers("w1")
            site.workers("w2")
            sent = 0
            for capture in _paced(rate, 20.0):
                site.accept(door, [capture])
                sent += 1
                if sent == int(rate * 5):
                    dying.kill()
            _reach(site, "assignments", sent)
            waits = site.ask(_WAITS)
            return {"failover_s": rounded(max(row[0] for row in waits) / 1e6)}

    @contextmanager
    def _installed(self, parts: int) -> Iterator[Site]:
        url = self._database()
        site = Site(self._folder / f"site{next(self._numbers)}", self._address, url, company(), parts=parts)
        try:
            yield site
        finally:
            site.close()
            _administrate(self._url, f"DROP DATABASE {make_url(url).database}")

    def _database(self) -> str:
        name = f"bench{next(self._numbers)}"
        _administrate(self._url, f"CREATE DATABASE {name}")
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)


_WAITS = """
SELECT decision.decided_us - lead.accepted_us FROM decision JOIN lead USING (lead_id) WHERE decision.stage = 'route'
"""


def _groups(leads: int) -> Iterator[list[Capture]]:
    waiting = islice(captures(), leads)
    while group := list(islice(waiting, 1_000)):
        yield group


def _paced(rate: float, seconds: float) -> Iterator[Capture]:
    started = time.monotonic()
    for number, capture in enumerate(islice(captures(), int(rate * seconds))):
        time.sleep(max(0.0, started + number / rate - time.monotonic()))
        yield capture.model_copy(update={"accepted_us": wall_clock_us()})


def _drain(site: Site, stage: str, leads: int) -> float:
    """Let one process of a stage work off its topic; return events a second from its first commit to its last."""
    worker = site.workers(stage, [stage])
    first, started = 0, 0.0
    give_up = time.monotonic() + GIVE_UP_S
    while (done := _next_off(site, stage)) < leads:
        if not first and done:
            first, started = done, time.perf_counter()
        if time.monotonic() > give_up:
            raise TimeoutError(f"{stage}: {done} of {leads}")
        time.sleep(LOOK_S)
    took = time.perf_counter() - started
    site.stop(worker)
    if not first or took <= 0:
        raise AssertionError(f"{stage} was done with {leads} leads in one batch: take more")
    return (leads - first) / took


def _next_off(site: Site, stage: str) -> int:
    found = site.ask(
        f"SELECT coalesce(sum(next_off), 0) FROM progress WHERE stage = '{stage}' AND topic = '{STAGES[stage]}'"
    )
    return int(found[0][0])


def _forward(site: Site) -> None:
    outbox = cluster_outbox(site.cluster)
    while outbox.run_once():
        pass


def _assigned(site: Site) -> int:
    return int(site.ask("SELECT next_off FROM topic_head WHERE topic = 'assignments'")[0][0])


def _reach(site: Site, topic: str, wanted: int) -> None:
    site.wait(lambda: _assigned(site) >= wanted, f"{wanted} {topic}", GIVE_UP_S)


def _wal(site: Site) -> int:
    return int(site.ask("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")[0][0])


def _bytes(broker: Path) -> int:
    """Return what the broker keeps of our topics, compressed as it is; its own topics have names with `__`.

    0 for brokers of somebody else, whose disks we do not see.
    """
    return sum(one.stat().st_size for one in broker.glob("log/[!_]*/*.log"))


def _administrate(url: str, statement: str) -> None:
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(statement))
    server.dispose()


if __name__ == "__main__":
    main()
