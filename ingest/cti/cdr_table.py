"""Call records in a table (FreePBX and Issabel keep them in MySQL: asteriskcdrdb.cdr): a row is a leg of a call.

Columns as of cdr_mysql, cdr_pgsql and cdr_adaptive_odbc: `calldate` is when the leg began, `answer` and `end` are mostly not
there, `did`, `linkedid` and `sequence` only in newer tables. A capture's body is the row's columns in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

import orjson
from pydantic import Field, field_validator

from ingest.cti.asterisk import AsteriskCdr, part_of
from ingest.cti.layouts import Column
from schemas.capture import Capture
from schemas.ids import body_digest
from schemas.results import ParseResult, Refused

READ: tuple[str, ...] = tuple(one for one in get_args(Column) if one != "-")
"""Columns that are read where a table has them; recordings and names of our people are not."""
NEEDED = ("src", "dst", "channel", "dstchannel", "lastapp", "duration", "billsec", "disposition")
_SHORT = {"calldate": "start"}
"""Columns of tables that have another name in files."""


class CdrTable(AsteriskCdr):
    """A table of call records, read by a cursor. Everything about the switchboard is as for files."""

    channel: Literal["cti"] = "cti"
    format: str = "cti.cdr_table"
    url: str = Field(
        description="SQLAlchemy URL without a password, such as mysql+pymysql://leadflow@127.0.0.1/asteriskcdrdb"
    )
    password_file: str | None = Field(None, description="File whose first line is the password")
    password_env: str | None = Field(
        None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Variable that holds the password"
    )
    table: str = Field("cdr", pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$", description="Name of the table")
    start_at: str = Field(
        "new", description="`new`: only calls that begin from now on; `all`; or a day, such as 2026-01-01"
    )
    overlap_s: float = Field(
        4 * 3_600.0,
        ge=0,
        le=7 * 86_400,
        description="A row is written when its call ends: so far back late ones are looked for",
    )
    poll_s: float = Field(5.0, gt=0, le=3_600, description="Seconds between two looks")

    @field_validator("url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        kind, colon, rest = url.partition("://")
        if kind not in ("mysql+pymysql", "mariadb+pymysql", "postgresql+psycopg", "sqlite") or not colon:
            raise ValueError(
                "write mysql+pymysql://USER@HOST/DATABASE, postgresql+psycopg://… or sqlite:///FILE"
            )
        if rest.rpartition("@")[0].partition(":")[2]:
            raise ValueError("leave the password out; name password_file or password_env")
        return url

    @field_validator("start_at")
    @classmethod
    def _is_start(cls, start: str) -> str:
        if start not in ("new", "all"):
            try:
                date.fromisoformat(start)
            except ValueError:
                raise ValueError("write new, all, or a day such as 2026-01-01") from None
        return start

    @property
    def path(self) -> str:
        """Under which name it is kept how far the table was read."""
        return f"table:{self.url}/{self.table}"


def body_of(row: Mapping[str, Any]) -> bytes:
    """Return a row as JSON, the same bytes for the same row: its known columns in a fixed order."""
    found = {name: _text(row[name]) for name in (*READ, *_SHORT) if name in row and row[name] is not None}
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float | Decimal) and value == int(value):
        return str(int(value))
    return str(value)


def table_key(body: bytes) -> str:
    """Return the key of a row: its ids, and its digest where they do not tell the rows of a call apart."""
    row = orjson.loads(body)
    unique = row.get("uniqueid") or "-"
    return (
        f"{unique}#{row['sequence']}"
        if row.get("sequence") and unique != "-"
        else f"{unique}#{body_digest(body)}"
    )


def parse(capture: Capture, source: CdrTable) -> tuple[ParseResult, ...]:
    """Read the row in `capture.body` into a part of its call, or refuse it with the offending column."""
    try:
        row = orjson.loads(capture.body)
    except orjson.JSONDecodeError:
        row = None
    if not isinstance(row, dict):
        hint = "Repair to an object of columns and texts, as it was read."
        return (
            Refused(stage="parse", code="bad_json", message="This is no row of a table in JSON.", hint=hint),
        )
    cells: dict[Any, str] = {_SHORT.get(str(key), str(key)): str(value) for key, value in row.items()}
    for name in ("duration", "billsec"):
        if not cells.get(name, "").replace(".", "", 1).isdigit():
            return (_wrong(name, f"The column {name} holds no number of seconds"),)
    if missing := next((name for name in (*NEEDED, "start") if name not in cells), None):
        return (_wrong(missing, f"The column {missing} is empty"),)
    cells["disposition"] = cells["disposition"].upper()
    return (part_of(_with_times(cells, source), capture, source),)


def _with_times(cells: dict[Any, str], source: CdrTable) -> dict[Any, str]:
    """Work out `answer` and `end` where the table has none: they follow from start, duration and billsec."""
    try:
        start = datetime.fromisoformat(cells["start"])
    except ValueError:
        return cells  # refused by the reader of times, which names the column
    zone = start.tzinfo or ZoneInfo(source.zone)
    # On the one clock that has no gaps: at the end of summer time the hour between comes twice.
    end = start.replace(tzinfo=zone).timestamp() + float(cells["duration"])
    found = dict(cells)
    found.setdefault("end", f"{end:.6f}")
    if cells["disposition"] == "ANSWERED" and float(cells["billsec"]) > 0:
        found.setdefault("answer", f"{end - float(cells['billsec']):.6f}")
    return found


def _wrong(column: str, message: str) -> Refused:
    hint = "Look at the row in the table; correct it there, and repair."
    return Refused(stage="parse", code="bad_value", field=column, message=message, hint=hint)


def first_moment(source: CdrTable, now: datetime) -> datetime | None:
    """Return from which moment on rows are taken at a first start; None for all. Naive, in the source's zone."""
    if source.start_at == "all":
        return None
    if source.start_at == "new":
        return now.astimezone(ZoneInfo(source.zone)).replace(tzinfo=None, microsecond=0)
    return datetime.combine(date.fromisoformat(source.start_at), datetime.min.time())


def window(source: CdrTable, first: datetime | None, cursor: datetime | None) -> datetime | None:
    """Return from which `calldate` on rows are looked at: the cursor less the overlap, and never before the first."""
    back = cursor - timedelta(seconds=source.overlap_s) if cursor is not None else None
    if first is None or back is None:
        return first if back is None else back
    return max(first, back)
