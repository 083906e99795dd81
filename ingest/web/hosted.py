"""What the hosted form asks: which fields, in which order, under which labels. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from pydantic import Field

from schemas.base import Frozen, Language

AskedName = Literal[
    "full_name",
    "company",
    "phone",
    "email",
    "message",
    "product",
    "job_title",
    "city",
    "region",
    "address",
    "country",
    "industry",
    "website",
    "tax_id",
    "heard_of_us",
]
ASKED: tuple[AskedName, ...] = get_args(AskedName)
"""Fields of a lead that a form of ours can ask for."""


def N_(text: str) -> str:
    """Mark a text for the catalogue; it is translated where it is shown."""
    return text


class AskedField(Frozen):
    """One field of the hosted form."""

    field: AskedName
    required: bool = False
    zh: str | None = Field(None, max_length=200, description="Label in Chinese; without one, ours")
    en: str | None = Field(None, max_length=200, description="Label in English; without one, ours")

    def label(self, language: Language) -> str | None:
        """Return the label of the company's own, if there is one."""
        return self.zh if language == "zh" else self.en


USUAL = tuple(AskedField(field=name) for name in ASKED[:5])
"""What is asked as long as nobody says otherwise."""

INPUT: Mapping[AskedName, Mapping[str, Any]] = {
    "full_name": {"name": "name", "type": "text", "autocomplete": "name", "maxlength": 200},
    "company": {"type": "text", "autocomplete": "organization", "maxlength": 200},
    "phone": {"type": "tel", "autocomplete": "tel", "maxlength": 60},
    "email": {"type": "email", "autocomplete": "email", "maxlength": 254},
    "message": {"type": "textarea", "autocomplete": "off", "maxlength": 10_000},
    "job_title": {"type": "text", "autocomplete": "organization-title", "maxlength": 200},
    "city": {"type": "text", "autocomplete": "address-level2", "maxlength": 200},
    "region": {"type": "text", "autocomplete": "address-level1", "maxlength": 200},
    "address": {"type": "text", "autocomplete": "street-address", "maxlength": 500},
    "country": {"type": "text", "autocomplete": "country-name", "maxlength": 200},
    "website": {"type": "text", "autocomplete": "url", "maxlength": 500},
}
_PLAIN = {"type": "text", "autocomplete": "off", "maxlength": 200}

LABELS: Mapping[AskedName, str] = {
    "full_name": N_("Your name"),
    "company": N_("Company"),
    "phone": N_("Phone"),
    "email": N_("Email"),
    "message": N_("What do you need?"),
    "product": N_("Product"),
    "job_title": N_("Position"),
    "city": N_("City"),
    "region": N_("Province"),
    "address": N_("Address"),
    "country": N_("Country"),
    "industry": N_("Industry"),
    "website": N_("Website"),
    "tax_id": N_("Tax number"),
    "heard_of_us": N_("How did you hear of us?"),
}
"""Our own labels, to be translated by the room's catalogue."""


def input_of(one: AskedField) -> dict[str, Any]:
    """Return the attributes of a field's input."""
    return {"name": one.field, **INPUT.get(one.field, _PLAIN)}
