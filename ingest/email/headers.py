"""The header section of a mail: raw values, RFC 2047 text, mailboxes and message ids, all without raising."""

from __future__ import annotations

import binascii
import re
from email.message import Message
from email.utils import getaddresses
from itertools import groupby
from typing import NamedTuple

from ingest.email.charset import Decoded, decode
from ingest.email.limits import HEADER_BYTES, THREAD_IDS
from ingest.email.transfer import decode_base64
from schemas.text import storable

_ENCODED_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*|.{0,400}?)\?=", re.DOTALL)
_ADDRESS = re.compile(r"[^\s<>()\[\]\",;:@\\]{1,64}@[^\s<>()\[\]\",;:@\\]{1,190}")
_MESSAGE_ID = re.compile(r"<\s*([^<>\s]{1,250})\s*>")
_ID_LINE = re.compile(rb"^message-id[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n|\r\r")
_KEY_WINDOW = 262_144


class Mailbox(NamedTuple):
    """A name and an address as received; either may be empty."""

    name: str
    address: str

    @property
    def local(self) -> str:
        """The part before the @, lower case."""
        return self.address.rpartition("@")[0].lower()

    @property
    def domain(self) -> str:
        """The part after the @, lower case."""
        return self.address.rpartition("@")[2].lower()


def message_key(raw: bytes) -> str | None:
    """Return the Message-ID of a mail as its idempotency key, without the angle brackets.

    Cheap enough for the door (one scan of the header section) and never raises. None if there is none,
    or if it is longer than the 998 characters that RFC 5322 allows a line.
    """
    head = raw[:_KEY_WINDOW].removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    end = _END_OF_HEADERS.search(head)
    found = _ID_LINE.search(head, 0, end.start() if end else len(head))
    if found is None:
        return None
    value = " ".join(found[1].decode("utf-8", "replace").split())
    inside = re.search(r"<([^<>]+)>", value)
    key = storable((inside[1] if inside else value).strip())
    return key if 0 < len(key) <= 998 else None


class Headers:
    """The headers of one message, looked up without case; the first of a repeated header counts."""

    def __init__(self, message: Message) -> None:
        self._values: dict[str, list[bytes]] = {}
        for name, value in message.raw_items():
            raw = str(value).encode("utf-8", "surrogateescape")
            self._values.setdefault(name.lower(), []).append(raw)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._values

    def names(self) -> set[str]:
        """Return the names present, in lower case."""
        return set(self._values)

    def raw(self, name: str) -> bytes:
        """Return the bytes of a header, unfolded and bounded; empty if absent."""
        values = self._values.get(name.lower(), [b""])
        return re.sub(rb"\r?\n(?=[ \t])", b"", values[0][:HEADER_BYTES]).strip()

    def every(self, name: str) -> list[bytes]:
        """Return all values of a header that may repeat, at most 20."""
        return [value[:HEADER_BYTES].strip() for value in self._values.get(name.lower(), [])[:20]]

    def token(self, name: str) -> str:
        """Return the plain, lower-case value of a machine-readable header."""
        return self.raw(name).decode("utf-8", "replace").lower()

    def text(self, name: str) -> Decoded:
        """Return a header as people read it."""
        return decode_words(self.raw(name))

    def mailboxes(self, name: str) -> tuple[list[Mailbox], frozenset[str]]:
        """Return the mailboxes of an address header, and the flags of their names."""
        return read_mailboxes(self.raw(name))

    def ids(self, name: str) -> tuple[str, ...]:
        """Return the message ids in a header, without angle brackets: the first and the newest."""
        value = self.raw(name).decode("utf-8", "replace")
        found = _MESSAGE_ID.findall(value) or [word for word in value.split() if "@" in word]
        unique = [storable(item[:250]) for item in dict.fromkeys(found)]
        return tuple(unique if len(unique) <= THREAD_IDS else [unique[0], *unique[1 - THREAD_IDS :]])


def decode_words(raw: bytes) -> Decoded:
    """Decode the encoded words of RFC 2047, and raw 8-bit text around them.

    Neighbours in one charset are joined as bytes first, because mailers cut through Chinese characters.
    """
    pieces: list[tuple[str, bytes]] = []
    last = 0
    for word in _ENCODED_WORD.finditer(raw):
        between = raw[last : word.start()]
        if between.strip() or (between and not last):
            pieces.append(("", between))
        charset = word[1].split(b"*")[0].decode("ascii", "replace").lower()
        pieces.append((charset, _word_bytes(word[2], word[3])))
        last = word.end()
    pieces.append(("", raw[last:]))
    text = ""
    flags: frozenset[str] = frozenset()
    for charset, run in groupby(pieces, key=lambda piece: piece[0]):
        decoded = decode(b"".join(piece[1] for piece in run), charset or None)
        text += decoded.text
        # Raw UTF-8 in a header needs no declaration (RFC 6532): only a legacy charset there is a guess.
        raw_utf8 = not charset and "\ufffd" not in decoded.text and _is_utf8(raw)
        flags |= frozenset() if raw_utf8 else decoded.flags
    return Decoded(" ".join(text.split()), flags)


def read_mailboxes(raw: bytes) -> tuple[list[Mailbox], frozenset[str]]:
    """Return the mailboxes of an address list as received; falls back to picking addresses out of the text."""
    plain = _ENCODED_WORD.sub(_shielded, raw).decode("latin-1")
    try:
        pairs = getaddresses([plain])
    except (RecursionError, IndexError, ValueError):  # thousands of nested comments
        pairs = []
    boxes: list[Mailbox] = []
    flags: frozenset[str] = frozenset()
    for name, address in pairs:
        if _ADDRESS.fullmatch(address):
            decoded = decode_words(name.encode("latin-1"))
            shown = decoded.text.strip("'\" ")
            boxes.append(Mailbox("" if shown.lower() == address.lower() else shown, _utf8(address)))
            flags |= decoded.flags
    if boxes:
        return boxes, flags
    decoded = decode_words(raw)
    return [mailbox_in(decoded.text)] if _ADDRESS.search(decoded.text) else [], decoded.flags


def mailbox_in(text: str) -> Mailbox:
    """Return the mailbox written in free text such as `"Zhang" <z@a.cn>`, `Zhang [mailto:z@a.cn]` or a name."""
    found = _ADDRESS.search(text)
    if found is None:
        return Mailbox(text.strip("\"'“”*;；<>[] \t"), "")
    address = found[0].removeprefix("mailto:").rstrip(".'")
    name = text[: found.start()].removesuffix("mailto:").strip("\"'“”*;；<[(（ \t")
    return Mailbox("" if name.lower() == address.lower() else name, address)


def _shielded(word: re.Match[bytes]) -> bytes:
    """Write a comma or bracket inside an encoded word as `=2C`, so that it does not part the address list."""
    if word[2] not in b"qQ":
        return word[0]
    data = re.sub(rb"[][,;:()<>\"@\\. ]", lambda special: b"=%02X" % special[0][0], word[3])
    return b"=?%s?Q?%s?=" % (word[1], data)


def _word_bytes(encoding: bytes, data: bytes) -> bytes:
    if encoding in b"bB":
        return decode_base64(data)[0]
    return binascii.a2b_qp(data.replace(b"\n", b"").replace(b"\r", b""), header=True)


def _utf8(address: str) -> str:
    return address.encode("latin-1").decode("utf-8", "replace")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
