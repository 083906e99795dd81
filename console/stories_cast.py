"""Whom the stories of the demo's first page are about: invented people whose numbers follow from the run alone. Pure."""

from __future__ import annotations

from typing import Literal, get_args
from urllib.parse import urlencode

Name = Literal["four_doors", "two_departments", "leaver", "broken_row"]
NAMES: tuple[Name, ...] = get_args(Name)

RUNS = 3_000_000
"""Runs before numbers come again: one a second for a month."""
_FIRST: dict[Name, int] = {"four_doors": 91_000_000, "two_departments": 94_000_000, "broken_row": 97_000_000}
"""Numbers of people in stories: apart from those of the demo's history and of its live leads."""

LEAVER = "sun-yue"
"""Who resigns; the undo brings them back."""


def run_of(now_us: int) -> int:
    """Return the number of the run that begins now."""
    return now_us // 1_000_000 % RUNS


def phone_of(story: Name, run: int) -> str:
    """Return the mobile number of a story's customer; no operator has numbers that begin with 154."""
    return f"154{_FIRST[story] + run:08d}"


def mail_of(run: int) -> str:
    """Return the mailbox of the customer who comes by four doors; nobody's."""
    return f"demo-wf{run:07d}@163.com"


def broken_body(run: int) -> bytes:
    """Return what a site sends whose form was redesigned: no field has a name that the source knows."""
    fields = {"fld_17": "陈静", "fld_18": phone_of("broken_row", run), "fld_21": "想了解两吨电动叉车"}
    return urlencode(fields).encode()
