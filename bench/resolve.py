"""How fast a lead is compared with all customers, beside Splink's `predict_between` on the same candidates.

    python bench/resolve.py [--customers N] [--large N] [--leads N] [--json]

Ours: reading the record, its keys, and the neighbours out of the store (SQLite, on disk), and deciding; no writes and no
commit, as Splink writes nothing. Splink (extra `train`): its own comparisons after its tutorial, the customers
registered ahead, blocked on the very keys that the store holds, once for single leads and once in batches of 1,000.
The people are those of bench/data/people.py: synthetic. Not counted for either: learning, and making the customers.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.data.people import MAPPED, Row, rows
from bench.measure import in_process, keep_out_of_collection, percentile, report, rounded
from enrich.match.block import is_same_name
from enrich.match.record import Record, record_of
from enrich.near import Compared, Neighbourhood, compared_by
from enrich.similar import NAME, default_judge, is_worth_comparing, keys_to_look_under
from store import tables
from store.bulk import insert_ignore
from store.database import Database, open_sqlite
from store.effects import Insert
from store.migrate import migrate
from store.similar import UnderKey

BATCH = 1_000
WARM = 2_000
"""Known leads that are looked for first, so that the files are as warm as in a service that has run for a while."""
SINGLE = 15
"""Single leads given to Splink: each takes it a tenth of a second."""


@dataclass(frozen=True)
class Ours:
    """Our run: seconds a lead, leads compared with, and how many of those with a kin among the customers met one."""

    wall_s: list[float]
    cpu_s: float
    batch_cpu_s: float
    """A lead, in batches of 1,000."""
    candidates: list[int]
    kin: int
    kin_met: int
    bytes: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=50_000, help="leads that are known already")
    parser.add_argument(
        "--large", type=int, default=0, help="the same with so many, to see how it grows; 1000000"
    )
    parser.add_argument("--leads", type=int, default=2_000, help="that come")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    ours = in_process(run_ours, args.customers, args.leads)
    single, batch, met = in_process(run_splink, args.customers, args.leads)
    result: dict[str, Any] = {
        "customers": args.customers,
        "mean_ms": rounded(1_000 * sum(ours.wall_s) / len(ours.wall_s)),
        "p50_ms": rounded(1_000 * percentile(ours.wall_s, 0.5)),
        "p99_ms": rounded(1_000 * percentile(ours.wall_s, 0.99)),
        "cpu_ms": rounded(1_000 * ours.cpu_s / args.leads),
        "batch_cpu_ms": rounded(1_000 * ours.batch_cpu_s),
        "candidates": rounded(sum(ours.candidates) / args.leads),
        "splink_candidates": rounded(met),
        "splink_single_ms": rounded(1_000 * single),
        "splink_batch_cpu_ms": rounded(1_000 * batch),
        "ratio_to_splink_single": rounded(single / percentile(ours.wall_s, 0.5)),
        "ratio_to_splink_batch": rounded(batch / ours.batch_cpu_s),
        "recall_lost_pct": rounded(100 - 100 * ours.kin_met / ours.kin),
        "mb_per_million": rounded(ours.bytes / args.customers),
    }
    if args.large:
        large = in_process(run_ours, args.large, args.leads)
        result |= {
            "large": args.large,
            "large_p99_ms": rounded(1_000 * percentile(large.wall_s, 0.99)),
            "growth_p99": rounded(percentile(large.wall_s, 0.99) / percentile(ours.wall_s, 0.99)),
            "large_recall_lost_pct": rounded(100 - 100 * large.kin_met / large.kin),
        }
    report("a lead compared with all customers", result, args.json)


def run_ours(customers: int, leads: int) -> Ours:
    """Fill a store with customers, then compare leads with them one by one."""
    judge = default_judge()
    people = rows(customers + leads)
    with TemporaryDirectory(prefix="leadflow-bench-") as place:
        path = Path(place) / "store.db"
        store = open_sqlite(path)
        migrate(store, "state")
        store.checkpoint()
        fill_customers(store, people[:customers], matching=False)
        store.checkpoint()
        before = path.stat().st_size
        shared = fill_customers(store, people[:customers], matching=True)
        store.checkpoint()
        size = path.stat().st_size - before
        kin = _kin(people[:customers])
        wall_s, candidates, kin_there, kin_met = [], [], 0, 0
        reading = ExitStack()
        connection = reading.enter_context(store.read())
        for row in people[:WARM]:
            near = Neighbourhood(judge)
            near.read(connection, [compared_by(read(row, "warm"))], lambda _: True)
        keep_out_of_collection()
        cpu = time.process_time()
        spent = 0.0
        for number, row in enumerate(people[customers:]):
            start = time.perf_counter()
            one = compared_by(read(row, f"new{number}"))
            near = Neighbourhood(judge)
            near.read(connection, [one], lambda _: True)
            near.alike(one)
            wall_s.append(time.perf_counter() - start)
            aside = time.process_time()
            candidates.append(len(near.near))
            there = _agreeing(one, shared) & kin.get(row["person"], set())
            kin_there += bool(there)
            kin_met += bool(there & near.near.keys())
            spent += time.process_time() - aside
        cpu_s = time.process_time() - cpu - spent
        batch = people[customers : customers + BATCH]
        reading.close()
        cpu = time.process_time()
        with store.read() as connection:
            records = [read(row, f"new{number}") for number, row in enumerate(batch)]
            many = [compared_by(record) for record in records]
            near = Neighbourhood(judge)
            near.read(connection, many, lambda _: True)
            for one in many:
                near.alike(one)
        batch_cpu_s = (time.process_time() - cpu) / len(batch)
        store.close()
    return Ours(wall_s, cpu_s, batch_cpu_s, candidates, kin_there, kin_met, size)


def read(row: Row, record_id: str) -> Record:
    """Read a row of the people as the resolve stage reads a lead's fields."""
    return record_of(record_id, {name: [row[name]] for name in MAPPED if row.get(name)}, row["channel"])


