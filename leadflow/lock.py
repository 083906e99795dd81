"""One host a data folder, and how the command line finds it.

SQLite allows several writers; we do not: one connection a file writes and checkpoints. The running host holds
a lock on `host.lock`, with its address inside; everybody else who wants to write sends an act there.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

import orjson


class AlreadyRunning(RuntimeError):
    """A host runs on this data folder; its address is in `url`."""

    def __init__(self, folder: Path, pid: str, url: str) -> None:
        super().__init__(f"Leadflow runs on {folder} already (process {pid}, {url}). Stop it first.")
        self.url = url


class HostLock:
    """Held by the process that may write. Released when the process ends, however it ends."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def close(self) -> None:
        """Let the next one in."""
        self._file.close()


def take_lock(folder: Path, url: str) -> HostLock:
    """Become the one who writes in this folder. Raises AlreadyRunning."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.fdopen(os.open(folder / "host.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held = _read(file)
        file.close()
        raise AlreadyRunning(folder, held.get("pid", "?"), held.get("url", "?")) from None
    file.seek(0)
    file.truncate()
    file.write(orjson.dumps({"pid": str(os.getpid()), "url": url}))
    file.flush()
    return HostLock(file)


def _read(file: IO[bytes]) -> dict[str, str]:
    try:
        content = orjson.loads(file.read())
    except orjson.JSONDecodeError:
        return {}  # the host has taken the lock and not yet written its address
    return content if isinstance(content, dict) else {}
