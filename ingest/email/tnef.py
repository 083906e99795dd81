"""`winmail.dat`: the body that Outlook wrapped in TNEF (Microsoft MS-OXTNEF).

The stream is walked here, because the library copies the rest of it for each object and believes any count
of properties; only the one block of MAPI properties goes through it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tnefparse import properties  # type: ignore[import-untyped]
from tnefparse.mapi import SZMAPI_UNICODE_STRING, TNEFMAPI_Attribute, decode_mapi  # type: ignore[import-untyped]

from ingest.email.charset import decode
from ingest.email.html import html_to_text
from ingest.email.limits import STRUCTURED_BYTES

_SIGNATURE = 0x223E9F78
_MESSAGE_LEVEL = 1
_BODY, _MAPI_PROPERTIES, _CODE_PAGE = 0x800C, 0x9003, 0x9007
_OBJECTS = 2_000
_PROPERTIES = 2_000


def tnef_text(raw: bytes) -> str | None:
    """Return the text in a winmail.dat, empty if it has none (RTF only), or None if it cannot be read."""
    if len(raw) < 6 or struct.unpack_from("<I", raw)[0] != _SIGNATURE:
        return None
    code_page: str | None = None
    plain: bytes | str = b""
    html: bytes | str = b""
    for name, data in _objects(raw):
        if name == _CODE_PAGE and len(data) >= 4:
            code_page = f"cp{struct.unpack_from('<I', data)[0]}"
        elif name == _BODY:
            plain = plain or data
        elif name == _MAPI_PROPERTIES:
            body, html = _mapi_bodies(data)
            plain = plain or body
    text = _decoded(plain, code_page).replace("\r\n", "\n").rstrip("\x00").strip()
    return text or html_to_text(_decoded(html, code_page))[0]


def _objects(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (attribute, data) of the message's own attributes; stops where the stream is cut."""
    offset = 6
    for _ in range(_OBJECTS):
        if offset + 9 > len(raw):
            return
        level, name, _, length = struct.unpack_from("<BHHI", raw, offset)
        if level == _MESSAGE_LEVEL and length <= STRUCTURED_BYTES:
            yield name, raw[offset + 9 : offset + 9 + length]
        offset += 9 + length + 2


def _mapi_bodies(data: bytes) -> tuple[bytes | str, bytes | str]:
    if len(data) < 4 or struct.unpack_from("<I", data)[0] > _PROPERTIES:
        return b"", b""
    plain: bytes | str = b""
    html: bytes | str = b""
    # Latin-1 keeps every byte, so that the charset chain can judge them.
    for attribute in decode_mapi(data, "latin-1"):
        if attribute.name in (properties.MAPI_BODY, properties.MAPI_UNCOMPRESSED_BODY):
            plain = _value(attribute)
        elif attribute.name == properties.MAPI_BODY_HTML:
            html = _value(attribute)
    return plain, html


def _value(attribute: TNEFMAPI_Attribute) -> bytes | str:
    value = attribute.data
    if isinstance(value, str) and attribute.attr_type != SZMAPI_UNICODE_STRING:
        return value.encode("latin-1", "replace")
    return value if isinstance(value, bytes | str) else b""


def _decoded(value: bytes | str, code_page: str | None) -> str:
    return value if isinstance(value, str) else decode(value.rstrip(b"\x00"), code_page).text
