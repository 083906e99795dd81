"""What a host is made of, whichever it is: its data, its doors, and the small parts that both hosts share."""

from __future__ import annotations

import hmac
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError

from ingest.cti.door import CallDoor
from ingest.email.door import MailDoor
from leadflow.clock import wall_clock_us
from leadflow.exports import moment
from leadflow.metrics import Metrics
from schemas.capture import Capture
from schemas.ids import make_id
from store import tables
from store.access import grant
from store.acts import ITSELF, ActRefused, Command, perform
from store.acts_erase import erase
from store.acts_opt_out import opt_out
from store.breakers import open_breakers
from store.bulk import keys_in
from store.company import CompanyCache
from store.database import Database
from store.journal import Erasure, read_journal
from stream.door_log import DoorLog
from stream.log import SqlLog
from stream.seal import KeyRing

log = structlog.get_logger()

Part = Literal["doors", "stages", "sinks", "timers", "console"]
"""What a process of the cluster does; on one machine, one process does it all."""

SOURCES_S = 0.25
"""How long the doors go by the sources they know: asking the store at every request took a third of the loop's
time, and nobody notices a quarter of a second after a change."""
STORE_S = 0.5
"""How long a request waits for the store to name the sources; one that is slow answers far sooner, one that is silent
costs every visitor of that moment this, once in some ten seconds."""
KEY_MARK = "master_key_mark"
"""The setting of a cluster's store that tells its master key from another machine's."""
MAILED_LINK_US = 7 * 24 * 3_600 * 1_000_000
"""How long the link in a mail opens: over a holiday, and not for ever in a mailbox."""
_AT_ONCE = 500
"""Keys deleted in one transaction."""


class Erasable(Protocol):
    """Where somebody can be erased: the store, its log, the keys, and the journal of it."""

    store: Database
    store_log: SqlLog
    keys: KeyRing
    journal: Path
    """Erasures, where no backup of the data holds them."""

    def forget_keys(self, erasure: Erasure) -> None:
        """Delete the keys of erased captures, in the data and in memory."""
        ...

    def empty_deleted(self) -> None:
        """Leave no deleted row readable in a file."""
        ...


class Data(Erasable, Protocol):
    """Where a host keeps things: what can be erased, and the raw bytes."""

    folder: Path

    def keys_left(self, erasure: Erasure) -> int:
        """Return how many keys of erased captures are still there."""
        ...

    def drop_keys(self, key_ids: Sequence[str]) -> None:
        """Delete these keys, in the data and in memory."""
        ...

    def capture(self, capture_id: str) -> Capture | None:
        """Return a capture with its raw bytes; None if it is unknown or was erased."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class Engine(Protocol):
    """A running host, as the HTTP server and the operator's verbs see it."""

    companies: CompanyCache
    metrics: Metrics

    @property
    def door(self) -> DoorLog:
        """What makes captures durable."""
        ...

    @property
    def calls(self) -> CallDoor:
        """The door of the call centre."""
        ...

    @property
    def mail(self) -> MailDoor:
        """The mail door."""
        ...

    @property
    def files(self) -> Data:
        """Where it keeps things."""
        ...

    def unwell(self) -> str | None:
        """Return why something does not move; None if all is well."""
        ...

    def breakers(self) -> list[dict[str, Any]]:
        """Return the sources whose events are held, and since when."""
        ...

    def sources(self) -> dict[str, dict[str, Any]]:
        """Return the sources that are switched on."""
        ...

    def backlogs(self) -> list[tuple[str, int]]:
        """Return how many events wait for each stage."""
        ...

    def start(self) -> None:
        """Start what this process is to do."""
        ...

    def stop(self) -> None:
        """End what is at hand, and let go."""
        ...


