"""The company as a folder of files: read with every problem at once, and written so that it reads back.

    company.toml      name, zone, language; sources, sinks and calendars, which have keys of their own
    units.csv people.csv members.csv absences.csv lines.csv products.csv campaigns.csv territories.csv
    choices.csv       outcomes and reasons; without it the built-in lists hold, as for
    pools.csv         open pools; without it there are none
    industries.csv    the industries to tell apart, and
    score.csv         the points of the lead score (schemas.score)
    segments.csv      customer segments (schemas.segments)
    moves.csv         automatic moves (schemas.moves)
    rules.csv …       the rule book (sales.book_files); without it the one in force stays

What is a list is a table that a spreadsheet program opens and a diff shows line by line; what is nested is
TOML. A zip file of the folder is the same thing in one file.
"""

from __future__ import annotations

import io
import re
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import orjson

from sales.book_files import RULES, WORKBOOK, book_in, book_of, is_book_file, write_book
from sales.check import Formats, JudgeBook, SinkKinds, check
from sales.layout import (
    ABSENCES,
    CAMPAIGNS,
    CHOICES,
    INDUSTRIES,
    LINES,
    MEMBERS,
    PEOPLE,
    POOLS,
    PRODUCTS,
    TABLES,
    TERRITORIES,
    UNITS,
    Record,
    Table,
    key_of,
    read_records,
    record_text,
)
from sales.problems import CompanyError, Problem, problem, shown, suggest
from sales.tables import decode, write_csv
from schemas.base import Frozen
from schemas.company import (
    ALIAS_KINDS,
    Absence,
    Alias,
    Campaign,
    Choice,
    Company,
    Industry,
    Matching,
    Member,
    Person,
    Product,
    ProductLine,
    Territory,
    Unit,
)
from schemas.lead import FieldName
from schemas.pools import Pool
from worktime import CalendarError, calendar_dict, parse_calendar
from worktime.localtime import zone_of

COMPANY, SCORE, SEGMENTS, MOVES = "company.toml", "score.csv", "segments.csv", "moves.csv"
_MAX_BYTES = 64 * 1024 * 1024
"""A company of 100,000 people is 10 MB; a zip that unpacks to more is none."""


def read_company(
    source: Path | bytes,
    *,
    judge_book: JudgeBook | None = None,
    formats: Formats | None = None,
    sinks: SinkKinds | None = None,
) -> Company:
    """Read a company from its folder, or from a zip file of it (a path, or its bytes); version 0.

    Raises CompanyError with all problems at once, those of `sales.check` included, each naming file, line,
    column and the fix. `judge_book`, `formats` and `sinks` are what the check needs to judge rules, sources
    and sinks.
    """
    contents = _contents(source)
    reading = Reading(contents)
    company = reading.company()
    broken = {one.file for one in reading.problems}
    found = [
        one
        for one in check(company, judge_book=judge_book, formats=formats, sinks=sinks)
        if one.severity == "error" and not _follows(one, broken)
    ]
    reading.problems += [reading.located(one) for one in found]
    if reading.problems:
        raise CompanyError(sorted(set(reading.problems), key=lambda one: (one.file, one.line or 0)))
    return company


def write_company(company: Company, *, secrets: bool = False) -> dict[str, bytes]:
    """Return the files of a company by name. Secrets of sources and sinks are left out unless asked for.

    `sales.apply` keeps the secret of one whose file has none, so an export can be edited and applied.
    """
    zone = zone_of(company.zone)
    files = {COMPANY: _company_toml(company, secrets).encode()}
    for table, rows in _rows(company).items():
        if rows or table not in (CHOICES, INDUSTRIES, POOLS):
            header = [column.name for column in table.columns]
            files[table.file] = write_csv(header, (record_text(table, row, zone) for row in rows))
    for name, text in (
        (SCORE, company.score_csv),
        (SEGMENTS, company.segments_csv),
        (MOVES, company.moves_csv),
    ):
        if text is not None:
            files[name] = b"\xef\xbb\xbf" + text.encode()
    book = book_of(company)
    return files | (write_book(book) if book is not None else {})


def write_folder(company: Company, folder: Path, *, secrets: bool = False) -> None:
    """Write a company's files into a folder, over those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in write_company(company, secrets=secrets).items():
        (folder / name).write_bytes(data)


def zip_company(company: Company, *, secrets: bool = False) -> bytes:
    """Return a company's folder as a zip file, the same bytes for the same company."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in write_company(company, secrets=secrets).items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def toml_line(text: str, path: str) -> int | None:
    """Return the line on which a key such as `calendars.day.week.mon` stands, or the nearest above it."""
    parts = path.split(".")
    for depth in range(len(parts), 0, -1):
        if (line := _exact_line(text, parts[:depth])) is not None:
            return line
    return None


