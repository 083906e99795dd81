"""Text as received, made safe to store, and cells made safe to open, without losing what they were."""

from __future__ import annotations

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    r"""Escape what no database takes: NUL as `\x00`, lone surrogates as `\udXXX`.

    The true bytes stay in the capture, so nothing is lost; a reader sees that something stood there.
    """
    if _UNSTORABLE.search(text) is None:
        return text
    return _UNSTORABLE.sub(lambda m: "\\x00" if m[0] == "\x00" else f"\\u{ord(m[0]):04x}", text)


_RISKY = re.compile(r"'*[=+\-@\t\r]")


def guarded(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet program would take for a formula."""
    return "'" + cell if _RISKY.match(cell) else cell


def unguarded(cell: str) -> str:
    """Take away the apostrophe that `guarded` put there."""
    return cell[1:] if cell.startswith("'") and _RISKY.match(cell) else cell