class Sources:
    """The sources that are switched on, as of a quarter of a second ago; while the store is away, those last known.

    Doors ask at every request, in the loop that serves them all: they must not wait for a store that says nothing.
    """

    def __init__(self, store: Database, companies: CompanyCache) -> None:
        self._store = store
        self._companies = companies
        self._sources: dict[str, dict[str, Any]] | None = None
        self._until = 0.0
        self._asking: threading.Thread | None = None
        self._lock = threading.Lock()
        self._is_away = False

    def __call__(self) -> dict[str, dict[str, Any]]:
        """Return them by id. Raises the database's error if the store was never there."""
        if self._sources is None:
            return self._ask()
        if (asking := self._begun()) is not None:
            asking.join(STORE_S)
        return self._sources

    def _begun(self) -> threading.Thread | None:
        """Begin to ask, where it is time to; several doors come at once, and one of them asks."""
        with self._lock:
            is_asking = self._asking is not None and self._asking.is_alive()
            if time.monotonic() < self._until or is_asking:
                return None
            self._asking = asking = threading.Thread(target=self._try, name="sources", daemon=True)
            asking.start()
            return asking

    def _ask(self) -> dict[str, dict[str, Any]]:
        with self._store.read() as connection:
            found = self._sources = self._companies.get(connection).sources
        self._until = time.monotonic() + SOURCES_S
        return found

    def _try(self) -> None:
        try:
            self._ask()
            self._is_away = False
        except SQLAlchemyError as error:
            self._until = time.monotonic() + SOURCES_S
            if not self._is_away:  # said once, not four times a second
                log.error("sources_kept", error=type(error).__name__)
            self._is_away = True


def open_breakers_of(data: Data) -> list[dict[str, Any]]:
    """Return the sources whose events are held, and since when, as `/readyz` tells them."""
    with data.store.read() as connection:
        found = open_breakers(connection)
    return [
        {
            "source": row["source_id"],
            "stage": row["stage"],
            "state": row["state"],
            "since": moment(row["since_us"]),
            "held": row["held"],
        }
        for row in found
    ]


def mailed_links(data: Data, public_url: str | None) -> Callable[[str, str], str | None]:
    """Return what makes the one-time link that a mail to a person carries; None without a public address."""

    def link_for(delivery_id: str, person_id: str) -> str | None:
        if public_url is None:
            return None
        digest = hmac.digest(data.keys.link_secret, delivery_id.encode(), "sha256")
        code = urlsafe_b64encode(digest).rstrip(b"=").decode()
        command = Command("grant", ITSELF, f"mail:{delivery_id}", person_id)
        try:
            perform(
                data.store,
                command,
                grant("link", code, MAILED_LINK_US),
                wall_clock_us(),
                data.store_log.append,
            )
        except ActRefused:
            return None  # they have left; the mail goes to nobody
        return f"{public_url}/enter/{code}"

    return link_for


def erase_again(data: Erasable) -> None:
    """Carry out every erasure and opt-out that this data does not know of: it may come from a restored backup."""
    for entry in read_journal(data.journal):
        with data.store.read() as connection:
            act = tables.act
            done = (entry.act_id, make_id("act", f"again:{entry.act_id}"))
            known = connection.execute(select(act.c.act_id).where(act.c.act_id.in_(done))).first()
        if known is not None:
            continue
        again = f"again:{entry.act_id}"
        if isinstance(entry, Erasure):
            log.warning("erased_again", act_id=entry.act_id)
            data.forget_keys(entry)
            command, plan = Command("erase", "restore", again, entry.customers[0]), erase(entry)
        else:
            log.warning("opted_out_again", act_id=entry.act_id)
            command, plan = Command("opt_out", "restore", again, entry.customer), opt_out(entry)
        perform(data.store, command, plan, wall_clock_us(), data.store_log.append)
        data.empty_deleted()


def drop_keys_to_erase(data: Data) -> int:
    """Delete the keys of what came again after its customer was erased; return how many there were.

    The keys lie elsewhere than the store's rows on one machine: keys first, then the note that they are to go.
    """
    table = tables.key_to_erase
    with data.store.read() as connection:
        found = list(connection.execute(select(table.c.key_id).limit(_AT_ONCE)).scalars())
    if not found:
        return 0
    data.drop_keys(found)
    with data.store.write() as connection:
        connection.execute(delete(table).where(keys_in(connection, ["key_id"], [(one,) for one in found])))
    data.empty_deleted()
    return len(found)
