"""The nightly backup of a running host: made at its time, or as soon as the host runs again after it."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from leadflow.archive import BadBackup, Kept, Why
from leadflow.backup import Made, backups_in, keep_newest, make_backup
from leadflow.clock import wall_clock_us
from leadflow.metrics import Metrics
from leadflow.settings import Settings

log = structlog.get_logger()

LOOK_S = 30.0
"""How often the clock is looked at: a backup begins half a minute late at most."""
AGAIN_AFTER = timedelta(hours=1)
"""After a failure: a full disk is noticed by the alarm long before, and trying each minute only fills the log."""


def due(now: datetime, at: str, last: datetime) -> bool:
    """Tell whether the time of day `at` (HH:MM) has passed since the last backup. All in one zone, naive."""
    hour, minute = map(int, at.split(":"))
    today = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return last < (today if today <= now else today - timedelta(days=1))


def made_at(path: Path) -> datetime:
    """Return when a backup was made, UTC, by its name."""
    return datetime.strptime(path.name.split("-")[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def newest_age_s(into: Path, now: datetime) -> float | None:
    """Return how old the newest finished backup of any kind is; None without one."""
    found = max((made_at(path) for path in backups_in(into)), default=None)
    return (now - found).total_seconds() if found is not None else None


def nightly_backup(kept: Kept, settings: Settings, metrics: Metrics) -> Nightly:
    """Return the nightly backup as the settings want it, and show its age; to be started."""
    into = settings.backups

    def make(why: Why) -> Made:
        return make_backup(kept, into=into, why=why, now_us=wall_clock_us())

    if settings.backup_at:
        metrics.backup_age(lambda: newest_age_s(into, datetime.now(UTC)))
    return Nightly(make, into, settings.backup_at, settings.backup_keep)


class Nightly:
    """A thread that has a backup made each night, and keeps the newest ones."""

    def __init__(self, make: Callable[[Why], Made], into: Path, at: str, keep: int) -> None:
        self._make = make
        self._into = into
        self._at = at
        self._keep = keep
        self._stop = threading.Event()
        self._not_before = self._began = _local(datetime.now(UTC))
        self._thread = threading.Thread(target=self._run, name="nightly backup", daemon=True)

    def start(self) -> None:
        """Start, unless the nightly backup is switched off."""
        if self._at:
            self._thread.start()

    def stop(self) -> None:
        """Stop; a backup under way is finished first."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self, now: datetime) -> bool:
        """Make the backup if it is due at this moment (UTC); tell whether one was made."""
        here = _local(now)
        if not self._due(here):
            return False
        with _turn(self._into) as mine:
            return mine and self._due(here) and self._made(here)

    def _due(self, here: datetime) -> bool:
        last = max((_local(made_at(path)) for path in backups_in(self._into, "nightly")), default=self._began)
        return here >= self._not_before and due(here, self._at, last)

    def _made(self, here: datetime) -> bool:
        try:
            made = self._make("nightly")
        except BadBackup as error:
            self._failed(here, str(error))
            return False
        except Exception as error:
            # Whatever it was: the host goes on taking leads, and the alarm on the backup's age calls a person.
            self._failed(here, type(error).__name__)
            return False
        gone = keep_newest(self._into, "nightly", self._keep)
        log.info("backup_made", file=made.path.name, seconds=round(made.took_s, 1), deleted=len(gone))
        return True

    def _failed(self, here: datetime, why: str) -> None:
        self._not_before = here + AGAIN_AFTER
        log.error("backup_failed", why=why)

    def _run(self) -> None:
        while True:
            try:
                self.look(datetime.now(UTC))
            except (
                Exception
            ) as error:  # a share that is away, a file that cannot be deleted: tonight, or tomorrow
                self._failed(_local(datetime.now(UTC)), type(error).__name__)
            if self._stop.wait(LOOK_S):
                return


@contextmanager
def _turn(into: Path) -> Iterator[bool]:
    """Yield whether it is this process' turn: of two that share a folder of backups, one makes them."""
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(into / ".nightly", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def _local(moment: datetime) -> datetime:
    return moment.astimezone().replace(tzinfo=None)
