"""What an operator's verb is given, and the command that it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leadflow.clock import new_id
from store.acts import Command

Payload = Mapping[str, Any]


def command_of(payload: Payload, verb: str, undoes: str | None = None) -> Command:
    """Return who wants what, under the key that was given, or a new one."""
    key = payload.get("key") or new_id()
    return Command(verb, payload["actor"], key, payload["id"], payload.get("reason"), undoes)
