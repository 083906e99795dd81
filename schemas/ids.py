"""Typed, deterministic ids: the same event yields the same ids, so a repeat is recognised everywhere."""

from __future__ import annotations

from base64 import b32encode
from hashlib import blake2b
from typing import Literal

Kind = Literal["cap", "evt", "lead", "con", "cus", "ev", "dec", "task", "act", "dlv", "dead", "tmr"]

_ID_BYTES = 15
"""120 bits: no collision to be expected below 10^17 ids, and 24 characters that survive any URL."""


def make_id(kind: Kind, *parts: str | int) -> str:
    """Return the id of the thing that `parts` determine, such as `lead_k2v…` for (event id, ordinal).

    Equal parts give equal ids on every host and at every replay. Parts are length-prefixed, so that
    ("a", "bc") and ("ab", "c") differ.
    """
    digest = blake2b(kind.encode(), digest_size=_ID_BYTES)
    for part in parts:
        raw = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return f"{kind}_{b32encode(digest.digest()).decode().lower()}"


def body_digest(body: bytes) -> str:
    """Return the digest that tells a retry (same bytes) from a correction (other bytes): 32 hex digits."""
    return blake2b(body, digest_size=16).hexdigest()
