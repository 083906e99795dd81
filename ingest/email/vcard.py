"""vCards (2.1, RFC 2426, RFC 6350) attached to a mail: the properties that say who somebody is.

Read here and not by a library, because the one there is (vobject 0.9.9) takes exponential time over one
malformed line of 180 characters, and this input comes from strangers.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from ingest.email.charset import decode
from ingest.email.fields import Found
from ingest.email.limits import STRUCTURED_BYTES
from schemas.lead import FieldName

_CARDS = 20
_NAME = re.compile(
    rb"(?:[\w-]{1,40}\.)?([A-Za-z-]{1,40})((?:;[^;:\"\r\n]{0,200}(?:\"[^\"\r\n]{0,200}\")?){0,20}):"
)
_PLAIN: dict[str, FieldName] = {
    "FN": "full_name",
    "TITLE": "job_title",
    "TEL": "phone",
    "EMAIL": "email",
    "URL": "website",
}
_ADDRESS: tuple[FieldName, ...] = ("city", "region", "postcode", "country")


class _Property(NamedTuple):
    name: str
    parameters: str
    value: bytes


def vcard_fields(raw: bytes, sender: str) -> tuple[tuple[Found, ...], bool]:
    """Return the fields of a card, each with the origin `vcard:<property>`, and whether it was unreadable.

    Of several cards that of `sender` (an address, lower case) counts, else the first. Fax numbers and what
    has no field in a lead are left out.
    """
    cards: list[list[Found]] = []
    for property_ in _properties(raw[:STRUCTURED_BYTES]):
        if property_.name == "BEGIN" and len(cards) < _CARDS:
            cards.append([])
        elif cards:
            cards[-1] += _fields(property_)
    filled = [tuple(card) for card in cards if card]
    own = [card for card in filled if any(item.text.lower() == sender for item in card)]
    return next(iter(own or filled), ()), not filled


def _properties(raw: bytes) -> Iterator[_Property]:
    """Yield the logical lines: folded ones joined, also by the soft breaks of quoted-printable."""
    text = re.sub(rb"\r?\n[ \t]", b"", raw)
    text = re.sub(rb"=\r?\n(?=[^\r\n:;]{0,80}(?:\r?\n|$))", b"", text)
    for line in text.splitlines():
        if found := _NAME.match(line):
            parameters = found[2].decode("ascii", "replace").upper()
            yield _Property(found[1].decode("ascii").upper(), parameters, line[found.end() :])


def _fields(property_: _Property) -> Iterator[Found]:
    name = property_.name
    origin = f"vcard:{name}"
    if name == "TEL" and "FAX" in property_.parameters:
        return
    if name in _PLAIN:
        text = _unescaped(_text(property_))
        if name == "TEL":
            text = text.removeprefix("tel:").replace(";ext=", " ext ")
        yield Found(_PLAIN[name], text.removeprefix("mailto:"), origin)
    elif name == "ORG":
        yield Found("company", _components(property_)[0], origin)
    elif name == "ADR":
        _, extended, street, *rest = [*_components(property_), "", "", ""]
        yield Found("address", ", ".join(filter(None, (extended, street))), origin)
        for field, text in zip(_ADDRESS, rest, strict=False):
            yield Found(field, text, origin)


def _components(property_: _Property) -> list[str]:
    return [_unescaped(part) for part in re.split(r"(?<!\\);", _text(property_))]


def _text(property_: _Property) -> str:
    value = property_.value
    if "QUOTED-PRINTABLE" in property_.parameters:
        value = binascii.a2b_qp(value)
    charset = re.search(r"CHARSET=\"?([\w-]{1,40})", property_.parameters)
    return decode(value, charset[1] if charset else None).text


def _unescaped(text: str) -> str:
    text = re.sub(r"\\([nN])", " ", text)
    return re.sub(r"\\([,;:\\])", r"\1", text).strip()
