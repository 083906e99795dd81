"""Typed, deterministic ids: the same event yields the same ids, so a repeat is recognised everywhere.

There are two forms. What has to be known before anything is looked up (a capture, an act) is a hash of its key.
What is born from a capture carries the millisecond at which that was accepted in front of a shorter hash: ids
that follow each other in time then lie together in every index, which spares most of what a commit writes
(docs/decisions/0005-ids-in-the-order-of-time.md).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

Kind = Literal[
    "cap",
    "evt",
    "lead",
    "con",
    "cus",
    "dec",
    "task",
    "act",
    "dead",
    "acc",
    "dlv",
    "msg",
    "alm",
    "join",
    "rev",
    "set",
    "job",
    "crt",
    "clm",
    "stg",
    "ord",
    "spd",
    "imp",
]

_HASH_BYTES = 15
"""120 bits: no collision to be expected below 10^17 ids, and 24 characters that survive any URL."""
_BORN_HASH_BYTES = 10
"""80 bits beside the millisecond: a collision needs some 10^12 things of one kind born in the same one."""
_STAMP_CHARS = 9
_BORN_CHARS = _STAMP_CHARS + 16


def make_id(kind: Kind, *parts: str | int) -> str:
    """Return the id of the thing that `parts` determine, such as `cap_k2v…` for (source, key, digest).

    Equal parts give equal ids on every host and at every replay. Parts are length-prefixed, so that
    ("a", "bc") and ("ab", "c") differ.
    """
    return f"{kind}_{_hash(kind, parts, _HASH_BYTES)}"


def born_id(kind: Kind, at_us: int, *parts: str | int) -> str:
    """Return the id of something born at a moment that is recorded with it; sorts by that millisecond."""
    return f"{kind}_{_stamp(at_us)}{_hash(kind, parts, _BORN_HASH_BYTES)}"


def child_id(kind: Kind, parent_id: str, *parts: str | int) -> str:
    """Return the id of something that `parent_id` gave rise to; it carries the parent's moment, if it has one."""
    body = parent_id.partition("_")[2]
    if len(body) != _BORN_CHARS:
        return make_id(kind, parent_id, *parts)
    return f"{kind}_{body[:_STAMP_CHARS]}{_hash(kind, (parent_id, *parts), _BORN_HASH_BYTES)}"


def body_digest(body: bytes) -> str:
    """Return the digest that tells a retry (same bytes) from a correction (other bytes): 32 hex digits."""
    return blake2b(body, digest_size=16).hexdigest()


def _hash(kind: str, parts: tuple[str | int, ...], size: int) -> str:
    digest = blake2b(kind.encode(), digest_size=size)
    for part in parts:
        raw = str(part).encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return _base32hex(int.from_bytes(digest.digest(), "big"), size * 8 // 5)


def _stamp(at_us: int) -> str:
    """Return nine base32hex characters (45 bits of milliseconds: to the year 3084) that sort as the time does."""
    return _base32hex(max(0, at_us // 1_000), _STAMP_CHARS + 1)[1:]


_PAIRS = [
    one + two for one in "0123456789abcdefghijklmnopqrstuv" for two in "0123456789abcdefghijklmnopqrstuv"
]


def _base32hex(number: int, length: int) -> str:
    """Return a number as an even count of base32hex digits (RFC 4648), in lower case.

    Ten bits at a time: `base64.b32hexencode`, which is written in Python, took a thirtieth of the stages' time.
    """
    return "".join([_PAIRS[number >> shift & 1_023] for shift in range(length * 5 - 10, -10, -10)])
