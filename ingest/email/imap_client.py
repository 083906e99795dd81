"""Talking to an IMAP server: in, out, what is there, the bytes, and what is done with what was taken.

Over imap-tools, whose `flag` and `move` we leave alone: they expunge, which removes for good what the mailbox's owner
has only marked as deleted. Sources: RFC 9051 and 3501, 2177 (IDLE), 2971 (ID), 4315 (UID EXPUNGE), 6851 (MOVE).
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import (
    ImapToolsError,
    MailboxFolderSelectError,
    MailboxLoginError,
    UnexpectedCommandStatusError,
)
from imap_tools.utils import encode_folder

from ingest.email.mailbox import ImapMailbox
from ingest.followed import FetchTrouble
from ingest.secrets import PasswordMissing, password_of

TIMEOUT_S = 30.0
"""A server that says nothing for half a minute is gone; large mails come in pieces, each well within it."""
IDLE_STEP_S = 1.0
"""How soon a reader that waits notices that it shall stop."""
AT_ONCE = 200
"""Sizes and dates asked for at once: 20 kB of answer."""
CUT_BYTES = 1024 * 1024
"""What is fetched of a mail that is larger than the door takes: the text stands before the attachments."""

imaplib.Commands.setdefault("ID", ("NONAUTH", "AUTH", "SELECTED"))


class Envelope(NamedTuple):
    """What is known of a mail before its bytes are fetched. `came_us`: when the server took it (µs, UTC)."""

    uid: int
    size: int
    came_us: int | None


class Folder(NamedTuple):
    """A folder as it was opened."""

    validity: int
    next_uid: int
    exists: int


class Client:
    """One connection, logged in, with its folder open. Raises FetchTrouble throughout."""

    def __init__(self, mailbox: ImapMailbox) -> None:
        self._mailbox = mailbox
        try:
            password = password_of(mailbox.password_file, mailbox.password_env)
        except PasswordMissing as missing:
            raise FetchTrouble("password_missing", str(missing)) from None
        self._box = self._connected()
        try:
            self._log_in(password)
            self._introduce()
            self.folder = self._open()
        except BaseException:
            self._box.client.shutdown()
            raise

    def _connected(self) -> BaseMailBox:
        mailbox = self._mailbox
        try:
            if mailbox.tls == "none":
                return MailBoxUnencrypted(mailbox.host, mailbox.port, timeout=TIMEOUT_S)
            context = ssl.create_default_context(cafile=mailbox.ca_file)
            if mailbox.tls == "starttls":
                return MailBoxStartTls(mailbox.host, mailbox.port, timeout=TIMEOUT_S, ssl_context=context)
            return MailBox(mailbox.host, mailbox.port, timeout=TIMEOUT_S, ssl_context=context)
        except ssl.SSLCertVerificationError as error:
            raise FetchTrouble("bad_certificate", error.verify_message) from None
        except (OSError, imaplib.IMAP4.error, ImapToolsError) as error:
            raise _unreachable(error) from None

    def _log_in(self, password: str) -> None:
        try:
            if (self._mailbox.user + password).isascii():
                self._box.login(self._mailbox.user, password, initial_folder=None)
            else:
                self._box.login_utf8(self._mailbox.user, password, initial_folder=None)
        except MailboxLoginError as error:
            raise _refused(_said(error)) from None
        except (OSError, imaplib.IMAP4.abort, imaplib.IMAP4.readonly) as error:
            raise _unreachable(error) from None
        except imaplib.IMAP4.error as error:
            raise _refused(str(error)[:200]) from None

    def _introduce(self) -> None:
        """Ask what it can, and say who we are. NetEase (163, 126, yeah.net) opens no folder for a client that does not."""
        client: Any = self._box.client
        with suppress(imaplib.IMAP4.error):
            client._get_capabilities()  # servers tell most of them (MOVE, IDLE) only after the login
        with suppress(imaplib.IMAP4.error):
            client._simple_command("ID", '("name" "leadflow" "version" "1" "vendor" "leadflow")')

    def _open(self) -> Folder:
        client = self._box.client
        try:
            _, counts = self._box.folder.set(self._mailbox.folder, readonly=self._mailbox.mode == "read_only")
        except MailboxFolderSelectError as error:
            said = _said(error)
            code = "unsafe_login" if "unsafe login" in said.lower() else "folder_missing"
            raise FetchTrouble(code, said) from None
        except imaplib.IMAP4.readonly:
            raise FetchTrouble("folder_read_only", "the server lets it be read only") from None
        except (OSError, imaplib.IMAP4.error) as error:
            raise _unreachable(error) from None
        validity = _number(client.response("UIDVALIDITY")[1])
        next_uid = _number(client.response("UIDNEXT")[1])
        if validity is None:
            raise FetchTrouble("no_uids", "the server gives no UIDVALIDITY (RFC 3501, 2.3.1.1)")
        return Folder(validity, next_uid or self._last() + 1, _number(counts) or 0)

    def _last(self) -> int:
        return max(self.search("UID *"), default=0)

    def close(self) -> None:
        """Let go, politely if the server is still there."""
        with suppress(Exception):
            self._box.client.sock.settimeout(2.0)
            self._box.client.logout()
        with suppress(Exception):
            self._box.client.shutdown()

    def newer(self, uid: int, since_us: int = 0) -> list[int]:
        """Return the numbers above `uid`, in order; with `since_us` only of mails of about that day or later."""
        since = ""
        if since_us:
            # Servers judge SINCE by the day, in their own zone: a day earlier is surely early enough.
            day = datetime.fromtimestamp(since_us / 1e6 - 86_400, UTC)
            since = f" SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}"
        # N:* names the last mail, too, when it is below N.
        return [one for one in self.search(f"UID {uid + 1}:*{since}") if one > uid]

    def search(self, criteria: str) -> list[int]:
        """Return the numbers of the mails that fit, in order."""
        return sorted(int(one) for one in self._do(lambda: self._box.uids(criteria, charset=None)))

    def envelopes(self, uids: Sequence[int]) -> list[Envelope]:
        """Return sizes and dates; what is gone meanwhile is left out."""
        lines = self._fetch(uids, "(UID RFC822.SIZE INTERNALDATE)")
        found = [one for line in lines if (one := _envelope(line if isinstance(line, bytes) else line[0]))]
        return sorted(found)

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Return the bytes of mails by number; what is gone meanwhile is left out. Nothing is marked as seen."""
        return dict(_literals(self._fetch(uids, "(UID BODY.PEEK[])")))

    def body(self, uid: int) -> bytes | None:
        """Return the bytes of one mail; None if it is gone."""
        return self.bodies([uid]).get(uid)

    def beginning(self, uid: int) -> bytes | None:
        """Return the first megabyte of a mail; None if it is gone."""
        found = dict(_literals(self._fetch([uid], f"(UID BODY.PEEK[]<0.{CUT_BYTES}>)")))
        return found.get(uid)

    def mark(self, uids: Sequence[int]) -> None:
        """Do with mails what the mode says. Doing it again is no harm: what was moved is not there any more."""
        if not uids or self._mailbox.mode == "read_only":
            return
        many, client = ",".join(str(one) for one in uids), self._box.client
        if self._mailbox.mode == "seen":
            self._checked(client.uid, "STORE", many, "+FLAGS.SILENT", r"(\Seen)")
            return
        target = encode_folder(self._mailbox.move_to or "")
        if "MOVE" in client.capabilities:
            self._checked(client.uid, "MOVE", many, target)
            return
        self._checked(client.uid, "COPY", many, target)
        self._checked(client.uid, "STORE", many, "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in client.capabilities:
            self._checked(client.uid, "EXPUNGE", many)

    def wait(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Wait for news: told by the server if it can, else for so long; less if `is_over` says so."""
        give_up = time.monotonic() + seconds
        if "IDLE" not in self._box.client.capabilities:
            while time.monotonic() < give_up and not is_over():
                time.sleep(min(IDLE_STEP_S, max(0.0, give_up - time.monotonic())))
            self._do(self._box.client.noop)
            return

        def idle() -> None:
            self._box.idle.start()  # type: ignore[no-untyped-call]
            told = self._read_ahead()
            while not told and time.monotonic() < give_up and not is_over():
                told = self._box.idle.poll(timeout=IDLE_STEP_S)
                if any(line.upper().startswith(b"* BYE") for line in told):
                    raise FetchTrouble("unreachable", "the server said goodbye")
            self._box.idle.stop()  # type: ignore[no-untyped-call]

        self._do(idle)

    def _read_ahead(self) -> list[bytes]:
        """Return what came in one packet with the server's "+ idling": no poll of the socket sees it any more."""
        client = self._box.client
        before = client.sock.gettimeout()
        client.sock.settimeout(0)
        try:
            # typeshed knows the file as an interface without `peek`; it is a BufferedReader.
            return [ahead] if (ahead := client.file.peek(1)) else []  # type: ignore[union-attr]
        except OSError:  # nothing there (TLS)
            return []
        finally:
            client.sock.settimeout(before)

    @property
    def can_idle(self) -> bool:
        """Tell whether the server says by itself that something came."""
        return "IDLE" in self._box.client.capabilities

    def _fetch(self, uids: Sequence[int], parts: str) -> list[Any]:
        many = ",".join(str(one) for one in uids)
        return [one for one in self._checked(self._box.client.uid, "FETCH", many, parts) if one is not None]

    def _checked(self, command: Callable[..., Any], *arguments: str | bytes) -> list[Any]:
        def done() -> list[Any]:
            status, data = command(*arguments)
            if status != "OK":
                raise FetchTrouble("refused", f"{arguments[0]!s}: {str(data)[:200]}")
            return list(data)

        found: list[Any] = self._do(done)
        return found

    def _do(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except UnexpectedCommandStatusError as error:
            raise FetchTrouble("refused", _said(error)) from None
        except imaplib.IMAP4.abort as error:
            raise _unreachable(error) from None
        except imaplib.IMAP4.error as error:
            raise FetchTrouble("refused", str(error)[:200]) from None
        except OSError as error:
            raise _unreachable(error) from None


_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # as IMAP has them, whatever the locale
_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")


def _envelope(line: bytes) -> Envelope | None:
    uid, size = _UID.search(line), _SIZE.search(line)
    if uid is None or size is None:
        return None
    came = imaplib.Internaldate2tuple(line)
    # Internaldate2tuple gives local time; mktime undoes exactly that.
    came_us = int(time.mktime(came)) * 1_000_000 if came is not None else None
    return Envelope(int(uid[1]), int(size[1]), came_us)


def _literals(lines: Sequence[Any]) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of each mail of an answer; the number may stand before or behind the bytes."""
    for place, one in enumerate(lines):
        if not isinstance(one, tuple):
            continue
        behind = lines[place + 1] if place + 1 < len(lines) and isinstance(lines[place + 1], bytes) else b""
        uid = _UID.search(one[0]) or _UID.search(behind)
        if uid is not None:
            yield int(uid[1]), one[1]


def _number(data: Any) -> int | None:
    first = data[0] if data else None
    return int(first) if isinstance(first, bytes) and first.isdigit() else None


def _said(error: UnexpectedCommandStatusError) -> str:
    data = error.command_result[1]
    parts = data if isinstance(data, (list, tuple)) else [data]
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in parts]
    return " ".join(texts)[:200]


def _refused(said: str) -> FetchTrouble:
    """Return what a refused login means: some servers are only busy (response codes of RFC 5530)."""
    is_busy = re.search(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]", said) is not None
    return FetchTrouble("busy" if is_busy else "login_refused", said)


def _unreachable(error: Exception) -> FetchTrouble:
    if isinstance(error, socket.gaierror):
        return FetchTrouble("unreachable", "the host's name is unknown")
    return FetchTrouble("unreachable", str(error)[:200] or type(error).__name__)
