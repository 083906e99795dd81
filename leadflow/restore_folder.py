"""Putting a data folder back: everything is checked and the erased are erased again before it gets its name.

Nothing is ever written over: the folder must be empty, and a restore that fails leaves it as it was.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from leadflow.archive import BadBackup, journal_of
from leadflow.backup import MASTER_KEY, SETTINGS, compare, scratch, unpack_into, write_private
from leadflow.embedded import open_files
from leadflow.kept_folder import look_at_folder
from leadflow.lock import LOCK, AlreadyRunning, take_lock
from leadflow.restore import Restored, Wanted, key_of, opened
from store.database import sqlite_module
from store.files import sync


def restore(wanted: Wanted, folder: Path, journal: Path) -> Restored:
    """Restore into a data folder that is empty or not there; `journal` is where its erasure journal lies.

    Raises BadBackup, which says what to do.
    """
    _refuse_occupied(folder, journal)
    return _restored(wanted, folder, journal, keep=True)


def try_restore(wanted: Wanted, folder: Path, journal: Path) -> Restored:
    """Do all of it but the last step, beside the data folder that may be in use; nothing is left."""
    return _restored(wanted, folder, journal, keep=False)


def _restored(wanted: Wanted, folder: Path, beside: Path, *, keep: bool) -> Restored:
    manifest, journal = opened(wanted, "sqlite", beside)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch(folder.parent) as place:
        data, erasures = place / "data", place / "erasures"
        unpack_into(wanted.archive, manifest, data)
        key = key_of(wanted, manifest, data, folder / MASTER_KEY)
        compare(manifest, look_at_folder(data, key))
        (data / MASTER_KEY).unlink(missing_ok=True)
        if key is None:
            _give_up_keys(data)
        else:
            write_private(data / MASTER_KEY, key)
        write_private(erasures, journal)
        open_files(data, journal=erasures).close()
        since = journal_of(erasures).erasures - manifest.journal.erasures
        if keep:
            _put_in_place(data, erasures, folder, beside)
    return Restored(manifest, since)


def _refuse_occupied(folder: Path, journal: Path) -> None:
    if (folder / LOCK).exists():
        try:
            take_lock(folder).close()
        except AlreadyRunning as running:
            raise BadBackup(
                f"{running} A backup is restored into an empty folder.",
                f"Leadflow 正在 {folder} 上运行，请先停止。备份只能恢复到空文件夹。",
            ) from None
    there = {one.name for one in folder.iterdir()} if folder.exists() else set()
    if there - {LOCK, SETTINGS}:
        raise BadBackup(
            f"There is something in {folder}, and nothing is written over. Move it away first "
            f"(mv {folder} {folder}.before) and leave {journal} where it is.",
            f"{folder} 不是空文件夹，不会覆盖。请先移走（mv {folder} {folder}.before），并保留 {journal}。",
        )


def _give_up_keys(data: Path) -> None:
    """Treat every capture as erased: what is sealed cannot be opened any more, and the stages go on without it."""
    doors = sqlite_module().connect(data / "doors.db")
    try:
        doors.execute("DELETE FROM pii_key")
        doors.commit()
    finally:
        doors.close()


def _put_in_place(data: Path, journal: Path, folder: Path, beside: Path) -> None:
    if not beside.exists() or beside.read_bytes() != journal.read_bytes():
        write_private(beside, journal.read_bytes())
    if (folder / SETTINGS).exists():  # this machine's own go before those of the one that was backed up
        shutil.copyfile(folder / SETTINGS, data / SETTINGS)
    for name in (SETTINGS, LOCK):
        (folder / name).unlink(missing_ok=True)
    os.rename(data, folder)  # onto an empty folder, or none
    sync(folder.parent)
