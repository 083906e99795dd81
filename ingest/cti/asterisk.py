"""Asterisk CDR files, row by row: one line is one leg of a call; `ingest.cti.calls` judges the whole call.

Sources: asterisk configs/samples/cdr_custom.conf.sample, configs/samples/cdr.conf.sample, cdr/cdr_csv.c, and
the CDR Specification on docs.asterisk.org (which holds from Asterisk 12 on). JSON lines of `cdr_custom` are
not read here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from ingest.cti.layouts import CDR_CSV, CDR_CUSTOM, NEEDED, Column, Layout, created_s, fitting, misfits
from ingest.cti.numbers import is_scientific
from ingest.cti.shipper import position_key
from schemas.capture import Capture
from schemas.results import Ignored, ParseResult, Part, Refused
from schemas.sources import SourceSettings
from schemas.text import storable

_LONGEST_ROW_BYTES = 65_536
"""cdr_csv gives up at 1,024 bytes, cdr_custom at a few thousand: anything this long is damage."""

_CLOCK_SLACK_S = 300
"""Clocks of switchboards drift; a call that starts up to five minutes after we took its row is believed."""

_CREATED_SLACK_S = 120
"""A leg cannot start before its channel was made; two minutes allow for rounding and a clock being set."""


class AsteriskCdr(SourceSettings):
    """An Asterisk (FreePBX, Issabel, …) switchboard whose CDR file is tailed or shipped to us."""

    channel: Literal["cti"] = "cti"
    format: str = "cti.asterisk"
    files: tuple[str, ...] = Field(
        (), description="CDR files on this machine to follow; patterns allowed; none if a shipper sends them"
    )
    layout: Literal["auto", "cdr_csv", "cdr_custom"] = Field(
        "auto", description="Order of the columns; `auto` tells the known ones apart by the shape of each row"
    )
    columns: tuple[Column, ...] = Field(
        (), description="Exact columns of a mapping of your own in cdr_custom.conf; `-` skips one"
    )
    separator: str = Field(",", min_length=1, max_length=1, description="Between two columns")
    charsets: tuple[str, ...] = Field(
        ("utf-8", "gb18030"), min_length=1, description="Tried in this order; all but the first are flagged"
    )
    internal: str = Field(r"\d{3,4}", description="Pattern of our extensions and queues: never a customer")
    own_numbers: tuple[str, ...] = Field(
        (), description="Our public numbers, with area code: trunks, switchboard, campaign lines"
    )
    trunks: tuple[str, ...] = Field(
        (), description="Peers that lead to the public network, such as `ct-trunk` of PJSIP/ct-trunk-00000012"
    )
    trunk_prefixes: tuple[str, ...] = Field((), description="Digits dialled to get a line, such as 9 or 80")
    country: str = Field("CN", pattern=r"^[A-Z]{2}$", description="Country whose numbers come without +")
    caller_names: bool = Field(
        False, description="The caller ID's name comes from our own phone book and may be taken as a name"
    )
    settle_s: float = Field(
        5.0,
        ge=0,
        description="Quiet seconds before a call is judged; more than `time` in cdr.conf if `batch=yes`",
    )

    @field_validator("internal")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"{pattern!r} is no pattern: {error}; three or four digits are \\d{{3,4}}"
            ) from error
        return pattern

    @field_validator("charsets")
    @classmethod
    def _is_charset(cls, charsets: tuple[str, ...]) -> tuple[str, ...]:
        for charset in charsets:
            try:
                is_readable = "09-AZ".encode(charset) == b"09-AZ"
            except LookupError:
                is_readable = False
            if not is_readable:
                raise ValueError(f"{charset!r} is no charset that contains ASCII; write utf-8 or gb18030")
        return charsets

    @model_validator(mode="after")
    def _columns_suffice(self) -> AsteriskCdr:
        if self.columns and (missing := [name for name in NEEDED if name not in self.columns]):
            raise ValueError(
                f"columns lacks {', '.join(missing)}; add them to the mapping in cdr_custom.conf"
            )
        named = [name for name in self.columns if name != "-"]
        if len(set(named)) < len(named):
            raise ValueError("columns names a column twice")
        return self


def parse(capture: Capture, source: AsteriskCdr) -> tuple[ParseResult, ...]:
    """Read the one CDR row in `capture.body`.

    Returns one `Part` whose group is the call (linkedid, else uniqueid, else channel and start), or
    `Ignored` for a blank line and a header, or `Refused` with the offending column. `Part.data` holds the
    columns as text, `start_us`, `answer_us`, `end_us` (answer_us is absent when nobody answered) and `flags`
    (comma-separated).
    """
    row = _read(capture.body, source)
    return (row if isinstance(row, Ignored | Refused) else _part(row, capture, source),)


def row_key(row: bytes, source: AsteriskCdr, file_identity: str, offset: int) -> str:
    """Return the idempotency key of a row: `uniqueid#sequence` where it has both, else its position.

    The position (`shipper.position_key`) names file, offset and digest of the row, so a repeat after a crash
    or out of a copied file has the same key, and a file that was truncated and filled anew never has.
    """
    read = _read(row, source)
    cells = read.cells if isinstance(read, _Row) else {}
    if (uniqueid := cells.get("uniqueid")) and (sequence := cells.get("sequence")):
        return f"{uniqueid}#{sequence}"
    return position_key(file_identity, offset, row)


class _Row(NamedTuple):
    cells: dict[Column, str]
    flags: tuple[str, ...]


def _read(body: bytes, source: AsteriskCdr) -> _Row | Ignored | Refused:
    if not body.strip(b" \t\r\n\xef\xbb\xbf"):
        return Ignored(stage="parse", code="blank_row", message="The line is empty")
    if len(body) > _LONGEST_ROW_BYTES:
        return _refused(
            "row_too_long",
            None,
            f"The line has more than {_LONGEST_ROW_BYTES:,} bytes",
            "Look at the file around this offset: it is damaged, or not a CDR file",
        )
    # Latin-1 maps every byte to one character, so columns can be told apart before any charset is known.
    text = body.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    if b"\0" in body:
        return _refused(
            "nul_byte",
            None,
            "The row contains NUL bytes",
            "A power failure or a full disk leaves them; if a whole row follows them, repair to that",
        )
    flags: list[str] = []
    cells = _split(text, source.separator, strict=True)
    if cells is None and not _is_cut(text):
        cells = _split(text, source.separator, strict=False)
        flags.append("quotes_repaired")
    if cells is None:
        return _truncated("A quote is left open")
    if [cell.strip().lower() for cell in cells[:3]] in (
        ["accountcode", "src", "dst"],
        ["clid", "src", "dst"],
    ):
        return Ignored(stage="parse", code="header_row", message="The line holds the names of the columns")
    if not body.endswith(b"\n"):
        # Cut at the edge of a column, a long layout looks like a short one; only the end of line is proof.
        return _truncated("The row has no end of line")
    layout = _choose(cells, source)
    if isinstance(layout, Refused):
        return layout
    return _decoded(cells, layout, flags, source)


def _split(text: str, separator: str, *, strict: bool) -> list[str] | None:
    try:
        rows = list(csv.reader([text.rstrip("\r\n")], delimiter=separator, strict=strict))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _is_cut(text: str) -> bool:
    return text.count('"') % 2 == 1


def _choose(cells: Sequence[str], source: AsteriskCdr) -> Layout | Refused:
    candidates = _candidates(source)
    fits = fitting(cells, candidates)
    if len(fits) == 1:
        return fits[0]
    if fits:
        return _refused(
            "layout_ambiguous",
            None,
            f"The row fits {' and '.join(layout.name for layout in fits)}",
            "Write the order into `columns` of this source",
        )
    as_wide = [layout for layout in candidates if len(layout.columns) == len(cells)]
    if not as_wide:
        widths = ", ".join(str(width) for width in sorted({len(layout.columns) for layout in candidates}))
        return _refused(
            "column_count",
            None,
            f"The row has {len(cells)} columns, expected {widths}",
            "Fewer: the row was cut; more: two rows ran together. If the mapping is your own, set `columns`",
        )
    nearest = min(as_wide, key=lambda layout: len(misfits(cells, layout)))
    wrong = misfits(cells, nearest)
    if len(wrong) == 1 or len(candidates) == 1:
        code = "number_as_float" if is_scientific(cells[nearest.columns.index(wrong[0])]) else "bad_value"
        return _refused(
            code,
            wrong[0],
            f"The column {wrong[0]} does not hold what {nearest.name} has there",
            "Correct the column, or the `layout` or `columns` of this source",
        )
    return _refused(
        "layout_unknown",
        None,
        f"The row fits none of {', '.join(layout.name for layout in as_wide)}",
        "Set `layout` or `columns` of this source to what cdr.conf or cdr_custom.conf says",
    )


def _candidates(source: AsteriskCdr) -> tuple[Layout, ...]:
    if source.columns:
        return (Layout("columns", source.columns),)
    return {"cdr_csv": CDR_CSV, "cdr_custom": CDR_CUSTOM, "auto": CDR_CSV + CDR_CUSTOM}[source.layout]


def _decoded(cells: Sequence[str], layout: Layout, flags: list[str], source: AsteriskCdr) -> _Row | Refused:
    texts: dict[Column, str] = {}
    for column, cell in zip(layout.columns, cells, strict=True):
        for charset in source.charsets:
            try:
                texts[column] = cell.encode("latin-1").decode(charset).strip()
            except UnicodeDecodeError:
                continue
            if charset != source.charsets[0]:
                flags.append("charset_guessed")
            break
        else:
            return _refused(
                "bad_charset",
                column,
                f"The column {column} is in none of {', '.join(source.charsets)}",
                "Add the charset of the switchboard to `charsets` of this source",
            )
    texts.pop("-", None)
    for column in ("src", "dst", "did"):
        if is_scientific(texts.get(column, "")):
            return _refused(
                "number_as_float",
                column,
                f"The column {column} holds a number in scientific notation, its last digits are lost",
                "The file was saved by a spreadsheet; take the row from the switchboard's own file",
            )
    return _Row(texts, tuple(dict.fromkeys(flags)))


def part_of(cells: dict[Column, str], capture: Capture, source: AsteriskCdr) -> Part | Refused:
    """Return the part that columns make, which were read elsewhere than in a file."""
    return _part(_Row(cells, ()), capture, source)


def _part(row: _Row, capture: Capture, source: AsteriskCdr) -> Part | Refused:
    cells = row.cells
    times = _times(cells, ZoneInfo(source.zone))
    if isinstance(times, Refused):
        return times
    flags = [*row.flags, *times.flags]
    if times.start_us > capture.accepted_us + _CLOCK_SLACK_S * 1_000_000:
        flags.append("future_date")
    call = cells.get("linkedid") or cells.get("uniqueid")
    if not call:
        # Ring attempts of one call share both; what is lost without ids is the tie to transferred legs.
        call = f"{cells['channel']}@{cells['start']}"
        flags.append("no_call_id")
    data = {str(name): storable(text) for name, text in cells.items()}
    data |= {"start_us": str(times.start_us), "end_us": str(times.end_us), "flags": ",".join(flags)}
    if times.answer_us is not None:
        data["answer_us"] = str(times.answer_us)
    return Part(group=f"{source.source_id}/{storable(call)}", settle_s=source.settle_s, data=data)


class _Times(NamedTuple):
    start_us: int
    answer_us: int | None
    end_us: int
    flags: tuple[str, ...]


def _times(cells: dict[Column, str], zone: ZoneInfo) -> _Times | Refused:
    possible: dict[Column, list[int]] = {}
    flags: list[str] = []
    for column in ("start", "answer", "end"):
        found = _moments(cells.get(column, ""), zone)
        if found is None or (column == "start" and not found.us):
            return _refused(
                "bad_date",
                column,
                f"The column {column} holds a date that cannot be",
                "Correct the date; the file or the clock of the switchboard is damaged",
            )
        if found.is_gap:
            flags.append("time_nonexistent")
        possible[column] = found.us
    duration_us = int(float(cells["duration"]) * 1_000_000)
    created = created_s(cells.get("uniqueid", ""))
    starts = possible["start"]
    if created is not None:
        after = [us for us in starts if us >= (created - _CREATED_SLACK_S) * 1_000_000]
        if not after:
            flags.append("zone_suspect")
        starts = after[:1] or starts
    if len(starts) > 1:
        # Rounding makes start + duration and end differ by up to two seconds.
        told = [
            us for us in starts if any(abs(end - us - duration_us) <= 2_000_000 for end in possible["end"])
        ]
        starts = told or starts
        if len(starts) > 1:
            flags.append("time_ambiguous")
    start = starts[0]
    answers = possible["answer"]
    answer = next((us for us in answers if us >= start), min(answers, default=None))
    end = next((us for us in possible["end"] if us >= start), start + duration_us)
    return _Times(start, answer, end, tuple(dict.fromkeys(flags)))


class _Moments(NamedTuple):
    us: list[int]
    is_gap: bool = False


def _moments(text: str, zone: ZoneInfo) -> _Moments | None:
    """Return the moments that a local time can mean: none for an empty text, two in the repeated hour."""
    if not text or text.startswith(("0000-00-00", "1970-01-01")):
        return _Moments([])
    if re.fullmatch(r"\d{9,10}(?:\.\d+)?", text):
        return _Moments([int(float(text) * 1_000_000)])
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    if local.tzinfo is not None:
        return _Moments([_us(local)])
    first, second = (_us(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    if first < second:
        return _Moments([first, second])
    return _Moments([first], is_gap=first > second)


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def _truncated(why: str) -> Refused:
    return _refused(
        "truncated_row", None, why, "Repair to the whole row as the switchboard has it, with its end of line"
    )


def _refused(code: str, column: str | None, message: str, hint: str) -> Refused:
    return Refused(stage="parse", code=code, field=column, message=message, hint=hint)
