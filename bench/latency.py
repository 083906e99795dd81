"""How long a lead takes from the moment it was meant to be sent until its assignment is on the disk.

Open loop: leads are due at the moments of a Poisson process and are counted from there, also while the
server or the sender is late (otherwise a stall hides all that was due meanwhile). The end is when a reader
outside the process first sees the assignment committed; `decided_us`, the stamp of the decision, comes
before the commit and is given beside it.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import psycopg
from sqlalchemy import make_url, text

from bench.load import HttpClient, http_request
from bench.measure import in_process, percentile, rounded
from bench.served import served
from bench.workload import bodies, new_folder
from leadflow.embedded import read_files
from store.database import sqlite_module

_LOWER = (1.0, 0.8, 0.6, 0.4, 0.2, 0.1)
"""Shares of the rate that are tried in turn until one is sustained."""
_TRIAL_S = 10.0
_LEFT_S = 1.0
"""A rate is sustained if, when the last lead has been sent, the rest is assigned within this time."""
_WATCH_S = 0.002
_WATCH_SERVER_S = 0.01
"""A server is asked less often: on one machine each look takes from what is measured."""
_GIVE_UP_S = 120.0


@dataclass
class Sent:
    """What the sender saw: receipts by intended moment, lateness of its own, and commits of assignments."""

    answered: int = 0
    """All leads that were acknowledged; what follows leaves out those of the warm-up."""
    intended_us: dict[str, int] = field(default_factory=dict)
    late_ms: list[float] = field(default_factory=list)
    accept_ms: list[float] = field(default_factory=list)
    committed: list[tuple[int, int]] = field(default_factory=list)
    """(moment seen, assignments committed by then)."""
    left_s: float = 0.0


def measure_latency(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Return percentiles at `rate` leads a second, or at the highest lower rate that is sustained."""
    found: dict[str, Any] = {}
    for number, share in enumerate(_LOWER):
        lowest = share == _LOWER[-1]
        if seconds > _TRIAL_S and not lowest:
            trial = _run(folder.with_name(f"{folder.name}-trial{number}"), rate * share, _TRIAL_S)
            if trial["left_s"] > _LEFT_S:
                continue
        found = _run(folder.with_name(f"{folder.name}{number}"), rate * share, seconds)
        found = {"p99_rate_asked": rate, "p99_rate": rate * share, **found}
        if found["p99_sustained"]:
            break
    return found


def _run(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    with served("run", new_folder(folder)) as server:
        sent = in_process(_load, server.port, str(folder / "store.db"), rate, seconds)
    files = read_files(folder)
    with files.store.read() as connection:
        decided = connection.execute(text(_DECIDED)).all()
    files.close()
    order = [capture_id for capture_id, _ in decided]
    assigned_us = _moments(sent.committed, len(order))
    durations = [
        (at_us - sent.intended_us[capture_id]) / 1_000
        for capture_id, at_us in zip(order, assigned_us, strict=True)
        if capture_id in sent.intended_us
    ]
    stamped = [
        (decided_us - sent.intended_us[capture_id]) / 1_000
        for capture_id, decided_us in decided
        if capture_id in sent.intended_us
    ]
    return {
        **_figures(sent, durations),
        "p99_decided_ms": rounded(percentile(stamped, 0.99)),
        "p99_sustained": sent.left_s <= _LEFT_S,
        "latency_leads": len(durations),
    }


def _figures(sent: Sent, durations: list[float]) -> dict[str, Any]:
    if len(durations) != len(sent.intended_us):
        raise AssertionError(f"{len(sent.intended_us)} leads were acknowledged, {len(durations)} assigned")
    return {
        "p50_ms": rounded(percentile(durations, 0.5)),
        "p99_ms": rounded(percentile(durations, 0.99)),
        "max_ms": rounded(max(durations)),
        "accept_p99_ms": rounded(percentile(sent.accept_ms, 0.99)),
        "sender_late_p99_ms": rounded(percentile(sent.late_ms, 0.99)),
        "left_s": rounded(sent.left_s),
    }


def measure_posted(
    port: int, url: str, rate: float, seconds: float, warm_up_s: float = 0.0
) -> dict[str, Any]:
    """Return percentiles of a running cluster: its door's port, its PostgreSQL, leads a second, and for how long.

    Leads of the warm-up before it are sent alike and not counted.
    """
    sent = in_process(_load, port, url, rate, seconds, warm_up_s)
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False)) as connection:
        rows = connection.execute(_ASSIGNED).fetchall()
        origin: dict[str, str] = dict(connection.execute(_ORIGIN).fetchall())
    order = [origin[orjson.loads(bytes(sealed))["lead_id"]] for (sealed,) in rows]
    durations = [
        (at_us - sent.intended_us[capture_id]) / 1_000
        for capture_id, at_us in zip(order, _moments(sent.committed, len(order)), strict=True)
        if capture_id in sent.intended_us
    ]
    return {"rate": rate, "warm_up_s": warm_up_s, **_figures(sent, durations)}


