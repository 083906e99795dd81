"""What both ways of moving an installation share: why it cannot be done, and what has to go along."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from leadflow.backup import write_private
from leadflow.lock import AlreadyRunning, HostLock, take_lock
from store import tables
from store.copy import Changes, CopyDiffers, Digest, Row
from store.database import Database, PostgresLimits, open_postgres, open_sqlite
from store.migrate import migrate
from store.relocation import put
from stream.door_log import CAPTURES

Told = Callable[[str, int], None]
"""Hears what is under way, and how many of it went so far."""

HOSTS_OWN = ("progress", "pii_key", "process", "relocation")
"""Tables that are not copied as they are: how far stages are differs by the topics they read, keys lie elsewhere, and the
processes are others."""
NO_LIMITS = PostgresLimits(statement_s=0, idle_s=0)
"""A large table takes its time to be read, and nobody waits for it meanwhile."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What went, by table; None if it had all gone before."""

    tables: dict[str, Digest] | None


class CannotMove(Exception):
    """Why an installation cannot be moved, and what to do, in two languages. What was begun can be gone on with."""

    def __init__(self, en: str, zh: str) -> None:
        self.en, self.zh = en, zh
        super().__init__(en)


def not_empty(en: str, zh: str) -> CannotMove:
    """Return what to say of a target that holds what is not of this installation, such as "the topic x"."""
    return CannotMove(
        f"There is something else in {en}, and nothing is written over. Move into empty ones; what was begun from an "
        "installation that has worked on since is something else, too.",
        f"{zh}中已有其他内容，不会覆盖。请迁入空的目标；如上次开始迁移后原安装又运行过，已迁入的部分也视为其他内容。",
    )


def differs(found: CopyDiffers) -> CannotMove:
    """Return what to say when both sides do not hold the same."""
    return CannotMove(
        f"After the copy, {found}. The installation has worked on since the move was begun, or somebody else wrote "
        "there: empty the target and begin again.",
        f"复制后核对不一致（{'、'.join(found.tables)}）：原安装在迁移开始后又运行过，或有他人写入。请清空目标后重新开始。",
    )


def stands(reason: Exception) -> CannotMove:
    """Return what to say when a stage does not work off what waits for it."""
    return CannotMove(
        f"Not everything that came in is dealt with: {reason}", f"仍有未处理的内容，环节已停止：{reason}"
    )


def locked(folder: Path) -> HostLock:
    """Keep hosts out of a folder. Raises CannotMove if one is in it."""
    try:
        return take_lock(folder)
    except AlreadyRunning as running:
        raise CannotMove(str(running), f"Leadflow 正在 {folder} 上运行，请先停止。") from None


def nothing_spooled(folder: Path) -> None:
    """Raise CannotMove if captures wait in a door's spool in this folder."""
    if not (folder / "doors.db").exists():
        return
    with closing(open_sqlite(folder / "doors.db")) as spool:
        migrate(spool, "doors")
        with spool.read() as connection:
            waiting = connection.execute(select(func.count()).select_from(tables.door_log)).scalar_one()
    if waiting:
        raise CannotMove(
            f"{waiting} captures wait for the brokers in {folder}. Start the cluster's doors there once more, until "
            "nothing waits.",
            f"{folder} 中有 {waiting} 条原始记录等待写入 Kafka。请在该处再次启动接入进程，直到全部写入。",
        )


def open_quietly(url: str) -> Database:
    """Open the cluster's database with nobody else at it. Raises CannotMove, which names who is."""
    database = open_postgres(url, NO_LIMITS, "leadflow")
    others = text(
        "SELECT DISTINCT application_name FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name LIKE 'leadflow _%' ORDER BY 1"
    )
    with database.read() as connection:
        found = list(connection.execute(others).scalars())
    if found:
        database.close()
        raise CannotMove(
            f"Parts of the cluster are running: {', '.join(found)}. Stop every part on every machine first.",
            f"集群仍有部分在运行：{'、'.join(found)}。请先在所有机器上停止全部进程。",
        )
    return database


def going_along(key: tuple[Path, Path], journal: tuple[Path, Path]) -> Callable[[], None]:
    """Return what puts the master key and the erasure journal (each from, to) where they are used from now on.

    Raises CannotMove if others lie there, before anything is done.
    """
    writes = [*_key(*key), *_journal(*journal)]

    def put_there() -> None:
        for path, content in writes:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_private(path, content)

    return put_there


def _key(source: Path, target: Path) -> list[tuple[Path, bytes]]:
    if not target.exists():
        return [(target, source.read_bytes())]
    if target.read_bytes() == source.read_bytes():
        return []
    raise CannotMove(
        f"{target} is another master key than {source}. Move it away first.",
        f"{target} 与 {source} 是不同的主密钥，请先移走前者。",
    )


def _journal(source: Path, target: Path) -> list[tuple[Path, bytes]]:
    wanted = source.read_bytes() if source.exists() else b""
    there = target.read_bytes() if target.exists() else b""
    if there.startswith(wanted):  # it only ever grows
        return []
    if wanted.startswith(there):
        return [(target, wanted)]
    raise CannotMove(
        f"{target} is the erasure journal of another installation than {source}. Move it away first.",
        f"{target} 与 {source} 不是同一安装的删除日志，请先移走前者。",
    )


def mark_gone(store: Database, origin: str, now_us: int) -> None:
    """Let nobody work on this store any more."""
    with store.write() as connection:
        put(connection, "gone", origin, now_us)


def readdressed(
    captures: Callable[[int, int], tuple[int, int]],
    letters: Callable[[str, int, int], tuple[int, int]],
    parts: Mapping[str, int],
) -> Changes:
    """Return what becomes of the rows that name a place in a topic.

    `captures` and `letters` turn (topic,) partition and offset into where the same event is on the other side;
    `parts` has the partition of each capture that is one part of a whole, whose row names the offset alone.
    """

    def capture(row: Row) -> Row:
        row["part"], row["off"] = captures(row["part"], row["off"])
        return row

    def part(row: Row) -> Row:
        row["off"] = captures(parts[row["capture_id"]], row["off"])[1]
        return row

    def dead(row: Row) -> Row:
        place = row["part"], row["off"]
        if row["topic"] == CAPTURES:
            place = captures(*place)
        elif row["topic"] != "delivery":  # which is a row, and no place in a log
            place = letters(row["topic"], *place)
        row["part"], row["off"] = place
        return row

    return {"capture": capture, "part": part, "dead": dead}


def partitions_of_parts(store: Database) -> dict[str, int]:
    """Return the partition of each capture that is one part of a whole."""
    part, capture = tables.part, tables.capture
    wanted = select(capture.c.capture_id, capture.c.part).join(
        part, part.c.capture_id == capture.c.capture_id
    )
    with store.read() as connection:
        return {row.capture_id: row.part for row in connection.execute(wanted)}
