"""Putting a backup back: everything is checked and the erased are erased again before the folder gets its name.

Nothing is ever written over: the folder must be empty, and a restore that fails leaves it as it was.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from leadflow.archive import BadBackup, Manifest, journal_of, read_manifest
from leadflow.backup import (
    MASTER_KEY,
    SETTINGS,
    backups_in,
    compare,
    key_mark,
    scratch,
    sync_folder,
    unpack_into,
    write_private,
)
from leadflow.embedded import open_files
from leadflow.kept_folder import look_at_folder
from leadflow.lock import AlreadyRunning, take_lock
from leadflow.paths import journal_path
from store.database import sqlite_module
from store.migrate import HISTORIES, knows

_LOCK = "host.lock"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to restore, and what the operator says about it."""

    archive: Path
    key: Path | None = None
    """The master key, if the archive does not hold it."""
    journal: Path | None = None
    """The erasure journal, if it does not lie beside the folder already."""
    never_erased: bool = False
    """Nobody was ever erased here, so there is no journal."""
    older: bool = False
    """There are newer backups beside it, and this one is meant."""
    key_lost: bool = False
    """Go on without what was sealed: the raw bytes of all captures are given up."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it."""

    manifest: Manifest
    erased_since: int
    """Erasures that the backup did not know of, and that were carried out again."""


def restore(wanted: Wanted, folder: Path) -> Restored:
    """Restore into a data folder that is empty or not there. Raises BadBackup, which says what to do."""
    _refuse_occupied(folder)
    return _restored(wanted, folder, keep=True)


def try_restore(wanted: Wanted, folder: Path) -> Restored:
    """Do all of it but the last step, beside the data folder that may be in use; nothing is left."""
    return _restored(wanted, folder, keep=False)


