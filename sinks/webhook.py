"""Webhooks: a signed POST of JSON to one address. Format: Standard Webhooks 1.0 (standardwebhooks.com).

`webhook-id` is the delivery's id, the same at every try; `webhook-signature` is `v1,` and the base64 of
HMAC-SHA-256 over `id.timestamp.body`. The body is {"type", "timestamp", "data"}; `data` is schemas.outward.
"""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
from pydantic import Field, field_validator, model_validator
from standardwebhooks.webhooks import Webhook as Signer

from schemas.outward import ASSIGNED
from schemas.sinks import SinkSettings
from sinks.ladder import wait_of
from sinks.net import is_loopback, utc
from sinks.port import Abilities, Answer, Kind, Later, Message, Never, Outside, Taken

TALK_S, TALK_BYTES = 10.0, 65_536
"""How long and how much of an answer's body is listened to before the connection is closed instead."""
_LATER = frozenset({408, 425, 429})
_USER_AGENT = "Leadflow"


class Webhook(SinkSettings):
    """One address that takes signed JSON."""

    url: str = Field(description="Where to POST to; https, but on this machine")
    allow_http: bool = Field(
        False, description="Send to an http address on another machine: readable on the way"
    )

    @field_validator("url")
    @classmethod
    def _has_host(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write a whole address such as https://crm.example/hooks/leadflow")
        if parts.username or parts.password:
            raise ValueError("leave user and password out of the address; the signature shows who sends")
        return url

    @field_validator("secret")
    @classmethod
    def _is_secret(cls, secret: str | None) -> str | None:
        if secret and not is_key(secret):
            raise ValueError("write whsec_ and the base64 of 24 to 64 random bytes")
        return secret

    @model_validator(mode="after")
    def _is_private(self) -> Webhook:
        parts = urlsplit(self.url)
        if parts.scheme == "http" and not self.allow_http and not is_loopback(parts.hostname or ""):
            raise ValueError("https is needed beyond this machine; or say allow_http = true")
        return self


@dataclass(frozen=True, slots=True)
class Post:
    """A request as it is sent."""

    url: str
    headers: dict[str, str]
    body: bytes


def render(sink: Webhook, message: Message) -> Post | None:
    """Return the signed request; None while the sink has no secret to sign with."""
    if not sink.secret:
        return None
    assigned = message.assigned
    content = {
        "type": ASSIGNED,
        "timestamp": assigned.decided,
        "data": assigned.model_dump(mode="json"),
    }
    return signed(sink.url, sink.secret, message.delivery_id, utc(message.at_us), content)


def signed(
    url: str, secret: str | None, webhook_id: str, moment: datetime, content: Mapping[str, Any]
) -> Post:
    """Return the request that carries `content` under an id, signed at a moment; unsigned without a secret."""
    body = orjson.dumps(content, option=orjson.OPT_UTC_Z)
    headers = {
        "content-type": "application/json",
        "user-agent": _USER_AGENT,
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
    }
    if secret is not None:
        headers["webhook-signature"] = Signer(secret).sign(webhook_id, moment, body.decode())
    return Post(url, headers, body)


def send(_sink: Webhook, post: Post | None, outside: Outside) -> Answer:
    """Send a sink's request, if there is a secret to sign it with."""
    return Later("no_secret") if post is None else post_to(post, outside)


def post_to(post: Post, outside: Outside, inside: Callable[[bytes], Answer] | None = None) -> Answer:
    """Send a request. 2xx is taken, 408, 425, 429 and 5xx come again, everything else is refused for good.

    `inside` judges the body of a 2xx, of destinations that answer 200 whatever happened.
    """
    try:
        with outside.http.stream("POST", post.url, content=post.body, headers=post.headers) as answer:
            heard = _hear_out(answer)
            wait_s = wait_of(answer.headers.get("retry-after"), time.time_ns() // 1_000)
            verdict = judge(answer.status_code, wait_s)
            return inside(heard) if inside is not None and isinstance(verdict, Taken) else verdict
    except httpx2.TimeoutException:
        return Later("timeout")
    except httpx2.TransportError as error:
        return Later("bad_certificate" if _is_about_trust(error) else "unreachable")


def _is_about_trust(error: BaseException | None) -> bool:
    """Tell whether what broke a connection was, at bottom, its certificate."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _hear_out(answer: httpx2.Response) -> bytes:
    """Return what is said beside the status, which also lets the connection be used again."""
    give_up, heard = time.monotonic() + TALK_S, b""
    with suppress(httpx2.TransportError):
        for part in answer.iter_bytes():
            heard += part
            if len(heard) > TALK_BYTES or time.monotonic() > give_up:
                break
    return heard


def judge(status: int, wait_s: float = 0.0) -> Answer:
    """Return what a status means for the delivery."""
    text = str(status)
    if 200 <= status < 300:
        return Taken(text)
    if status in _LATER:
        return Later("busy", text, wait_s)
    if status >= 500:
        return Later("broken", text, wait_s)
    if status == 410:
        return Never("gone", text)
    return Never("redirected" if 300 <= status < 400 else "refused", text)


def probe(sink: Webhook, _outside: Outside) -> str:
    """Connect, with TLS where the address has it, and send nothing: a request would be an event to somebody."""
    if not sink.secret:
        raise OSError("it has no secret to sign with")
    return connect(sink.url)


def connect(url: str) -> str:
    """Connect to where an address leads, and say that it answers. Raises OSError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    with socket.create_connection((host, port), timeout=5) as plain:
        if parts.scheme == "http":
            return f"{host}:{port} answers"
        with httpx2.create_ssl_context(trust_env=False).wrap_socket(plain, server_hostname=host):
            return f"{host}:{port} answers, and its certificate is good"


def is_key(secret: str) -> bool:
    """Tell whether a text is a signing key of Standard Webhooks."""
    if not secret.startswith("whsec_"):
        return False
    try:
        return 24 <= len(b64decode(secret.removeprefix("whsec_"), validate=True)) <= 64
    except BadBase64:
        return False


WEBHOOK = Kind(
    settings=Webhook,
    abilities=Abilities(to_people=False, side_by_side=4),
    render=render,
    send=send,
    probe=probe,
)
