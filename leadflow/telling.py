"""Who tells a person that something is wrong: alarms by mail and webhook, and the heartbeat outward."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leadflow.clock import wall_clock_us
from leadflow.settings import Settings
from sinks.alarms import Alarms, Ways
from sinks.heartbeat import Heartbeat
from sinks.port import outside
from store.company import CompanyCache
from store.database import Database


def tellers(
    settings: Settings, store: Database, folder: Path, trouble: Callable[[], str | None]
) -> list[Alarms | Heartbeat]:
    """Return what is to be started and stopped with the process; `trouble` says why all is not well, if so."""
    ways = Ways(
        settings.alarm_mail, settings.alarm_webhook, settings.alarm_webhook_secret, settings.public_url
    )
    found: list[Alarms | Heartbeat] = [Alarms(store, CompanyCache(), outside(folder), wall_clock_us, ways)]
    if settings.heartbeat_url:
        urls = (settings.heartbeat_url, settings.heartbeat_fail_url)
        found.append(Heartbeat(urls, settings.heartbeat_seconds, trouble, outside(folder)))
    return found
