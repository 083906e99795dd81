"""One core, two hosts: the same leads, decided at the moments they were accepted, leave the same tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from bench import workload
from leadflow import pipeline
from leadflow.cluster import cluster_stage
from schemas.capture import Capture, capture_of
from schemas.company import Company
from schemas.events import Event
from store import tables
from store.company import CompanyCache
from stream.faust_app import AppThread
from tests.support.cluster import Site
from tests.support.rig import MONDAY_10, SECOND, Rig

LEADS = int(os.environ.get("LEADFLOW_TEST_LEADS", "400"))
"""The suite compares 400; the variable sets another number, such as 20000."""

PLACES = {
    "log": "sealed under keys of its own, and kept for another time on each host",
    "topic_head": "counts places, and names topics that are others on each host",
    "progress": "counts places, and names topics that are others on each host",
    "pii_key": "the embedded host keeps them in doors.db; each is random",
}
"""Tables that are a host's own, and why."""

COLUMNS = {
    ("capture", "key_id"): "random, so that nobody can tell a capture by its key",
}
"""Columns that are a host's own, and why."""

ROWS = {
    (
        "setting",
        "key",
        "master_key_mark",
    ): "the mark of the machine's own master key; only a cluster has several machines",
}
"""Rows that are a host's own, by the value of a column, and why."""

State = dict[str, list[dict[str, Any]]]


@pytest.mark.timeout(1_800)
def test_one_partition_ends_in_the_tables_of_the_embedded_host(
    tmp_path: Path, brokers: str, database_url: str
) -> None:
    captures = list(islice(accepted(), LEADS))
    rig = Rig(tmp_path, company=workload.company())
    rig.feed(captures)
    rig.run()
    expected = state_of(rig.rows)
    rig.close()
    site = Site(tmp_path, brokers, database_url, workload.company(), parts=1)
    try:
        door = site.door()
        site.outbox()
        with stages(site):
            site.accept(door, captures)
            site.wait(lambda: is_through(site), "all stages at the ends of their topics", 60 + LEADS / 20)
        found = state_of(lambda name: rows_of(site, name))
    finally:
        site.close()
    assert len(expected["lead"]) == LEADS
    for name, rows in expected.items():
        assert found[name] == rows, name


def accepted() -> Iterator[Capture]:
    """Yield forms as the web door takes them, two a second, the same ones each time."""
    for number, fields in enumerate(workload.forms()):
        yield _posted(number, fields)


def _posted(number: int, fields: dict[str, str]) -> Capture:
    return capture_of(
        source_id="site",
        channel="web",
        format="web.form",
        body=urlencode(fields).encode(),
        accepted_us=MONDAY_10 + number * SECOND // 2,
        trace_id=f"{number:032x}",
        made_key=f"made-{number}",
        meta={"content_type": workload.FORM_TYPE},
    )


@contextmanager
def stages(site: Site) -> Iterator[None]:
    """Run every stage's Faust app on the events' own times."""
    broken: list[str] = []
    names = [str(one.name) for one in pipeline.stages(CompanyCache())]
    running = AppThread(
        [cluster_stage(site.cluster, name, f"{name}-equal", clock=own_time) for name in names], broken.append
    )
    running.start()
    try:
        yield
    finally:
        running.stop()
    assert broken == []


def own_time(event: Event) -> int:
    return event.time_us


def is_through(site: Site) -> bool:
    """Whether every lead has been delivered as far as `deliver` decides, by the places of the last stage."""
    done = dict(site.ask("SELECT topic, sum(next_off) FROM progress WHERE stage = 'deliver' GROUP BY topic"))
    decided = site.ask("SELECT count(*) FROM decision WHERE stage = 'route'")[0][0]
    return bool(decided == LEADS and done.get("assignments") == LEADS)


def rows_of(site: Site, name: str) -> list[dict[str, Any]]:
    table = tables.state.tables[name]
    with site.cluster.store.read() as connection:
        return [
            dict(row)
            for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
        ]


