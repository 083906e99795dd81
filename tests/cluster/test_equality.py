"""One core, two hosts: the same leads, decided at the moments they were accepted, leave the same tables."""

from __future__ import annotations

from collections.abc import Iterator
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
from schemas.events import Event
from store import tables
from store.company import CompanyCache
from stream.faust_app import AppThread
from tests.support.cluster import Site
from tests.support.rig import MONDAY_10, SECOND, Rig

LEADS = 600

PLACES = {
    "log": "sealed under keys of its own, and kept for another time on each host",
    "topic_head": "counts places, and names topics that are others on each host",
    "progress": "counts places, and names topics that are others on each host",
    "pii_key": "the embedded host keeps them in doors.db; each is random",
    "setting": "the mark of the machine's own master key",
}
"""Tables that are a host's own, and why."""

COLUMNS = {
    ("capture", "key_id"): "random, so that nobody can tell a capture by its key",
}
"""Columns that are a host's own, and why."""

State = dict[str, list[dict[str, Any]]]


@pytest.mark.timeout(300)
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
            site.wait(lambda: is_through(site), "all stages at the ends of their topics", 200)
        found = state_of(lambda name: rows_of(site, name))
    finally:
        site.close()
    assert len(expected["lead"]) == LEADS
    for name, rows in expected.items():
        assert found[name] == rows, name


def accepted() -> Iterator[Capture]:
    """Yield forms as the web door takes them, two a second, the same ones each time."""
    for number, fields in enumerate(workload.forms()):
        yield capture_of(
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
            ({key: value for key, value in row.items() if (name, key) not in COLUMNS} for row in rows(name)),
            key=lambda row: [str(value) for value in row.values()],
        )
        for name in sorted(tables.state.tables)
        if name not in PLACES
    }
