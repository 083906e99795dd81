"""What a cell may hold and how it is written: codes, numbers, choices, lists, days and moments."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas.company import Place
from worktime.localtime import moment, wall_clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+?\d+")
_DECIMAL = re.compile(r"(\d+)\.0+")


class CellError(ValueError):
    """The cell does not hold what its column is for; `code` and `values` are those of a Problem."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


@dataclass(frozen=True, slots=True)
class Kind:
    """How a column's cells are read (raises CellError) and written. The zone is the company's."""

    read: Callable[[str, ZoneInfo], Any]
    write: Callable[[Any, ZoneInfo], str]


def one_of(names: Mapping[str, str] | Iterable[str]) -> Kind:
    """Return the kind of a column with a closed set of values; a mapping adds other words for them."""
    words = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    known = ", ".join(dict.fromkeys(words.values()))

    def read(text: str, _zone: ZoneInfo) -> str:
        value = words.get(text) or words.get(text.casefold())
        if value is None:
            raise CellError("not_one_of", value=text, known=known)
        return value

    return Kind(read, lambda value, _zone: str(value))


def _code(text: str, _zone: ZoneInfo) -> str:
    if not _CODE.fullmatch(text):
        raise CellError("code_form", value=text)
    return text


def _whole(text: str, _zone: ZoneInfo) -> int:
    plain = match[1] if (match := _DECIMAL.fullmatch(text)) else text
    if not (plain.isascii() and plain.isdigit() and len(plain) <= 9):
        raise CellError("number_form", value=text)
    return int(plain)


def _digits(text: str, _zone: ZoneInfo) -> str:
    if _SCIENTIFIC.fullmatch(text):
        raise CellError("number_damaged", value=text)
    return match[1] if (match := _DECIMAL.fullmatch(text)) else text


def _desk_code(text: str, zone: ZoneInfo) -> str:
    plain = _digits(text, zone).zfill(2)  # a spreadsheet makes 7 of 07
    if not (plain.isascii() and plain.isdigit() and len(plain) == 2):
        raise CellError("desk_code_form", value=text)
    return plain


def _list(text: str, _zone: ZoneInfo) -> tuple[str, ...]:
    if '"' not in text:
        text = text.replace("；", ";")  # as typed with a Chinese input method
    cells = next(csv.reader([text], delimiter=";", skipinitialspace=True), [])
    return tuple(cell.strip() for cell in cells if cell.strip())


def _list_text(values: Iterable[object], _zone: ZoneInfo) -> str:
    texts = [str(value) for value in values]
    if not any(mark in text for text in texts for mark in ';；"\r\n'):
        return "; ".join(texts)
    out = io.StringIO()
    csv.writer(out, delimiter=";", lineterminator="", quoting=csv.QUOTE_ALL).writerow(texts)
    return out.getvalue()


def _numbers(text: str, zone: ZoneInfo) -> tuple[int, ...]:
    return tuple(_whole(part, zone) for part in _list(text, zone))


def _places(text: str, zone: ZoneInfo) -> tuple[Place, ...]:
    return tuple(_place(part) for part in _list(text.replace("、", ";"), zone))


def _place(text: str) -> Place:
    parts = [part.strip() for part in text.split("/")]
    if not all(parts) or len(parts) > 2:
        raise CellError("place_form", value=text)
    return Place(province=parts[0], city=parts[1] if len(parts) == 2 else None)


def _from(text: str, zone: ZoneInfo) -> int:
    when = _when(text)
    return moment(datetime.combine(when, time()), zone) if type(when) is date else _moment(when, zone)


def _to(text: str, zone: ZoneInfo) -> int:
    when = _when(text)
    if type(when) is date:
        return moment(datetime.combine(when + timedelta(days=1), time()), zone)
    return _moment(when, zone)


def _when(text: str) -> date | datetime:
    plain = text.strip().replace("/", "-").replace(".", "-", 2)
    try:
        if len(plain) <= 10:
            year, month, day = plain.split("-")
            return date(int(year), int(month), int(day))
        return datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise CellError("date_form", value=text) from error


def _moment(when: date | datetime, zone: ZoneInfo) -> int:
    assert isinstance(when, datetime)
    if when.tzinfo is None:
        return moment(when, zone)
    return (when - _EPOCH) // timedelta(microseconds=1)


def _from_text(at_us: int, zone: ZoneInfo) -> str:
    wall = wall_clock(at_us, zone)
    if wall.time() == time() and moment(wall, zone) == at_us:
        return wall.date().isoformat()
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone).isoformat()


def _to_text(at_us: int, zone: ZoneInfo) -> str:
    day = wall_clock(at_us, zone).date() - timedelta(days=1)
    text = day.isoformat()
    return text if _to(text, zone) == at_us else _from_text(at_us, zone)


TEXT = Kind(lambda text, _zone: text, lambda value, _zone: str(value))
CODE = Kind(_code, lambda value, _zone: str(value))
WHOLE = Kind(_whole, lambda value, _zone: str(value))
DIGITS = Kind(_digits, lambda value, _zone: str(value))
"""A telephone number or extension: text that spreadsheets like to turn into a number."""
DESK_CODE = Kind(_desk_code, lambda value, _zone: str(value))
LIST = Kind(_list, _list_text)
"""Values separated by `;` (or the full-width ；); one that holds a `;` stands in quotes."""
NUMBERS = Kind(_numbers, _list_text)
PLACES = Kind(_places, _list_text)
DAY = Kind(_from, _from_text)
"""The first day, or a moment."""
FROM = Kind(_from, lambda at_us, zone: "" if at_us == 0 else _from_text(at_us, zone))
"""The first day, or a moment. Empty: since ever."""
TO = Kind(_to, lambda at_us, zone: "" if at_us is None else _to_text(at_us, zone))
"""The last day, included; or the moment of the end. Empty: still holds."""
