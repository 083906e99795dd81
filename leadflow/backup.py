"""Making a backup of a data folder while the host runs, verified by restoring it into a scratch folder.

The store is copied first, then the doors: the store's progress then never lies beyond the doors' log, and what
came in between the two is worked off after a restore. The master key stays out unless asked for: without it the raw
bytes of an archive that gets lost are noise.
"""

from __future__ import annotations

import hmac
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import get_args

from leadflow import __version__
from leadflow.archive import (
    BadBackup,
    Manifest,
    Why,
    differences,
    journal_of,
    member_of,
    read_manifest,
    unpack,
    write_archive,
)
from leadflow.paths import journal_path
from store.database import Database, sqlite_module
from store.soundness import beyond, look_over, newest_sealed
from stream.seal import opens_with

MASTER_KEY = "master.key"
SETTINGS = "leadflow.toml"
DATABASES = ("store.db", "doors.db")
_SCRATCH = ".making-"
_FORGOTTEN_S = 24 * 3_600
"""A scratch folder as old as this was left by a process that was killed: no backup takes a day."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a set of files holds, found by looking at it."""

    schema_of: dict[str, str]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Made:
    """A finished, verified backup."""

    path: Path
    manifest: Manifest
    took_s: float


def make_backup(
    folder: Path,
    doors: Database,
    store: Database,
    *,
    into: Path,
    why: Why,
    now_us: int,
    with_key: bool = False,
) -> Made:
    """Back up a data folder whose two files are open here, beside whoever else works on them.

    Raises BadBackup when what was copied is not sound or not readable again, or the disk is too full; then
    nothing is left behind. Errors of the disk are raised as they come.
    """
    began = time.monotonic()
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(into)
    journal = journal_of(
        journal_path(folder)
    )  # before the copies: what is erased meanwhile is in the next one
    _room_for(into, sum(file.stat().st_size for file in folder.glob("*.db*")))
    key = (folder / MASTER_KEY).read_bytes()
    with scratch(into) as place:
        copies = place / "copies"
        copies.mkdir()
        for name, database in zip(DATABASES, (store, doors), strict=True):
            _copy(database, copies / name)
        names = [*DATABASES]
        for name, wanted in ((SETTINGS, True), (MASTER_KEY, with_key)):
            if wanted and (folder / name).exists():
                write_private(copies / name, (folder / name).read_bytes())
                names.append(name)
        contents = look(copies, key)
        manifest = Manifest(
            kind="sqlite",
            version=__version__,
            made_us=now_us,
            why=why,
            schema_of=contents.schema_of,
            key_mark=key_mark(key),
            journal=journal,
            counts=contents.counts,
            members={name: member_of(copies / name) for name in names},
        )
        made = place / "archive"
        write_archive(made, manifest, copies)
        shutil.rmtree(copies)
        unpack_into(made, read_manifest(made), place / "restored")
        check(made, manifest, place / "restored", key)
        path = into / name_of(manifest)
        os.rename(made, path)
    sync_folder(into)
    return Made(path, manifest, time.monotonic() - began)


def _copy(database: Database, path: Path) -> None:
    try:
        database.copy_to(path)
    except sqlite_module().DatabaseError as error:
        raise BadBackup(
            f"{path.name} cannot be copied: {error}. Unless the disk is full, put the last sound backup back, and keep "
            "the folder as it is.",
            f"无法复制 {path.name}：{error}。如非磁盘已满，请恢复最近一份完好的备份，并保留现有文件夹。",
        ) from None
    os.chmod(path, 0o600)


def unpack_into(path: Path, manifest: Manifest, place: Path) -> None:
    """Unpack an archive into a new folder, readable by its owner alone. Raises BadBackup."""
    place.mkdir(mode=0o700)
    unpack(path, manifest, place)


def check(path: Path, manifest: Manifest, place: Path, key: bytes | None) -> None:
    """Look at everything that was unpacked, and compare it with what the archive says. Raises BadBackup."""
    contents = look(place, key)
    if wrong := differences(manifest.counts, contents.counts):
        raise BadBackup(
            f"{path} holds other rows than it says: {', '.join(wrong[:5])}. Take another backup.",
            f"{path} 中的行数与记载不符：{'、'.join(wrong[:5])}。请使用其他备份。",
        )


def look(folder: Path, key: bytes | None) -> Contents:
    """Look over the two files of a folder; the key, if it is at hand, must open what is sealed. Raises BadBackup."""
    store, doors = (look_over(folder / name) for name in DATABASES)
    faults = [*store.faults, *doors.faults, *beyond(store, doors)]
    if key is not None and not faults:
        sealed = newest_sealed(folder / "doors.db")
        if sealed is not None and not opens_with(key, *sealed):
            faults.append("the newest capture does not open under the master key")
    if faults:
        raise BadBackup(
            f"The data is not sound: {'; '.join(faults[:3])}. Take the backup before it, and keep the folder as it is.",
            f"数据不完好：{'；'.join(faults[:3])}。请使用前一份备份，并保留现有文件夹。",
        )
    counts = {f"store.{name}": count for name, count in store.counts.items()}
    counts |= {f"doors.{name}": count for name, count in doors.counts.items()}
    return Contents({"state": store.revision or "", "doors": doors.revision or ""}, counts)


def key_mark(key: bytes) -> str:
    """Return what tells a master key from another one, and nothing about it."""
    return hmac.digest(key, b"leadflow backup key", "sha256").hex()[:16]


def name_of(manifest: Manifest) -> str:
    """Return the name of an archive, in the order of time."""
    made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=manifest.made_us)
    return f"leadflow-{made:%Y%m%dT%H%M%S}Z-{manifest.why}.zip"


def backups_in(into: Path, *whys: Why) -> list[Path]:
    """Return the finished backups of a folder that were made for these reasons (all, if none is named), oldest first."""
    wanted = whys or get_args(Why)
    return sorted(path for why in wanted for path in into.glob(f"leadflow-*Z-{why}.zip"))


def keep_newest(into: Path, why: Why, keep: int) -> Sequence[Path]:
    """Delete all but the newest `keep` backups made for a reason; return what was deleted."""
    gone = backups_in(into, why)[:-keep]
    for path in gone:
        path.unlink()
    return gone


@contextmanager
def scratch(into: Path) -> Iterator[Path]:
    """Yield a new folder in there, readable by its owner alone, and delete it afterwards."""
    place = Path(mkdtemp(prefix=_SCRATCH, dir=into))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that its owner alone may read, on the disk before this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(into: Path) -> None:
    for left in into.glob(f"{_SCRATCH}*"):
        if time.time() - left.stat().st_mtime > _FORGOTTEN_S:
            shutil.rmtree(left, ignore_errors=True)


def _room_for(into: Path, size: int) -> None:
    """Raise BadBackup unless there is room for the archive and for the copy that it is verified by."""
    free = shutil.disk_usage(into).free
    if free < 2 * size:
        mb, there = 2 * size // 1024**2 + 1, free // 1024**2
        raise BadBackup(
            f"A backup needs {mb:,} MB in {into}, and {there:,} MB are free. Make room, or set backup_folder to another disk.",
            f"备份需要 {into} 有 {mb:,} MB 空间，目前仅剩 {there:,} MB。请清理空间，或将 backup_folder 设到其他磁盘。",
        )
