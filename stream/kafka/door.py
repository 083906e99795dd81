"""The door of the cluster: captures go to the brokers before the answer; while they are away, to a local spool.

The spool is the embedded host's own log (`doors.db`), with the same commit before the answer. A forwarder empties
it in order once the brokers are back; until it is empty, everything new queues behind it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from store import tables
from store.bulk import insert_ignore, keys_in
from store.database import Database
from stream.content import Content
from stream.crash import crash_point
from stream.door_log import CAPTURES, DoorLog, Overloaded, Waiting
from stream.kafka.keys import keys_message
from stream.kafka.message import to_message
from stream.kafka.outbox import Sending
from stream.kafka.producer import BrokersAway
from stream.log import SqlLog, columns_of
from stream.seal import KeyRing

log = structlog.get_logger()

FORWARD_AT_ONCE = 500
FORWARD_BYTES = 16 * 1024 * 1024
"""At most so much at once, if it is more than one capture: mails of 25 MiB by the hundred would fill the memory."""
KEYS_S = 5.0
"""How long a visitor waits for the store to take the captures' keys, as long as for the brokers: a line that falls silent
is given up after 25 s, which is too long. Keys that arrive after all lie there and harm nobody."""
RETRY_S = 1.0
"""Between two tries to reach the brokers while they are away."""
ALARM_S = 60.0
"""A spool that holds something for longer than this is no hiccup: somebody should look."""
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """How much may wait on this machine's disk, and for how long, before the door says no."""

    max_bytes: int = 4 * 1024**3
    """A day of a busy site's forms and mails; the disk behind it must have more."""
    max_age_s: float = 24 * 3_600.0
    """After a day nobody can say any more that a lead is being dealt with."""
    min_free_bytes: int = 64 * 1024**2
    """Left free on the disk: to take out of the spool what was sent on, its file must be written to as well. That needs
    the WAL's 8 MB and the overwritten rows of one forwarding: FORWARD_BYTES, or a single mail of up to 34 MB sealed."""


