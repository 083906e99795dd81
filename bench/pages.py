"""How fast the console's pages are on a million customers, while 200 people work and leads come in.

    python bench/pages.py [--customers N] [--touches N] [--people N] [--rate N] [--seconds N] [--json]

One process is the product as `leadflow run` starts it, on a data folder that was filled before. 200 people ask it for
something every five seconds: their day, an inbox, a customer, a story, an outcome; managers and others their pages. Beside
them leads come in through the web door. The same is asked of an empty house of the same people, in the same run, and
`ratio_to_empty` is the larger of the ratios of the pages' medians, `ratio_p95` that of their 95th percentiles.
`page_kb` is the largest page, `first_visit_kb` what a browser loads with it once.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode

import httpx2
from sqlalchemy import select

from bench.measure import in_process, percentile, report, rounded
from bench.pages_house import company, fill
from bench.served import Server, served
from console.may import roles_of
from leadflow.clock import new_id, new_secret, wall_clock_us
from leadflow.embedded import open_files
from store import tables
from store.access import HOUR_US, grant
from store.acts import Command, perform

EVERY_S = 5.0
"""Seconds between two acts of one person: twelve a minute, all day, is more than anybody does."""
ELSEWHERE = {"host": "leads.example"}
_MIX = {
    "representative": (
        "/day",
        "/day",
        "/day",
        "outcome",
        "outcome",
        "/customer",
        "/story",
        "/inbox",
        "/customers",
    ),
    "manager": (
        "/team",
        "/move",
        "/day",
        "/customers",
        "/customer",
        "/story",
        "/neglected",
        "/pools",
        "/collisions",
    ),
    "marketing": ("/campaigns", "/customers", "/"),
    "operations": ("/", "/doors", "/needs-repair", "/audit", "/access", "/rules", "/matches", "/import"),
}
"""What people of a role ask for, in turns."""


@dataclass
class Seen:
    """How long each page took (s), how large it was, and what was answered otherwise than as wanted."""

    took: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    bytes: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(frozen=True)
class Person:
    """Who asks, with the token they have and some customers of theirs."""

    person_id: str
    role: str
    token: str
    customers: tuple[str, ...]
    leads: tuple[str, ...]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--touches", type=int, default=5_000_000)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rate", type=float, default=100, help="leads a second that come in meanwhile")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument(
        "--folder", type=Path, help="a data folder to be filled, and used again the next time"
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="leadflow-bench-") as place:
        full, empty = args.folder or Path(place) / "full", Path(place) / "empty"
        if not full.exists():
            in_process(fill, full, args.customers, args.touches, wall_clock_us())
        in_process(fill, empty, 0, 0, wall_clock_us())
        seen = {name: measured(folder, args) for name, folder in (("empty", empty), ("full", full))}
    report("the console under load", told(seen["full"], seen["empty"], args), args.json)


def told(full: Seen, empty: Seen, args: argparse.Namespace) -> dict[str, Any]:
    """Return the figures."""
    both = [name for name in full.took if empty.took.get(name)]
    halves = {name: statistics.median(full.took[name]) / statistics.median(empty.took[name]) for name in both}
    tails = {name: percentile(full.took[name], 0.95) / percentile(empty.took[name], 0.95) for name in both}
    asked = sum(map(len, full.took.values()))
    return {
        "customers": args.customers,
        "people": args.people,
        "leads_s": args.rate,
        "asked": asked,
        "wrong": dict(full.wrong) | {f"empty {name}": count for name, count in empty.wrong.items()},
        **{
            f"p95_ms {name}": rounded(1_000 * percentile(took, 0.95))
            for name, took in sorted(full.took.items())
        },
        **{f"ratio {name}": rounded(ratio) for name, ratio in sorted(halves.items())},
        "p95_ms": rounded(1_000 * max(percentile(took, 0.95) for took in full.took.values())),
        "ratio_to_empty": rounded(max(halves.values())),
        "ratio_p95": rounded(max(tails.values())),
        "page_kb": rounded(max(full.bytes.values()) / 1_024),
        "largest": max(full.bytes, key=lambda name: full.bytes[name]),
    }


def measured(folder: Path, args: argparse.Namespace) -> Seen:
    """Run the product on a folder, and ask it for a while."""
    staff = people(folder, args.people)
    with served("run", folder) as server:
        return asyncio.run(asked(server, staff, args.rate, args.seconds))


def people(folder: Path, count: int) -> list[Person]:
    """Return who asks, each with a new token."""
    files, now_us, found = open_files(folder), wall_clock_us(), []
    holding, lead = tables.holding, tables.customer
    ours = company()
    for person_id in list(ours.people)[:count]:
        token = new_secret()
        command = Command("grant", "operator", new_id(), person_id)
        perform(files.store, command, grant("token", token, HOUR_US), now_us, files.store_log.append)
        with files.store.read() as connection:
            mine = connection.execute(
                select(lead.c.customer_id, lead.c.born_lead)
                .join(holding, holding.c.customer_id == lead.c.customer_id)
                .where(
                    holding.c.holder_kind == "person",
                    holding.c.holder_id == person_id,
                    holding.c.to_us.is_(None),
                )
                .limit(50)
            ).all()
        role = min(roles_of(ours, person_id))
        customers, leads = tuple(row[0] for row in mine), tuple(row[1] for row in mine)
        found.append(Person(person_id, role, token, customers, leads))
    files.close()
    return found


async def asked(server: Server, staff: list[Person], rate: float, seconds: float) -> Seen:
    """Have everybody ask, at their own beat, while leads come in."""
    seen, ends = Seen(), time.monotonic() + seconds
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{server.port}", headers=ELSEWHERE, timeout=60, limits=limits
    ) as client:
        work = [_works(client, one, Random(number), seen, ends) for number, one in enumerate(staff)]
        await asyncio.gather(*work, _leads(client, rate, ends, seen))
    return seen


async def _works(client: httpx2.AsyncClient, person: Person, random: Random, seen: Seen, ends: float) -> None:
    tasks: list[str] = []
    turns = _turns(person, random)
    due = time.monotonic() + random.uniform(0, EVERY_S)
    while due < ends:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += EVERY_S
        name, ask = _request(person, next(turns), random, tasks)
        began = time.perf_counter()
        try:
            answer = await ask(client)
        except httpx2.TransportError as error:
            seen.wrong[f"{name} {type(error).__name__}"] += 1
            continue
        seen.took[name].append(time.perf_counter() - began)
        seen.bytes[name] = max(seen.bytes.get(name, 0), len(answer.content))
        if answer.status_code not in (200, 303):
            seen.wrong[f"{name} {answer.status_code}"] += 1
        if name == "/day":
            tasks[:] = sorted(set(re.findall(r"task_[0-9a-z]+", answer.text)))


def _turns(person: Person, random: Random) -> Iterator[str]:
    mix = list(_MIX[person.role])
    while True:
        random.shuffle(mix)
        yield from mix


def _request(
    person: Person, what: str, random: Random, tasks: list[str]
) -> tuple[str, Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]]]:
    """Return what is asked for, under the name by which it is counted."""
    headers = {"authorization": f"Bearer {person.token}", "accept": "text/html"}
    of = {"/customer": person.customers, "/story": person.leads}
    if what == "outcome" and tasks:
        body = {"code": "no_answer"}
        path = f"/api/tasks/{tasks.pop(0)}/outcome"
        return "outcome", lambda client: client.post(path, json=body, headers=headers)
    if of.get(what):
        path = f"{what}/{random.choice(of[what])}"
    elif what == "/inbox":
        path = f"/inbox/{person.person_id}"
    else:
        path = what if what not in (*of, "outcome") else "/day"
    name = "/" + path.split("/")[1]
    return name, lambda client: client.get(path, headers=headers)


async def _leads(client: httpx2.AsyncClient, rate: float, ends: float, seen: Seen) -> None:
    """Send leads through the web door, so many a second, whatever the answers take."""
    waiting: set[asyncio.Task[None]] = set()
    begun, sent = time.monotonic(), 0

    async def send(number: int) -> None:
        body = urlencode(
            {"name": f"客户{number}", "phone": f"+8619{number % 10**9:09}", "message": "两台叉车"}
        )
        kind = {"content-type": "application/x-www-form-urlencoded"}
        began = time.perf_counter()
        try:
            answer = await client.post("/in/web/site", content=body, headers=kind)
        except httpx2.TransportError as error:
            seen.wrong[f"lead in {type(error).__name__}"] += 1
            return
        seen.took["lead in"].append(time.perf_counter() - began)
        if answer.status_code != 202:
            seen.wrong[f"lead in {answer.status_code}"] += 1

    while time.monotonic() < ends:
        await asyncio.sleep(max(0.0, begun + sent / rate - time.monotonic()))
        task = asyncio.create_task(send(sent))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        sent += 1
    await asyncio.gather(*waiting)


if __name__ == "__main__":
    main()
