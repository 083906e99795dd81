"""Which column of a CDR file stands where: known orders, and telling them apart by the shape of a row.

Sources: `cdr_csv` writes accountcode … amaflags, then what cdr.conf [csv] switches on (loguniqueid,
loguserfield, newcdrcolumns: asterisk cdr/cdr_csv.c); `cdr_custom` writes what its mapping says, by default
the one in asterisk configs/samples/cdr_custom.conf.sample.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

Column = Literal[
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "userfield",
    "peeraccount",
    "linkedid",
    "sequence",
    "did",
    "-",
]
"""A column by its name in Asterisk; `did` holds the number that was called, `-` is a column to skip."""

NEEDED: tuple[Column, ...] = (
    "src",
    "dst",
    "channel",
    "dstchannel",
    "lastapp",
    "start",
    "duration",
    "billsec",
    "disposition",
)
"""What the assembler of calls cannot do without."""

_CSV: tuple[Column, ...] = (
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
)
_CSV_1_8: tuple[Column, ...] = ("peeraccount", "linkedid", "sequence")
_CUSTOM: tuple[Column, ...] = (
    "clid",
    "src",
    "dst",
    "dcontext",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "accountcode",
    "uniqueid",
    "userfield",
)


class Layout(NamedTuple):
    """A named order of columns."""

    name: str
    columns: tuple[Column, ...]


CDR_CSV: tuple[Layout, ...] = (
    Layout("cdr_csv", _CSV),
    Layout("cdr_csv with uniqueid", (*_CSV, "uniqueid")),
    Layout("cdr_csv with userfield", (*_CSV, "userfield")),
    Layout("cdr_csv with uniqueid, userfield", (*_CSV, "uniqueid", "userfield")),
    Layout("cdr_csv with newcdrcolumns", (*_CSV, *_CSV_1_8)),
    Layout("cdr_csv with uniqueid, newcdrcolumns", (*_CSV, "uniqueid", *_CSV_1_8)),
    Layout("cdr_csv with userfield, newcdrcolumns", (*_CSV, "userfield", *_CSV_1_8)),
    Layout("cdr_csv with uniqueid, userfield, newcdrcolumns", (*_CSV, "uniqueid", "userfield", *_CSV_1_8)),
)
CDR_CUSTOM: tuple[Layout, ...] = (
    Layout("cdr_custom", (*_CUSTOM, "sequence")),
    Layout("cdr_custom without sequence", _CUSTOM),
)

_TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d\S*|\d{9,10}(?:\.\d+)?")
_UNIQUEID = re.compile(r"(?:.*-)?(\d{9,10})\.\d+", re.DOTALL)
_SHAPES: Mapping[str, re.Pattern[str]] = {
    "start": _TIME,
    "answer": re.compile(rf"(?:{_TIME.pattern})?"),
    "end": re.compile(rf"(?:{_TIME.pattern})?"),
    "duration": re.compile(r"\d{1,9}(?:\.\d+)?"),
    "billsec": re.compile(r"\d{1,9}(?:\.\d+)?"),
    "disposition": re.compile(r"ANSWERED|NO ANSWER|NOANSWER|BUSY|FAILED|CONGESTION"),
    "amaflags": re.compile(r"[A-Z]*|\d"),
    "uniqueid": _UNIQUEID,
    "linkedid": _UNIQUEID,
    "sequence": re.compile(r"-?\d{1,18}"),
}

_NEAR_S = 2 * 86_400
"""A leg starts within a day of the making of its channel; the second day is for the unknown zone. Farther
off, digits with a dot need not be a uniqueid."""


def misfits(cells: Sequence[str], layout: Layout) -> list[Column]:
    """Return the columns whose cell has not the shape that the layout asks for."""
    return [
        column
        for column, cell in zip(layout.columns, cells, strict=True)
        if column in _SHAPES and _SHAPES[column].fullmatch(cell) is None
    ]


def fitting(cells: Sequence[str], candidates: Sequence[Layout]) -> list[Layout]:
    """Return the candidates that the row fits; more than one means that nobody may guess.

    `cdr_csv` puts uniqueid and userfield in the same place when only one of them is switched on. A text
    like 1767225600.42 there is read as a uniqueid if it was made around the start of the call, and left
    open otherwise.
    """
    fits = [
        layout for layout in candidates if len(layout.columns) == len(cells) and not misfits(cells, layout)
    ]
    if len(fits) > 1:
        near = [layout for layout in fits if _made_near_start(cells, layout)]
        return near or fits
    return fits


def created_s(uniqueid: str) -> int | None:
    """Return when a channel was made, in seconds since the epoch, from its `[system-]seconds.counter`."""
    match = _UNIQUEID.fullmatch(uniqueid)
    return int(match[1]) if match else None


def _made_near_start(cells: Sequence[str], layout: Layout) -> bool:
    row = dict(zip(layout.columns, cells, strict=True))
    created = created_s(row.get("uniqueid", ""))
    if created is None:
        return False
    if row["start"][:10].isdigit():
        start = float(row["start"][:10])
    else:
        try:
            start = datetime.fromisoformat(row["start"][:19]).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return True
    return abs(start - created) < _NEAR_S
