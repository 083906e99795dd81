"""The door of mailboxes: each mail source with an `imap` section is followed by a thread of its own.

A mail's capture and how far the mailbox was read become durable in one transaction; only then is anything done with the
mail at the provider. So a kill at any moment loses no mail, and a mail that is read twice is one by its key.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ingest.email.door import MAX_MAIL_BYTES, probe_mark
from ingest.email.imap_client import AT_ONCE, CUT_BYTES, Client, Envelope, MailboxTrouble
from ingest.email.mailbox import (
    ImapMailbox,
    PasswordMissing,
    Progress,
    further,
    is_wanted,
    password_of,
    resume,
)
from ingest.email.parse import message_key
from ingest.email.source import EmailSource
from ingest.followed import Alone, Reader, Trouble, wait_s
from schemas.capture import Capture, capture_of
from schemas.ids import body_digest
from stream.crash import crash_point
from stream.door_log import Checkpoint as Saved
from stream.door_log import DoorLog, Overloaded

log = structlog.get_logger()

LOOK_S = 1.0
"""How soon a source that was added, changed or switched off is noticed."""
IDLE_S = 240.0
"""A provider's IDLE may fall silent without a word (routers forget quiet lines): every four minutes we ask anyway."""
BATCH_MAILS, BATCH_BYTES = 50, 8 * 1024 * 1024
"""Held in memory and made durable at once; one mail more than that is a batch of its own."""
OVERLOADED_S = 5.0
PASSWORD_LOOK_S = 2.0
"""How soon a password that somebody has put right is tried, although the last one was refused."""


@dataclass
class ImapDoor:
    """Follows the mailboxes of all sources; `reader` says which process may, where there are several."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]
    reader: Reader = field(default_factory=Alone)
    trouble: dict[str, Trouble] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._followers: dict[str, Follower] = {}
        self._thread = threading.Thread(target=self._run, name="mailboxes", daemon=True)

    def start(self) -> None:
        """Start following."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; what was read and is not yet durable will be read again."""
        self._stopping.set()
        self._thread.join()
        for one in self._followers.values():
            one.end()
        for one in self._followers.values():
            one.join()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                self.look()
            except Exception as error:  # the store failed: the next look finds it again
                log.error("mailboxes_not_looked_at", error=type(error).__name__)

    def look(self) -> None:
        """Start followers for sources that have none, and end those whose source has changed or gone."""
        wanted = {
            key: EmailSource.model_validate(value)
            for key, value in self.sources().items()
            if value["format"] == "email.message" and value.get("imap")
        }
        for source_id, follower in list(self._followers.items()):
            may = source_id in wanted and self.reader.may_read(source_id)
            if not may or wanted[source_id] != follower.source:
                follower.end()
                follower.join()
                del self._followers[source_id]
                self.trouble.pop(source_id, None)
        for source_id, source in wanted.items():
            if source_id not in self._followers and self.reader.may_read(source_id):
                self._followers[source_id] = Follower(self, source)
                self._followers[source_id].start()


