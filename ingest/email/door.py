"""The mail door: SMTP in, one address a source, `+tag` for the campaign; 250 only once the mail is durable."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from ingest.email.parse import message_key
from ingest.email.source import EmailSource
from schemas.capture import Capture, capture_of
from stream.crash import crash_point
from stream.door_log import PROBE_HEADER, DoorLog, Overloaded

MAX_MAIL_BYTES = 25 * 1024 * 1024
"""What large providers take; a catalogue in the attachment fits, a video does not."""
MAX_SESSIONS = 500
"""Mail servers open a few connections each; more at once is an attack, and is told to come back (421)."""
COMMAND_TIMEOUT_S = 120.0
"""RFC 5321 (4.5.3.2) asks for minutes between commands; a slow sender holds a connection, never a lead."""


@dataclass(frozen=True)
class MailDoor:
    """Handles SMTP sessions for every mail source (the handler of aiosmtpd)."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient that is an address of a source; refuse others, so that nobody relays through us."""
        if self._source_of(address) is None:
            return "550 5.1.1 No source receives mail at this address"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Make the mail durable, once for each source it is addressed to, and then answer."""
        body = envelope.content
        if not isinstance(body, bytes) or not body.strip():
            return "554 5.6.0 The mail is empty"
        by_source: dict[str, list[str]] = {}
        sources = {}
        for address in envelope.rcpt_tos:
            if (source := self._source_of(address)) is not None:
                sources[source.source_id] = source
                by_source.setdefault(source.source_id, []).append(address)
        captures = [
            self._capture(sources[source_id], body, envelope.mail_from or "", addresses)
            for source_id, addresses in by_source.items()
        ]
        try:
            await self.log.durable(captures)
        except Overloaded:
            return "451 4.3.1 It cannot be written at the moment; try again later"
        except Exception:
            # Whatever the disk said, the sender keeps the mail and tries again.
            return "451 4.3.0 The mail could not be stored; try again later"
        crash_point("answered")
        return f"250 2.0.0 Durable as {captures[0].capture_id}"

    def _capture(self, source: EmailSource, body: bytes, mail_from: str, addresses: list[str]) -> Capture:
        return capture_of(
            source_id=source.source_id,
            channel="email",
            format=source.format,
            body=body,
            accepted_us=self.clock(),
            trace_id=self.new_id(),
            idem_key=message_key(body),
            made_key=self.new_id(),
            purpose="probe" if self.log.is_probe(probe_mark(body)) else source.purpose,
            meta={"mail_from": mail_from, "rcpt_to": ", ".join(addresses)},
        )

    def _source_of(self, address: str) -> EmailSource | None:
        plain = without_tag(address)
        for settings in self.sources().values():
            if settings["channel"] == "email" and plain in {
                one.lower() for one in settings.get("addresses", ())
            }:
                return EmailSource.model_validate(settings)
        return None


_MARK = re.compile(
    rb"^" + PROBE_HEADER.encode() + rb":(?:(?:\r?\n)?[ \t])*([0-9a-f]+)", re.IGNORECASE | re.MULTILINE
)
"""A long mark may stand on the line below the header's name (folding, RFC 5322, 2.2.3)."""


def probe_mark(body: bytes) -> str | None:
    """Return what a mail shows as the mark of a probe; None if it shows none."""
    found = _MARK.search(body[:4_096])
    return found[1].decode() if found else None


def without_tag(address: str) -> str:
    """Return an address in lower case without its `+tag` (RFC 5233)."""
    local, _, domain = address.strip("<> ").lower().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


async def serve_smtp(
    door: MailDoor, host: str, port: int, tls: ssl.SSLContext | None = None
) -> asyncio.Server:
    """Listen for SMTP in the running loop; with `tls`, STARTTLS is offered."""
    loop = asyncio.get_running_loop()
    sessions: set[asyncio.BaseTransport] = set()

    def session() -> asyncio.Protocol:
        return _Session(
            door,
            data_size_limit=MAX_MAIL_BYTES,
            enable_SMTPUTF8=True,
            decode_data=False,
            hostname="leadflow",
            ident="Leadflow",
            tls_context=tls,
            timeout=COMMAND_TIMEOUT_S,
            loop=loop,
            sessions=sessions,
        )

    return await loop.create_server(session, host, port)


class _Session(SMTP):
    """An SMTP session that counts itself."""

    def __init__(self, door: MailDoor, *, sessions: set[asyncio.BaseTransport], **options: Any) -> None:
        super().__init__(door, **options)
        self._sessions = sessions

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._sessions) >= MAX_SESSIONS and isinstance(transport, asyncio.Transport):
            transport.write(b"421 4.3.2 Too many connections; try again later\r\n")
            transport.close()
            return
        self._sessions.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._sessions.discard(self.transport)
        super().connection_lost(error)
