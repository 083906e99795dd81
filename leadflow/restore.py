"""What every restore asks before it begins: is it whole, known, the newest, with its journal and its key?"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from leadflow.archive import BadBackup, Kind, Manifest, read_manifest
from leadflow.backup import MASTER_KEY, backups_in, key_mark
from store.migrate import HISTORIES, knows


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
    kafka: str | None = None
    """The brokers of the cluster, which keep the keys of what came in since."""
    brokers_lost: bool = False
    """Go on without these: what came in since is given up."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it."""

    manifest: Manifest
    erased_since: int
    """Erasures that the backup did not know of, and that were carried out again."""
    keys_since: int = 0
    """Keys of what came in since, which the stages will now read again."""


def opened(wanted: Wanted, kind: Kind, beside: Path) -> tuple[Manifest, bytes]:
    """Return what an archive says, and the erasure journal to go by. Raises BadBackup, which says what to do."""
    manifest = read_manifest(wanted.archive)
    _refuse_other_kind(wanted, manifest, kind)
    _refuse_unknown(wanted, manifest)
    _refuse_older(wanted)
    return manifest, _journal(wanted, manifest, beside)


def key_of(wanted: Wanted, manifest: Manifest, unpacked: Path, in_use: Path) -> bytes | None:
    """Return the master key: given, in the archive, or in use here; None if it is lost and given up."""
    if wanted.key_lost:
        return None
    places = (wanted.key, unpacked / MASTER_KEY, in_use)
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


def _refuse_other_kind(wanted: Wanted, manifest: Manifest, kind: Kind) -> None:
    if manifest.kind == kind:
        return
    if kind == "sqlite":
        raise BadBackup(
            f"{wanted.archive} is of a PostgreSQL database: set LEADFLOW_DATABASE_URL to an empty one.",
            f"{wanted.archive} 是 PostgreSQL 数据库的备份：请将 LEADFLOW_DATABASE_URL 设为一个空数据库。",
        )
    raise BadBackup(
        f"{wanted.archive} is of a data folder: restore it without LEADFLOW_DATABASE_URL.",
        f"{wanted.archive} 是数据文件夹的备份：请在不设置 LEADFLOW_DATABASE_URL 的情况下恢复。",
    )


def _refuse_unknown(wanted: Wanted, manifest: Manifest) -> None:
    revisions = manifest.schema_of
    if not all(knows(history, revisions[history]) for history in HISTORIES if history in revisions):
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


def _journal(wanted: Wanted, manifest: Manifest, beside: Path) -> bytes:
    """Return the erasure journal to go by: the longest at hand, which must begin as the backup knew it."""
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
