"""A destination of webhooks that really listens, and keeps its own book of what it was sent."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from standardwebhooks.webhooks import Webhook

SECRET = "whsec_" + "C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
"""Made up; the form of the examples in the specification."""

Answer = Callable[[str, int], int | None]
"""From (webhook-id, how often it came before) to a status; None breaks the connection without an answer."""


@dataclass
class Post:
    """One request, whose signature was good."""

    webhook_id: str
    content: dict[str, Any]


@dataclass
class Receiver:
    """Listens on a port of its own until closed. What it answered with 2xx stands in `taken`, in order."""

    port: int = 0
    answer: Answer = lambda _id, _times: 204
    headers: dict[str, str] = field(default_factory=dict)
    came: list[Post] = field(default_factory=list)
    taken: list[Post] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen; a port of 0 becomes the one that was free."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                webhook_id, stamp = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
                signature = Webhook(SECRET).sign(
                    webhook_id, datetime.fromtimestamp(stamp, UTC), body.decode()
                )
                assert signature == self.headers["webhook-signature"]
                status = receiver.hear(Post(webhook_id, orjson.loads(body)))
                if status is None:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def hear(self, post: Post) -> int | None:
        """Note a request and say how it is answered."""
        with self._lock:
            times = sum(one.webhook_id == post.webhook_id for one in self.came)
            self.came.append(post)
            status = self.answer(post.webhook_id, times)
            if status is not None and 200 <= status < 300:
                self.taken.append(post)
            return status

    def close(self) -> None:
        """Stop listening: from now on connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def events(self) -> list[str]:
        """The events that were taken, in order, repeats included."""
        return [post.content["data"]["event_id"] for post in self.taken]


def crm(receiver: Receiver, **more: Any) -> dict[str, Any]:
    """Return the settings of a webhook sink that leads to the receiver."""
    return {
        "sink_id": "crm",
        "kind": "webhook",
        "name": "CRM",
        "url": receiver.url,
        "secret": SECRET,
        **more,
    }


def read_line(line: bytes) -> dict[str, Any]:
    """Read one line of a faulty sink's book."""
    found: dict[str, Any] = orjson.loads(line)
    return found