def _exact_line(text: str, parts: list[str]) -> int | None:
    table: list[str] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if match := _HEADER.match(line):
            table = [part.strip().strip("\"'") for part in match[1].split(".")]
            if table == parts:
                return number
        elif (match := _KEY.match(line)) and table + [
            part.strip().strip("\"'") for part in match[1].split(".")
        ] == parts:
            return number
    return None


_HEADER = re.compile(r"\[+\s*([^\[\]]+?)\s*\]+")
_KEY = re.compile(r"((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")


_EXAMPLES = {"sources": "site", "sinks": "crm"}
_STANDS_IN = {
    "unit": UNITS.file,
    "person": PEOPLE.file,
    "calendar": COMPANY,
    "product line": LINES.file,
    "campaign": CAMPAIGNS.file,
    "pool": POOLS.file,
}


def _follows(one: Problem, broken: set[str]) -> bool:
    """Tell whether a problem may only follow from rows that could not be read, and would confuse."""
    if one.code == "ref_unknown":
        return _STANDS_IN[dict(one.values)["what"]] in broken
    return one.code == "team_empty" and not broken.isdisjoint((PEOPLE.file, MEMBERS.file))


def _contents(source: Path | bytes) -> dict[str, bytes]:
    """Return the files by name; what is neither CSV nor TOML nor the rule book's workbook is nobody's business."""
    if isinstance(source, Path) and source.is_dir():
        found = {path.name: path.read_bytes() for path in sorted(source.iterdir()) if path.is_file()}
    else:
        name = str(source) if isinstance(source, Path) else "zip"
        try:
            data = source.read_bytes() if isinstance(source, Path) else source
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
                if sum(entry.file_size for entry in entries) > _MAX_BYTES:
                    raise CompanyError([problem("no_folder", name)])
                found = {Path(entry.filename).name: archive.read(entry) for entry in entries}
        except (OSError, zipfile.BadZipFile) as error:
            raise CompanyError([problem("no_folder", name)]) from error
    return {
        name: data for name, data in found.items() if name.endswith((".csv", ".toml")) or name == WORKBOOK
    }


