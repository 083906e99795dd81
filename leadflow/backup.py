"""Making a backup while Leadflow works, verified by restoring it into a scratch place.

The master key stays out unless asked for: without it the raw bytes of an archive that gets lost are noise.
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
    Contents,
    Kept,
    Manifest,
    Why,
    differences,
    journal_of,
    member_of,
    read_manifest,
    unpack,
    write_archive,
)
from store.files import sync

MASTER_KEY = "master.key"
SETTINGS = "leadflow.toml"
_SCRATCH = ".making-"
_FORGOTTEN_S = 24 * 3_600
"""A scratch folder as old as this was left by a process that was killed: no backup takes a day."""


@dataclass(frozen=True, slots=True)
class Made:
    """A finished, verified backup."""

    path: Path
    manifest: Manifest
    took_s: float


def make_backup(kept: Kept, *, into: Path, why: Why, now_us: int, with_key: bool = False) -> Made:
    """Back up what is kept, beside whoever works on it.

    Raises BadBackup when what was copied is not sound or not readable again, or the disk is too full; then
    nothing is left behind. Errors of the disk are raised as they come.
    """
    began = time.monotonic()
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(into)
    # before the copy: who is erased meanwhile is not known to it
    journal = journal_of(kept.journal)
    _room_for(into, kept.size())
    key = kept.key_file.read_bytes()
    with scratch(into) as place:
        copies = place / "copies"
        copies.mkdir()
        copied, contents = kept.copy(copies, key)
        names = [*copied]
        for name, file in ((SETTINGS, kept.folder / SETTINGS), *([(MASTER_KEY, kept.key_file)] * with_key)):
            if file.exists():
                write_private(copies / name, file.read_bytes())
                names.append(name)
        manifest = Manifest(
            kind=kept.kind,
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
        check(kept, manifest, place / "restored", key)
        path = into / name_of(manifest)
        os.rename(made, path)
    sync(into)
    return Made(path, manifest, time.monotonic() - began)


def unpack_into(path: Path, manifest: Manifest, place: Path) -> None:
    """Unpack an archive into a new folder, readable by its owner alone. Raises BadBackup."""
    place.mkdir(mode=0o700)
    unpack(path, manifest, place)


def check(kept: Kept, manifest: Manifest, place: Path, key: bytes | None) -> None:
    """Look at everything that was unpacked, and compare it with what the archive says. Raises BadBackup."""
    compare(manifest, kept.look(place, key))


def compare(manifest: Manifest, contents: Contents) -> None:
    """Raise BadBackup unless there are as many rows as the archive says."""
    if wrong := differences(manifest.counts, contents.counts):
        raise BadBackup(
            f"This backup holds other rows than it says: {', '.join(wrong[:5])}. Take another one.",
            f"此备份中的行数与记载不符：{'、'.join(wrong[:5])}。请使用其他备份。",
        )


def key_mark(key: bytes) -> str:
    """Return what tells a master key from another one, and nothing about it."""
    return hmac.digest(key, b"leadflow backup key", "sha256").hex()[:16]


def name_of(manifest: Manifest) -> str:
    """Return the name of an archive, in the order of time."""
    made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=manifest.made_us)
    return f"leadflow-{made:%Y%m%dT%H%M%S}Z-{manifest.why}.zip"


_MOMENT = f"{'[0-9]' * 8}T{'[0-9]' * 6}Z"
"""As a glob: what `name_of` writes."""


def backups_in(into: Path, *whys: Why) -> list[Path]:
    """Return the finished backups of a folder that were made for these reasons (all, if none is named), oldest first.

    What somebody renamed is theirs: it tells no moment, and is neither counted nor deleted.
    """
    wanted = whys or get_args(Why)
    return sorted(path for why in wanted for path in into.glob(f"leadflow-{_MOMENT}-{why}.zip"))


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
