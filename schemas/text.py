"""Text as received, made safe to store without losing what it was."""

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