class Follower(threading.Thread):
    """Follows one mailbox until it is told to end."""

    def __init__(self, door: ImapDoor, source: EmailSource) -> None:
        super().__init__(name=f"mailbox-{source.source_id}", daemon=True)
        if source.imap is None:
            raise ValueError("a source without a mailbox")
        self.source = source
        self._mailbox: ImapMailbox = source.imap
        self._door = door
        self._ending = threading.Event()

    def end(self) -> None:
        """Have it end soon."""
        self._ending.set()

    def run(self) -> None:
        """Connect, read, wait; again after whatever went wrong, more and more patiently."""
        while not self._ending.is_set():
            try:
                self._follow()
            except MailboxTrouble as trouble:
                self._wait_after(trouble)
            except Overloaded:
                self._ending.wait(OVERLOADED_S)
            except Exception as error:
                log.error("mailbox_failed", source=self.source.source_id, error=type(error).__name__)
                self._ending.wait(self._troubled("bug", type(error).__name__))

    def _wait_after(self, trouble: MailboxTrouble) -> None:
        """Wait as long as the trouble deserves; a password that was changed meanwhile is tried at once."""
        give_up = time.monotonic() + self._troubled(trouble.code, trouble.message)
        tried = _password(self._mailbox)
        while not self._ending.wait(min(PASSWORD_LOOK_S, max(0.0, give_up - time.monotonic()))):
            if time.monotonic() >= give_up or _password(self._mailbox) != tried:
                return

    def _troubled(self, code: str, message: str) -> float:
        """Note a trouble; return how long to wait."""
        source_id, known = self.source.source_id, self._door.trouble.get(self.source.source_id)
        tried = known.tried + 1 if known is not None and known.code == code else 1
        since_us = known.since_us if known is not None else self._door.clock()
        self._door.trouble[source_id] = Trouble(code, message, since_us, tried)
        if tried == 1:
            log.warning("mailbox_troubled", source=source_id, code=code)
        return wait_s(code, tried, random.random())  # noqa: S311 (spreads readers, guards nothing)

    def _follow(self) -> None:
        client = Client(self._mailbox)
        try:
            self._door.trouble.pop(self.source.source_id, None)
            progress = self._begin(client)
            client.mark(progress.marking)
            while not self._ending.is_set():
                progress = self._read(client, progress)
                if not self._ending.is_set():
                    client.wait(IDLE_S if client.can_idle else self._mailbox.poll_s, self._ending.is_set)
        finally:
            client.close()

    def _begin(self, client: Client) -> Progress:
        """Return where to go on, and make it durable: a restart must not begin at another `new` than this one."""
        source_id, path = self.source.source_id, self._mailbox.path
        here = self._door.log.checkpoints_of(source_id).get(path)
        elsewhere = self._door.reader.progress(source_id, path)
        known = [Progress.from_json(one) for one in (here, elsewhere) if one is not None]
        same = [one for one in known if one.validity == client.folder.validity]
        last = max(same or known, key=lambda one: one.uid, default=None)
        begun = resume(
            last,
            self._mailbox,
            validity=client.folder.validity,
            next_uid=client.folder.next_uid,
            now_us=self._door.clock(),
            zone=ZoneInfo(self.source.zone),
        )
        if last is not None and last.validity != begun.validity:
            log.warning("mailbox_numbered_anew", source=source_id)
        if begun != last:
            self._durable([], begun)
        return begun

    def _read(self, client: Client, progress: Progress) -> Progress:
        """Take everything that is new, in batches."""
        uids = client.newer(progress.uid, progress.from_us if progress.uid + 1 < progress.until else 0)
        for start in range(0, len(uids), AT_ONCE):
            some = uids[start : start + AT_ONCE]
            wanted = [one for one in client.envelopes(some) if is_wanted(progress, one.uid, one.came_us)]
            for batch in _batches(wanted):
                captures = self._captures(client, batch, progress)
                taken = tuple(one.uid for one in batch)
                progress = further(progress, taken[-1], taken if self._mailbox.mode != "read_only" else ())
                self._durable(captures, progress)
                crash_point("answered")
                client.mark(progress.marking)
                if self._ending.is_set():
                    return progress
            if progress.uid < some[-1]:  # what stands behind the last wanted one needs not be asked for again
                progress = further(progress, some[-1], progress.marking)
                self._durable([], progress)
        return progress

    def _durable(self, captures: Sequence[Capture], progress: Progress) -> None:
        source_id, path, state = self.source.source_id, self._mailbox.path, progress.to_json()
        self._door.log.append(captures, [Saved(source_id, path, state)]).result()
        self._door.reader.keep(source_id, path, state)

    def _captures(self, client: Client, batch: Sequence[Envelope], progress: Progress) -> list[Capture]:
        whole = [one.uid for one in batch if one.size <= MAX_MAIL_BYTES]
        found = self._bodies(client, whole)
        captures = []
        for one in batch:
            meta = {"uid": str(one.uid), "mailbox": self._mailbox.path}
            if one.size > MAX_MAIL_BYTES:
                body = client.beginning(one.uid)
                meta["cut_bytes"] = str(one.size)
            else:
                body = found.get(one.uid)
            if body is not None:
                captures.append(self._capture(body, one, meta, progress))
        return captures

    def _bodies(self, client: Client, uids: Sequence[int]) -> dict[int, bytes]:
        """Return the bytes of mails; one that the server does not give is empty, and the others are not held up."""
        if not uids:
            return {}
        try:
            return client.bodies(uids)
        except MailboxTrouble as trouble:
            if trouble.code != "refused":
                raise
        found: dict[int, bytes] = {}
        for uid in uids:
            try:
                found.update(client.bodies([uid]))
            except MailboxTrouble as trouble:
                if trouble.code != "refused":
                    raise
                log.warning("mail_not_given", source=self.source.source_id, uid=uid)
                found[uid] = b""
        return found

    def _capture(self, body: bytes, envelope: Envelope, meta: dict[str, str], progress: Progress) -> Capture:
        # A mail without a Message-ID is known by its bytes; one without bytes by its number.
        key = message_key(body) or (
            f"digest:{body_digest(body)}"
            if body
            else f"{self._mailbox.path}:{progress.validity}:{envelope.uid}"
        )
        source = self.source
        return capture_of(
            source_id=source.source_id,
            channel="email",
            format=source.format,
            body=body,
            accepted_us=self._door.clock(),
            trace_id=self._door.new_id(),
            idem_key=key,
            occurred_us=envelope.came_us,
            purpose="probe" if self._door.log.is_probe(probe_mark(body)) else source.purpose,
            meta={**meta, **({"rcpt_to": self._mailbox.user} if "@" in self._mailbox.user else {})},
        )


def _password(mailbox: ImapMailbox) -> str | None:
    try:
        return password_of(mailbox)
    except PasswordMissing:
        return None


def _batches(envelopes: Sequence[Envelope]) -> Iterator[list[Envelope]]:
    """Yield batches of bounded size, in order."""
    batch: list[Envelope] = []
    size = 0
    for one in envelopes:
        weight = min(one.size, CUT_BYTES) if one.size > MAX_MAIL_BYTES else one.size
        if batch and (len(batch) == BATCH_MAILS or size + weight > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += weight
    if batch:
        yield batch
