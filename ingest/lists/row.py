"""A row of a list as a lead: `list.row`.

The body is the row as it stood: `[["姓名", "李娜"], ["手机", "139 0000 0001"], …]`, empty cells left out. Meta say what
the columns are (`map`), where the row came from (`import`, `row`), and what whoever brought it wants (`kind`, `route`,
`notify`, `heap`, `wakes`, `cadence`). A piece of the file itself (`piece`) is kept, and is no lead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, cast, get_args
from zoneinfo import ZoneInfo

import orjson
from pydantic import Field, field_validator

from ingest.lists.columns import TARGETS, column_key, targets_of
from ingest.lists.days import read_moment
from ingest.lists.phones import mend_phone
from schemas.capture import Capture
from schemas.lead import CampaignHint, FieldName, FieldValue, Imported, ListKind, lead_of
from schemas.results import Ignored, ParseResult, Refused
from schemas.sources import SourceSettings
from schemas.text import storable

MAX_CHARS = 20_000
"""What is longer is cut in the lead, flagged `cut`, and whole in the capture."""
_PLAIN = frozenset(get_args(FieldName))
_LABELLED = ("owner", "since", "last_contact", "last_order", "stage", "next", "date", "campaign")
"""Kept as further fields under the column's own name, so that nothing of the row is lost."""
_NOBODY = frozenset({"-", "--", "/", "无", "n/a", "na", "none", "null", "nil", "暂无", "未知", "#n/a"})
PIECE = "piece"


class ListSource(SourceSettings):
    """Lists from one sender: a fair, an advertising platform, the system before this one."""

    columns: dict[str, str] = Field(
        default_factory=dict,
        description="The sender's own column names → what they are, beside the known ones",
    )

    @field_validator("columns")
    @classmethod
    def _known_targets(cls, columns: dict[str, str]) -> dict[str, str]:
        if unknown := sorted(set(columns.values()) - set(TARGETS)):
            raise ValueError(f"{unknown[0]!r} is nothing that a column can be; one of {', '.join(TARGETS)}")
        return columns

    def said(self) -> dict[str, str]:
        """Return what the company's files say of columns, by column_key."""
        return {column_key(name): target for name, target in self.columns.items()}


def parse(capture: Capture, source: ListSource) -> tuple[ParseResult, ...]:
    """Turn one row into a lead. Refused with a code: what names nobody, and a telephone number that lost digits."""
    if PIECE in capture.meta:
        message = "A piece of the file that a list came in; its rows are read one by one."
        return (Ignored(stage="parse", code="list_file", kind="automatic", message=message),)
    try:
        cells = orjson.loads(capture.body)
    except orjson.JSONDecodeError:
        cells = None
    if not _is_row(cells):
        hint = 'Write [["column", "cell"], …], each a text.'
        return (_refused("bad_row", None, "This is no row of a list.", hint),)
    read = read_cells(cells, capture.meta, source)
    if isinstance(read, Refused):
        return (read,)
    said, flags = read.said, read.flags
    fields = tuple(
        FieldValue(name=name, received=value, origin=origin, label=label)
        for name, value, origin, label in read.fields
    )
    imported = imported_of(capture.meta, said, source)
    came_us = read_moment(said["date"], ZoneInfo(source.zone)) if "date" in said else None
    occurred = came_us if imported.kind == "leads" else imported.last_us or imported.since_us
    hints = [CampaignHint(kind="list", value=said["campaign"])] if said.get("campaign") else []
    hints += [CampaignHint(kind="heard", value=one.received) for one in fields if one.name == "heard_of_us"]
    lead = lead_of(
        capture,
        fields,
        kind="enquiry" if imported.kind == "leads" else "existing_customer",
        occurred_us=occurred if occurred is None or occurred <= capture.accepted_us else None,
        hints=tuple(hints),
        language=source.language,
        imported=imported,
        flags=tuple(sorted(flags)),
    )
    return (lead,)


_DATES = ("since", "last_contact", "last_order", "next")


def _is_row(cells: Any) -> bool:
    return isinstance(cells, list) and all(
        isinstance(one, list) and len(one) == 2 and all(isinstance(each, str) for each in one)
        for one in cells
    )