def state_of(rows: Any) -> State:
    """Return every table that both hosts share, without what is a host's own, in an order of its content."""
    return {
        name: sorted(
            (
                {key: value for key, value in row.items() if (name, key) not in COLUMNS}
                for row in rows(name)
                if not any((name, key, value) in ROWS for key, value in row.items())
            ),
            key=lambda row: [str(value) for value in row.values()],
        )
        for name in sorted(tables.state.tables)
        if name not in PLACES
    }


@pytest.mark.timeout(1_800)
def test_four_workers_group_leads_without_conflicts_as_the_embedded_host_does(
    tmp_path: Path, brokers: str, database_url: str
) -> None:
    captures = list(islice(accepted(), LEADS))
    rig = Rig(tmp_path, company=by_identifiers())
    rig.feed(captures)
    rig.run()
    expected = groups((row["lead_id"], row["customer_id"]) for row in rig.rows("membership") if _open(row))
    rig.close()
    with four_workers(tmp_path, brokers, database_url, captures) as site:
        assert groups(site.ask(_OPEN)) == expected
        site.assert_sound(captures)


@pytest.mark.timeout(1_800)
def test_four_workers_explain_what_they_made_of_leads_in_conflict(
    tmp_path: Path, brokers: str, database_url: str
) -> None:
    captures = list(islice(in_conflict(), LEADS))
    with four_workers(tmp_path, brokers, database_url, captures) as site:
        site.assert_sound(captures)
        assert site.ask("SELECT count(*) FROM evidence WHERE note = 'conflict'")[0][0] > 0
        assert site.ask(_UNEXPLAINED) == []


_OPEN = "SELECT lead_id, customer_id FROM membership WHERE to_us IS NULL"
_UNEXPLAINED = """
SELECT lead.lead_id FROM lead
WHERE NOT EXISTS (SELECT 1 FROM decision WHERE decision.lead_id = lead.lead_id AND stage = 'route')
OR NOT EXISTS (SELECT 1 FROM evidence WHERE evidence.lead_id = lead.lead_id)
"""


def in_conflict() -> Iterator[Capture]:
    """Yield the same forms, every fifth with the mail address of another customer."""
    others = islice(workload.forms(), 2, None)
    for number, (fields, other) in enumerate(zip(workload.forms(), others, strict=False)):
        field = "邮箱" if "邮箱" in fields else "email"
        address = other.get("邮箱") or other["email"]
        yield _posted(number, {**fields, field: address} if number % 5 == 0 else fields)


@contextmanager
def four_workers(folder: Path, brokers: str, database_url: str, captures: list[Capture]) -> Iterator[Site]:
    """Let four processes of every stage work on 8 partitions, until nothing is left to do."""
    site = Site(folder, brokers, database_url, by_identifiers(), parts=8)
    try:
        door = site.door()
        site.part("timers", "timers")
        workers = [site.workers(member) for member in "abcd"]
        site.accept(door, captures)
        site.wait(lambda: is_through(site), "all leads assigned", 90 + LEADS / 20)
        for worker in workers:
            assert worker.alive
            assert all(worker.events(stage) > 0 for stage in ("parse", "resolve", "route")), worker.metrics()
        yield site
    finally:
        site.close()


def by_identifiers() -> Company:
    """A company that recognises people by identifiers alone: of whom likeness makes one depends on who came first."""
    return workload.company().model_copy(update={"matching": "off"})


def groups(pairs: Iterable[tuple[Any, ...]]) -> set[frozenset[str]]:
    """Return which leads are together, whatever their customer is called."""
    found: dict[str, set[str]] = {}
    for lead_id, customer_id in pairs:
        found.setdefault(customer_id, set()).add(lead_id)
    return {frozenset(leads) for leads in found.values()}


def _open(row: dict[str, Any]) -> bool:
    return row["to_us"] is None
