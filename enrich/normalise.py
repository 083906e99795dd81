"""Normalising a lead's fields: the same thing written two ways becomes the same value."""

from __future__ import annotations

import re
import unicodedata

from enrich.phone import parse_phone
from schemas.lead import FieldName, FieldValue, Lead

_SPACES = re.compile(r"\s+")
_EMAIL = re.compile(r"[^\s@<>\"',;:()\[\]\\]{1,64}@(?:[\w-]+\.)+[\w-]{2,}")
_HONORIFIC = re.compile(r"(?<=[\u4e00-\u9fff])(先生|女士|小姐|太太)$|^(?:mr|mrs|ms|dr)\.?\s+", re.IGNORECASE)
_CJK = re.compile(r"[\u4e00-\u9fff]")
_INNER_SPACE = re.compile(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])")


def normalise(lead: Lead, country: str = "CN") -> tuple[FieldValue, ...]:
    """Return the lead's fields with `value` set to the normalised form, or None where there is none.

    A name in parts gains a `full_name` (family name first where it is Chinese).
    """
    fields = tuple(
        field.model_copy(update={"value": normal_value(field.name, field.received, country)})
        for field in lead.fields
    )
    return fields + _composed_name(fields)


def normal_value(name: FieldName, received: str, country: str = "CN") -> str | None:
    """Return a value of a field in its normal form; None if it cannot be read as one."""
    match name:
        case "phone":
            phone = parse_phone(received, country)
            if phone is None:
                return None
            return phone.e164 + (f";ext={phone.extension}" if phone.extension else "")
        case "email":
            return normal_email(received)
        case "full_name" | "given_name" | "family_name":
            return _HONORIFIC.sub("", _plain(received)).strip() or None
        case "tax_id":
            return _plain(received).replace(" ", "").replace("-", "").upper() or None
        case "message" | "other":
            return received.strip() or None
        case _:
            return _plain(received) or None


def normal_email(received: str) -> str | None:
    """Return an address in lower case, without what was wrapped round it; None if there is none."""
    match = _EMAIL.search(unicodedata.normalize("NFKC", received))
    return match[0].lower().strip(".") if match else None


def _plain(received: str) -> str:
    text = _SPACES.sub(" ", unicodedata.normalize("NFKC", received)).strip()
    return _INNER_SPACE.sub("", text)


def _composed_name(fields: tuple[FieldValue, ...]) -> tuple[FieldValue, ...]:
    by_name = {field.name: field for field in reversed(fields)}
    family, given = by_name.get("family_name"), by_name.get("given_name")
    if "full_name" in by_name or (family is None and given is None):
        return ()
    parts = [part.value for part in (family, given) if part is not None and part.value]
    if not parts:
        return ()
    chinese = _CJK.search("".join(parts)) is not None
    whole = "".join(parts) if chinese else " ".join(reversed(parts))
    origin = "+".join(part.origin for part in (family, given) if part is not None)
    return (FieldValue(name="full_name", received=whole, value=whole, origin=origin),)
