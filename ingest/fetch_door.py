"""A door that fetches by itself (mailboxes, tables of calls): a thread for each source, patient with what is away."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

import structlog
from pydantic import ValidationError

from ingest.followed import FOR_A_PERSON, Alone, FetchTrouble, Reader, Trouble, wait_s
from schemas.sources import SourceSettings
from stream.door_log import DoorLog, Overloaded

log = structlog.get_logger()

LOOK_S = 1.0
"""How soon a source that was added, changed or switched off is noticed."""
LEAVE_S = 5.0
"""How long a stop waits for those who read: what they have at hand is read again, once, by its key."""
OVERLOADED_S = 5.0
PATIENCE_US = 10 * 60 * 1_000_000
"""A provider that is away for ten minutes is no hiccup: somebody should know."""
SECRET_LOOK_S = 2.0
"""How soon a password that somebody has put right is tried, although the last one was refused."""

S = TypeVar("S", bound=SourceSettings)


@dataclass
class FetchDoor:
    """Follows all sources of a kind; `reader` says which process may, where there are several."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]
    reader: Reader = field(default_factory=Alone)
    trouble: dict[str, Trouble] = field(default_factory=dict)
    tell: Callable[[str, str], None] = lambda _source_id, _code: None
    """Has a person told that a source cannot be read, and why."""
    name: ClassVar[str] = "fetching"

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._followers: dict[str, Follower[Any]] = {}
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def source_of(self, settings: dict[str, Any]) -> SourceSettings | None:
        """Return the settings of a source that this door follows; None for another one."""
        raise NotImplementedError

    def follower(self, source: Any) -> Follower[Any]:
        """Return what follows a source."""
        raise NotImplementedError

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what was read and is not yet durable will be read again. Who hangs on a silent server is not waited for."""
        give_up = time.monotonic() + LEAVE_S
        self._stopping.set()
        self._thread.join(LEAVE_S)
        followers = list(self._followers.values())
        for one in followers:
            one.end()
        for one in followers:
            one.join(max(0.0, give_up - time.monotonic()))

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:  # the store failed: the next look finds it again
                log.error("sources_not_looked_at", door=self.name, error=type(error).__name__)

    def _wanted(self, source_id: str, settings: dict[str, Any]) -> SourceSettings | None:
        """Return the settings of a source to be followed; one whose settings are wrong holds up no other."""
        try:
            return self.source_of(settings)
        except ValidationError as error:
            said = f"{error.error_count()} errors; see leadflow check"
            self.trouble[source_id] = Trouble("bad_source", said, self.clock(), 1)
            return None

    def look(self) -> None:
        """Start followers for sources that have none, and end those whose source has changed or gone."""
        wanted = {key: one for key, value in self.sources().items() if (one := self._wanted(key, value))}
        for source_id, follower in list(self._followers.items()):
            may = source_id in wanted and self.reader.may_read(source_id)
            if not may or wanted[source_id] != follower.source:
                follower.end()
                follower.join()
                del self._followers[source_id]
                self.trouble.pop(source_id, None)
        for source_id, source in wanted.items():
            if source_id not in self._followers and self.reader.may_read(source_id):
                self._followers[source_id] = self.follower(source)
                self._followers[source_id].start()


class Follower(threading.Thread, Generic[S]):
    """Follows one source until it is told to end."""

    def __init__(self, door: FetchDoor, source: S) -> None:
        super().__init__(name=f"{door.name}-{source.source_id}", daemon=True)
        self.source = source
        self.door = door
        self.ending = threading.Event()

    def follow(self) -> None:
        """Connect, read, and wait for more until told to end. Raises FetchTrouble."""
        raise NotImplementedError

    def secret(self) -> str | None:
        """Return the password as it is now; what was refused is tried again when it changes."""
        return None

    def end(self) -> None:
        """Have it end soon."""
        self.ending.set()

    def well(self) -> None:
        """Note that the source was read: not sooner, or what opens and cannot be read would be tried as if for the first time."""
        self.door.trouble.pop(self.source.source_id, None)

    def run(self) -> None:
        """Follow; again after whatever went wrong, more and more patiently."""
        while not self.ending.is_set():
            try:
                self.follow()
            except FetchTrouble as trouble:
                self._wait_after(trouble.code, trouble.message)
            except Overloaded:
                self.ending.wait(OVERLOADED_S)
            except Exception as error:
                log.error("source_failed", source=self.source.source_id, error=type(error).__name__)
                self._wait_after("bug", type(error).__name__)

    def _wait_after(self, code: str, message: str) -> None:
        """Wait as long as the trouble deserves; a password that was changed meanwhile is tried at once."""
        give_up = time.monotonic() + self.troubled(code, message)
        tried = self.secret()
        while not self.ending.wait(min(SECRET_LOOK_S, max(0.0, give_up - time.monotonic()))):
            if time.monotonic() >= give_up or self.secret() != tried:
                return

    def troubled(self, code: str, message: str) -> float:
        """Note a trouble; return how long to wait."""
        source_id, known = self.source.source_id, self.door.trouble.get(self.source.source_id)
        tried = known.tried + 1 if known is not None and known.code == code else 1
        since_us = known.since_us if known is not None else self.door.clock()
        self.door.trouble[source_id] = Trouble(code, message, since_us, tried)
        lasts = self.door.clock() - since_us >= PATIENCE_US
        if (tried == 1 and code in FOR_A_PERSON) or lasts:
            self.door.tell(source_id, code)
        if tried == 1:
            log.warning("source_troubled", source=source_id, code=code)
        return wait_s(code, tried, random.random())  # noqa: S311 (spreads readers, guards nothing)