class KafkaDoor(DoorLog):
    """A door log that writes to the brokers, and to its own file when they, or the store with the keys, are away."""

    def __init__(
        self,
        spool: Database,
        spool_log: SqlLog,
        keys: KeyRing,
        *,
        clock: Callable[[], int],
        new_id: Callable[[], str],
        store: Database,
        sender: Callable[[], Sending],
        free_bytes: Callable[[], int],
        content: Content,
        limits: SpoolLimits | None = None,
        probe_token: str = "",
    ) -> None:
        super().__init__(spool, spool_log, keys, clock=clock, new_id=new_id, probe_token=probe_token)
        self._store = store
        self._sender = sender()
        self._forwarder_sender = sender()
        self._free_bytes = free_bytes
        self._content = content
        self._limits = limits or SpoolLimits()
        self._spooling = threading.Lock()
        """Held while the spool is written or found empty: nothing new may overtake what waits in it."""
        self._is_empty = False
        self.spooled_bytes = 0
        self.oldest_us: int | None = None
        self._sent_off = -1
        """The last of the spool that is with the brokers, though a full disk may keep it from being taken out."""
        self._keeper = ThreadPoolExecutor(1, "keys")
        self._more = threading.Event()
        self._stopping = threading.Event()
        self._forwarder = threading.Thread(target=self._forward, name="spool", daemon=True)

    def start(self) -> None:
        """Start the door and the spool's forwarder."""
        with self._database.read() as connection:
            table = tables.door_log
            size, oldest = connection.execute(
                select(func.coalesce(func.sum(func.length(table.c.sealed)), 0), func.min(table.c.appended_us))
            ).one()
        self.spooled_bytes, self.oldest_us = int(size), oldest
        self._is_empty = size == 0
        super().start()
        self._forwarder.start()

    def close(self) -> None:
        """Write what waits, then stop and close the spool; what is in it is forwarded after the next start."""
        super().close()
        self._stopping.set()
        self._more.set()
        self._forwarder.join()
        self._keeper.shutdown(wait=False)
        self._sender.close()
        self._forwarder_sender.close()
        self._database.close()

    @property
    def trouble(self) -> str | None:
        """What a person should know: how long captures have been waiting on this machine; None if all is well."""
        if self.oldest_us is None:
            return None
        age_s = (self._clock() - self.oldest_us) / _SECOND_US
        if age_s < ALARM_S:
            return None
        return (
            f"{self.spooled_bytes:,} bytes of captures wait on this machine, the oldest for {age_s / 60:.0f} min: "
            "the brokers or the database cannot be reached"
        )

    def _write(self, group: list[Waiting]) -> None:
        # How far a file was read is kept in the spool, so its captures go there as well, in one transaction.
        if self._is_empty and not any(item.checkpoints for item in group):
            try:
                self._send(group)
                return
            except (BrokersAway, SQLAlchemyError, TimeoutError) as error:
                log.error("door_spools", error=type(error).__name__)
        size = sum(item.size for item in group)
        self._refuse_beyond_limits(size)
        with self._spooling:
            super()._write(group)
            if any(item.captures for item in group):
                self._is_empty = False
                self.spooled_bytes += size
                self.oldest_us = self.oldest_us or self._clock()
        self._more.set()

    def _refuse_beyond_limits(self, size: int) -> None:
        if self.spooled_bytes + size > self._limits.max_bytes:
            raise Overloaded(f"{self.spooled_bytes} bytes wait for the brokers on this machine")
        if self._free_bytes() - size < self._limits.min_free_bytes:
            raise Overloaded("the disk of the spool is full")
        if self.oldest_us is not None:
            age_s = (self._clock() - self.oldest_us) / _SECOND_US
            if age_s > self._limits.max_age_s:
                raise Overloaded(f"captures have waited for the brokers for {age_s / 3_600:.0f} h")

    def _send(self, group: Sequence[Waiting]) -> None:
        keys, events = self._sealed_under_new_keys(group)
        self._keeper.submit(self._keep, keys).result(KEYS_S)
        crash_point("before fsync")
        messages = [
            self._content.beside(
                to_message(CAPTURES, columns_of(one), self._keys.seal(one.key_id, one.id, one.data))
            )
            for one in events
        ]
        self._sender.send([keys_message(keys, self._clock()), *messages] if keys else messages)

    def _keep(self, keys: Sequence[Mapping[str, Any]]) -> None:
        with self._store.write() as connection:
            insert_ignore(connection, tables.pii_key, keys)

    def _forward(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._forward_once():
                    self._more.wait(RETRY_S)
                    self._more.clear()
            except Exception as error:
                log.error("spool_waits", error=type(error).__name__)
                self._stopping.wait(RETRY_S)

    def _forward_once(self) -> int:
        """Send the oldest of the spool on, then take it out; return how many, 0 when it is empty."""
        table = tables.door_log
        with self._spooling, self._database.read() as connection:
            first = connection.execute(
                select(func.min(table.c.off)).where(table.c.topic == CAPTURES)
            ).scalar()
            if first is None:
                self._is_empty, self.spooled_bytes, self.oldest_us = True, 0, None
                return 0
        with self._database.read() as connection:
            together = self._log.fitting(connection, CAPTURES, first, FORWARD_AT_ONCE, FORWARD_BYTES)
            rows = self._log.rows(connection, CAPTURES, first, together)
            wanted = [(row["key_id"],) for row in rows if row["key_id"]]
            key = tables.door_key
            keys: list[dict[str, Any]] = [
                dict(row)
                for row in connection.execute(
                    select(key).where(keys_in(connection, ["key_id"], wanted))
                ).mappings()
            ]
        self._keep(keys)
        if unsent := [row for row in rows if row["off"] > self._sent_off]:
            messages = [self._content.beside(to_message(CAPTURES, row, row["sealed"])) for row in unsent]
            self._forwarder_sender.send([keys_message(keys, self._clock()), *messages] if keys else messages)
            self._sent_off = rows[-1]["off"]
        crash_point("forwarded, unrecorded")
        with self._database.write() as connection:
            connection.execute(delete(table).where(table.c.topic == CAPTURES, table.c.off <= rows[-1]["off"]))
            connection.execute(delete(key).where(keys_in(connection, ["key_id"], wanted)))
            self.oldest_us = connection.execute(select(func.min(table.c.appended_us))).scalar()
        self.spooled_bytes = max(0, self.spooled_bytes - sum(len(row["sealed"]) for row in rows))
        if self._database.wal_is_full():
            self._database.checkpoint()
        return len(rows)