@dataclass
class Reading:
    """A folder being read: its files, what was wrong so far, and on which line each row stands."""

    contents: dict[str, bytes]
    problems: list[Problem] = field(default_factory=list)
    lines: dict[tuple[str, str], int] = field(default_factory=dict)
    toml_text: str = ""
    zone: ZoneInfo = field(default_factory=lambda: zone_of("Asia/Shanghai"))

    def company(self) -> Company:
        known = {*TABLES, COMPANY, RULES, SCORE, SEGMENTS, MOVES}
        self.problems += [
            problem("file_unknown", name, known=suggest(name, known))
            for name in self.contents
            if name not in known and not is_book_file(name)
        ]
        settings = self._settings()
        return Company(
            version=0,
            **settings,
            units=self._by_id(UNITS, Unit),
            people=self._by_id(PEOPLE, Person),
            members=tuple(Member(**{"from_us": 0, **row}) for row in self._rows(MEMBERS)),
            absences=tuple(Absence(**row) for row in self._rows(ABSENCES)),
            lines=self._by_id(LINES, ProductLine),
            products=self._by_id(PRODUCTS, Product),
            industries=self._by_id(INDUSTRIES, Industry),
            campaigns=self._by_id(CAMPAIGNS, _campaign),
            territories=self._by_id(TERRITORIES, Territory),
            choices=tuple(Choice(**row) for row in self._rows(CHOICES)),
            pools=self._by_id(POOLS, Pool),
            **self._book(),
        )

    def located(self, one: Problem) -> Problem:
        """Return the problem with the line on which its row stands."""
        if one.line is not None:
            return one
        if one.file == COMPANY:
            line = toml_line(self.toml_text, one.key) if one.key else None
        else:
            line = self.lines.get((one.file, one.key))
        return Problem(one.code, one.file, one.key, line, one.column, one.values, one.severity)

    def _rows(self, table: Table) -> list[dict[str, Any]]:
        data = self.contents.get(table.file)
        if data is None:
            if table in (UNITS, PEOPLE, MEMBERS):
                self.problems.append(problem("file_missing", table.file))
            return []
        records, problems = read_records(table, data, self.zone)
        self.problems += problems
        for record in records:
            self.lines.setdefault((table.file, _key(table, record)), record.line)
        return [record.values for record in records]

    def _by_id(self, table: Table, make: Callable[..., Any]) -> dict[str, Any]:
        return {row[table.key[0]]: make(**row) for row in self._rows(table)}

    def _book(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field_name, name in (("score_csv", SCORE), ("segments_csv", SEGMENTS), ("moves_csv", MOVES)):
            if (data := self.contents.get(name)) is None:
                continue
            try:
                found[field_name] = decode(data, name).replace("\r\n", "\n")
            except CompanyError as error:
                self.problems += error.problems
        try:
            book = book_in(self.contents)
        except CompanyError as error:
            self.problems += error.problems
            return found
        return found | (book.fields() if book is not None else {})

    def _settings(self) -> dict[str, Any]:
        data = self._toml()
        sources, sinks = data.pop("sources", {}), data.pop("sinks", {})
        calendars = data.pop("calendars", {})
        settings: dict[str, Any] = {}
        for key, value in data.items():
            if key not in _SETTINGS:
                known = suggest(key, [*_SETTINGS, "sources", "sinks", "calendars"])
                self._wrong("key_unknown", key, value=key, known=known)
                continue
            name, fits, known, known_zh = _SETTINGS[key]
            if fits(value):
                settings[name] = value
            else:
                self._wrong("key_form", key, value=value, known=known, known_zh=known_zh)
        if "zone" in settings:
            self.zone = zone_of(settings["zone"])
        settings["calendars"] = self._calendars(calendars)
        ways_in = self._sections("sources", sources, ("channel", "format", "name"))
        ways_out = self._sections("sinks", sinks, ("kind", "name"))
        return settings | ways_in | ways_out

    def _toml(self) -> dict[str, Any]:
        if (raw := self.contents.get(COMPANY)) is None:
            self.problems.append(problem("file_missing", COMPANY))
            return {}
        try:
            self.toml_text = decode(raw, COMPANY).replace("\r\n", "\n")
            return tomllib.loads(self.toml_text)
        except CompanyError as error:
            self.problems += error.problems
        except tomllib.TOMLDecodeError as error:
            detail, _, place = str(error).partition(" (at line ")
            line = int(place.split(",")[0]) if place else None
            self.problems.append(problem("toml_syntax", COMPANY, line=line, detail=detail))
        return {}

    def _calendars(self, given: object) -> dict[str, dict[str, Any]]:
        if not isinstance(given, dict):
            self._wrong(
                "key_form", "calendars", value=given, known="[calendars.day]", known_zh="[calendars.day]"
            )
            return {}
        calendars = dict(given)
        for key, value in given.items():
            # One that cannot be read stays as it is: the check says what is wrong with it.
            with suppress(CalendarError):
                calendars[key] = calendar_dict(parse_calendar(value))
        return calendars

    def _sections(self, what: str, given: object, needed: tuple[str, ...]) -> dict[str, Any]:
        """Return the sections `[sources.ID]` or `[sinks.ID]`: those switched on, and those switched off."""
        id_key = what.removesuffix("s") + "_id"
        if not isinstance(given, dict):
            form = f"[{what}.{_EXAMPLES[what]}]"
            self._wrong("key_form", what, value=given, known=form, known_zh=form)
            return {}
        on: dict[str, Any] = {}
        off: dict[str, Any] = {}
        for key, value in given.items():
            if not isinstance(value, dict):
                form = f"[{what}.{key}]"
                self._wrong("key_form", f"{what}.{key}", value=value, known=form, known_zh=form)
                continue
            settings = {**orjson.loads(orjson.dumps(value)), id_key: key}
            enabled = settings.pop("enabled", True)
            for name in needed:
                if name not in settings:
                    self._wrong("key_missing", f"{what}.{key}", value=name)
                    settings[name] = ""
            (on if enabled else off)[key] = settings
        return {what: on, f"{what}_off": off}

    def _wrong(self, code: str, key: str, **values: object) -> None:
        self.problems.append(self.located(Problem(code, COMPANY, key, values=shown(values))))


def _is_zone(value: object) -> bool:
    try:
        zone_of(str(value))
    except ValueError:
        return False
    return isinstance(value, str)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


_SETTINGS: Mapping[str, tuple[str, Callable[[object], bool], str, str]] = {
    "name": ("name", _is_text, 'a name, such as "Haichuan"', "名称，如 “海川”"),
    "zone": ("zone", _is_zone, "an IANA time zone such as Asia/Shanghai", "IANA 时区，如 Asia/Shanghai"),
    "language": ("language", lambda value: value in ("zh", "en"), '"zh" or "en"', '"zh" 或 "en"'),
    "default_queue": ("default_queue", _is_text, "the code of a unit", "单位代码"),
    "responsible": ("responsible_id", _is_text, "the code of a person", "人员代码"),
    "first_response_minutes": (
        "first_response_minutes",
        lambda value: type(value) is int and value > 0,
        "a whole number of minutes, such as 30",
        "分钟数（整数），如 30",
    ),
    "undo_hours": (
        "undo_hours",
        lambda value: type(value) is int and value >= 0,
        "a whole number of hours, such as 72",
        "小时数（整数），如 72",
    ),
    "auto_rest_days": (
        "auto_rest_days",
        lambda value: type(value) is int and value > 0,
        "a whole number of days, such as 30",
        "天数（整数），如 30",
    ),
    "auto_moves_most": (
        "auto_moves_most",
        lambda value: type(value) is int and value > 0,
        "a whole number, such as 2",
        "整数，如 2",
    ),
    "matching": (
        "matching",
        lambda value: value in get_args(Matching),
        '"off", "review" or "join"',
        '"off"、"review" 或 "join"',
    ),
    "grades": (
        "grades",
        lambda value: (
            isinstance(value, (list, tuple))
            and len(value) == 3
            and all(type(one) is int for one in value)
            and 100 >= value[0] > value[1] > value[2] > 0
        ),
        "the least points for A, B and C, such as [70, 40, 15]",
        "A、B、C 级的最低分，如 [70, 40, 15]",
    ),
    "required": (
        "required",
        lambda value: isinstance(value, (list, tuple)) and set(value) <= set(get_args(FieldName)),
        'a list of fields, such as ["full_name", "phone", "company"]',
        '字段列表，如 ["full_name", "phone", "company"]',
    ),
}
"""Key in company.toml: field of Company, what fits, and how to say so."""


def _campaign(**row: Any) -> Campaign:
    aliases = tuple(Alias(kind=kind, value=value) for kind in ALIAS_KINDS for value in row.pop(kind, ()))
    return Campaign(**row, aliases=aliases)


def _key(table: Table, record: Record) -> str:
    if table is MEMBERS:
        return key_of(table, {"from_us": 0, **record.values})
    return key_of(table, record.values)


def _rows(company: Company) -> dict[Table, list[dict[str, Any]]]:
    def dumped(models: Mapping[str, Frozen]) -> list[dict[str, Any]]:
        return [_values(one) for one in models.values()]

    campaigns = [
        {
            **_values(one),
            **{
                kind: tuple(alias.value for alias in one.aliases if alias.kind == kind) or None
                for kind in ALIAS_KINDS
            },
        }
        for one in company.campaigns.values()
    ]
    return {
        UNITS: dumped(company.units),
        PEOPLE: dumped(company.people),
        MEMBERS: [_values(one) for one in company.members],
        ABSENCES: [_values(one) for one in company.absences],
        LINES: dumped(company.lines),
        PRODUCTS: dumped(company.products),
        INDUSTRIES: dumped(company.industries),
        CAMPAIGNS: campaigns,
        TERRITORIES: dumped(company.territories),
        CHOICES: [_values(one) for one in company.choices],
        POOLS: dumped(company.pools),
    }


def _values(model: Frozen) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields}


def _company_toml(company: Company, secrets: bool) -> str:
    import tomli_w

    settings = {
        key: value for key, (name, *_) in _SETTINGS.items() if (value := getattr(company, name)) is not None
    }
    data = {
        **settings,
        "sources": _written((company.sources, company.sources_off), "source_id", secrets),
        "sinks": _written((company.sinks, company.sinks_off), "sink_id", secrets),
        "calendars": company.calendars,
    }
    return tomli_w.dumps({key: value for key, value in data.items() if value != {}})


def _written(on_and_off: tuple[Mapping[str, Any], Mapping[str, Any]], id_key: str, secrets: bool) -> Any:
    sections = {}
    for enabled, some in zip((True, False), on_and_off, strict=True):
        for key, settings in some.items():
            kept = {
                name: value
                for name, value in settings.items()
                if name != id_key and value is not None and (secrets or name != "secret")
            }
            sections[key] = kept if enabled else {"enabled": False, **kept}
    return sections
