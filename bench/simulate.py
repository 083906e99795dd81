"""How long history takes through a draft of the rule book: `leadflow rules simulate`, from the store to the last figure.

    python bench/simulate.py [--leads N] [--rules N] [--json]

The store is filled with leads of 90 days, one in ten from a customer that came before, with owners, decisions and ledger as
the stages write them; that is not measured. Measured, in a fresh process, is everything that the command does then: reading
leads, owners and ledger, the facts of each lead, the draft's decision, who is eligible on which shift, turns, waiting
queues, and what differs. `ratio_to_decisions_only` is that against the bare decisions of the same draft on the same leads, both
in CPU time: the machine's other work is no part of it.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from bench.data.rules import random_book, random_facts
from bench.measure import in_process, keep_out_of_collection, report, rounded
from leadflow.simulation.run import Run, simulated, told
from leadflow.simulation.store import history, received, start
from router.office import office_of
from router.simulate import Came
from schemas.company import Company, Member, Person, Unit, book_version
from schemas.ids import born_id, make_id
from store import tables
from store.bulk import insert_ignore
from store.database import Database, open_sqlite
from store.migrate import migrate

TEAMS, PEOPLE = 40, 5
BEGIN_US = 1_788_220_800 * 1_000_000
"""1 September 2026, 00:00 UTC."""
END_US = BEGIN_US + 90 * 86_400 * 1_000_000
_WORK = {day: ["09:00-12:00", "13:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
_AT_ONCE = 5_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="leadflow-bench-") as folder:
        path = Path(folder) / "store.db"
        filled_s = in_process(fill, path, args.leads)
        result = in_process(measured, path, args.rules)
    report("history through a draft", {**result, "filled_s": rounded(filled_s)}, args.json)


def company(rules: int) -> Company:
    """Forty teams of five with unequal shares; every fifth person at any hour, the others in office hours."""
    teams = [f"team-{number}" for number in range(TEAMS)]
    people = [f"{team}-{number}" for team in teams for number in range(PEOPLE)]
    book = random_book(Random(rules), rules)
    return Company(
        version=0,
        name="bench",
        default_queue="team-0",
        units={
            team: Unit(unit_id=team, kind="team", name_zh=team, name_en=team, calendar_id="day")
            for team in teams
        },
        people={
            one: Person(person_id=one, name=one, calendar_id="always" if one.endswith("-0") else None)
            for one in people
        },
        members=tuple(
            Member(unit_id=one.rpartition("-")[0], person_id=one, from_us=0, share=1 + number % 3)
            for number, one in enumerate(people)
        ),
        calendars={
            "day": {"zone": "Asia/Shanghai", "country": "CN", "week": _WORK},
            "always": {"zone": "Asia/Shanghai", "week": {**_WORK, "mon": ["00:00-24:00"]}},
        },
        book_csv=book,
        book_version=book_version(book),
    )


def fill(path: Path, leads: int) -> float:
    """Fill a store with leads that were decided on; return how long that took."""
    began = time.perf_counter()
    store = open_sqlite(path)
    migrate(store, "state")
    random = Random(leads)
    owners: list[tuple[str, str]] = []
    for first in range(0, leads, _AT_ONCE):
        _put(store, random, range(first, min(leads, first + _AT_ONCE)), owners, (END_US - BEGIN_US) // leads)
    store.checkpoint(wait=True)
    store.close()
    return time.perf_counter() - began


def _put(
    store: Database, random: Random, numbers: range, owners: list[tuple[str, str]], step_us: int
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("customer", "lead", "holding", "decision", "task", "ledger")
    }
    for number in numbers:
        at_us = BEGIN_US + number * step_us
        facts = random_facts(random)
        is_new = not owners or random.random() < 0.9
        lead_id = born_id("lead", at_us, number)
        customer_id, owner = (
            (born_id("cus", at_us, number), f"team-{random.randrange(TEAMS)}-{random.randrange(PEOPLE)}")
            if is_new
            else random.choice(owners)
        )
        decision_id = born_id("dec", at_us, number)
        team = owner.rpartition("-")[0]
        rows["lead"].append(_lead(lead_id, at_us, facts))
        if is_new:
            owners.append((customer_id, owner))
            rows["customer"].append(_customer(customer_id, lead_id, at_us))
            rows["holding"] += _holdings(customer_id, owner, at_us, decision_id)
            where = {"team_id": team, "period": "2026-09", "grade": "A", "delta": 1, "at_us": at_us + 1}
            rows["ledger"].append(
                {"decision_id": decision_id, "person_id": owner, "kind": "received", **where, "act_id": None}
            )
        rows["decision"].append(_decision(decision_id, (lead_id, customer_id, owner), at_us, is_new))
        rows["task"].append(_task(decision_id, (lead_id, customer_id, owner), at_us))
    with store.write() as connection:
        for name, some in rows.items():
            insert_ignore(connection, tables.state.tables[name], some)


def _lead(lead_id: str, at_us: int, facts: dict[str, str]) -> dict[str, Any]:
    said = {"full_name": "李娜", "phone": "+8613900000001", "message": "需要两台托盘搬运车，请报价"}
    fields = [
        {"name": name, "received": text, "origin": "form", "value": text, "label": None}
        for name, text in said.items()
    ]
    return {
        "lead_id": lead_id,
        "capture_id": make_id("cap", lead_id),
        "source_id": facts["source"] or "site",
        "channel": facts["channel"] or "web",
        "kind": "enquiry",
        "purpose": "real",
        "trace_id": "0" * 32,
        "occurred_us": None,
        "accepted_us": at_us,
        "resolved_us": at_us,
        "campaign_id": facts["campaign"] or None,
        "product_line": facts["product_line"] or None,
        "product": None,
        "industry": facts["industry"] or None,
        "score": int(facts["score"]),
        "grade": "ABCD"[int(facts["score"]) // 26],
        "language": facts["language"] or None,
        "province": facts["province"] or None,
        "city": None,
        "region_basis": None,
        "joined_lead_id": None,
        "fields_json": orjson.dumps(fields).decode(),
        "more_json": f'{{"junk":{{"score":{facts["junk"]},"signs":[]}}}}',
    }


def _customer(customer_id: str, lead_id: str, at_us: int) -> dict[str, Any]:
    return {
        "customer_id": customer_id,
        "kind": "person",
        "born_lead": lead_id,
        "purpose": "real",
        "born_us": at_us,
        "touched_us": at_us,
        "routed_us": at_us + 1,
        "state": "open",
    }


def _holdings(customer_id: str, owner: str, at_us: int, decision_id: str) -> Iterator[dict[str, Any]]:
    for kind, holder, from_us, to_us in (
        ("queue", "intake", at_us, at_us + 1),
        ("person", owner, at_us + 1, None),
    ):
        yield {
            "customer_id": customer_id,
            "role": "owner",
            "from_us": from_us,
            "to_us": to_us,
            "holder_kind": kind,
            "holder_id": holder,
            "decision_id": decision_id if kind == "person" else None,
        }


def _decision(decision_id: str, about: tuple[str, str, str], at_us: int, is_new: bool) -> dict[str, Any]:
    lead_id, customer_id, owner = about
    team = owner.rpartition("-")[0]
    standing = [[f"{team}-{number}", 1 + number % 3, 0, 0, 0] for number in range(PEOPLE)]
    return {
        "decision_id": decision_id,
        "stage": "route",
        "event_id": make_id("evt", decision_id),
        "subject_id": customer_id,
        "lead_id": lead_id,
        "trace_id": "0" * 32,
        "decided_us": at_us + 1,
        "code": "weighted_turn" if is_new else "sticky_owner",
        "book_version": "before" if is_new else None,
        "rule_id": "before" if is_new else None,
        "reason_json": orjson.dumps({"code": "weighted_turn", "standing": standing}).decode(),
    }


def _task(decision_id: str, about: tuple[str, str, str], at_us: int) -> dict[str, Any]:
    lead_id, customer_id, owner = about
    return {
        "task_id": make_id("task", decision_id),
        "customer_id": customer_id,
        "lead_id": lead_id,
        "decision_id": decision_id,
        "ordinal": 0,
        "origin": "first_response",
        "holder_kind": "person",
        "holder_id": owner,
        "due_us": at_us + 3_600_000_000,
        "state": "open",
        "created_us": at_us + 1,
        "ended_us": None,
    }


def measured(path: Path, rules: int) -> dict[str, Any]:
    """Return the figures of a draft of so many rules."""
    ours = company(rules)
    store = open_sqlite(path)
    keep_out_of_collection()
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    office = office_of(ours)
    run = Run(office, BEGIN_US, END_US, seed="")
    sample: list[dict[str, str]] = []

    def seen(came: Came, _place: object) -> None:
        if len(sample) < 20_000:
            sample.append(dict(came.facts))

    with store.read() as connection:
        run.before = received(connection, ours.zone, BEGIN_US, END_US, credits=False)
        told_of = history(connection, ours, BEGIN_US, END_US)
        simulated(run, told_of, start(connection, ours, BEGIN_US), seen)
    figures = told(run)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    store.close()
    if run.orphans or not run.came:
        raise SystemExit(f"{run.orphans} orphans of {run.came} leads")
    decide_us = _decisions_only(office.book.decide, sample)
    return {
        "leads": run.came,
        "rules": rules,
        "seconds": rounded(seconds),
        "cpu_s": rounded(cpu_s),
        "cpu_us_per_lead": rounded(1e6 * cpu_s / run.came),
        "decision_us": rounded(decide_us),
        "ratio_to_decisions_only": rounded(1e6 * cpu_s / run.came / decide_us),
        "peak_mb": rounded(peak_kb / 1024),
        "peak_mb_above_start": rounded((peak_kb - before_kb) / 1024),
        "changed": figures["changed"],
        "waited": figures["first_response"]["after"]["queued"],
        "orphans": figures["orphans"],
    }


def _decisions_only(decide: Any, facts: list[dict[str, str]]) -> float:
    took = []
    for _ in range(5):
        began = time.process_time()
        for one in facts:
            decide(one)
        took.append((time.process_time() - began) * 1e6 / len(facts))
    return sorted(took)[2]


if __name__ == "__main__":
    main()
