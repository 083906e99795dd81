"""Workers that join, leave and die at random while leads pass, each message twice.

The suite lets 1,000 leads pass; `make chaos` 50,000, from another beginning each time.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import urlencode

import pytest

from bench import workload
from leadflow.clock import wall_clock_us
from schemas.capture import Capture, capture_of
from stream.kafka.topics import topics_of
from stream.log import Place
from tests.support.cluster import Process, Site
from tests.support.echo import Echo

LEADS = int(os.environ.get("LEADFLOW_TEST_LEADS", "1000"))
SEED = int(os.environ.get("LEADFLOW_TEST_SEED", "5"))
WORKERS, PARTS = 5, 8
ROUNDS = max(8, LEADS // 500)
"""In each somebody leaves and somebody joins; a share of the leads comes in meanwhile."""
POINTS = ("read", "half the effects", "before commit", "committed")


@pytest.mark.timeout(7_200)
def test_a_storm_of_workers_while_every_message_comes_twice(
    tmp_path: Path, brokers: str, database_url: str
) -> None:
    rng = random.Random(SEED)
    site = Site(tmp_path, brokers, database_url, workload.company(), parts=PARTS)
    echo = Echo(brokers, site.admin, [one.name for one in topics_of(PARTS)])
    echo.start()
    try:
        storm = Storm(site, rng)
        door, forms = site.door(), _forms()
        captures: list[Capture] = []
        started = time.monotonic()
        for number in range(ROUNDS):
            these = list(islice(forms, LEADS * (number + 1) // ROUNDS - len(captures)))
            site.accept(door, these)
            captures += these
            storm.turn()
            time.sleep(rng.random() * 2)
        site.wait(lambda: site.ask(_DECIDED) == [(LEADS,)], "every decision", 120 + LEADS / 20)
        site.wait(lambda: is_read_to_the_end(site, echo), "each message and its copy", 120 + LEADS / 20)
        took_s = time.monotonic() - started
        ((median_us, p99_us, most_us),) = site.ask(_WAITS)
        print(
            f"\n{LEADS:,} leads in {took_s:.0f} s, {echo.copies:,} messages came twice; beginning {SEED}. "
            f"Of {WORKERS} workers and 2 forwarders: {storm}. Accepted to decided: median {median_us / 1e6:.1f} s, "
            f"p99 {p99_us / 1e6:.1f} s, longest {most_us / 1e6:.1f} s"
        )
        assert echo.trouble is None
        site.assert_sound(captures)
        assert site.ask("SELECT stage, code FROM dead") == []
        assert site.ask("SELECT event_id FROM log GROUP BY topic, event_id HAVING count(*) > 1") == []
        assert site.ask(_RESOLVED_IN_ORDER) == [(True, 0)]
        assert site.ask(_ROUTED_IN_ORDER) == [(True, 0)]
    finally:
        echo.stop()
        site.close()


class Storm:
    """The processes of a cluster, of which one after the other goes and another comes."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self._site = site
        self._rng = rng
        self._made = 0
        self._counts = {"killed": 0, "killed at a crash point": 0, "stopped": 0, "forwarders killed": 0}
        self._forwarders = [site.begin("timers", f"t{number}") for number in range(2)]
        self._workers = [self._worker() for _ in range(WORKERS)]
        for one in (*self._forwarders, *self._workers):
            one.ready()

    def turn(self) -> None:
        """Have one go, in one way or another, and another come; do not wait until it is ready."""
        if self._rng.random() < 0.2:
            number = self._rng.randrange(len(self._forwarders))
            self._forwarders[number].kill()
            self._forwarders[number] = self._site.begin("timers", f"t{number}")
            self._counts["forwarders killed"] += 1
            return
        dead = [one for one in self._workers if not one.alive]
        leaving = dead[0] if dead else self._rng.choice(self._workers)
        self._workers.remove(leaving)
        if not leaving.alive:
            leaving.dead()
            self._counts["killed at a crash point"] += 1
        elif self._rng.random() < 0.6:
            leaving.kill()
            self._counts["killed"] += 1
        else:
            leaving.send(signal.SIGTERM)
            self._counts["stopped"] += 1
        self._workers.append(self._worker())

    def _worker(self) -> Process:
        self._made += 1
        doom = {}
        if self._made > WORKERS and self._rng.random() < 0.3:
            doom = {"LEADFLOW_CRASH_AT": f"{self._rng.choice(POINTS)}:{self._rng.randrange(2, 12)}"}
        return self._site.begin("stages", f"w{self._made}", **doom)

    def __str__(self) -> str:
        return ", ".join(f"{count} {what}" for what, count in self._counts.items())


def is_read_to_the_end(site: Site, echo: Echo) -> bool:
    """Whether every message has its copy, and every stage has passed both."""
    reader = site.cluster.reader
    ends = {place: reader.head(place).end for place in reader.places([one.name for one in topics_of(PARTS)])}
    if sum(ends.values()) != 2 * echo.copies:
        return False
    places = site.ask("SELECT topic, part, next_off FROM progress WHERE stage <> 'forward'")
    return all(next_off == ends[Place(topic, part)] for topic, part, next_off in places)


def _forms() -> Iterator[Capture]:
    """Yield forms as they are taken in, a fifth of them from somebody who wrote before."""
    for number, fields in enumerate(workload.forms(SEED)):
        yield capture_of(
            source_id="site",
            channel="web",
            format="web.form",
            body=urlencode(fields).encode(),
            accepted_us=wall_clock_us(),
            trace_id=f"{number:032x}",
            made_key=f"made-{number}",
            meta={"content_type": workload.FORM_TYPE},
        )


_DECIDED = "SELECT count(*) FROM decision WHERE stage = 'route' AND lead_id IS NOT NULL"
_WAITS = """
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY waited_us), percentile_disc(0.99) WITHIN GROUP (ORDER BY waited_us),
    max(waited_us)
FROM (SELECT decided_us - accepted_us AS waited_us FROM decision JOIN lead USING (lead_id) WHERE stage = 'route') AS waits
"""
_RESOLVED_IN_ORDER = """
SELECT count(before_us) > 0, count(*) FILTER (WHERE resolved_us < before_us) FROM (
    SELECT resolved_us, lag(resolved_us) OVER (PARTITION BY log.key ORDER BY log.off) AS before_us
    FROM log JOIN lead ON lead.lead_id = log.subject WHERE log.topic = 'leads'
) AS pairs
"""
"""Whether anybody wrote twice, and how many leads were resolved before an earlier one of the same identifier."""
_ROUTED_IN_ORDER = """
SELECT count(before_us) > 0, count(*) FILTER (WHERE decided_us < before_us) FROM (
    SELECT decided_us, lag(decided_us) OVER (PARTITION BY log.key ORDER BY log.off) AS before_us
    FROM log JOIN decision USING (event_id) WHERE log.topic = 'resolved' AND decision.stage = 'route'
) AS pairs
"""
