"""What differs between two companies, in words that a person can agree to. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, get_args

from sales.book_files import EXAMPLES, BookText, book_of
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
    TERRITORIES,
    UNITS,
)
from schemas.base import Frozen, Language
from schemas.company import Alias, ChoiceList, Company
from store.company import SETTINGS
from worktime.localtime import zone_of

ChangeKind = Literal["added", "changed", "removed", "left"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value before and after; None where there was or is none."""

    field: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is new, different, gone, or (a person who is gone) left."""

    kind: ChangeKind
    what: str
    key: str
    name: tuple[str, str] = ("", "")
    fields: tuple[FieldChange, ...] = ()

    def text(self, language: Language) -> str:
        """Say it in one line, such as `人员 wang-fang 王芳：分机 801 → 802`."""
        word = _WHAT[self.what][language]
        name = self.name[0 if language == "zh" else 1]
        subject = " ".join(part for part in (word, self.key, name if name != self.key else "") if part)
        if self.kind != "changed":
            return f"{_KIND[self.kind][language]}{subject}"
        colon, comma = ("：", "，") if language == "zh" else (": ", ", ")
        return subject + colon + comma.join(_field_text(one, language) for one in self.fields)


def diff(old: Company, new: Company) -> list[Change]:
    """Return what turns `old` into `new`. A person missing from `new` is `left`: nobody is ever deleted."""
    still = tuple(one for one in old.members if one.person_id in new.people)
    before, after = _things(old.model_copy(update={"members": still})), _things(new)
    changes = [
        *(_changed(thing, before[key], thing) for key, thing in after.items() if key in before),
        *(Change("added", *key, thing.name) for key, thing in after.items() if key not in before),
        *(_gone(*key, thing) for key, thing in before.items() if key not in after),
    ]
    order = list(_WHAT)
    found = [one for one in changes if one is not None]
    found += [*_reordered_choices(old, new), *_book_changes(old, new)]
    return sorted(found, key=lambda one: order.index(one.what))


@dataclass(frozen=True, slots=True)
class _Thing:
    what: str
    key: str
    name: tuple[str, str]
    values: dict[str, str]


def _changed(thing: _Thing, old: _Thing, new: _Thing) -> Change | None:
    fields = tuple(
        FieldChange(name, _shown(name, old), _shown(name, new))
        for name in {**old.values, **new.values}
        if old.values.get(name) != new.values.get(name)
    )
    return Change("changed", thing.what, thing.key, new.name, fields) if fields else None


def _shown(name: str, thing: _Thing) -> str | None:
    value = thing.values.get(name)
    return "***" if name == "secret" and value else value


def _gone(what: str, key: str, thing: _Thing) -> Change | None:
    if what != "person":
        return Change("removed", what, key, thing.name)
    return Change("left", what, key, thing.name) if thing.values.get("state") == "active" else None


def _things(company: Company) -> dict[tuple[str, str], _Thing]:
    things = [
        *(
            _Thing("setting", key, ("", ""), {"": str(value)})
            for key in SETTINGS
            if key not in _TABLES and (value := getattr(company, key)) is not None
        ),
        *_models("unit", UNITS.key, company.units.values(), company),
        *_models("person", PEOPLE.key, company.people.values(), company),
        *_models("member", MEMBERS.key, company.members, company),
        *_models("absence", ABSENCES.key, company.absences, company),
        *_models("line", LINES.key, company.lines.values(), company),
        *_models("product", PRODUCTS.key, company.products.values(), company),
        *_models("industry", INDUSTRIES.key, company.industries.values(), company),
        *_models("campaign", CAMPAIGNS.key, company.campaigns.values(), company),
        *_models("territory", TERRITORIES.key, company.territories.values(), company),
        *_models("choice", CHOICES.key, company.choices, company),
        *_models("pool", POOLS.key, company.pools.values(), company),
        *(
            thing
            for key, what in _TABLES.items()
            for thing in _rows(getattr(company, key) or "", what).values()
        ),
        *(_Thing("calendar", key, ("", ""), _flat(value)) for key, value in company.calendars.items()),
    ]
    for enabled, sources in (("yes", company.sources), ("no", company.sources_off)):
        for key, settings in sources.items():
            values = {name: value for name, value in _flat(settings).items() if name != "source_id"}
            things.append(_Thing("source", key, (str(settings["name"]),) * 2, {"enabled": enabled, **values}))
    for enabled, sinks in (("yes", company.sinks), ("no", company.sinks_off)):
        for key, settings in sinks.items():
            values = {name: value for name, value in _flat(settings).items() if name != "sink_id"}
            things.append(_Thing("sink", key, (str(settings["name"]),) * 2, {"enabled": enabled, **values}))
    return {(one.what, one.key): one for one in things}


def _models(what: str, key: tuple[str, ...], models: Any, company: Company) -> Iterator[_Thing]:
    for model in models:
        values = {name: getattr(model, name) for name in type(model).model_fields}
        readable = {
            name: _text(name, value, company)
            for name, value in values.items()
            if name not in key and value is not None and value != ()
        }
        named = [_text(name, values[name], company) for name in key]
        yield _Thing(what, "/".join(part for part in named if part), _name(model, company), readable)


def _name(model: Frozen, company: Company) -> tuple[str, str]:
    if hasattr(model, "name_zh"):
        return model.name_zh, model.name_en  # type: ignore[attr-defined]
    person_id = getattr(model, "person_id", None)
    person = company.people.get(person_id) if person_id else None
    return (person.name, person.name_en or person.name) if person else ("", "")


def _text(name: str, value: Any, company: Company) -> str:
    if name.endswith("_us"):
        return "" if name == "from_us" and value == 0 else _moment(value, company.zone)
    if isinstance(value, tuple):
        return "; ".join(f"{one.kind} {one.value}" if isinstance(one, Alias) else str(one) for one in value)
    return str(value)


def _moment(at_us: int, zone: str) -> str:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    wall = moment.astimezone(zone_of(zone)).replace(tzinfo=None)
    return wall.isoformat(sep=" ", timespec="auto" if wall.second or wall.microsecond else "minutes")


def _flat(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    found: dict[str, str] = {}
    for key, one in value.items():
        if isinstance(one, Mapping) and one:
            found |= _flat(one, f"{prefix}{key}.")
        elif one is not None:
            found[prefix + key] = ", ".join(map(str, one)) if isinstance(one, (list, tuple)) else str(one)
    return found


def _book_changes(old: Company, new: Company) -> Iterator[Change]:
    was, now = book_of(old), book_of(new)
    if now is None or was == now:
        return
    before, after = (_of_book(one) if one is not None else {} for one in (was, now))
    changes = [
        *(_changed(thing, before[key], thing) for key, thing in after.items() if key in before),
        *(Change("added", thing.what, key) for key, thing in after.items() if key not in before),
        *(Change("removed", thing.what, key) for key, thing in before.items() if key not in after),
    ]
    found = [one for one in changes if one is not None]
    if _reordered(list(before), list(after)):
        found.append(Change("changed", "book", "", fields=(FieldChange("position", None, None),)))
    yield from found or [Change("changed", "book", "", fields=(FieldChange("text", None, None),))]


def _of_book(book: BookText) -> dict[str, _Thing]:
    """Return the rules of every table and the examples, each by its name; that of a later table after the table's."""
    things: dict[str, _Thing] = {}
    for table, text in book.by_name().items():
        for key, thing in _rows(text, "example" if table == EXAMPLES else "rule").items():
            name = f"{table}/{key}" if table else key
            things[name] = replace(thing, key=name)
    return things


