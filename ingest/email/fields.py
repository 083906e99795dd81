"""What was found in a mail on its way to becoming the fields of a lead: bounded, storable, without repeats."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ingest.email.limits import FIELD_CHARS, FIELDS
from schemas.lead import FieldName, FieldValue
from schemas.text import storable


class Found(NamedTuple):
    """One thing found: which field, the text as received, where it stood, and the sender's own label."""

    name: FieldName
    text: str
    origin: str
    label: str | None = None


def collect(found: Iterable[Found]) -> tuple[tuple[FieldValue, ...], set[str]]:
    """Return the fields in the order found, and the flag `cut` if a bound of `limits` took something.

    A value that repeats an earlier one of the same field (but for case, blanks and punctuation of a
    number) is left out: the first place names the origin.
    """
    fields: list[FieldValue] = []
    flags: set[str] = set()
    seen: set[tuple[str, str | None, str]] = set()
    for item in found:
        text = item.text.strip()
        key = (item.name, item.label if item.name == "other" else None, _comparable(item.name, text))
        if not key[2] or key in seen:
            continue
        if len(fields) == FIELDS:
            flags.add("cut")
            break
        seen.add(key)
        bound = FIELD_CHARS[item.name]
        received = storable(text[:bound])[:bound]
        if len(text) > bound or len(received) < len(text):
            flags.add("cut")
        label = None if item.label is None else storable(item.label[:100])
        fields.append(
            FieldValue(name=item.name, received=received, origin=storable(item.origin[:120]), label=label)
        )
    return tuple(fields), flags


def _comparable(name: FieldName, text: str) -> str:
    if name == "phone":
        return re.sub(r"\D", "", text) or text.casefold()
    return " ".join(text.casefold().split())
