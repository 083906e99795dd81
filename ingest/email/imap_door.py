"""The door of mailboxes: each mail source with an `imap` section is followed by a thread of its own.

A mail's capture and how far the mailbox was read become durable in one transaction; only then is anything done with the
mail at the provider. So a kill at any moment loses no mail, and a mail that is read twice is one by its key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from ingest.email.door import MAX_MAIL_BYTES, probe_mark
from ingest.email.imap_client import AT_ONCE, CUT_BYTES, Client, Envelope
from ingest.email.mailbox import (
    ImapMailbox,
    Progress,
    further,
    is_wanted,
    resume,
)
from ingest.email.parse import message_key
from ingest.email.source import EmailSource
from ingest.fetch_door import FetchDoor, Follower
from ingest.followed import FetchTrouble
from ingest.secrets import password_now
from schemas.capture import Capture, capture_of
from schemas.ids import body_digest
from stream.crash import crash_point
from stream.door_log import Checkpoint as Saved

log = structlog.get_logger()

IDLE_S = 240.0
"""A provider's IDLE may fall silent without a word (routers forget quiet lines): every four minutes we ask anyway."""
MARKING_MOST = 1_000
"""Mails that wait to be marked; their numbers are kept with the progress."""
DROPS = 3
"""A server that hangs up on one mail so often, and gives what else is asked, does so because of the mail."""
BATCH_MAILS, BATCH_BYTES = 50, 8 * 1024 * 1024
"""Held in memory and made durable at once; one mail more than that is a batch of its own."""


class ImapDoor(FetchDoor):
    """Follows the mailboxes of all mail sources."""

    name = "mailbox"

    def source_of(self, settings: dict[str, Any]) -> EmailSource | None:
        """Return a mail source with a mailbox."""
        if settings["format"] != "email.message" or not settings.get("imap"):
            return None
        return EmailSource.model_validate(settings)

    def follower(self, source: EmailSource) -> MailboxFollower:
        """Return what follows its mailbox."""
        return MailboxFollower(self, source)


