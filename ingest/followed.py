"""What the doors that fetch by themselves (mailboxes, tables) share: trouble that is told, waiting after it, one reader at a time."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol


class FetchTrouble(Exception):
    """Why a source cannot be read, with a stable code (docs/errors.md)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Trouble(NamedTuple):
    """Why a source cannot be read, since when (µs, UTC), and how often it was tried."""

    code: str
    message: str
    since_us: int
    tried: int


class Reader(Protocol):
    """Lets one process of several read a source, and keeps how far it was read where the next one finds it."""

    def may_read(self, source_id: str) -> bool:
        """Tell whether this process is the one, now and for some seconds more."""
        ...

    def progress(self, source_id: str, path: str) -> dict[str, Any] | None:
        """Return how far some process had read; None if nobody has."""
        ...

    def keep(self, source_id: str, path: str, state: dict[str, object]) -> None:
        """Keep how far was read. What is kept is durable at a door already; it may lag behind."""
        ...


class Alone:
    """The one process that there is: it keeps its progress with its captures, and nowhere else."""

    def may_read(self, source_id: str) -> bool:
        """Tell that it may."""
        return bool(source_id)

    def progress(self, _source_id: str, _path: str) -> dict[str, Any] | None:
        """Return nothing."""
        return None

    def keep(self, _source_id: str, _path: str, _state: dict[str, object]) -> None:
        """Keep nothing."""


SOON_S, LATEST_S = 1.0, 60.0
"""A server that restarts is back within seconds; one that is away for longer is asked once a minute."""
REFUSED_S, REFUSED_LATEST_S = 300.0, 3_600.0
"""After a refused password: providers lock accounts that try again and again, and no try mends a password."""
FOR_A_PERSON = frozenset({"login_refused", "password_missing", "unsafe_login", "folder_missing", "bad_certificate", "folder_read_only", "no_uids", "table_missing", "column_missing"})  # fmt: skip
"""Troubles that pass only when a person does something."""


def wait_s(code: str, tried: int, dice: float) -> float:
    """Return how long to wait after the `tried`-th try in a row that failed; `dice` of 0 to 1 spreads readers. Pure."""
    refused = code in FOR_A_PERSON
    first, latest = (REFUSED_S, REFUSED_LATEST_S) if refused else (SOON_S, LATEST_S)
    doubled: float = first * 2.0 ** min(tried - 1, 10)
    return min(latest, doubled) * (0.8 + 0.4 * dice)
