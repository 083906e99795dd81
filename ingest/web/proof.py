"""Whether a webhook comes from whom it should: a secret in the query or a header, or a signature over the body. Pure."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Literal

from ingest.web.mapped import MappedWebhook

Wrong = Literal["bad_token", "bad_signature", "too_old"]

TOLERANCE_S = 300
"""As Standard Webhooks has it: senders' clocks drift, and an old message said again is no news."""
_NAMES = {"query": "token", "header": "authorization", "hmac": "x-signature"}


def wrong_proof(
    source: MappedWebhook, query: Mapping[str, str], headers: Mapping[str, str], body: bytes, now_us: int
) -> Wrong | None:
    """Return what is wrong with the sender's proof; None if there is nothing. Names of headers are in small letters.

    A source that asks for a secret and has none lets nobody in.
    """
    if source.proof == "none":
        return None
    name = source.proof_name or _NAMES[source.proof]
    if source.proof == "hmac":
        return _wrong_signature(source, headers, name.lower(), body, now_us)
    given = query.get(name, "") if source.proof == "query" else headers.get(name.lower(), "")
    if source.proof == "header" and name.lower() == "authorization":
        given = given.removeprefix("Bearer ").strip()
    return None if source.secret and _same(given, source.secret) else "bad_token"


def _wrong_signature(
    source: MappedWebhook, headers: Mapping[str, str], name: str, body: bytes, now_us: int
) -> Wrong | None:
    given = headers.get(name, "").strip()
    if not source.secret or not given.startswith(source.hmac_prefix):
        return "bad_signature"
    stamp = headers.get(source.hmac_timestamp.lower(), "") if source.hmac_timestamp else ""
    before, _, behind = source.hmac_signs.partition("{body}")
    signed = b"".join((_filled(before, stamp), body, _filled(behind, stamp)))
    digest = hmac.digest(source.secret.encode(), signed, source.hmac_algorithm)
    wanted = digest.hex() if source.hmac_encoding == "hex" else b64encode(digest).decode()
    shown = given.removeprefix(source.hmac_prefix)
    if not _same(shown.lower() if source.hmac_encoding == "hex" else shown, wanted):
        return "bad_signature"
    if source.hmac_timestamp is None:
        return None
    digits = stamp.strip()
    if not digits.isdigit() or len(digits) > 13:
        return "too_old"
    sent_us = int(digits) * (1_000 if len(digits) > 10 else 1_000_000)
    return None if abs(now_us - sent_us) <= TOLERANCE_S * 1_000_000 else "too_old"


def _filled(text: str, stamp: str) -> bytes:
    return text.replace("{timestamp}", stamp).encode("utf-8", "surrogatepass")


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())