class MailboxFollower(Follower[EmailSource]):
    """Follows one mailbox until it is told to end."""

    def __init__(self, door: FetchDoor, source: EmailSource) -> None:
        super().__init__(door, source)
        if source.imap is None:
            raise ValueError("a source without a mailbox")
        self._mailbox: ImapMailbox = source.imap
        self._drops: dict[int, int] = {}
        """How often the connection was lost while a mail was asked for, of those that are not durable yet."""
        self._unmarked: FetchTrouble | None = None

    def secret(self) -> str | None:
        """Return the password as it is now."""
        return password_now(self._mailbox.password_file, self._mailbox.password_env)

    def follow(self) -> None:
        """Connect, read, and wait for more until told to end. Raises FetchTrouble."""
        client = Client(self._mailbox)
        try:
            progress = self._begin(client)
            self._unmarked = None
            self._mark(client, progress.marking)
            while not self.ending.is_set():
                progress = self._read(client, progress)
                if self._unmarked is not None:
                    self._mark(client, progress.marking)
                # Only now: a mailbox that opens and cannot be read is in trouble.
                if self._unmarked is None:
                    self.well()
                else:
                    self.troubled(self._unmarked.code, self._unmarked.message)
                if not self.ending.is_set():
                    client.wait(IDLE_S if client.can_idle else self._mailbox.poll_s, self.ending.is_set)
        finally:
            client.close()

    def _begin(self, client: Client) -> Progress:
        """Return where to go on, and make it durable: a restart must not begin at another `new` than this one."""
        source_id, path = self.source.source_id, self._mailbox.path
        here = self.door.log.checkpoints_of(source_id).get(path)
        elsewhere = self.door.reader.progress(source_id, path)
        known = [Progress.from_json(one) for one in (here, elsewhere) if one is not None]
        same = [one for one in known if one.validity == client.folder.validity]
        last = max(same or known, key=lambda one: one.uid, default=None)
        begun = resume(
            last,
            self._mailbox,
            validity=client.folder.validity,
            next_uid=client.folder.next_uid,
            now_us=self.door.clock(),
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
            wanted = [
                one for one in self._envelopes(client, some) if is_wanted(progress, one.uid, one.came_us)
            ]
            for batch in _batches(wanted):
                captures = self._captures(client, batch, progress)
                taken = tuple(one.uid for one in batch)
                # What the provider would not mark (the folder to move to is gone) waits until it does.
                waiting = progress.marking if self._unmarked is not None else ()
                marking = (*waiting, *taken)[-MARKING_MOST:] if self._mailbox.mode != "read_only" else ()
                progress = further(progress, taken[-1], marking)
                self._durable(captures, progress)
                self._drops.clear()
                crash_point("answered")
                self._mark(client, progress.marking)
                if self.ending.is_set():
                    return progress
            if progress.uid < some[-1]:  # what stands behind the last wanted one needs not be asked for again
                progress = further(progress, some[-1], progress.marking)
                self._durable([], progress)
        return progress

    def _durable(self, captures: Sequence[Capture], progress: Progress) -> None:
        source_id, path, state = self.source.source_id, self._mailbox.path, progress.to_json()
        self.door.log.append(captures, [Saved(source_id, path, state)]).result()
        self.door.reader.keep(source_id, path, state)

    def _captures(self, client: Client, batch: Sequence[Envelope], progress: Progress) -> list[Capture]:
        whole = [one.uid for one in batch if one.size <= MAX_MAIL_BYTES]
        found = self._bodies(client, whole)
        captures = []
        for one in batch:
            meta = {"uid": str(one.uid), "mailbox": self._mailbox.path}
            if one.size > MAX_MAIL_BYTES:
                body = self._given(one.uid, client.beginning)
                meta["cut_bytes"] = str(one.size)
            else:
                body = found.get(one.uid)
            if body is not None:
                captures.append(self._capture(body, one, meta, progress))
        return captures

    def _mark(self, client: Client, uids: Sequence[int]) -> None:
        """Mark or move mails at the provider; where it refuses (the folder to move to is gone), reading goes on."""
        self._unmarked = None
        try:
            client.mark(uids)
        except FetchTrouble as trouble:
            if trouble.code != "refused":
                raise
            self._unmarked = trouble

    def _envelopes(self, client: Client, uids: Sequence[int]) -> list[Envelope]:
        """Return what is known of mails; one whose size the server does not tell is taken for a small one."""
        try:
            return client.envelopes(uids)
        except FetchTrouble as trouble:
            if trouble.code != "refused":
                raise
        if len(uids) == 1:
            return [Envelope(uids[0], 0, None)]
        half = len(uids) // 2
        return [*self._envelopes(client, uids[:half]), *self._envelopes(client, uids[half:])]

    def _bodies(self, client: Client, uids: Sequence[int]) -> dict[int, bytes]:
        """Return the bytes of mails; one that the server does not give is empty, and the others are not held up."""
        if not uids:
            return {}
        if not any(uid in self._drops for uid in uids):
            try:
                return client.bodies(uids)
            except FetchTrouble as trouble:
                if trouble.code == "unreachable":
                    self._drops.update(dict.fromkeys(uids, 0))  # one at a time, then, to see which it is
                if trouble.code != "refused":
                    raise
        found: dict[int, bytes] = {}
        for uid in uids:
            body = self._given(uid, client.body)
            if body is not None:
                found[uid] = body
        return found

    def _given(self, uid: int, ask: Callable[[int], bytes | None]) -> bytes | None:
        """Return what the server gives of one mail: nothing if it refuses it, or hangs up on it time after time."""
        if self._drops.get(uid, 0) < DROPS:
            try:
                body = ask(uid)
            except FetchTrouble as trouble:
                if trouble.code == "unreachable":
                    self._drops[uid] = self._drops.get(uid, 0) + 1
                if trouble.code != "refused":
                    raise
            else:
                return body
        log.warning("mail_not_given", source=self.source.source_id, uid=uid)
        return b""

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
            accepted_us=self.door.clock(),
            trace_id=self.door.new_id(),
            idem_key=key,
            occurred_us=envelope.came_us,
            purpose="probe" if self.door.log.is_probe(probe_mark(body)) else source.purpose,
            meta={**meta, **({"rcpt_to": self._mailbox.user} if "@" in self._mailbox.user else {})},
        )


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
