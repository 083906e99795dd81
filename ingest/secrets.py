"""Passwords of what we fetch from: in a file or in the environment, never in the company's files."""

from __future__ import annotations

import os
from pathlib import Path


class PasswordMissing(LookupError):
    """The password is not where the source says."""


def password_of(file: str | None, variable: str | None) -> str:
    """Read a password. Raises PasswordMissing, which names the place and not what stands there."""
    if variable is not None:
        if found := os.environ.get(variable, ""):
            return found
        raise PasswordMissing(f"the environment has no {variable}")
    path = Path(file or "")
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PasswordMissing(f"{path} cannot be read ({type(error).__name__})") from None
    if not lines or not lines[0].strip():
        raise PasswordMissing(f"{path} is empty")
    return lines[0].strip()


def password_now(file: str | None, variable: str | None) -> str | None:
    """Read a password; None if there is none."""
    try:
        return password_of(file, variable)
    except PasswordMissing:
        return None