def fill_customers(store: Database, people: Sequence[Row], *, matching: bool) -> dict[int, list[UnderKey]]:
    """Put each row in as a customer: who it is, or with `matching` what it is compared by. Return all leads by key."""
    near = Neighbourhood(default_judge())
    everyone: dict[int, list[UnderKey]] = {}
    numbered = enumerate(people)
    while group := list(islice(numbered, 5_000)):
        effects: list[Insert] = []
        for number, row in group:
            lead_id = f"lead{number:08}"
            if not matching:
                effects += _customer(lead_id)
                continue
            record = read(row, lead_id)
            one = compared_by(record)
            for key in one.keys:
                everyone.setdefault(key, []).append((lead_id, one.signature))
            effects += (one for one in near.add(one, lead_id, lead_id) if isinstance(one, Insert))
            near.near.clear()
        with store.write() as connection:
            for name in ("contact", "customer", "membership", "match_record", "match_key"):
                found = [one.row for one in effects if one.table == name]
                insert_ignore(connection, tables.state.tables[name], found)
        if store.wal_is_full():
            store.checkpoint()
    return everyone


def _customer(lead_id: str) -> Iterator[Insert]:
    yield Insert("contact", {"contact_id": lead_id, "born_lead": lead_id, "born_us": 0})
    times = dict.fromkeys(("born_us", "touched_us", "routed_us"), 0)
    person = {"kind": "person", "born_lead": lead_id, "purpose": "real", "state": "open", **times}
    yield Insert("customer", {"customer_id": lead_id, **person})
    yield Insert(
        "membership", {"lead_id": lead_id, "from_us": 0, "contact_id": lead_id, "customer_id": lead_id}
    )


def _kin(people: Sequence[Row]) -> dict[str, set[str]]:
    kin: dict[str, set[str]] = {}
    for number, row in enumerate(people):
        kin.setdefault(row["person"], set()).add(f"lead{number:08}")
    return kin


def _agreeing(one: Compared, everyone: dict[int, list[UnderKey]]) -> set[str]:
    """Return all leads that agree with one in enough fields, were there no limits."""
    agree: dict[UnderKey, int] = {}
    for number, key in one.keys.items():
        for other in everyone.get(number, ()):
            agree[other] = agree.get(other, 0) | key.fields
    for other in agree:
        if is_same_name(one.signature, other[1]):
            agree[other] |= NAME
    return {lead_id for (lead_id, _), fields in agree.items() if is_worth_comparing(fields)}


def run_splink(customers: int, leads: int) -> tuple[float, float, float]:
    """Return Splink's seconds for a single lead, its seconds times threads for a lead in batches, and pairs a lead."""
    import duckdb
    import pyarrow as pa
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, block_on

    logging.getLogger("splink").setLevel(logging.CRITICAL)
    people = rows(customers + leads)
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    api = DuckDBAPI(connection)

    def table(some: Sequence[Row], first: int) -> pa.Table:
        records = [read(row, str(number)) for number, row in enumerate(some)]
        keys = [list(keys_to_look_under(record)) for record in records]
        columns: dict[str, Any] = {"unique_id": list(range(first, first + len(some))), "match_key": keys}
        return pa.table(columns | {name: [row[name] or None for row in some] for name in _COMPARED})

    known = api.register(table(people[:customers], 0))
    linker = Linker(
        known,
        {
            "link_type": "dedupe_only",
            "comparisons": [
                cl.JaroWinklerAtThresholds("full_name").configure(term_frequency_adjustments=True),
                cl.LevenshteinAtThresholds("phone"),
                cl.EmailComparison("email"),
                cl.JaroWinklerAtThresholds("company").configure(term_frequency_adjustments=True),
                cl.ExactMatch("city"),
            ],
            "blocking_rules_to_generate_predictions": [
                block_on("match_key", arrays_to_explode=["match_key"])
            ],
            "retain_intermediate_calculation_columns": False,
            "retain_matching_columns": False,
        },
        log_level=None,
    )
    for name in ("full_name", "company", "email"):
        linker.table_management.compute_tf_table(name)
    new = people[customers:]
    singles = [api.register(table([row], customers + number)) for number, row in enumerate(new[:SINGLE])]
    batch = api.register(table(new[:BATCH], 2 * customers))
    took = []
    linker.inference.predict_between(singles[0], known, warning_mode="never").as_record_list()
    keep_out_of_collection()
    for one in singles:
        start = time.perf_counter()
        linker.inference.predict_between(one, known, warning_mode="never").as_record_list()
        took.append(time.perf_counter() - start)
    start = time.perf_counter()
    pairs = linker.inference.predict_between(batch, known, warning_mode="never").as_record_list()
    wall_s = time.perf_counter() - start
    threads = os.cpu_count() or 1
    count = min(BATCH, len(new))
    return percentile(took, 0.5), wall_s * threads / count, len(pairs) / count


_COMPARED = ("full_name", "phone", "email", "company", "city")


if __name__ == "__main__":
    main()
