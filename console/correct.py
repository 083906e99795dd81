"""What of a customer can be put right on their page, as a form asks for it; and waiting until the stages know it so."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from starlette.requests import Request

from schemas.correction import CORRECTABLE
from schemas.lead import FieldName
from store import tables
from store.database import Database

_NUMBERS: tuple[FieldName, ...] = ("phone", "email")
_WAIT_S = 2.0
"""The stages need milliseconds; when they are behind, the page says what was recorded, and shows it on the next look."""
_LOOK_S = 0.03


@dataclass(frozen=True, slots=True)
class Correctable:
    """A field of the form: what stands there, as people write it; `was` of it, to be told of another change in between."""

    name: FieldName
    value: str
    was: str
    changed: str
    """What somebody else put there since the form was opened; empty if nobody did."""


def correctable(request: Request) -> tuple[FieldName, ...]:
    """Return what a visitor may put right of this customer: nobody corrects a number that is masked for them."""
    clear = getattr(request.state, "clear", True)
    return tuple(name for name in CORRECTABLE if clear or name not in _NUMBERS)


def to_correct(
    names: Sequence[FieldName], stands: Sequence[Mapping[str, Any]], entered: Mapping[str, str]
) -> list[Correctable]:
    """Return the form's fields; what was entered stays, beside what stands there by now."""
    by_name = {one["name"]: one for one in stands}
    fields = []
    for name in names:
        one = by_name.get(name)
        shown = one["received"].strip() if one else ""
        was = (one["value"] or shown).strip() if one else ""
        changed = shown if entered.get(f"was_{name}", was) != was else ""
        fields.append(Correctable(name, entered.get(name, shown), was, changed))
    return fields


def became_known(store: Database, lead_id: str) -> None:
    """Wait until a lead is resolved, if there is one to wait for, but no longer than a person waits."""
    lead = tables.lead
    give_up = time.monotonic() + _WAIT_S
    while lead_id and time.monotonic() < give_up:
        with store.read() as connection:
            if connection.execute(select(lead.c.lead_id).where(lead.c.lead_id == lead_id)).first():
                return
        time.sleep(_LOOK_S)
