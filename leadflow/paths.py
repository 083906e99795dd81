"""Where things lie beside a data folder, and never in it: the erasure journal and the backups."""

from __future__ import annotations

from pathlib import Path


def journal_path(folder: Path) -> Path:
    """Return where the erasure journal of a data folder is: no backup of the folder may hold its own journal."""
    return folder.with_name(folder.name + ".erasures")


def backups_of(folder: Path, chosen: Path | None = None) -> Path:
    """Return where the backups of a data folder go, unless chosen otherwise."""
    return chosen or folder.with_name(folder.name + ".backups")
