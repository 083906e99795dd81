"""How fast the front desk's look-up answers on a million customers, while the pipeline takes leads in the same process.

    python bench/lookup.py [--customers N] [--rate N] [--asked N] [--json]

Asked is what people type: the last four digits alone, with initials, with the name; a whole number; a name; pinyin; the
short name of a company. Counted is all that the page reads: keys, whose they are, who has them, name and number. Beside
it, in the same run and taking turns with it, the bare driver reads one row by its primary key, which nothing can undercut.
The people are those of bench/data/people.py: synthetic.
"""

from __future__ import annotations

import argparse
import random
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from sqlalchemy import Connection, text

from bench.data.people import Row, rows
from bench.measure import in_process, keep_out_of_collection, percentile, report, rounded
from bench.workload import captures, company, new_folder
from console.desk_found import find
from console.may import Visitor
from enrich.findable import keys_to_find
from enrich.match.record import record_of
from enrich.phone import parse_phone
from leadflow.embedded import Embedded, open_files
from router.office import office_of
from schemas.lead import FieldValue
from store import tables
from store.bulk import fetched, insert_ignore
from store.database import Database

_AT_ONCE = 5_000
_WARM = 300
_TABLES = ("lead", "find_key", "contact", "customer", "holding", "membership")
_DESK = Visitor("east0", frozenset({"front_desk"}), frozenset({"east0"}))
_KEY = {
    "sqlite": "SELECT state FROM customer WHERE customer_id = ?",
    "postgresql": "SELECT state FROM customer WHERE customer_id = %s",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=100, help="leads a second that come in meanwhile")
    parser.add_argument("--asked", type=int, default=2_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    result = in_process(measured, args.customers, args.rate, args.asked)
    report("who is it, asked at the front desk", result, args.json)


def measured(customers: int, rate: float, asked: int) -> dict[str, Any]:
    """Fill a store, start the pipeline over it, and ask."""
    with TemporaryDirectory(prefix="leadflow-bench-") as place:
        folder = new_folder(Path(place) / "data")
        people = rows(customers)
        files = open_files(folder)
        fill_customers(files.store, people)
        engine = Embedded(files)
        engine.start()
        stop, sent = threading.Event(), [0]
        sender = threading.Thread(target=_send, args=(engine, rate, stop, sent), daemon=True)
        sender.start()
        rng = random.Random(1)
        known = [one for one in rng.choices(people, k=asked * 3) if parse_phone(one["phone"])]
        typed = [what for one, way in zip(known, _ways(rng), strict=False) if (what := way_of(one, way))][
            :asked
        ]
        del people
        begun, handled = time.perf_counter(), _leads(files.store)
        took, key_took, found = _ask(files.store, typed, customers)
        seconds = time.perf_counter() - begun
        worked = _leads(files.store) - handled
        stop.set()
        sender.join()
        engine.stop()
    return {
        "customers": customers,
        "asked": len(typed),
        "lookup_p50_ms": rounded(1_000 * percentile(took, 0.5)),
        "lookup_p99_ms": rounded(1_000 * percentile(took, 0.99)),
        "lookup_max_ms": rounded(1_000 * max(took)),
        "primary_key_p50_ms": rounded(1_000 * percentile(key_took, 0.5)),
        "primary_key_p99_ms": rounded(1_000 * percentile(key_took, 0.99)),
        "ratio_to_primary_key": rounded(percentile(took, 0.5) / percentile(key_took, 0.5)),
        "found_pct": rounded(100 * found / len(typed)),
        "leads_s_meanwhile": rounded(worked / seconds),
    }


def _ask(store: Database, typed: Sequence[str], customers: int) -> tuple[list[float], list[float], int]:
    """Return seconds of each look-up and of each read by key, and how many found the handful they were to."""
    office, rng = office_of(company()), random.Random(2)
    took, key_took, found = [], [], 0
    keep_out_of_collection()
    warm = typed[:_WARM]
    for number, what in enumerate([*warm, *typed]):
        start = time.perf_counter()
        with store.read() as connection:
            answer = find(connection, office, what, _DESK, 1)
        ended = time.perf_counter()
        with store.read() as connection:
            before = time.perf_counter()
            list(fetched(connection, _KEY[connection.dialect.name], (_id("cus", rng.randrange(customers)),)))
            key_s = time.perf_counter() - before
        if number >= len(warm):
            took.append(ended - start)
            key_took.append(key_s)
            found += bool(answer.hits)
        time.sleep(0.002)
    return took, key_took, found


def _ways(rng: random.Random) -> Iterator[str]:
    ways = ("four", "four initials", "four name", "phone", "phone", "name", "pinyin", "company")
    while True:
        yield rng.choice(ways)


def way_of(person: Row, way: str) -> str:
    """Return what somebody types to find a person in one way; empty if they cannot."""
    phone, name = person["phone"], person["full_name"]
    record = record_of("x", {"full_name": [name], "company": [person["company"]]})
    keys = {key[0]: key[1:] for key in reversed(keys_to_find((), record))}
    match way:
        case "phone":
            return phone
        case "four":
            return phone[-4:]
        case "four initials":
            return f"{keys['i']} {phone[-4:]}" if "i" in keys else ""
        case "four name":
            return f"{name} {phone[-4:]}" if name else ""
        case "pinyin":
            return keys.get("y", "")
        case "company":
            return record.companies[0].brand if record.companies else ""
        case _:
            return name


def fill_customers(store: Database, people: Sequence[Row]) -> None:
    """Put each row in as a customer that somebody has."""
    staff = sorted(company().people)
    numbered = enumerate(people)
    while group := list(islice(numbered, _AT_ONCE)):
        made: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}
        for number, row in group:
            for name, values in _rows(number, row, staff[number % len(staff)]):
                made[name].append(values)
        with store.write() as connection:
            for name in _TABLES:
                insert_ignore(connection, tables.state.tables[name], made[name])
        if store.wal_is_full():
            store.checkpoint()
    with store.write() as connection:
        connection.execute(text("ANALYZE"))
    store.checkpoint()


