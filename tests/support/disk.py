"""A disk of a few megabytes, which fills up and is given room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MIB = 1024**2


class SmallDisk:
    """A tmpfs in a folder. Another program's file takes its room, and gives it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._other = folder / "somebody-elses-file"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """Take all of the room but so much."""
        with self._other.open("ab", buffering=0) as other:
            while (more := min(self.free_bytes - leave_bytes, MIB)) > 0:
                other.write(bytes(more))

    def make_room(self) -> None:
        """Give back what was taken."""
        self._other.unlink()


@contextmanager
def small_disk(folder: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Mount a tmpfs of this size on a folder, which is made; that takes root, as in CI."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "tmpfs", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
