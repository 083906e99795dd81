"""The keys of what came in since a backup, brought back from the brokers, which keep them for two weeks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from leadflow.archive import BadBackup
from store import tables
from store.bulk import insert_ignore
from store.database import Database
from store.put_back import without_reason
from stream.content import Content
from stream.kafka.keys import KEYS, keys_since
from stream.kafka.producer import BrokersAway
from stream.kafka.reader import KafkaReader, Opener
from stream.log import Place
from stream.seal import KeyRing

CLOCKS_US = 3_600_000_000
"""How far the clocks of doors and database may be apart: what is read in vain costs little, what is left out, a lead."""


@contextmanager
def keys_at(address: str) -> Iterator[KafkaReader]:
    """Yield what reads the keys at these brokers. Raises BadBackup when they do not answer, at any time."""
    reader = KafkaReader(address, Opener(KeyRing(bytes(32), lambda _ids: {}), Content(None)), [KEYS])
    try:
        reader.head(Place(KEYS))
        yield reader
    except BrokersAway as error:
        raise BadBackup(
            f"The brokers at {address} do not answer ({error}). They keep the keys of what came in since the backup: start "
            "them, make the database empty again, and begin anew. If their data is gone: --brokers-lost",
            f"{address} 的 Kafka 没有应答（{error}）。备份之后接收内容的密钥保存在其中：请启动 Kafka，清空数据库，"
            "再重新恢复。如其数据也已丢失：--brokers-lost",
        ) from None
    finally:
        reader.close()


def bring_back(database: Database, reader: KafkaReader, made_us: int) -> int:
    """Store the keys of what came in since a backup was made, but of nothing erased; return how many there are.

    Raises BrokersAway.
    """
    found = 0
    for keys in keys_since(reader, made_us - CLOCKS_US):
        with database.write() as connection:
            wanted = without_reason(connection, {one.capture_id for one in keys})
            rows = [one.model_dump() for one in keys if one.capture_id in wanted]
            found += insert_ignore(connection, tables.pii_key, rows)
    return found
