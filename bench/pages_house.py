"""A house to look at: 200 people in 40 teams, and as many customers and touches as asked for. Synthetic."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import orjson

from leadflow.embedded import open_files
from schemas.company import Company, Member, Person, Unit, book_version
from schemas.ids import born_id, make_id
from store import tables
from store.bulk import insert_ignore
from store.company import put_company
from store.database import Database

TEAMS, PEOPLE = 40, 5
DAYS = 365
_DAY_US = 86_400 * 1_000_000
_AT_ONCE = 4_000
_OPEN_SHARE = 0.15
"""Of the customers: with an open task. The others were worked, and have their next step or none."""
_PROVINCES = ("上海", "江苏", "浙江", "广东", "湖北", "四川", "北京", "山东")
_FAMILY, _GIVEN = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚"
_CHANNELS = ("web", "web", "cti", "email", "counter")
_CAMPAIGNS = (None, None, "spring", "fair", "search")
_FILLED = (
    "capture",
    "lead_capture",
    "lead",
    "contact",
    "customer",
    "membership",
    "decision",
    "holding",
    "ledger",
)
_WORKED = ("task", "outcome")


def company() -> Company:
    """Forty teams of five who are there at any hour; the first of each manages it, one person operates, one does marketing."""
    teams = {f"team-{number}": f"{number + 1}组" for number in range(TEAMS)}
    people = {
        f"{team}-{number}": Person(person_id=f"{team}-{number}", name=_name(Random(f"{team}{number}")))
        for team in teams
        for number in range(PEOPLE)
    }
    for person_id, role in (("team-0-4", "operations"), ("team-1-4", "marketing")):
        people[person_id] = people[person_id].model_copy(update={"roles": (role,)})
    book = "rule,province,then_team,then_respond_within\n" + "".join(
        f"r{number},{place},team-{number},60\n" for number, place in enumerate(_PROVINCES)
    )
    book += f"others,,team-{len(_PROVINCES)},60\n"
    top = Unit(unit_id="company", kind="company", name_zh="海川", name_en="Haichuan")
    return Company(
        version=0,
        name="海川搬运设备",
        default_queue="team-0",
        units={
            "company": top,
            **{
                team: Unit(
                    unit_id=team,
                    parent_id="company",
                    kind="team",
                    name_zh=name,
                    name_en=team.title(),
                    manager_id=f"{team}-0",
                )
                for team, name in teams.items()
            },
        },
        people=people,
        members=tuple(
            Member(unit_id=person.rpartition("-")[0], person_id=person, from_us=0, share=1)
            for person in people
        ),
        sources={"site": {"source_id": "site", "channel": "web", "format": "web.form", "name": "官网"}},
        book_csv=book,
        book_version=book_version(book),
    )


def fill(folder: Path, customers: int, touches: int, now_us: int) -> float:
    """Make a data folder with a company, and so many customers and touches in the year before; return the seconds it took."""
    began = time.perf_counter()
    files = open_files(folder)
    with files.store.write() as connection:
        put_company(connection, company(), now_us)
    each = max(1, touches // max(1, customers))
    numbers = iter(range(customers))
    while group := list(islice(numbers, _AT_ONCE)):
        _put(files.store, group, each, (now_us, customers))
    with files.store.write() as connection:
        connection.exec_driver_sql("ANALYZE")
    files.store.checkpoint(wait=True)
    files.close()
    return time.perf_counter() - began


def _put(store: Database, numbers: list[int], touches: int, when: tuple[int, int]) -> None:
    made: dict[str, list[dict[str, Any]]] = {name: [] for name in (*_FILLED, *_WORKED)}
    for number in numbers:
        for name, row in _customer(number, touches, *when):
            made[name].append(row)
    with store.write() as connection:
        for name, rows in made.items():
            insert_ignore(connection, tables.state.tables[name], rows)
    if store.wal_is_full():
        store.checkpoint()


def _customer(number: int, touches: int, now_us: int, customers: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows of one customer: touches spread over its time here, an owner, and the task of its first enquiry."""
    random = Random(number)
    born_us = now_us - DAYS * _DAY_US + number * (DAYS * _DAY_US // customers)
    step_us = (now_us - born_us) // (touches + 1)
    customer_id, contact_id = born_id("cus", born_us, number), born_id("con", born_us, number)
    owner = f"team-{random.randrange(TEAMS)}-{random.randrange(PEOPLE)}"
    name, phone = _name(random), f"+861{30 + number % 70}{number % 10**8:08}"
    first, last_us = "", born_us
    for touch in range(touches):
        at_us = born_us + touch * step_us
        lead_id = born_id("lead", at_us, f"{number}.{touch}")
        first, last_us = first or lead_id, at_us
        yield from _touch(
            lead_id, at_us, random, (name, phone, "enquiry" if not touch else "existing_customer")
        )
        yield (
            "membership",
            {"lead_id": lead_id, "from_us": at_us, "contact_id": contact_id, "customer_id": customer_id},
        )
    times = {"born_us": born_us, "touched_us": last_us, "routed_us": born_us + 1}
    yield "contact", {"contact_id": contact_id, "born_lead": first, "born_us": born_us}
    yield (
        "customer",
        {
            "customer_id": customer_id,
            "kind": "person",
            "born_lead": first,
            "purpose": "real",
            "state": "open",
            **times,
        },
    )
    yield from _owned(customer_id, first, owner, born_us)
    yield from _worked(customer_id, first, owner, (born_us, now_us, random.random() < _OPEN_SHARE, random))


def _touch(
    lead_id: str, at_us: int, random: Random, said: tuple[str, str, str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    name, phone, kind = said
    channel, capture_id = random.choice(_CHANNELS), make_id("cap", lead_id)
    texts = {"full_name": name, "phone": phone, "message": "需要两台托盘搬运车，请报价，并请告知交货时间"}
    fields = [{"name": key, "received": text, "origin": "form", "value": text} for key, text in texts.items()]
    base = {
        "source_id": "site",
        "channel": channel,
        "trace_id": blake2b(lead_id.encode(), digest_size=16).hexdigest(),
    }
    yield (
        "capture",
        {
            "capture_id": capture_id,
            **base,
            "format": "web.form",
            "idem_hash": lead_id,
            "key_given": True,
            "digest": lead_id,
            "accepted_us": at_us,
            "purpose": "real",
            "part": 0,
            "off": 0,
            "result": "lead",
        },
    )
    yield "lead_capture", {"lead_id": lead_id, "capture_id": capture_id, "role": "origin"}
    yield (
        "lead",
        {
            "lead_id": lead_id,
            "capture_id": capture_id,
            **base,
            "kind": kind,
            "purpose": "real",
            "accepted_us": at_us,
            "resolved_us": at_us + 1,
            "campaign_id": random.choice(_CAMPAIGNS),
            "score": 50,
            "grade": random.choice("ABCD"),
            "language": "zh",
            "province": random.choice(_PROVINCES),
            "fields_json": orjson.dumps(fields).decode(),
            "more_json": "{}",
        },
    )


def _owned(customer_id: str, lead_id: str, owner: str, at_us: int) -> Iterator[tuple[str, dict[str, Any]]]:
    decision_id, team = make_id("dec", customer_id), owner.rpartition("-")[0]
    standing = [[f"{team}-{number}", 1, 0, 0, 0] for number in range(PEOPLE)]
    yield (
        "decision",
        {
            "decision_id": decision_id,
            "stage": "route",
            "event_id": make_id("evt", customer_id),
            "subject_id": customer_id,
            "lead_id": lead_id,
            "trace_id": "0" * 32,
            "decided_us": at_us + 1,
            "code": "weighted_turn",
            "reason_json": orjson.dumps({"code": "weighted_turn", "standing": standing}).decode(),
        },
    )
    held = {"customer_id": customer_id, "role": "owner"}
    yield (
        "holding",
        {**held, "from_us": at_us, "to_us": at_us + 1, "holder_kind": "queue", "holder_id": "intake"},
    )
    yield (
        "holding",
        {
            **held,
            "from_us": at_us + 1,
            "holder_kind": "person",
            "holder_id": owner,
            "decision_id": decision_id,
        },
    )
    where = {"team_id": team, "period": time.strftime("%Y-%m", time.gmtime(at_us // 1_000_000)), "grade": "B"}
    yield (
        "ledger",
        {
            "decision_id": decision_id,
            "person_id": owner,
            "kind": "received",
            **where,
            "delta": 1,
            "at_us": at_us + 1,
        },
    )


def _worked(
    customer_id: str, lead_id: str, owner: str, state: tuple[int, int, bool, Random]
) -> Iterator[tuple[str, dict[str, Any]]]:
    born_us, now_us, is_open, random = state
    task_id = make_id("task", customer_id)
    due_us = now_us + round(random.uniform(-2, 10) * _DAY_US) if is_open else born_us + 3_600_000_000
    yield (
        "task",
        {
            "task_id": task_id,
            "customer_id": customer_id,
            "lead_id": lead_id,
            "decision_id": make_id("dec", customer_id),
            "ordinal": 0,
            "origin": "first_response",
            "holder_kind": "person",
            "holder_id": owner,
            "due_us": due_us,
            "state": "open" if is_open else "done",
            "created_us": born_us + 1,
            "ended_us": None if is_open else due_us,
        },
    )
    if not is_open:
        yield (
            "outcome",
            {
                "outcome_id": make_id("act", task_id),
                "task_id": task_id,
                "customer_id": customer_id,
                "person_id": owner,
                "code": random.choice(("no_need", "won", "interested", "later")),
                "recorded_us": due_us,
            },
        )


def _name(random: Random) -> str:
    return random.choice(_FAMILY) + "".join(random.choices(_GIVEN, k=random.choice((1, 2))))