_ASSIGNED = "SELECT sealed FROM log WHERE topic = 'assignments' ORDER BY off"
_ORIGIN = "SELECT lead_id, capture_id FROM lead_capture WHERE role = 'origin'"
_DECIDED = """
SELECT origin.capture_id, decision.decided_us
FROM log AS resolved
JOIN lead_capture AS origin ON origin.lead_id = resolved.subject AND origin.role = 'origin'
JOIN decision ON decision.event_id = resolved.event_id AND decision.stage = 'route'
WHERE resolved.topic = 'resolved' ORDER BY resolved.off
"""
"""Captures in the order of their assignments: route goes through `resolved` in order, one assignment each."""


def _moments(committed: list[tuple[int, int]], count: int) -> list[int]:
    """Return for each assignment, in order, when it was first seen."""
    moments: list[int] = []
    for seen_us, total in committed:
        moments += [seen_us] * (min(total, count) - len(moments))
    return moments


def _load(port: int, store: str, rate: float, seconds: float, warm_up_s: float = 0.0) -> Sent:
    sent = Sent()
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(store, sent.committed, stop))
    watcher.start()
    try:
        asyncio.run(_send(port, rate, seconds, warm_up_s, sent))
        last = time.monotonic()
        while not sent.committed or sent.committed[-1][1] < sent.answered:
            if time.monotonic() - last > _GIVE_UP_S:
                raise TimeoutError("the stages did not catch up")
            time.sleep(_WATCH_S)
        sent.left_s = time.monotonic() - last
    finally:
        stop.set()
        watcher.join()
    return sent


async def _send(port: int, rate: float, seconds: float, warm_up_s: float, sent: Sent) -> None:
    rng = random.Random(7)
    seconds += warm_up_s
    requests = [http_request(body) for body in islice(bodies(7), int(rate * seconds * 1.2) + 50)]
    idle: list[HttpClient] = []
    tasks: set[asyncio.Task[None]] = set()
    start = time.time() + 0.2
    due = start + rng.expovariate(rate)
    for request in requests:
        if due >= start + seconds:
            break
        if (wait := due - time.time()) > 0:
            await asyncio.sleep(wait)
        is_counted = due >= start + warm_up_s
        if is_counted:
            sent.late_ms.append((time.time() - due) * 1_000)
        tasks.add(task := asyncio.create_task(_one(port, idle, request, (due, is_counted, sent))))
        task.add_done_callback(tasks.discard)
        due += rng.expovariate(rate)
    async with asyncio.timeout(_GIVE_UP_S):
        await asyncio.gather(*tasks)
    for client in idle:
        client.close()


async def _one(port: int, idle: list[HttpClient], request: bytes, case: tuple[float, bool, Sent]) -> None:
    due, is_counted, sent = case
    client = idle.pop() if idle else await HttpClient.connect(port)
    while client.closed:  # kept for too long, and given up by the server
        client = idle.pop() if idle else await HttpClient.connect(port)
    status, answer = await client.ask(request)
    idle.append(client)
    if status != 202:
        raise AssertionError(f"the door answered {status}")
    sent.answered += 1
    if not is_counted:
        return
    sent.accept_ms.append((time.time() - due) * 1_000)
    sent.intended_us[orjson.loads(answer)["receipt"]] = int(due * 1e6)


def _watch(store: str, committed: list[tuple[int, int]], stop: threading.Event) -> None:
    """Note whenever more assignments are committed. Seen up to a look too late, which counts against us."""
    is_server = store.startswith("postgresql")
    connection: Any = (
        psycopg.connect(make_url(store).set(drivername="postgresql").render_as_string(False), autocommit=True)
        if is_server
        else sqlite_module().connect(f"file:{store}?mode=ro", uri=True)
    )
    seen = 0
    try:
        while not stop.is_set():
            (total,) = connection.execute(
                "SELECT next_off FROM topic_head WHERE topic = 'assignments'"
            ).fetchone()
            if total > seen:
                committed.append((time.time_ns() // 1_000, total))
                seen = total
            time.sleep(_WATCH_SERVER_S if is_server else _WATCH_S)
    finally:
        connection.close()
