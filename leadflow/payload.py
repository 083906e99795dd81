"""What an operator's verb is given, and the command that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from leadflow.clock import new_id
from store.acts import Command

Payload = Mapping[str, Any]

_TEXTS = frozenset(
    "acting_role actor answer asked body_digest csv digest examples for_id id key kind line lost model name order_no other owner pool "
    "reason role source stage stand_in type".split()
)
_WHOLE = frozenset("from_us hours number seen to_us until_us".split())


def payload_of(body: bytes) -> dict[str, Any]:
    """Return the payload that was sent. Raises ValueError for no JSON, no object, and a field of a wrong kind.

    Fields of the same name hold the same kind in every verb, so they are looked at here, once.
    """
    payload = orjson.loads(body)
    if not isinstance(payload, dict):
        raise ValueError("no object")
    for name, value in payload.items():
        if value is None:
            continue
        if name in _TEXTS and not (isinstance(value, str) and "\0" not in value):
            raise ValueError(f"{name} is text")
        if name in _WHOLE and not (type(value) is int and abs(value) < 2**53):
            raise ValueError(f"{name} is a whole number")
    return payload


def command_of(payload: Payload, verb: str, undoes: str | None = None) -> Command:
    """Return who wants what, under the key that was given, or a new one."""
    key = payload.get("key") or new_id()
    asked = payload.get("body_digest")
    return Command(verb, payload["actor"], key, payload["id"], payload.get("reason"), undoes, asked)