def _restored(wanted: Wanted, folder: Path, *, keep: bool) -> Restored:
    manifest = read_manifest(wanted.archive)
    _refuse_unknown(wanted, manifest)
    _refuse_older(wanted)
    journal = _journal(wanted, manifest, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch(folder.parent) as place:
        data, erasures = place / "data", place / "erasures"
        unpack_into(wanted.archive, manifest, data)
        key = _key(wanted, manifest, data, folder)
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
            _put_in_place(data, erasures, folder)
    return Restored(manifest, since)


def _refuse_occupied(folder: Path) -> None:
    if (folder / _LOCK).exists():
        try:
            take_lock(folder).close()
        except AlreadyRunning as running:
            raise BadBackup(
                f"{running} A backup is restored into an empty folder.",
                f"Leadflow 正在 {folder} 上运行，请先停止。备份只能恢复到空文件夹。",
            ) from None
    there = {one.name for one in folder.iterdir()} if folder.exists() else set()
    if there - {_LOCK, SETTINGS}:
        raise BadBackup(
            f"There is something in {folder}, and nothing is written over. Move it away first "
            f"(mv {folder} {folder}.before) and leave {journal_path(folder)} where it is.",
            f"{folder} 不是空文件夹，不会覆盖。请先移走（mv {folder} {folder}.before），"
            f"并保留 {journal_path(folder)}。",
        )


def _refuse_unknown(wanted: Wanted, manifest: Manifest) -> None:
    if manifest.kind != "sqlite":
        raise BadBackup(
            f"{wanted.archive} is of a PostgreSQL database: set LEADFLOW_DATABASE_URL to an empty one.",
            f"{wanted.archive} 是 PostgreSQL 数据库的备份：请将 LEADFLOW_DATABASE_URL 设为一个空数据库。",
        )
    if not all(knows(history, manifest.schema_of[history]) for history in HISTORIES):
        raise BadBackup(
            f"{wanted.archive} was made by Leadflow {manifest.version}, whose tables this one does not know. "
            f"Install {manifest.version} or a newer one, and restore with that.",
            f"{wanted.archive} 由 Leadflow {manifest.version} 制作，此版本不认识其数据表。"
            f"请安装 {manifest.version} 或更新的版本后恢复。",
        )


def _refuse_older(wanted: Wanted) -> None:
    others = backups_in(wanted.archive.parent)
    newer = [one for one in others if one.name > wanted.archive.name] if wanted.archive in others else []
    if newer and not wanted.older:
        raise BadBackup(
            f"{wanted.archive.name} is not the newest: what came in after it would be gone. "
            f"Take {newer[-1].name}, or say --older if you mean this one.",
            f"{wanted.archive.name} 不是最新的备份，之后接收的内容将会丢失。"
            f"请使用 {newer[-1].name}；如确实要用这一份，请加 --older。",
        )


def _journal(wanted: Wanted, manifest: Manifest, folder: Path) -> bytes:
    """Return the erasure journal to go by: the longest at hand, which must begin as the backup knew it."""
    beside = journal_path(folder)
    found = [path for path in (beside, wanted.journal) if path is not None and path.exists()]
    if wanted.journal is not None and not wanted.journal.exists():
        raise BadBackup(f"There is no {wanted.journal}.", f"没有 {wanted.journal}。")
    if not found:
        if wanted.never_erased and not manifest.journal.erasures:
            return b""
        if wanted.never_erased:
            raise BadBackup(
                f"When this backup was made, {manifest.journal.erasures} erasures were on record: there was a journal. "
                f"Find the newest {beside.name} and give it by --journal.",
                f"制作此备份时已有 {manifest.journal.erasures} 条删除记录，因此日志曾经存在。"
                f"请找到最新的 {beside.name}，并用 --journal 指定。",
            )
        raise BadBackup(
            f"There is no erasure journal {beside}: whoever was erased after this backup would be back. "
            "Give the newest one by --journal FILE, or say --never-erased if nobody was ever erased here.",
            f"没有删除日志 {beside}：备份之后被删除的人会重新出现。"
            "请用 --journal FILE 指定最新的日志；如从未删除过任何人，请加 --never-erased。",
        )
    contents = sorted((path.read_bytes() for path in found), key=len)
    known = manifest.journal
    whole = sha256(contents[-1][: known.size]).hexdigest() == known.sha256
    if not whole or not contents[-1].startswith(contents[0][: contents[0].rfind(b"\n") + 1]):
        raise BadBackup(
            f"The erasure journal ({' and '.join(map(str, found))}) is older than the backup, or of another installation. "
            "Find the newest one: it only ever grows.",
            f"删除日志（{'、'.join(map(str, found))}）比备份更旧，或属于其他安装。请找到最新的日志：它只增不减。",
        )
    return contents[-1]


def _key(wanted: Wanted, manifest: Manifest, data: Path, folder: Path) -> bytes | None:
    """Return the master key: given, in the archive, or in the folder in use; None if it is lost and given up."""
    if wanted.key_lost:
        return None
    places = (wanted.key, data / MASTER_KEY, folder / MASTER_KEY)
    file = next((one for one in places if one is not None and one.exists()), wanted.key)
    if file is None:
        raise BadBackup(
            "The master key is not in this backup. Give your copy of it by --key FILE. If every copy is lost: "
            "--key-lost gives up the raw bytes of all captures, and keeps everything else.",
            "此备份不含主密钥，请用 --key FILE 指定您保存的副本。"
            "如所有副本均已丢失：--key-lost 将放弃全部原始内容，保留其余数据。",
        )
    key = file.read_bytes() if file.exists() else b""
    if key_mark(key) != manifest.key_mark:
        raise BadBackup(
            f"{file} is not the master key of this backup. Find the {MASTER_KEY} of that time.",
            f"{file} 不是此备份的主密钥。请找到当时的 {MASTER_KEY}。",
        )
    return key


def _give_up_keys(data: Path) -> None:
    """Treat every capture as erased: what is sealed cannot be opened any more, and the stages go on without it."""
    doors = sqlite_module().connect(data / "doors.db")
    try:
        doors.execute("DELETE FROM pii_key")
        doors.commit()
    finally:
        doors.close()


def _put_in_place(data: Path, journal: Path, folder: Path) -> None:
    beside = journal_path(folder)
    if not beside.exists() or beside.read_bytes() != journal.read_bytes():
        write_private(beside, journal.read_bytes())
    if (folder / SETTINGS).exists():  # this machine's own go before those of the one that was backed up
        shutil.copyfile(folder / SETTINGS, data / SETTINGS)
    for name in (SETTINGS, _LOCK):
        (folder / name).unlink(missing_ok=True)
    os.rename(data, folder)  # onto an empty folder, or none
    sync_folder(folder.parent)
