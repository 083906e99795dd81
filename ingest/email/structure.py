"""The MIME structure of a mail, walked within bounds: its texts, its attachments of interest, inner mails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.parser import BytesHeaderParser
from typing import NamedTuple

from ingest.email.charset import decode
from ingest.email.headers import Headers, decode_words
from ingest.email.html import html_to_text
from ingest.email.limits import BOUNDARIES, DEPTH, PART_BYTES, PARTS
from ingest.email.transfer import decode_transfer

_STRUCTURE = re.compile(rb"multipart/|message/(?:rfc822|global)", re.IGNORECASE)
_PARAMETERS = re.compile(
    rb"(^content-(?:type|disposition):(?:[^\r\n]|\r?\n[ \t]){2048})(?:[^\r\n]|\r?\n[ \t])+", re.I | re.M
)
"""The standard library takes quadratic time over the parameters of these headers; 2 KB hold any file name."""

_BAD_PARAMETERS = (TypeError, ValueError, IndexError, LookupError)
"""What the standard library raises on numbered parameters (RFC 2231) that do not count."""

_TNEF_TYPES = {"application/ms-tnef", "application/vnd.ms-tnef"}
_VCARD_TYPES = {"text/vcard", "text/x-vcard", "text/directory"}
_XML_TYPES = {"text/xml", "application/xml", "application/adf+xml", "application/x-adf+xml", "text/adf"}
_ATTACHMENTS_NAMED = 20
_ENCODED_BYTES = 3 * PART_BYTES
"""Quoted-printable, the wider of the encodings, triples what it encodes."""


class Text(NamedTuple):
    """One readable text of a mail and the kind of part it came from: `text/plain` or `text/html`."""

    text: str
    type: str


@dataclass
class Content:
    """What the parts of one mail hold, in their order."""

    headers: Headers
    texts: list[Text] = field(default_factory=list)
    vcards: list[bytes] = field(default_factory=list)
    tnef: list[bytes] = field(default_factory=list)
    xml: list[str] = field(default_factory=list)
    inner: list[Message] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    parts: int = 0

    @property
    def text(self) -> str:
        """The readable text of the whole mail."""
        return "\n\n".join(text.text for text in self.texts if text.text.strip())

    @property
    def text_type(self) -> str:
        """The type of the first part that has text."""
        return next((text.type for text in self.texts if text.text.strip()), "text/plain")


def read_message(raw: bytes) -> tuple[Message, frozenset[str]]:
    """Parse the bytes of a mail; beyond the bounds of nesting only its headers and the bare text behind them."""
    raw = _PARAMETERS.sub(rb"\1", raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n"))
    if len(_STRUCTURE.findall(raw)) > BOUNDARIES:
        return BytesHeaderParser().parsebytes(raw), frozenset({"structure_too_deep"})
    try:
        return message_from_bytes(raw), frozenset()
    except (*_BAD_PARAMETERS, RecursionError):
        return BytesHeaderParser().parsebytes(raw), frozenset({"structure_unread"})


def read_content(message: Message) -> Content:
    """Collect what the parts of a mail hold, at most `PARTS` leaves and `DEPTH` levels."""
    content = Content(Headers(message))
    content.texts = _read(message, content, 0)
    return content


def _read(part: Message, content: Content, depth: int) -> list[Text]:
    """Return the texts below `part` and put everything else into `content`."""
    if depth > DEPTH or content.parts >= PARTS:
        content.flags.add("parts_left_out")
        return []
    if part.get_content_maintype() == "message":
        return _read_inner(part, content)
    if not part.is_multipart():
        content.parts += 1
        return _read_leaf(part, content)
    branches = [_read(child, content, depth + 1) for child in _children(part)]
    if part.get_content_subtype() == "alternative":
        return _best_alternative(branches)
    return [text for branch in branches for text in branch]


def _children(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    return (
        (child for child in payload if isinstance(child, Message)) if isinstance(payload, list) else iter(())
    )


def _best_alternative(branches: list[list[Text]]) -> list[Text]:
    filled = [texts for texts in branches if any(text.text.strip() for text in texts)]
    plain = [texts for texts in filled if all(text.type == "text/plain" for text in texts)]
    return next(iter(plain or filled), [])


def _read_inner(part: Message, content: Content) -> list[Text]:
    if part.get_content_subtype() not in ("rfc822", "global"):
        return []  # delivery-status and the like: the headers of the report say enough
    content.parts += 1
    inner = next(_children(part), None)
    if inner is None:
        return []
    encoding = _transfer_encoding(part)
    if encoding in ("base64", "quoted-printable") and not inner.keys():
        data, damaged = decode_transfer(_raw_payload(inner), encoding)
        content.flags |= {"transfer_damaged"} if damaged else set()
        inner, flags = read_message(data)
        content.flags |= flags
    content.inner.append(inner)
    return []


def _read_leaf(part: Message, content: Content) -> list[Text]:
    type_ = part.get_content_type()
    name = _filename(part)
    suffix = name.lower().rpartition(".")[2]
    attached = _disposition(part) == "attachment" or bool(name)
    if name and name.lower() != "winmail.dat" and len(content.attachments) < _ATTACHMENTS_NAMED:
        content.attachments.append(name)
    if type_ in _TNEF_TYPES or name.lower() == "winmail.dat":
        content.tnef.append(_data(part, content))
    elif type_ in _VCARD_TYPES or suffix == "vcf":
        content.vcards.append(_data(part, content))
    elif suffix == "eml":
        inner, flags = read_message(_data(part, content))
        content.inner.append(inner)
        content.flags |= flags
    elif type_ in _XML_TYPES or (attached and suffix in ("xml", "adf")):
        content.xml.append(_text_of(part, content))
    elif part.get_content_maintype() in ("text", "multipart") and not attached:
        text = _text_of(part, content)
        if type_ != "text/html":
            return [Text(text.replace("\r\n", "\n").replace("\r", "\n"), "text/plain")]
        visible, too_deep = html_to_text(text)
        content.flags |= {"html_simplified"} if too_deep else set()
        return [Text(visible, "text/html")]
    return []


def _data(part: Message, content: Content) -> bytes:
    encoding = _transfer_encoding(part)
    data, damaged = decode_transfer(_raw_payload(part), encoding)
    content.flags |= {"transfer_damaged"} if damaged else set()
    return data


def _text_of(part: Message, content: Content) -> str:
    encoding = _transfer_encoding(part)
    raw = _raw_payload(part)
    data, damaged = decode_transfer(raw[:_ENCODED_BYTES], encoding)
    cut = len(raw) > _ENCODED_BYTES or len(data) > PART_BYTES
    content.flags |= ({"cut"} if cut else set()) | ({"transfer_damaged"} if damaged else set())
    decoded = decode(data[:PART_BYTES], _charset(part) or _html_charset(part, data))
    content.flags |= decoded.flags
    return decoded.text


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except _BAD_PARAMETERS:
        return None


def _html_charset(part: Message, data: bytes) -> str | None:
    if part.get_content_type() != "text/html":
        return None
    found = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{1,40})", data[:4096], re.IGNORECASE)
    return found[1].decode("ascii") if found else None


def _raw_payload(part: Message) -> bytes:
    """Return the bytes of a leaf before its transfer encoding is undone.

    The standard library undoes it by itself unless the header is gone, and gives up where we go on.
    """
    del part["Content-Transfer-Encoding"]
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _transfer_encoding(part: Message) -> str:
    return str(part.get("Content-Transfer-Encoding", "")).split(";")[0].strip().lower()


def _disposition(part: Message) -> str:
    return str(part.get("Content-Disposition", "")).split(";")[0].strip().lower()


def _filename(part: Message) -> str:
    """Return the file name as people read it, after RFC 2231, RFC 2047 or raw bytes in the header."""
    headers = Headers(part)
    for header, parameter in (("content-disposition", "filename"), ("content-type", "name")):
        bare = Message()
        bare[header] = headers.raw(header).decode("latin-1")
        try:
            value = bare.get_param(parameter, header=header)
        except _BAD_PARAMETERS:
            continue
        if isinstance(value, tuple):
            return decode(value[2].encode("latin-1", "replace"), value[0]).text.strip()
        if value:
            return decode_words(value.encode("latin-1", "replace")).text
    return ""
