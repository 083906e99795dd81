"""The cluster's PostgreSQL database as what backups are made of: one dump, tried in a scratch database.

What came in is also in Kafka: a restored database reads on from where it was, as long as the topic `captures` reaches
back that far. What waits in a door's spool is on that machine only, and goes to Kafka from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text

from leadflow.archive import BadBackup, Contents, Kind, unsound
from store.database import Database
from store.dump import Counted, DumpFailed, count, dump, restore_dump, scratch_database
from stream.seal import unwraps

DUMP = "store.dump"


@dataclass(frozen=True, slots=True)
class KeptPostgres:
    """A database, and the folder and master key of the machine that backs it up."""

    database: Database
    folder: Path
    key_file: Path
    journal: Path
    kind: Kind = "postgresql"

    def size(self) -> int:
        """Return the size of the database; its dump is compressed, and smaller."""
        with self.database.read() as connection:
            return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())

    def copy(self, into: Path, key: bytes) -> tuple[tuple[str, ...], Contents]:
        """Dump the database, and count its rows at the moment that is dumped. Raises BadBackup."""
        try:
            counted = dump(self.database, into / DUMP)
        except DumpFailed as error:
            raise not_dumped(error) from None
        return (DUMP,), contents_of(counted, key)

    def look(self, place: Path, key: bytes | None) -> Contents:
        """Restore the dump into a scratch database, and look at that. Raises BadBackup."""
        try:
            with scratch_database(self.database) as scratch:
                restore_dump(scratch, place / DUMP)
                with scratch.read() as connection:
                    return contents_of(count(connection), key)
        except DumpFailed as error:
            raise not_dumped(error) from None


def contents_of(counted: Counted, key: bytes | None) -> Contents:
    """Return what a database holds. Raises BadBackup if the capture keys in it do not open under the master key."""
    if key is not None and not all(unwraps(key, wrapped) for wrapped in counted.keys):
        raise unsound(["capture keys do not open under the master key"])
    counts = {f"store.{name}": number for name, number in counted.counts.items()}
    return Contents({"state": counted.revision or ""}, counts)


def not_dumped(error: DumpFailed) -> BadBackup:
    """Return what to say when PostgreSQL's tools cannot do it."""
    return BadBackup(str(error), f"PostgreSQL 工具报错：{error}")
