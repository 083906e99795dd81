"""Points at which a test may kill the process, to prove that no instant loses or repeats anything.

In production `crash_point` is a dictionary look-up. `LEADFLOW_CRASH_AT=NAME` kills the process the first
time it passes NAME, `NAME:3` the third time; `LEADFLOW_CRASH_LOG=FILE` records each name when first passed.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Literal, get_args

CrashPoint = Literal[
    "received",
    "before fsync",
    "fsynced, unanswered",
    "answered",
    "read",
    "half the effects",
    "before commit",
    "committed",
    "WAL checkpoint",
    "timer fired",
    "gathered, unsent",
    "sent, unrecorded",
    "forwarded, unrecorded",
]
CRASH_POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)

_armed: dict[str, int] = {}
_records: list[Path] = []
_seen: set[str] = set()


def arm(environment: dict[str, str]) -> None:
    """Take the crash point from the environment. Raises ValueError for a name that does not exist."""
    if record := environment.get("LEADFLOW_CRASH_LOG"):
        _records.append(Path(record))
    if not (wanted := environment.get("LEADFLOW_CRASH_AT")):
        return
    name, _, count = wanted.partition(":")
    if name not in CRASH_POINTS:
        raise ValueError(f"LEADFLOW_CRASH_AT={name!r} is no crash point; one of: {' · '.join(CRASH_POINTS)}")
    _armed[name] = int(count or 1)


def crash_point(name: CrashPoint) -> None:
    """Die here by SIGKILL if a test asked for it."""
    if _records and name not in _seen:
        _seen.add(name)
        with _records[0].open("a") as file:
            file.write(name + "\n")
    if name in _armed:
        _armed[name] -= 1
        if _armed[name] <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