class Read(NamedTuple):
    """A row as read: its fields (name, value, where it stood, label), what it says besides, by target, and remarks."""

    fields: list[tuple[FieldName, str, str, str | None]]
    said: dict[str, str]
    flags: set[str]


def read_cells(cells: Sequence[Sequence[str]], meta: Mapping[str, str], source: ListSource) -> Read | Refused:
    """Return what a row's cells say, or why it cannot be taken."""
    fields: list[tuple[FieldName, str, str, str | None]] = []
    said: dict[str, str] = {}
    flags: set[str] = set()
    cut: Refused | None = None
    for name, cell, target in _columns(cells, meta, source):
        if target in ("ignore", "list_row") or not cell.strip() or cell.strip().casefold() in _NOBODY:
            continue
        value, label = storable(cell), None
        if len(value) > MAX_CHARS:
            value = value[:MAX_CHARS]
            flags.add("cut")
        if target == "phone":
            phone = mend_phone(value)
            if phone.trouble is not None:
                cut = _cut(phone.trouble, name)
                continue
            value = phone.text
            if phone.mended:
                flags.add("phone_mended")
        elif target not in _PLAIN or target == "other":
            if target in _LABELLED:
                said.setdefault(target, value.strip())
            label = storable(name)[:200]
        known = cast(FieldName, target) if target in _PLAIN else "other"
        fields.append((known, value, f"list:{storable(name)[:200]}", label))
    if cut is not None and not any(one[0] in ("phone", "email") for one in fields):
        return cut
    if cut is not None:
        flags.add("phone_lost")
    if not any(one[0] in _SOMEBODY for one in fields):
        hint = "Give a name, a company, a telephone number or a mail address."
        return _refused("nobody", None, "Nothing in this row says who it is.", hint)
    return Read(fields, said, flags)


_SOMEBODY = ("full_name", "family_name", "given_name", "company", "phone", "email", "tax_id")


def _columns(
    cells: Sequence[Sequence[str]], meta: Mapping[str, str], source: ListSource
) -> Iterator[tuple[str, str, str]]:
    given = _given(meta["map"]) if "map" in meta else {}
    own = source.said() if source.columns else {}
    known = targets_of(tuple([name for name, _ in cells]))
    for (name, cell), otherwise in zip(cells, known, strict=True):
        yield name, cell, given.get(name) or own.get(column_key(name)) or otherwise


@lru_cache(maxsize=64)
def _given(text: str) -> Mapping[str, str]:
    """Return what the columns of a list are, as its rows carry it: the same text a hundred thousand times."""
    found: dict[str, str] = orjson.loads(text)
    return found


def imported_of(meta: Mapping[str, str], said: Mapping[str, str], source: ListSource) -> Imported:
    """Return what a row says of who has the customer, and what whoever brought the list wants."""
    zone = ZoneInfo(source.zone)
    about = {name: read_moment(said[name], zone) for name in _DATES if name in said}
    last = [one for one in (about.get("last_contact"), about.get("last_order")) if one is not None]
    kind: ListKind = "customers" if meta.get("kind") == "customers" else "leads"
    return Imported(
        import_id=meta.get("import", ""),
        row=int(meta.get("row", "0")),
        kind=kind,
        route=meta.get("route", "yes") == "yes",
        notify=meta.get("notify", "yes") == "yes",
        owner=said.get("owner"),
        heap=meta.get("heap"),
        wakes_us=int(meta["wakes"]) if "wakes" in meta else None,
        cadence=meta.get("cadence"),
        since_us=about.get("since"),
        last_us=max(last, default=None),
        next_us=about.get("next"),
    )


def _cut(trouble: str, name: str) -> Refused:
    if trouble == "phone_cut":
        message = "This is a number that a spreadsheet has rounded."
        return _refused(
            "phone_cut",
            name,
            message,
            "Take it from the original; a spreadsheet cuts long numbers unless the column is text.",
        )
    message = "A spreadsheet has made a date of this number."
    return _refused("phone_is_date", name, message, "Take it from the original, in a column that is text.")


def _refused(code: str, field: str | None, message: str, hint: str) -> Refused:
    return Refused(stage="parse", code=code, field=field, message=message, hint=hint)
