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
from schemas.mask import masked
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
    request: Request, stands: Sequence[Mapping[str, Any]], entered: Mapping[str, str]
) -> list[Correctable]:
    """Return the form's fields; what was entered stays, beside what stands there by now.

    What has a number in it is left out for whom numbers are masked: a form's inputs pass the mask.
    """
    clear = getattr(request.state, "clear", True)
    by_name = {one["name"]: one for one in stands}
    fields = []
    for name in correctable(request):
        one = by_name.get(name)
        shown = " ".join(one["received"].split()) if one else ""  # as an input shows it
        was = (one["value"] or one["received"]).strip() if one else ""
        if not clear and (masked(shown) != shown or masked(was) != was):
            continue
        changed = shown if entered.get(f"was_{name}", was) != was else ""
        fields.append(Correctable(name, entered.get(name, shown), was, changed))
    return fields


def became_known(store: Database, captures: Sequence[str]) -> None:
    """Wait until the leads of these captures are resolved, but no longer than a person waits."""
    origin, lead = tables.lead_capture, tables.lead
    give_up = time.monotonic() + _WAIT_S
    wanted = (
        select(lead.c.lead_id)
        .join(origin, origin.c.lead_id == lead.c.lead_id)
        .where(origin.c.capture_id.in_(captures))
    )
    while captures and time.monotonic() < give_up:
        with store.read() as connection:
            if len(connection.execute(wanted).all()) >= len(captures):
                return
        time.sleep(_LOOK_S)
