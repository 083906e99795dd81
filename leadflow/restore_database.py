"""Putting the cluster's database back, into an empty one, with the erased erased again.

All processes of the cluster are stopped meanwhile. The stages then go on from where the backup was: they read from Kafka
again what came in since, and the tables leave out what is there already.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, text

from leadflow.archive import BadBackup, journal_of
from leadflow.backup import compare, scratch, unpack_into, write_private
from leadflow.engine import KEY_MARK, erase_again
from leadflow.kept_postgres import DUMP, KeptPostgres, contents_of, not_dumped
from leadflow.restore import Restored, Wanted, key_of, opened
from store import tables
from store.acts_erase import Erasure, erase_keys
from store.database import Database
from store.dump import DumpFailed, count, is_empty, restore_dump
from store.migrate import migrate
from stream.door_log import fetch_keys
from stream.log import SqlLog
from stream.seal import KeyRing, master_key


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
    with scratch(kept.folder.parent) as place:
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
    migrate(kept.database, "state")
    if key is None:
        _give_up_keys(kept.database)
    elif not kept.key_file.exists():
        write_private(kept.key_file, key)
    if not kept.journal.exists() or kept.journal.read_bytes() != journal:
        write_private(kept.journal, journal)
    keys = KeyRing(master_key(kept.key_file), fetch_keys(kept.database, tables.pii_key))
    erase_again(_Erasable(kept.database, SqlLog(tables.log, tables.topic_head, keys), keys, kept.journal))
    return Restored(manifest, since)


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
