"""The file that a backup is: a zip with a manifest first, and the data it names by size and SHA-256.

Zip, since any tool opens it, its directory stands at the end (half of one is known at once), and each member has
a CRC. A file is seen under its name only when it is complete and on the disk.
"""

from __future__ import annotations

import lzma
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from errno import EINVAL
from hashlib import sha256
from pathlib import Path
from typing import IO, Literal, Protocol

from pydantic import ValidationError

from schemas.base import Frozen, Micros
from store.journal import Erasure, read_journal

MANIFEST = "manifest.json"
_PIECE = 1024 * 1024
_LEVEL = 1
"""Of zlib: tables shrink to a quarter at 70 MB/s, and higher levels cost four times that for a tenth less."""

Kind = Literal["sqlite", "postgresql"]
Why = Literal["manual", "nightly", "migration"]


_DAMAGE = (zipfile.BadZipFile, KeyError, EOFError, RuntimeError, ValueError, zlib.error, lzma.LZMAError)
"""What zipfile raises for altered bytes, by where they lie: RuntimeError for a flag that says "encrypted" or a method
nobody knows, ValueError for names and numbers that cannot be."""

_NO_FAULT_OF_THE_DISK = (None, EINVAL)
"""OSErrors that altered bytes lead to: bz2 gives no number, and a seek to before the beginning is no valid argument."""


class BadBackup(Exception):
    """A backup that is not to be trusted, or cannot be put back; says why and what to do, in two languages."""

    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh
        super().__init__(en)


class Member(Frozen):
    """One file of the archive."""

    size: int
    sha256: str


class Journal(Frozen):
    """How far the erasure journal went when the backup began: it only ever grows."""

    size: int
    sha256: str
    erasures: int


class Manifest(Frozen):
    """What an archive says about itself."""

    format: Literal["leadflow.backup.v1"] = "leadflow.backup.v1"
    kind: Kind
    version: str
    """Of the Leadflow that made it."""
    made_us: Micros
    why: Why
    schema_of: dict[str, str]
    """Revision of each history, `state` and `doors`."""
    key_mark: str
    """Tells whether a master key is the right one, and nothing about it."""
    journal: Journal
    counts: dict[str, int]
    """Rows by table, `store.lead` for one."""
    members: dict[str, Member]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a copy holds, found by looking at it."""

    schema_of: dict[str, str]
    counts: dict[str, int]


class Kept(Protocol):
    """What backups are made of: a data folder, or the cluster's database. Its methods raise BadBackup."""

    @property
    def kind(self) -> Kind: ...

    @property
    def folder(self) -> Path:
        """The data folder of this machine."""
        ...

    @property
    def journal(self) -> Path: ...

    @property
    def key_file(self) -> Path: ...

    def size(self) -> int:
        """Return about how many bytes a copy takes."""
        ...

    def copy(self, into: Path, key: bytes) -> tuple[tuple[str, ...], Contents]:
        """Copy what is committed now into a folder, while others go on writing; return the files' names, and what is there."""
        ...

    def look(self, place: Path, key: bytes | None) -> Contents:
        """Look over such files as a restore would find them; the key, if it is at hand, must open what is sealed."""
        ...


def write_archive(path: Path, manifest: Manifest, folder: Path) -> None:
    """Write the manifest and the members it names, which lie in `folder`; on the disk before this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
            for name in manifest.members:
                archive.write(folder / name, name)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(path: Path) -> Manifest:
    """Return what an archive says about itself. Raises BadBackup."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            content = archive.read(MANIFEST)
    except OSError as error:
        if error.errno in _NO_FAULT_OF_THE_DISK:
            raise _damaged(path) from None
        raise BadBackup(
            f"{path} cannot be read: {error.strerror}.", f"无法读取 {path}：{error.strerror}。"
        ) from None
    except _DAMAGE:
        raise _damaged(path) from None
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError:
        raise BadBackup(
            f"{path} is a backup in a form that this Leadflow does not know. Restore it with the version that made it, or a newer one.",
            f"{path} 的备份格式不被此版本支持。请使用制作该备份的版本或更新的版本恢复。",
        ) from None
    if sorted(names) != sorted([MANIFEST, *manifest.members]):
        raise _damaged(path)
    return manifest


def unpack(path: Path, manifest: Manifest, folder: Path) -> None:
    """Write the members into `folder`, on the disk, each as the manifest says it is. Raises BadBackup."""
    try:
        with zipfile.ZipFile(path) as archive:
            for name, member in manifest.members.items():
                with archive.open(name) as source, _private(folder / name) as target:
                    digest, size = sha256(), 0
                    while piece := source.read(_PIECE):
                        digest.update(piece)
                        size += len(piece)
                        target.write(piece)
                    target.flush()
                    os.fsync(target.fileno())
                if (size, digest.hexdigest()) != (member.size, member.sha256):
                    raise _damaged(path)
    except OSError as error:
        if error.errno in _NO_FAULT_OF_THE_DISK:
            raise _damaged(path) from None
        raise
    except _DAMAGE:
        raise _damaged(path) from None


def member_of(file: Path) -> Member:
    """Return size and digest of a file that is to become a member."""
    with file.open("rb") as opened:
        digest, size = sha256(), 0
        while piece := opened.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return Member(size=size, sha256=digest.hexdigest())


def journal_of(path: Path) -> Journal:
    """Return how far an erasure journal goes: whole lines only, since a cut one was never acted upon."""
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    erasures = sum(isinstance(one, Erasure) for one in read_journal(path))
    return Journal(size=len(whole), sha256=sha256(whole).hexdigest(), erasures=erasures)


def unsound(faults: Sequence[str]) -> BadBackup:
    """Return what to say of data that has faults."""
    return BadBackup(
        f"The data is not sound: {'; '.join(faults[:3])}. Take the backup before it, and keep what is there as it is.",
        f"数据不完好：{'；'.join(faults[:3])}。请使用前一份备份，并保留现有数据。",
    )


def differences(said: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """Return the tables whose rows are not as many as was said."""
    names = sorted(said.keys() | found.keys())
    return [
        f"{name} {found.get(name, 0)}/{said.get(name, 0)}"
        for name in names
        if said.get(name) != found.get(name)
    ]


def _private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _damaged(path: Path) -> BadBackup:
    return BadBackup(
        f"{path} is not whole: cut off, altered, or no backup of Leadflow. Take another one, such as the one before it.",
        f"{path} 不完整：被截断、被改动，或不是 Leadflow 的备份。请使用其他备份，例如前一份。",
    )
