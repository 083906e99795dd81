"""Content transfer encodings, read leniently: real mail arrives with cut, padded and glued base64."""

from __future__ import annotations

import binascii
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_PROSE = re.compile(rb"[A-Za-z]+ [A-Za-z]+ [A-Za-z]+|[\x80-\xff]{2}")
"""A line of running text, such as the footer that a list server appends after a base64 body."""

_WHOLE_LINE = re.compile(rb"[A-Za-z0-9+/]{6,}={0,2}")
_BROKEN_QP = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n|[ \t]*$)")


def decode_transfer(raw: bytes, encoding: str) -> tuple[bytes, bool]:
    """Return the bytes under `encoding` (a Content-Transfer-Encoding) and whether they were damaged.

    An unknown encoding is taken as none. Nothing raises: what can be read is read.
    """
    match encoding.strip().lower():
        case "base64":
            return decode_base64(raw)
        case "quoted-printable":
            return binascii.a2b_qp(raw), _BROKEN_QP.search(raw) is not None
        case _:
            return raw, False


def decode_base64(raw: bytes) -> tuple[bytes, bool]:
    """Decode base64 that may hold strange characters, lack padding, or be several blocks glued together."""
    lines = raw.splitlines()
    prose = [line for line in lines if _PROSE.search(line)]
    first = next((line.strip() for line in lines if line.strip()), b"")
    begins_encoded = _WHOLE_LINE.fullmatch(first) is not None and len(first) % 4 == 0
    if sum(map(len, prose)) * 2 > len(raw.strip()) and not begins_encoded:
        return raw, True  # plain text after all: some scanners undo the encoding and leave the header
    encoded = b"".join(line for line in lines if not _PROSE.search(line)) if prose else raw
    clean = _NOT_BASE64.sub(b"", encoded)
    damaged = bool(prose) or len(clean) % 4 != 0 or len(clean) < len(b"".join(encoded.split()))
    decoded = bytearray()
    for block in re.split(rb"=+", clean):
        whole = block[: len(block) - (len(block) % 4 == 1)]
        damaged |= len(whole) < len(block)
        decoded += binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))
    return bytes(decoded), damaged
