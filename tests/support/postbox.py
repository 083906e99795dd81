"""A mail server of the company that really listens, and keeps what it took."""

from __future__ import annotations

import ssl
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tools.servers import free_port


class Postbox:
    """Listens on a port of its own until closed. `refuse` answers a recipient with a status instead of 250."""

    def __init__(self) -> None:
        self.port = free_port()
        self.refuse: dict[str, str] = {}
        self.came: list[tuple[str, EmailMessage]] = []
        self._controller: Any = None

    def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen; with a context STARTTLS is offered."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, tls_context=tls)
        self._controller.start()

    def close(self) -> None:
        """Stop listening."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take a mail."""
        mail = message_from_bytes(cast(bytes, envelope.content), policy=default)
        self.came.append((envelope.rcpt_tos[0], mail))
        return "250 Taken"

    def sink(self, **more: Any) -> dict[str, Any]:
        """Return the settings of a mail sink that leads here."""
        return {
            "sink_id": "mail",
            "kind": "mail",
            "name": "通知邮件",
            "relay": "127.0.0.1",
            "port": self.port,
            "tls": "none",
            "sender": "leadflow@haichuan.example",
            **more,
        }
