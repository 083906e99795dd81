"""A data folder as what backups are made of: its two SQLite files.

The store is copied first, then the doors: the store's progress then never lies beyond the doors' log, and what
came in between the two is worked off after a restore.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from leadflow.archive import BadBackup, Contents, Kind, unsound
from store.database import Database, sqlite_module
from store.soundness import beyond, look_over, newest_sealed
from stream.seal import opens_with

_DATABASES = ("store.db", "doors.db")


@dataclass(frozen=True, slots=True)
class KeptFolder:
    """The two files of a folder, open here or elsewhere."""

    folder: Path
    doors: Database
    store: Database
    journal: Path
    kind: Kind = "sqlite"

    @property
    def key_file(self) -> Path:
        """The master key lies in the folder."""
        return self.folder / "master.key"

    def size(self) -> int:
        """Return the size of both files."""
        return sum(file.stat().st_size for file in self.folder.glob("*.db*"))

    def copy(self, into: Path, key: bytes) -> tuple[tuple[str, ...], Contents]:
        """Copy the store, then the doors. Raises BadBackup for a damaged file."""
        for name, database in zip(_DATABASES, (self.store, self.doors), strict=True):
            try:
                database.copy_to(into / name)
            except sqlite_module().DatabaseError as error:
                raise BadBackup(
                    f"{name} cannot be copied: {error}. Unless the disk is full, put the last sound backup back, and "
                    "keep the folder as it is.",
                    f"无法复制 {name}：{error}。如非磁盘已满，请恢复最近一份完好的备份，并保留现有文件夹。",
                ) from None
            os.chmod(into / name, 0o600)
        return _DATABASES, look_at_folder(into, key)

    def look(self, place: Path, key: bytes | None) -> Contents:
        """Look over the two files in a folder. Raises BadBackup."""
        return look_at_folder(place, key)


def look_at_folder(place: Path, key: bytes | None) -> Contents:
    """Look over two files that nobody has open. Raises BadBackup."""
    store, doors = (look_over(place / name) for name in _DATABASES)
    faults = [*store.faults, *doors.faults, *beyond(store, doors)]
    if key is not None and not faults:
        sealed = newest_sealed(place / "doors.db")
        if sealed is not None and not opens_with(key, *sealed):
            faults.append("the newest capture does not open under the master key")
    if faults:
        raise unsound(faults)
    counts = {f"store.{name}": count for name, count in store.counts.items()}
    counts |= {f"doors.{name}": count for name, count in doors.counts.items()}
    return Contents({"state": store.revision or "", "doors": doors.revision or ""}, counts)