def _reordered_choices(old: Company, new: Company) -> Iterator[Change]:
    for which in get_args(ChoiceList):
        before = [one.code for one in old.choices if one.list == which]
        after = [one.code for one in new.choices if one.list == which]
        if _reordered(before, after):
            yield Change("changed", "choice", which, fields=(FieldChange("position", None, None),))


def _reordered(before: list[str], after: list[str]) -> bool:
    return [key for key in before if key in after] != [key for key in after if key in before]


def _rows(text: str, what: str) -> dict[str, _Thing]:
    """Return the rows of a decision table by name; `what` is both the column of the names and their kind."""
    found = {}
    for position, row in enumerate(csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline="")), start=1):
        name = str(row.get(what) or position)
        cells = {
            str(column): value
            for column, value in row.items()
            if column not in (None, what) and isinstance(value, str) and value
        }
        found[name] = _Thing(what, name, ("", ""), cells)
    return found


def _field_text(one: FieldChange, language: Language) -> str:
    name = _FIELDS.get(one.field, (one.field, one.field))[0 if language == "zh" else 1]
    arrow = f"{one.old or '–'} → {one.new or '–'}" if one.old or one.new else ""
    return " ".join(part for part in (name, arrow) if part)


_TABLES = {"score_csv": "point", "segments_csv": "segment", "moves_csv": "move"}
"""Settings that are whole tables: told row by row."""
_KIND: dict[str, dict[Language, str]] = {
    "added": {"zh": "新增 ", "en": "new "},
    "removed": {"zh": "删除 ", "en": "removed "},
    "left": {"zh": "离职 ", "en": "left "},
}
_WHAT: dict[str, dict[Language, str]] = {
    "setting": {"zh": "设置", "en": "setting"},
    "unit": {"zh": "单位", "en": "unit"},
    "person": {"zh": "人员", "en": "person"},
    "member": {"zh": "成员", "en": "membership"},
    "absence": {"zh": "请假", "en": "absence"},
    "line": {"zh": "产品线", "en": "product line"},
    "product": {"zh": "产品", "en": "product"},
    "industry": {"zh": "行业", "en": "industry"},
    "campaign": {"zh": "市场活动", "en": "campaign"},
    "territory": {"zh": "片区", "en": "territory"},
    "choice": {"zh": "选项", "en": "choice"},
    "pool": {"zh": "公海", "en": "open pool"},
    "source": {"zh": "接入渠道", "en": "source"},
    "sink": {"zh": "推送渠道", "en": "sink"},
    "calendar": {"zh": "工作日历", "en": "calendar"},
    "point": {"zh": "评分项", "en": "row of points"},
    "segment": {"zh": "客群", "en": "segment"},
    "move": {"zh": "自动改派规则", "en": "automatic move"},
    "rule": {"zh": "规则", "en": "rule"},
    "example": {"zh": "示例", "en": "example"},
    "book": {"zh": "分配规则", "en": "rule book"},
}
_FIELDS: dict[str, tuple[str, str]] = {
    "name": ("姓名", "name"),
    "name_zh": ("中文名", "Chinese name"),
    "name_en": ("英文名", "English name"),
    "parent_id": ("上级", "parent"),
    "kind": ("类型", "kind"),
    "manager_id": ("主管", "manager"),
    "language": ("语言", "language"),
    "zone": ("时区", "time zone"),
    "calendar_id": ("工作日历", "calendar"),
    "email": ("邮箱", "email"),
    "phone": ("电话", "phone"),
    "extension": ("分机", "extension"),
    "desk_code": ("两位代码", "desk code"),
    "state": ("状态", "state"),
    "roles": ("角色", "roles"),
    "to_us": ("结束", "end"),
    "share": ("份额", "share"),
    "stand_in_id": ("代管人", "stand-in"),
    "aliases": ("别名", "aliases"),
    "line_id": ("产品线", "product line"),
    "unit_id": ("单位", "unit"),
    "places": ("省市", "places"),
    "retry_minutes": ("重试分钟", "retry after minutes"),
    "wake_days": ("唤醒天数", "wakes after days"),
    "enabled": ("启用", "switched on"),
    "position": ("顺序", "position"),
    "text": ("文字", "text"),
    "points": ("分数", "points"),
    "units": ("可领取单位", "units"),
    "open_limit": ("领取上限", "open limit"),
    "day_limit": ("每日领取上限", "day limit"),
    "again_days": ("再次领取间隔天数", "days until claimed again"),
    "owner_days": ("原负责人间隔天数", "days for the previous owner"),
    "hold_hours": ("入池冻结小时", "hours held back"),
    "ladder": ("提醒阶梯", "ladder"),
    "reclaim": ("收回", "reclaim"),
    "grades": ("等级", "grades"),
    "lines": ("产品线", "product lines"),
    "old_days": ("超期工作日", "working days until neglected"),
    "protected": ("保护名额", "protected"),
    "then_team": ("分给", "goes to"),
    "then_pool": ("放入公海", "goes into pool"),
    "then_respond_within": ("首次响应分钟", "respond within minutes"),
    "then_strategy": ("分配方式", "shared out by"),
    "then_collaborators": ("协作", "also works on it"),
    "then_protect_days": ("保护天数", "protected for days"),
    "then_priority": ("优先级", "priority"),
    "then_playbook": ("跟进方案", "playbook"),
    "then_if_owned": ("已有其他部门负责时", "if another department has it"),
    "then_table": ("转到规则表", "goes on in table"),
    "expect_team": ("应分给", "must go to"),
}
