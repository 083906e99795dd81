"""The time to first touch of a lead, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.times import local
from console.view import View
from router.office import Office
from sales.first_touch import counted, first_touch

SPANS_SHOWN = 6


def told(view: View, office: Office, row: Any) -> str | None:
    """Return how long the lead of a first task waited, in working time, with the hours counted; None for other tasks."""
    calendar = office.calendar_of_holder(row["holder_id"])
    found = first_touch(row, calendar, view.now_us)
    if found is None:
        return None
    _ = view.gettext
    values = {
        "time": view.length(found.counted_s),
        "limit": view.length(found.limit_s),
        "over": view.length(found.over_s),
        "hours": hours(counted(found, calendar, view.now_us), view.company.zone),
    }
    if found.touched_us is not None:
        said = _("First touch after %(time)s of working time; the limit was %(limit)s")
    else:
        said = _("Untouched for %(time)s of working time; the limit is %(limit)s")
    if found.over_s:
        said = said + _(" (%(over)s over)")
    return (said + (_(". Counted: %(hours)s") if values["hours"] else "")) % values


def hours(spans: Sequence[tuple[int, int]], zone: str) -> str:
    """Return stretches of working time such as `11-23 17:30–18:00`; of many, the first and the last ones."""
    texts = [f"{local(start, zone):%m-%d %H:%M}–{local(end, zone):%H:%M}" for start, end in spans]
    if len(texts) > SPANS_SHOWN:
        texts = [*texts[: SPANS_SHOWN - 1], "…", texts[-1]]
    return ", ".join(texts)
