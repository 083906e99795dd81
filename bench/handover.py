"""A hand-over of many customers: dry run, apply and undo, with the seconds and the peak memory of each.

    python bench/handover.py [--customers N] [--json]

Half go to one person by a filter, half by the rule book; each customer has one lead and one open task. On SQLite with
`synchronous=FULL`, without the stages that tell others of it afterwards. Each phase has a process of its own, so that
its peak is its own.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import in_process, report, rounded, timed
from leadflow.above import may_give_as
from leadflow.clock import wall_clock_us
from leadflow.embedded import open_files
from leadflow.handover_job import begin_undo, planned, run, spec_of
from schemas.company import Company, Member, Person, Unit, book_version
from store import tables
from store.acts import Append, Command, perform
from store.acts_job import Begin, job_id_of, read_job
from store.acts_move import judge
from store.bulk import insert_ignore
from store.certificates import read_certificate, verify
from store.company import company_version, load_company, put_company
from store.database import Database

LEAVER = "lee"
PEOPLE = ("lee", "ann", "bo", "chen", "du", "mia")
PARTS = ["province=江苏 => ann", "=> by-rules"]
BORN_US = 1_700_000_000_000_000
_AT_ONCE = 10_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="leadflow-bench-") as place:
        result = measure(Path(place), args.customers)
    report(f"hand-over of {args.customers} customers", result, args.json)


def measure(folder: Path, customers: int) -> dict[str, Any]:
    """Build a store, then plan, apply, verify and undo, and return the figures."""
    in_process(build, folder, customers)
    figures: dict[str, Any] = {"customers": customers}
    for phase in (dry_run, apply, verified, undo):
        seconds, cpu_s, peak_mb, count = in_process(phase, folder)
        name = phase.__name__
        figures |= {f"{name}_s": rounded(seconds), f"{name}_cpu_s": rounded(cpu_s)}
        figures[f"{name}_peak_mb"] = rounded(peak_mb)
        if count != customers:
            raise RuntimeError(f"{name} was about {count} customers, not {customers}")
    return figures


def build(folder: Path, customers: int) -> None:
    """Fill a data folder: a leaver who owns everybody, and a team that the rule book gives to."""
    files = open_files(folder)
    book = "rule,province,then_team\nall,,east\n"
    company = Company(
        version=0,
        default_queue="east",
        units={"east": Unit(unit_id="east", kind="team", name_zh="华东", name_en="East", manager_id="mia")},
        people={key: Person(person_id=key, name=key) for key in PEOPLE},
        members=tuple(Member(unit_id="east", person_id=key, from_us=0) for key in PEOPLE if key != "mia"),
        book_csv=book,
        book_version=book_version(book),
    )
    with files.store.write() as connection:
        put_company(connection, company, 0)
    for start in range(0, customers, _AT_ONCE):
        numbers = range(start, min(customers, start + _AT_ONCE))
        with files.store.write() as connection:
            for name in ("contact", "customer", "lead", "membership", "holding", "task"):
                insert_ignore(
                    connection, tables.state.tables[name], [_row(name, number) for number in numbers]
                )
    files.close()


def _row(table: str, number: int) -> dict[str, Any]:
    ids = {name: f"{name[:3]}_{number:024}" for name in ("customer", "contact")}
    ids |= {"lead": f"lead_{number:024}", "task": f"task_{number:024}"}
    held = {"holder_kind": "person", "holder_id": LEAVER, "decision_id": None}
    match table:
        case "contact":
            return {"contact_id": ids["contact"], "born_lead": ids["lead"], "born_us": BORN_US}
        case "customer":
            stamps = dict.fromkeys(("born_us", "touched_us", "routed_us"), BORN_US)
            said = {"kind": "person", "purpose": "real", "state": "open", "born_lead": ids["lead"]}
            return {"customer_id": ids["customer"], **said, **stamps}
        case "lead":
            stamps = dict.fromkeys(("accepted_us", "resolved_us"), BORN_US)
            said = {"source_id": "site", "channel": "web", "kind": "enquiry", "purpose": "real"}
            place = {"province": "江苏" if number % 2 else "四川", "fields_json": "[]", "more_json": "{}"}
            return {
                "lead_id": ids["lead"],
                "capture_id": f"cap_{number}",
                "trace_id": "0",
                **said,
                **stamps,
                **place,
            }
        case "membership":
            return {
                "lead_id": ids["lead"],
                "from_us": BORN_US,
                "contact_id": ids["contact"],
                "customer_id": ids["customer"],
            }
        case "holding":
            return {"customer_id": ids["customer"], "role": "owner", "from_us": BORN_US, **held}
        case _:
            task = {"task_id": ids["task"], "lead_id": ids["lead"], "ordinal": 0, "origin": "first_response"}
            dates = {"due_us": BORN_US, "created_us": BORN_US, "state": "open"}
            return {**task, **dates, **held, "customer_id": ids["customer"], "decision_id": f"dec_{number}"}


_ASKED = {"parts": PARTS, "plan_csv": None, "leaving": True, "duties_to": None}
_COMMAND = Command("hand_over_begin", "operator", "bench", LEAVER, "bench")


def dry_run(folder: Path) -> tuple[float, float, float, int]:
    """Find out who would get what."""
    files = open_files(folder)
    with timed() as spent, files.store.read() as connection:
        company = load_company(connection, company_version(connection))
        gives, _ = planned(connection, company, LEAVER, _ASKED, wall_clock_us())
    files.close()
    return spent.wall_s, spent.cpu_s, _peak_mb(), len(gives)


def apply(folder: Path) -> tuple[float, float, float, int]:
    """Begin the job and see it through to its certificate."""
    files = open_files(folder)
    store, append = files.store, files.store_log.append
    with timed() as spent:
        _begin(store, append)
        run(store, append, _job_id(), wall_clock_us, 3_600)
    with store.read() as connection:
        job = read_job(connection, _job_id())
    files.close()
    return spent.wall_s, spent.cpu_s, _peak_mb(), job.items if job.state == "done" else 0


def _begin(store: Database, append: Append) -> None:
    now_us = wall_clock_us()
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
        gives, _ = planned(connection, company, LEAVER, _ASKED, now_us)
        spec = spec_of(connection, company, LEAVER, _ASKED, now_us)
        judged = judge(connection, gives, (company, lambda _holder: True), owner=LEAVER)
    perform(store, _COMMAND, Begin(judged, spec, None, may_give_as("operator")), now_us, append)


def verified(folder: Path) -> tuple[float, float, float, int]:
    """Recompute the certificate."""
    files = open_files(folder)
    with timed() as spent, files.store.read() as connection:
        found = verify(connection, read_certificate(connection, _job_id()), wall_clock_us())
    files.close()
    customers = [row for row in found.certificate.body["objects"] if row[0] == "customer"]
    return spent.wall_s, spent.cpu_s, _peak_mb(), 0 if found.wrong or found.changed else len(customers)


def undo(folder: Path) -> tuple[float, float, float, int]:
    """Give everything back."""
    files = open_files(folder)
    store, append = files.store, files.store_log.append
    with timed() as spent:
        with store.read() as connection:
            job = read_job(connection, _job_id())
        begin_undo(store, append, job, "operator", wall_clock_us())
        run(store, append, job.job_id, wall_clock_us, 3_600)
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
        gives, _ = planned(connection, company, LEAVER, {**_ASKED, "parts": ["=> ann"]}, wall_clock_us())
    files.close()
    return spent.wall_s, spent.cpu_s, _peak_mb(), len(gives)


def _job_id() -> str:
    return job_id_of(_COMMAND)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


if __name__ == "__main__":
    main()
