"""Putting the cluster's database back, into an empty one, with the erased erased again.

All processes of the cluster are stopped meanwhile. The stages then go on from where the backup was: they read the captures that
came in since from Kafka again, under keys that the brokers kept, and pass over what had followed from them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import delete, text

from leadflow.archive import BadBackup, journal_of
from leadflow.backup import compare, scratch, unpack_into, write_private
from leadflow.clock import new_id
from leadflow.engine import KEY_MARK, erase_again
from leadflow.kept_postgres import DUMP, KeptPostgres, contents_of, not_dumped
from leadflow.restore import Restored, Wanted, key_of, opened
from store import tables
from store.acts_erase import erase_keys
from store.database import Database
from store.dump import DumpFailed, count, is_empty, restore_dump
from store.journal import Erasure
from store.migrate import migrate
from store.put_back import begin_new_log
from stream.door_log import fetch_keys
from stream.log import SqlLog
from stream.seal import KeyRing, master_key

if TYPE_CHECKING:
    from stream.kafka.reader import KafkaReader


@dataclass
class _Erasable:
    store: Database
    store_log: SqlLog
    keys: KeyRing
    journal: Path

    def forget_keys(self, erasure: Erasure) -> None:
        with self.store.write() as connection:
            self.keys.forget(erase_keys(connection, erasure, tables.pii_key))

    def empty_deleted(self) -> None:
        with self.store.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(text("VACUUM"))


def restore_database(wanted: Wanted, kept: KeptPostgres) -> Restored:
    """Restore into an empty database. Raises BadBackup, which says what to do."""
    database = kept.database
    with database.read() as connection:
        if not is_empty(connection):
            name = database.engine.url.database
            raise BadBackup(
                f"There are tables in the database {name}, and nothing is written over. Make an empty one, and set "
                "LEADFLOW_DATABASE_URL to it.",
                f"数据库 {name} 中已有数据表，不会覆盖。请新建一个空数据库，并将 LEADFLOW_DATABASE_URL 指向它。",
            )
    return _restored(wanted, kept, keep=True)


def try_restore_database(wanted: Wanted, kept: KeptPostgres) -> Restored:
    """Restore into a scratch database, beside the one in use, and drop it again. Raises BadBackup."""
    return _restored(wanted, kept, keep=False)


def _restored(wanted: Wanted, kept: KeptPostgres, *, keep: bool) -> Restored:
    manifest, journal = opened(wanted, "postgresql", kept.journal)
    kept.folder.mkdir(parents=True, exist_ok=True)
    with (
        scratch(kept.folder.parent) as place,
        _brokers(wanted) if keep else nullcontext() as brokers,
    ):
        data, erasures = place / "data", place / "erasures"
        unpack_into(wanted.archive, manifest, data)
        key = key_of(wanted, manifest, data, kept.key_file)
        write_private(erasures, journal)
        since = journal_of(erasures).erasures - manifest.journal.erasures
        if not keep:
            compare(manifest, kept.look(data, key))
            return Restored(manifest, since)
        _refuse_other_key(kept, key)
        try:
            restore_dump(kept.database, data / DUMP)
        except DumpFailed as error:
            raise not_dumped(error) from None
        with kept.database.read() as connection:
            compare(manifest, contents_of(count(connection), key))
        if key is None:
            _give_up_keys(kept.database)
        elif not kept.key_file.exists():
            write_private(kept.key_file, key)
        if not kept.journal.exists() or kept.journal.read_bytes() != journal:
            write_private(kept.journal, journal)
        return Restored(manifest, since, _catch_up(kept, brokers, manifest.made_us))


def catch_up(wanted: Wanted, kept: KeptPostgres, made_us: int) -> int:
    """Do what else it takes after the database was put back by other means, as it was at `made_us` or later.

    Returns how many keys of what came in since were brought back. Raises BadBackup, which says what to do.
    """
    if not kept.journal.exists() and not wanted.never_erased:
        raise BadBackup(
            f"There is no erasure journal {kept.journal}: whoever was erased since would be back. Put the newest one there, or "
            "say --never-erased if nobody was ever erased here.",
            f"没有删除日志 {kept.journal}：之后被删除的人会重新出现。请将最新的日志放到此处；"
            "如从未删除过任何人，请加 --never-erased。",
        )
    with kept.database.read() as connection:
        if is_empty(connection):
            raise BadBackup(
                "The database is empty. Put it back first, or name a backup of Leadflow's.",
                "数据库是空的。请先恢复数据库，或指定 Leadflow 的备份文件。",
            )
        others = connection.execute(_OTHERS).scalar_one()
        if others:
            raise BadBackup(
                f"Parts of Leadflow are still connected to the database ({others} connections). Stop every process first.",
                f"仍有 Leadflow 进程连接着数据库（{others} 个连接）。请先停止所有进程。",
            )
        if not kept.key_file.exists():
            raise BadBackup(f"There is no master key {kept.key_file}.", f"没有主密钥 {kept.key_file}。")
        contents_of(count(connection), kept.key_file.read_bytes())
    with _brokers(wanted) as brokers:
        return _catch_up(kept, brokers, made_us)


_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'leadflow%' "
    "AND pid <> pg_backend_pid()"
)


def _catch_up(kept: KeptPostgres, brokers: KafkaReader | None, made_us: int) -> int:
    """Pass over what followed from the time that was undone, erase the erased, and bring back the keys of the captures."""
    migrate(kept.database, "state")
    with kept.database.write() as connection:
        begin_new_log(connection, new_id())
    keys = KeyRing(master_key(kept.key_file), fetch_keys(kept.database, tables.pii_key))
    erase_again(_Erasable(kept.database, SqlLog(tables.log, tables.topic_head, keys), keys, kept.journal))
    if brokers is None:
        return 0
    from leadflow.recent_keys import bring_back

    return bring_back(kept.database, brokers, made_us)


def _brokers(wanted: Wanted) -> AbstractContextManager[KafkaReader | None]:
    """Return what reads the brokers, or None if they are given up. Raises BadBackup."""
    if wanted.brokers_lost or wanted.key_lost:
        return nullcontext()
    if wanted.kafka is None:
        raise BadBackup(
            "Set LEADFLOW_KAFKA=host:port: the brokers keep the keys of what came in since the backup. If their data is "
            "gone as well, --brokers-lost gives that up.",
            "请设置 LEADFLOW_KAFKA=host:port：备份之后接收内容的密钥保存在 Kafka 中。"
            "如其数据也已丢失，--brokers-lost 将放弃这部分内容。",
        )
    from leadflow.recent_keys import keys_at  # Kafka's client is an extra

    return keys_at(wanted.kafka)


def _refuse_other_key(kept: KeptPostgres, key: bytes | None) -> None:
    if key is not None and kept.key_file.exists() and key != kept.key_file.read_bytes():
        raise BadBackup(
            f"{kept.key_file} is another master key than that of the backup. Move it away first.",
            f"{kept.key_file} 与此备份的主密钥不同，请先移走。",
        )


def _give_up_keys(database: Database) -> None:
    """Treat every capture as erased, and let the store take a new master key."""
    with database.write() as connection:
        connection.execute(delete(tables.pii_key))
        connection.execute(delete(tables.setting).where(tables.setting.c.key == KEY_MARK))
