"""ADF/XML leads, as portals of the motor trade and of machinery dealers mail them.

Source: Auto-lead Data Format 1.0: `<adf><prospect>` with `customer/contact`, `vehicle`, `requestdate`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ingest.email.fields import Found
from ingest.email.limits import PROSPECTS, STRUCTURED_BYTES
from schemas.lead import FieldName

_BARE_AMPERSAND = re.compile(r"&(?!#?\w{1,10};)")
_NAME_PARTS: dict[str, FieldName] = {
    "full": "full_name",
    "first": "given_name",
    "last": "family_name",
    "title": "salutation",
}
_ADDRESS_PARTS: dict[str, FieldName] = {
    "city": "city",
    "regioncode": "region",
    "postalcode": "postcode",
    "country": "country",
    "url": "website",
}


class Prospect(NamedTuple):
    """One lead of an ADF document, and its `requestdate` as received."""

    fields: tuple[Found, ...]
    requested: str


def read_adf(text: str) -> tuple[tuple[Prospect, ...], bool]:
    """Return the prospects of the ADF document in a text, and whether there is one that cannot be read.

    Names of elements count without case. A bare `&`, the usual mistake, is repaired; entities of their
    own, which could grow without end, are refused by the reader.
    """
    document = _document(text)
    if document is None:
        return (), False
    root = _parse(document)
    if root is None:
        root = _parse(_BARE_AMPERSAND.sub("&amp;", document))
    if root is None:
        return (), True
    prospects = [element for element in root.iter() if _tag(element) == "prospect"]
    return tuple(_prospect(element) for element in prospects[:PROSPECTS]), False


def _document(text: str) -> str | None:
    lower = text.lower()
    start = lower.find("<adf")
    if start < 0:
        return None
    end = lower.rfind("</adf>")
    stop = end + len("</adf>") if end > start else len(text)
    return text[start : min(stop, start + STRUCTURED_BYTES)]


def _parse(document: str) -> Element | None:
    try:
        root: Element = fromstring(document)
    except (ParseError, DefusedXmlException, ValueError):
        return None
    return root


def _prospect(prospect: Element) -> Prospect:
    return Prospect(
        tuple(_fields(prospect)), next((_text(item) for item in _under(prospect, "requestdate")), "")
    )


def _fields(prospect: Element) -> Iterator[Found]:
    for customer in _under(prospect, "customer"):
        for contact in _under(customer, "contact"):
            yield from _contact(contact)
        for comments in _under(customer, "comments"):
            yield Found("message", _text(comments), "adf:comments")
    for vehicle in (*_under(prospect, "vehicle"), *_under(prospect, "product")):
        parts = [_text(item) for tag in ("year", "make", "model", "trim") for item in _under(vehicle, tag)]
        yield Found("product", " ".join(filter(None, parts)) or _text(vehicle), f"adf:{_tag(vehicle)}")
    for item in _under(prospect, "id"):
        yield Found("other", _text(item), "adf:id", item.get("source") or "id")
    for provider in _under(prospect, "provider"):
        for name in _under(provider, "name"):
            yield Found("other", _text(name), "adf:provider", "provider")


def _contact(contact: Element) -> Iterator[Found]:
    for name in _under(contact, "name"):
        if (name.get("type") or "").lower() == "business":
            yield Found("company", _text(name), "adf:name")
        elif field := _NAME_PARTS.get((name.get("part") or "full").lower()):
            yield Found(field, _text(name), "adf:name")
    for email in _under(contact, "email"):
        yield Found("email", _text(email), "adf:email")
    for phone in _under(contact, "phone"):
        if (phone.get("type") or "").lower() not in ("fax", "pager"):
            yield Found("phone", _text(phone), "adf:phone")
    for address in _under(contact, "address"):
        streets = [_text(item) for tag in ("street", "apartment") for item in _under(address, tag)]
        yield Found("address", ", ".join(filter(None, streets)), "adf:address")
        for item in address:
            if field := _ADDRESS_PARTS.get(_tag(item)):
                yield Found(field, _text(item), f"adf:{_tag(item)}")


def _under(element: Element, tag: str) -> list[Element]:
    return [child for child in element if _tag(child) == tag]


def _tag(element: Element) -> str:
    return str(element.tag).rpartition("}")[2].lower()


def _text(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())
