"""What the console's page of backups has done: see console.backups.Backups."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from console.backups import Kept as Shown
from console.backups import Making
from leadflow.archive import BadBackup, Kept, read_manifest
from leadflow.backup import backups_in, make_backup
from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.nightly import made_at
from leadflow.settings import Settings
from store.acts import ActRefused, Command, perform

log = structlog.get_logger()


@dataclass
class ConsoleBackups:
    """Backups of what an engine works on."""

    engine: Engine
    kept_place: Kept
    settings: Settings
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _making: Making | None = None

    @property
    def folder(self) -> str:
        """Where they lie."""
        return str(self.settings.backups)

    @property
    def nightly(self) -> str:
        """At which time of day one is made."""
        return self.settings.backup_at

    def kept(self) -> Sequence[Shown]:
        """Return the finished ones, newest first."""
        found = []
        for path in backups_in(self.settings.backups):
            why = path.name.removesuffix(".zip").split("-")[-1]
            moment, size = int(made_at(path).timestamp()) * 1_000_000, path.stat().st_size
            try:
                manifest = read_manifest(path)
            except BadBackup:
                found.append(Shown(path.name, why, moment, size, None, ""))
                continue
            leads = manifest.counts.get("store.lead", 0)
            found.append(Shown(path.name, why, manifest.made_us, size, leads, manifest.version))
        return sorted(found, key=lambda one: -one.made_us)

    def making(self) -> Making | None:
        """Return what is being made, or was made last from here."""
        return self._making

    def begin(self, actor: str, key: str) -> None:
        """Begin one in a thread of its own, and put on record who wanted it. Raises ActRefused."""
        with self._lock:
            if self._making is not None and self._making.state == "running":
                raise ActRefused("backup_running", "A backup is being made; wait for it.")
            files = self.engine.files
            command = Command("backup", actor, key, "backup")
            if not perform(files.store, command, lambda *_: (), wall_clock_us(), files.store_log.append):
                return
            self._making = Making("running", wall_clock_us())
            threading.Thread(target=self._make, name="backup", daemon=True).start()

    def _make(self) -> None:
        began = wall_clock_us()
        try:
            made = make_backup(self.kept_place, into=self.settings.backups, why="manual", now_us=began)
        except BadBackup as bad:
            log.error("backup_failed", why=str(bad))
            self._making = Making("failed", began, (bad.en, bad.zh))
        except Exception as error:  # whatever it was: the page says so, and the nightly one is tried anyway
            log.error("backup_failed", why=type(error).__name__)
            self._making = Making("failed", began, (type(error).__name__, type(error).__name__))
        else:
            log.info("backup_made", file=made.path.name, seconds=round(made.took_s, 1), deleted=0)
            self._making = Making("made", began)
