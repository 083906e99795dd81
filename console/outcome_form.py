"""What somebody records of a contact, as the forms of a task and of a customer say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from console.times import parse_local
from sales.money_files import order_said
from sales.outcomes import Said
from schemas.company import Company
from schemas.outcomes import OutcomeCode
from store.acts import ActRefused

NOTE_CHARS = 5_000
"""An outcome's note is a few sentences; longer is a pasted document."""


def said_in(entered: Mapping[str, str], company: Company, now_us: int) -> Said:
    """Return what a form says. Raises ActRefused for no outcome, a date that cannot be read or has passed, a wrong order."""
    known: tuple[OutcomeCode, ...] = get_args(OutcomeCode)
    chosen = next((one for one in known if one == entered.get("code", "")), None)
    if chosen is None:
        raise ActRefused("unknown_outcome", "Choose an outcome.")
    next_us = None
    if date := entered.get("next", "").strip():
        try:
            next_us = parse_local(date, company.zone)
        except (ValueError, OverflowError):
            raise ActRefused("bad_date", "The date cannot be read.") from None
        if next_us <= now_us:
            raise ActRefused("past_date", "The date lies in the past.")
    note = entered.get("note", "").strip()[:NOTE_CHARS] or None
    order = order_said(entered, company, now_us) if chosen == "won" else None
    return Said(chosen, note, next_us, entered.get("reason") or None, order)
