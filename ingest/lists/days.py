"""Days and moments as lists write them."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from worktime.localtime import moment

_PATTERNS = (
    re.compile(
        r"(?P<y>\d{4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?(?:[T\s]+(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:\.\d+)?)?)?"
        r"(?P<z>Z|[+-]\d{2}:?\d{2})?"
    ),
    re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
    re.compile(r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})(?:\s+(?P<H>\d{1,2}):(?P<M>\d{2}))?"),
)
_SERIAL = re.compile(r"[2-6]\d{4}(?:\.\d+)?")
_EPOCH = datetime(1970, 1, 1)


def read_moment(cell: str, zone: ZoneInfo) -> int | None:
    """Return the moment a cell names in µs, at the zone's wall clock; of a day its beginning. None: it names none.

    Year, month, day with `-`, `/`, `.` or 年月日; `20261123`; `23.11.2026`; the serial number of a spreadsheet (from
    1954 to 2091). `03/04/2026` is not read: it is one day in London and another in New York.
    """
    text = unicodedata.normalize("NFKC", cell).strip()
    if _SERIAL.fullmatch(text):
        wall = datetime(1899, 12, 30) + timedelta(days=float(text))
        return moment(wall.replace(microsecond=0), zone)
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(text):
            return _of(match.groupdict(), zone)
    return None


def _of(parts: dict[str, str | None], zone: ZoneInfo) -> int | None:
    numbers = [int(parts.get(name) or 0) for name in ("y", "m", "d", "H", "M", "S")]
    try:
        wall = datetime(*numbers)  # type: ignore[arg-type]
        if offset := parts.get("z"):
            aware = datetime.fromisoformat(f"{wall.isoformat()}{offset.replace('Z', '+00:00')}")
            return int(aware.timestamp()) * 1_000_000
        return moment(wall, zone)
    except (ValueError, OverflowError):
        return None
