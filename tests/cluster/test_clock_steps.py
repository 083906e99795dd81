"""Clocks that jump back an hour and then forward a day under the stages and the timers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import workload
from leadflow.clock import wall_clock_us
from router.gateway import QUEUE_OPENS
from store import tables
from store.bulk import insert_ignore
from tests.support.cluster import Site
from tests.support.rig import HOUR, post

PEOPLE, TIMERS = 60, 5
STEPS_S = (0, -3_600, 24 * 3_600)
FALSE_CLOCK = Path(__file__).parent.parent / "support" / "false_clock"


@pytest.fixture
def site(tmp_path: Path, brokers: str, database_url: str) -> Iterator[Site]:
    """A company that is on shift at every hour, so that the only timers are the test's own, and goes by identifiers."""
    company = workload.company().model_copy(update={"matching": "off"})
    made = Site(tmp_path, brokers, database_url, company)
    yield made
    made.close()


def test_clocks_that_jump(site: Site, tmp_path: Path) -> None:
    """The same people write at each step: one owner each, their leads in order, timers at their time and once."""
    clock = tmp_path / "clock"
    put(clock, 0)
    false = {"PYTHONPATH": str(FALSE_CLOCK), "FALSE_CLOCK": str(clock)}
    started_us = wall_clock_us()
    due = [started_us + number * HOUR for number in range(1, TIMERS + 1)]
    with site.cluster.store.write() as connection:
        rows = [{"kind": QUEUE_OPENS, "subject_id": "east", "due_us": at_us} for at_us in due]
        insert_ignore(connection, tables.timer, rows)
    door = site.door()
    site.part("timers", "t", **false)
    worker = site.workers("a", **false)
    captures = []
    for step in STEPS_S:
        put(clock, step)
        these = [
            post(
                made=f"{step} {one}", name=f"客户{one}", phone=f"138{one + 12_345:08d}", at_us=wall_clock_us()
            )
            for one in range(PEOPLE)
        ]
        site.accept(door, these)
        captures += these
        wanted = [(len(captures),)]
        site.wait(lambda wanted=wanted: site.ask(_DECIDED) == wanted, f"every decision at {step} s")  # type: ignore[misc]
        assert site.count("customer") == PEOPLE
        if step <= 0:
            assert site.ask(_FIRED) == [(0,)], "nothing is due yet"
    site.wait(lambda: site.ask(_FIRED) == [(TIMERS,)], "the timers of the day that was jumped over")
    put(clock, 0)
    last = post(made="last", name="客户", phone="13900000000", at_us=wall_clock_us())
    site.accept(door, [last])
    site.wait(lambda: site.ask(_DECIDED) == [(len(captures) + 1,)], "a decision after all")
    times = ", ".join(str(at_us) for at_us in due)
    assert site.ask(f"SELECT count(*) FROM log WHERE topic = 'reroute' AND time_us IN ({times})") == [
        (TIMERS,)
    ]
    assert site.ask("SELECT event_id FROM log GROUP BY topic, event_id HAVING count(*) > 1") == []
    assert site.ask(_OUT_OF_ORDER) == [(0,)]
    ((latest_us,),) = site.ask("SELECT max(decided_us) FROM decision")
    assert latest_us > started_us + 23 * HOUR, "the worker went by the false clock"
    assert worker.well() == (True, "")
    site.assert_sound([*captures, last])


def put(clock: Path, off_s: int) -> None:
    """Set how far the false clock is off, in one step: its readers find the old number or the new one."""
    half = clock.with_suffix(".half")
    half.write_text(str(off_s))
    half.replace(clock)


_DECIDED = "SELECT count(*) FROM decision WHERE stage = 'route' AND lead_id IS NOT NULL"
_FIRED = f"SELECT count(*) FROM timer WHERE kind = '{QUEUE_OPENS}' AND subject_id = 'east' AND fired_us IS NOT NULL"
_OUT_OF_ORDER = """
SELECT count(*) FROM (
    SELECT accepted_us, lag(accepted_us) OVER (PARTITION BY log.key ORDER BY log.off) AS before_us
    FROM log JOIN decision USING (event_id) JOIN lead USING (lead_id)
    WHERE log.topic = 'resolved' AND decision.stage = 'route'
) AS pairs WHERE accepted_us < before_us
"""
