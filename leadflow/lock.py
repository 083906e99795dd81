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

LOCK = "host.lock"


class AlreadyRunning(RuntimeError):
    """A host runs on this data folder; its address is in `url`."""

    def __init__(self, folder: Path, held: dict[str, str]) -> None:
        self.url = held.get("url", "")
        self.smtp_port = int(held.get("smtp_port") or 0)
        self.probe_token = held.get("probe_token", "")
        pid = held.get("pid", "?")
        super().__init__(f"Leadflow runs on {folder} already (process {pid}, {self.url}). Stop it first.")


class HostLock:
    """Held by the process that may write. Released when the process ends, however it ends."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def close(self) -> None:
        """Let the next one in."""
        self._file.close()


def take_lock(folder: Path, url: str = "", *, smtp_port: int = 0, probe_token: str = "") -> HostLock:
    """Become the one who writes in this folder, and say where and how to be asked. Raises AlreadyRunning."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.fdopen(os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held = _read(file)
        file.close()
        raise AlreadyRunning(folder, held) from None
    content = {
        "pid": str(os.getpid()),
        "url": url,
        "smtp_port": str(smtp_port),
        "probe_token": probe_token,
    }
    file.seek(0)
    file.truncate()
    file.write(orjson.dumps(content))
    file.flush()
    return HostLock(file)


def _read(file: IO[bytes]) -> dict[str, str]:
    try:
        content = orjson.loads(file.read())
    except orjson.JSONDecodeError:
        return {}  # the host has taken the lock and not yet written its address
    return content if isinstance(content, dict) else {}
