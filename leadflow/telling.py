"""Who tells a person that something is wrong: alarms by mail and webhook, and the heartbeat outward."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from leadflow.clock import wall_clock_us
from leadflow.life import who_is_missing
from leadflow.settings import Settings
from sinks.alarms import Alarms, Ways
from sinks.heartbeat import Heartbeat
from sinks.port import outside
from store.breakers import open_breakers
from store.company import CompanyCache
from store.database import Database


def tellers(
    settings: Settings, store: Database, folder: Path, trouble: Callable[[], str | None]
) -> list[Alarms | Heartbeat]:
    """Return what is to be started and stopped with the process; `trouble` says why this process is not well, if so.

    The heartbeat also falls silent while a stage stands, whichever process runs it, while nobody runs a part of the
    cluster, or the store does not answer.
    """
    missing = who_is_missing(store) if settings.kafka else _nobody

    def all_trouble() -> str | None:
        try:
            return trouble() or _stopped(store) or missing()
        except DBAPIError as error:
            return f"the store does not answer: {type(error.orig).__name__}"

    ways = Ways(
        settings.alarm_mail, settings.alarm_webhook, settings.alarm_webhook_secret, settings.public_url
    )
    found: list[Alarms | Heartbeat] = [Alarms(store, CompanyCache(), outside(folder), wall_clock_us, ways)]
    if settings.heartbeat_url:
        urls = (settings.heartbeat_url, settings.heartbeat_fail_url)
        found.append(Heartbeat(urls, settings.heartbeat_seconds, all_trouble, outside(folder)))
    return found


def _nobody() -> None:
    """On one machine there is one process, so nobody is missing."""


def _stopped(store: Database) -> str | None:
    with store.read() as connection:
        found = [row["stage"] for row in open_breakers(connection) if row["state"] == "stopped"]
    return f"stopped: {', '.join(found)}" if found else None
