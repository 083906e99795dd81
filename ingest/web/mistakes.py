"""What a visitor got wrong in a form: no way to reach them, a number or address that cannot be read."""

from __future__ import annotations

import re
import unicodedata

import phonenumbers

from ingest.web.form import Posted, WebForm, field_of

_EXTENSION = re.compile(r"(?:转|轉|分机|分機|ext\.?|extension|x|#)\s*[:：]?\s*\d{1,6}\s*$", re.IGNORECASE)
_MARKS = re.compile(r"[\s\-–—.()/·]+")
_PREFIXED = re.compile(r"(?:0|\+)\d{8,20}")
_EMAIL = re.compile(r"[^\s@<>\"',;:()\[\]\\]{1,64}@(?:[\w-]+\.)+[\w-]{2,}")


def mistakes(posted: Posted, source: WebForm) -> dict[str, str]:
    """Return what is wrong as {lead field: code}; empty when the form can be taken.

    Codes: `reach` (neither phone nor email), `phone` and `email` (cannot be read), `consent` (not given,
    though the source asks for it), `needed` (a field that the form requires). Everything the pipeline can read passes; in doubt the visitor is believed.
    """
    found: dict[str, str] = {}
    given: dict[str, list[str]] = {"phone": [], "email": []}
    for key, value in posted.pairs:
        name = field_of(key, source)
        if name in given and value.strip():
            given[name].append(value)
    if not given["phone"] and not given["email"]:
        found = {"phone": "reach", "email": "reach"}
    if not all(map(is_phone, given["phone"])):
        found["phone"] = "phone"
    if not all(map(is_email, given["email"])):
        found["email"] = "email"
    given_names = {field_of(key, source) for key, value in posted.pairs if value.strip()}
    for one in source.form:
        if one.required and one.field not in given_names:
            found[one.field] = "needed"
    if source.consent_version is not None and not posted.get("consent").strip():
        found["consent"] = "consent"
    return found


def is_phone(text: str) -> bool:
    """Tell whether this can be a telephone number that somebody could dial from another town."""
    number = _MARKS.sub("", _EXTENSION.sub("", unicodedata.normalize("NFKC", text).strip()))
    if _PREFIXED.fullmatch(number):
        return True
    if not number.removeprefix("+").isdigit() or len(number) > 20:
        return False
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, "CN"))
    except phonenumbers.NumberParseException:
        return False


def is_email(text: str) -> bool:
    """Tell whether this has the shape of a mail address."""
    return _EMAIL.fullmatch(unicodedata.normalize("NFKC", text).strip()) is not None
