"""The people of a company as one sheet, XLSX or CSV: a row for each person and team, as an HR office keeps it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from sales.cells import FROM, TEXT, TO, WHOLE
from sales.layout import PEOPLE, PERSON_COLUMNS, Column, Record, Table, read_records, record_text
from sales.problems import CompanyError, Problem, shown, suggest
from sales.tables import write_csv, write_xlsx
from schemas.base import Language
from schemas.company import Company, Member, Person
from worktime.localtime import zone_of

_HEADERS: Mapping[str, str] = {
    "person": "工号",
    "name": "姓名",
    "name_en": "英文名",
    "email": "邮箱",
    "phone": "手机",
    "extension": "分机",
    "desk_code": "前台代码",
    "language": "语言",
    "calendar": "工作日历",
    "state": "状态",
    "skills": "技能",
    "languages": "接待语言",
    "lines": "产品线",
    "territories": "片区",
    "open_cap": "跟进中上限",
    "day_cap": "每日上限",
    "opening_minutes": "上班缓冲分钟",
    "closing_minutes": "下班前停派分钟",
    "roles": "角色",
    "team": "团队",
    "share": "份额",
    "from": "入组日期",
    "to": "离组日期",
}

SHEET = Table(
    "people",
    PEOPLE.what,
    (
        Column("person", "person_id", PERSON_COLUMNS[0].kind, names=PERSON_COLUMNS[0].names),
        *PERSON_COLUMNS[1:],
        Column("team", "team", TEXT, names=("小组", "部门", "团队", "unit", "department", "dept", "group")),
        Column("share", "share", WHOLE, names=("份额", "权重", "weight")),
        Column("from", "from_us", FROM, names=("入组日期", "入职日期", "开始", "start")),
        Column("to", "to_us", TO, names=("离组日期", "离职日期", "结束", "end")),
    ),
    ("person_id", "team"),
)
"""Columns of the sheet, with the header words it also goes by. Only `name` is needed."""


def read_people(data: bytes, company: Company, now_us: int, *, file: str = "people") -> Company:
    """Return the company with the people of a sheet (XLSX, XLS or CSV) taken in.

    A row belongs to whoever has its code, else its e-mail, else (if only one has it) its name; to nobody, and
    it is somebody new. An empty cell leaves what is known. Who is not in the sheet stays untouched: `state`
    left (离职) says that somebody left. With a column `team`, a person's open memberships become those of
    their rows; what is new begins on `from` (else at `now_us`), what is missing ends at `now_us`.

    Raises CompanyError with every problem at once, each with its row.
    """
    records, problems = read_records(SHEET, data, zone_of(company.zone), unique=False)
    sheet = _Sheet(company, now_us, problems=problems)
    for record in records:
        sheet.take(record)
    if sheet.problems:
        named = [Problem(p.code, file, p.key, p.line, p.column, p.values, p.severity) for p in sheet.problems]
        raise CompanyError(sorted(named, key=lambda one: one.line or 0))
    return sheet.company_with_them()


def people_csv(company: Company, now_us: int, language: Language) -> bytes:
    """Return the people and their present teams as CSV that `read_people` takes back."""
    return write_csv(_header(language), _rows(company, now_us))


def people_xlsx(company: Company, now_us: int, language: Language) -> bytes:
    """Return the people and their present teams as a workbook that `read_people` takes back."""
    return write_xlsx("人员" if language == "zh" else "People", _header(language), _rows(company, now_us))


def _header(language: Language) -> list[str]:
    return [_HEADERS[column.name] if language == "zh" else column.name for column in SHEET.columns]


def _rows(company: Company, now_us: int) -> Iterable[list[str]]:
    zone = zone_of(company.zone)
    for person in company.people.values():
        values = person.model_dump()
        places = [one for one in company.members if one.person_id == person.person_id and _holds(one, now_us)]
        if not places:
            yield record_text(SHEET, values, zone)
        for place in places:
            yield record_text(SHEET, {**place.model_dump(), "team": place.unit_id, **values}, zone)


def _holds(member: Member, now_us: int) -> bool:
    return member.to_us is None or member.to_us > now_us


@dataclass
class _Sheet:
    """A sheet being taken in."""

    company: Company
    now_us: int
    problems: list[Problem]
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    first_line: dict[str, int] = field(default_factory=dict)
    places: dict[str, dict[str, Member]] = field(default_factory=dict)

    def take(self, record: Record) -> None:
        values = dict(record.values)
        place: dict[str, Any] = {name: values.pop(name) for name in _PLACE if name in values}
        person_id = self._identify(record.line, values)
        known = self.people.setdefault(person_id, {"person_id": person_id})
        first = self.first_line.setdefault(person_id, record.line)
        for name, value in values.items():
            if known.setdefault(name, value) != value:
                column = next(one.name for one in SHEET.columns if one.field == name)
                self._wrong("row_disagrees", record.line, column, value=value, first=first)
        if "team" in place:
            self._place(record.line, person_id, place)

    def company_with_them(self) -> Company:
        people = dict(self.company.people)
        for person_id, values in self.people.items():
            before = people[person_id].model_dump() if person_id in people else {}
            people[person_id] = Person(**{**before, **values})
        ended = [self._ended(one) for one in self.company.members if not self._listed(one)]
        placed = [one for places in self.places.values() for one in places.values()]
        return Company.model_validate(
            {
                **{name: getattr(self.company, name) for name in Company.model_fields},
                "people": people,
                "members": tuple(one for one in (*ended, *placed) if one is not None),
            }
        )

    def _listed(self, member: Member) -> bool:
        places = self.places.get(member.person_id, {})
        return member.unit_id in places and places[member.unit_id].from_us == member.from_us

    def _ended(self, member: Member) -> Member | None:
        """Return a membership that the sheet does not list as it goes on: ended, if the sheet gives others."""
        person = self.people.get(member.person_id, {})
        leaves = member.person_id in self.places or person.get("state") == "left"
        if not leaves or not _holds(member, self.now_us):
            return member
        return member.model_copy(update={"to_us": self.now_us}) if member.from_us < self.now_us else None

    def _identify(self, line: int, values: dict[str, Any]) -> str:
        if given := values.pop("person_id", None):
            return str(given)
        everybody = {**{key: one.model_dump() for key, one in self.company.people.items()}, **self.people}
        if email := values.get("email"):
            for key, one in everybody.items():
                if (one.get("email") or "").casefold() == email.casefold():
                    return key
        same = [key for key, one in everybody.items() if one.get("name") == values["name"]]
        if len(same) > 1:
            found = ", ".join(same)
            self._wrong("name_ambiguous", line, "name", value=values["name"], known=found)
            return same[0]
        if same and not (email and everybody[same[0]].get("email")):
            return same[0]
        return new_person_id(values, everybody)

    def _place(self, line: int, person_id: str, place: dict[str, Any]) -> None:
        unit_id = self._unit(place["team"])
        if unit_id is None:
            known = suggest(place["team"], self.company.units)
            what = {"what": "unit", "what_zh": "单位"}
            self._wrong("ref_unknown", line, "team", value=place["team"], known=known, **what)
            return
        places = self.places.setdefault(person_id, {})
        if unit_id in places:
            self._wrong("member_overlap", line, "team", value=person_id)
            return
        before = next(
            (
                one
                for one in self.company.members
                if (one.unit_id, one.person_id) == (unit_id, person_id) and _holds(one, self.now_us)
            ),
            None,
        )
        start = place.get("from_us", before.from_us if before else self.now_us)
        places[unit_id] = Member(
            unit_id=unit_id,
            person_id=person_id,
            from_us=start,
            to_us=place.get("to_us", before.to_us if before else None),
            share=place.get("share", before.share if before else 1),
        )

    def _unit(self, text: str) -> str | None:
        """Return the unit that a cell names by its code or its name in either language."""
        if text in self.company.units:
            return text
        plain = text.casefold()
        named = [
            unit.unit_id
            for unit in self.company.units.values()
            if plain in (unit.name_zh.casefold(), unit.name_en.casefold())
        ]
        return named[0] if len(named) == 1 else None

    def _wrong(self, code: str, line: int, column: str, **values: object) -> None:
        self.problems.append(Problem(code, SHEET.file, "", line, column, shown(values)))


_PLACE = ("team", "share", "from_us", "to_us")
_NO_CODE = re.compile(r"[^a-z0-9]+")


def new_person_id(values: Mapping[str, Any], taken: Mapping[str, object]) -> str:
    """Return a code for somebody new: of their address or English name, else of a digest of their name."""
    told = str(values.get("email") or "").partition("@")[0] or str(values.get("name_en") or "")
    plain = unicodedata.normalize("NFKD", told or str(values["name"])).encode("ascii", "ignore").decode()
    base = _NO_CODE.sub("-", plain.casefold()).strip("-")[:30]
    base = base or "p-" + blake2b(str(values["name"]).encode(), digest_size=3).hexdigest()
    number, code = 2, base
    while code in taken:
        code, number = f"{base}-{number}", number + 1
    return code
