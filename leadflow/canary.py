"""The canary: now and then a marked probe enters each door and is followed to its end; one that is lost is told."""

from __future__ import annotations

import threading
from typing import Any

import structlog

from leadflow.clock import wall_clock_us
from leadflow.doctor import Reached, probe
from leadflow.engine import Data
from schemas.company import Company
from store.alarms import raise_alarm
from store.company import company_version, load_company
from store.silences import DOOR

log = structlog.get_logger()

LEAVE_S = 1.0
DAY_US = 24 * 3_600 * 1_000_000


class Canary:
    """Sends probes until stopped. Sources that are fetched from (mailboxes, tables) get none: they are not ours."""

    def __init__(self, files: Data, host: Reached, every_s: float) -> None:
        self._files = files
        self._host = host
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="canary", daemon=True)

    def start(self) -> None:
        """Start: the first probes go out after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what becomes of a probe under way is of no interest any more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(LEAVE_S)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.turn()
            except Exception as error:  # the store failed: nothing can be followed, and nothing told
                log.error("canary_failed", error=type(error).__name__)

    def turn(self) -> int:
        """Send a probe into every door that takes one; return how many were lost."""
        with self._files.store.read() as connection:
            company = load_company(connection, company_version(connection))
        return sum(
            not self._came_through(company, source_id)
            for source_id in company.sources
            if not self._stopping.is_set()
        )

    def _came_through(self, company: Company, source_id: str) -> bool:
        source = company.sources[source_id]
        if not _takes_probes(source, self._host):
            return True
        try:
            if probe(self._files, self._host, source).is_well or self._stopping.is_set():
                return True
        except Exception as error:  # a fault at one door is no reason to leave the others unwatched
            log.error("canary_failed", source=source_id, error=type(error).__name__)
        log.error("probe_lost", source=source_id)
        with self._files.store.write() as connection:
            now_us = wall_clock_us()
            raise_alarm(
                connection, "probe_lost", DOOR, source_id, now_us, tried=1, refused=1, within_us=DAY_US
            )
        return False


def _takes_probes(source: dict[str, Any], host: Reached) -> bool:
    if source["channel"] == "list" or source.get("imap") or source["format"] == "cti.cdr_table":
        return False  # a list comes by an act, not by a door
    return source["channel"] != "email" or bool(host.smtp_port and source.get("addresses"))