def _rows(number: int, row: Row, owner: str) -> Iterator[tuple[str, dict[str, Any]]]:
    lead_id, contact_id, customer_id = (_id(kind, number) for kind in ("lead", "con", "cus"))
    phone = parse_phone(row["phone"])
    values = {"full_name": row["full_name"], "phone": phone and phone.e164, "company": row["company"]}
    fields = [
        FieldValue(name=name, received=row[name], value=value, origin="bench")
        for name, value in values.items()
        if value
    ]
    record = record_of(lead_id, {one.name: [one.received] for one in fields})
    told = orjson.dumps([one.model_dump(exclude_none=True) for one in fields]).decode()
    base = {"capture_id": lead_id, "source_id": "site", "channel": "web", "kind": "enquiry"}
    more = {"purpose": "real", "trace_id": "0" * 32, "accepted_us": 0, "resolved_us": 0, "more_json": "{}"}
    yield "lead", {"lead_id": lead_id, **base, **more, "fields_json": told}
    for key in keys_to_find([one for one in fields if one.name == "phone"], record):
        yield "find_key", {"key": key, "lead_id": lead_id}
    yield "contact", {"contact_id": contact_id, "born_lead": lead_id, "born_us": 0}
    times = dict.fromkeys(("born_us", "touched_us", "routed_us"), 0)
    born = {"kind": "person", "born_lead": lead_id, "purpose": "real", "state": "open", **times}
    yield "customer", {"customer_id": customer_id, **born}
    held = {"role": "owner", "from_us": 0, "holder_kind": "person", "holder_id": owner}
    yield "holding", {"customer_id": customer_id, **held}
    member = {"from_us": 0, "contact_id": contact_id, "customer_id": customer_id}
    yield "membership", {"lead_id": lead_id, **member}


def _id(kind: str, number: int) -> str:
    """Return an id that lies where it wants to, like a hash: `number` times a prime, modulo another."""
    return f"{kind}_{number * 2_654_435_761 % 4_294_967_291:026x}"


def _leads(store: Database) -> int:
    with store.read() as connection:
        return _count(connection)


def _count(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM decision")).scalar_one())


def _send(engine: Embedded, rate: float, stop: threading.Event, sent: list[int]) -> None:
    """Let leads in through the door's log, so many a second, until told to stop."""
    begun = time.monotonic()
    for capture in captures(seed=7):
        if stop.wait(max(0.0, begun + sent[0] / rate - time.monotonic())):
            return
        engine.door.append([capture])
        sent[0] += 1


if __name__ == "__main__":
    main()
