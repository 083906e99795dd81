"""Processes of a cluster look after each other: one that dies is on record as missed, one that is stopped is not."""

from __future__ import annotations

from tests.support.cluster import Site


def test_a_process_that_was_killed_is_missed_and_one_that_was_stopped_is_not(site: Site) -> None:
    killed, stopped = (
        site.begin("stages", "k", "--only", "parse"),
        site.begin("stages", "s", "--only", "route"),
    )
    forwarder = site.part("timers", "t")
    killed.ready()
    stopped.ready()
    site.wait(lambda: site.count("process") == 3, "each said that it lives")
    killed.kill()
    site.stop(stopped)
    rows = site.ask("SELECT part, stages, has_left FROM process ORDER BY part, stages")
    assert rows == [("stages", "parse", False), ("stages", "route", True), ("timers", "", False)]
    assert forwarder.alive
