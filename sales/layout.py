"""The tables of a company folder: which file holds what, its columns, and which model a row becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from zoneinfo import ZoneInfo

from sales.cells import (
    CODE,
    DAY,
    DESK_CODE,
    DIGITS,
    FROM,
    LIST,
    NUMBERS,
    PLACES,
    TEXT,
    TO,
    WHOLE,
    CellError,
    Kind,
    one_of,
)
from sales.problems import CompanyError, Problem, problem, shown, suggest
from sales.tables import Row, read_table
from schemas.base import Language
from schemas.company import ALIAS_KINDS, ChoiceList, UnitKind
from schemas.resolved import Grade

LANGUAGE = one_of(
    {
        "zh": "zh",
        "en": "en",
        "中文": "zh",
        "汉语": "zh",
        "英文": "en",
        "英语": "en",
        "chinese": "zh",
        "english": "en",
    }
)
LANGUAGES = Kind(
    lambda text, zone: tuple(LANGUAGE.read(one, zone) for one in LIST.read(text, zone)), LIST.write
)
ROLE = one_of(
    {
        "representative": "representative",
        "manager": "manager",
        "marketing": "marketing",
        "front_desk": "front_desk",
        "operations": "operations",
        "auditor": "auditor",
        "销售": "representative",
        "主管": "manager",
        "市场": "marketing",
        "前台": "front_desk",
        "运维": "operations",
        "审计": "auditor",
    }
)
ROLES = Kind(lambda text, zone: tuple(ROLE.read(one, zone) for one in LIST.read(text, zone)), LIST.write)
STATE = one_of(
    {"active": "active", "left": "left", "在职": "active", "离职": "left", "已离职": "left", "在岗": "active"}
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name in our files, the field of the model, and other names it goes by."""

    name: str
    field: str
    kind: Kind = TEXT
    required: bool = False
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One file of rows. `key` are the fields that name a row; `what` is its word for people."""

    file: str
    what: Mapping[Language, str]
    columns: tuple[Column, ...]
    key: tuple[str, ...]


def _table(file: str, zh: str, en: str, key: str, *columns: Column) -> Table:
    return Table(file, {"zh": zh, "en": en}, columns, tuple(key.split()))


_NAMES = (
    Column("name_zh", "name_zh", required=True, names=("中文名", "名称")),
    Column("name_en", "name_en", required=True, names=("英文名",)),
)

PERSON_COLUMNS = (
    Column("person", "person_id", CODE, required=True, names=("person_id", "id", "工号", "员工编号", "编号")),
    Column("name", "name", required=True, names=("姓名", "名字", "full_name", "员工姓名")),
    Column("name_en", "name_en", names=("英文名", "english_name", "english name")),
    Column("email", "email", names=("邮箱", "电子邮箱", "邮件", "e-mail", "mail")),
    Column("phone", "phone", DIGITS, names=("手机", "手机号", "电话", "联系电话", "mobile", "tel")),
    Column("extension", "extension", DIGITS, names=("分机", "分机号", "ext", "ext.")),
    Column("desk_code", "desk_code", DESK_CODE, names=("前台代码", "两位代码", "desk code")),
    Column("language", "language", LANGUAGE, names=("语言",)),
    Column("calendar", "calendar_id", CODE, names=("工作日历", "日历", "班次", "calendar_id", "shift")),
    Column("state", "state", STATE, names=("状态", "在职状态", "status")),
    Column("skills", "skills", LIST, names=("技能", "擅长")),
    Column("languages", "languages", LANGUAGES, names=("接待语言", "spoken")),
    Column("lines", "lines", LIST, names=("产品线", "product lines")),
    Column("territories", "territories", LIST, names=("片区", "大区")),
    Column("open_cap", "open_cap", WHOLE, names=("跟进中上限", "在跟上限", "open cap")),
    Column("day_cap", "day_cap", WHOLE, names=("每日上限", "day cap")),
    Column("opening_minutes", "opening_minutes", WHOLE, names=("上班缓冲分钟",)),
    Column("closing_minutes", "closing_minutes", WHOLE, names=("下班前停派分钟",)),
    Column("roles", "roles", ROLES, names=("角色", "role")),
)

UNITS = _table(
    "units.csv",
    "单位",
    "unit",
    "unit_id",
    Column("unit", "unit_id", CODE, required=True, names=("代码",)),
    Column("parent", "parent_id", CODE, names=("上级",)),
    Column("kind", "kind", one_of(get_args(UnitKind)), required=True, names=("类型",)),
    *_NAMES,
    Column("manager", "manager_id", CODE, names=("主管", "负责人")),
    Column("language", "language", LANGUAGE, names=("语言",)),
    Column("zone", "zone", names=("时区",)),
    Column("calendar", "calendar_id", CODE, names=("工作日历", "日历")),
)
PEOPLE = _table("people.csv", "人员", "person", "person_id", *PERSON_COLUMNS)
MEMBERS = _table(
    "members.csv",
    "成员",
    "membership",
    "unit_id person_id from_us",
    Column("unit", "unit_id", CODE, required=True, names=("单位", "团队", "小组")),
    Column("person", "person_id", CODE, required=True, names=("人员",)),
    Column("from", "from_us", FROM, names=("开始", "起")),
    Column("to", "to_us", TO, names=("结束", "止")),
    Column("share", "share", WHOLE, names=("份额", "权重")),
)
ABSENCES = _table(
    "absences.csv",
    "请假",
    "absence",
    "person_id from_us",
    Column("person", "person_id", CODE, required=True, names=("人员",)),
    Column("from", "from_us", DAY, required=True, names=("开始", "起")),
    Column("to", "to_us", TO, required=True, names=("结束", "止")),
    Column("stand_in", "stand_in_id", CODE, names=("代管", "代管人")),
)
LINES = _table(
    "lines.csv",
    "产品线",
    "product line",
    "line_id",
    Column("line", "line_id", CODE, required=True, names=("代码",)),
    *_NAMES,
    Column("aliases", "aliases", LIST, names=("别名",)),
)
PRODUCTS = _table(
    "products.csv",
    "产品",
    "product",
    "product_id",
    Column("product", "product_id", CODE, required=True, names=("代码", "型号")),
    Column("line", "line_id", CODE, required=True, names=("产品线",)),
    *_NAMES,
    Column("aliases", "aliases", LIST, names=("别名",)),
)
INDUSTRIES = _table(
    "industries.csv",
    "行业",
    "industry",
    "industry_id",
    Column("industry", "industry_id", CODE, required=True, names=("代码",)),
    *_NAMES,
    Column("aliases", "aliases", LIST, names=("别名", "关键词")),
)
CAMPAIGNS = _table(
    "campaigns.csv",
    "市场活动",
    "campaign",
    "campaign_id",
    Column("campaign", "campaign_id", CODE, required=True, names=("代码",)),
    *_NAMES,
    *(Column(kind, kind, LIST) for kind in ALIAS_KINDS),
)
TERRITORIES = _table(
    "territories.csv",
    "片区",
    "territory",
    "territory_id",
    Column("territory", "territory_id", CODE, required=True, names=("代码",)),
    *_NAMES,
    Column("unit", "unit_id", CODE, names=("单位",)),
    Column("places", "places", PLACES, names=("省市", "范围")),
)
CHOICES = _table(
    "choices.csv",
    "选项",
    "choice",
    "list code",
    Column("list", "list", one_of(get_args(ChoiceList)), required=True, names=("列表",)),
    Column("code", "code", CODE, required=True, names=("代码",)),
    *_NAMES,
    Column("retry_minutes", "retry_minutes", NUMBERS, names=("重试分钟",)),
    Column("wake_days", "wake_days", NUMBERS, names=("唤醒天数",)),
)

RECLAIM = one_of(
    {
        "offer": "offer",
        "yes": "yes",
        "no": "no",
        "建议改派": "offer",
        "是": "yes",
        "自动收回": "yes",
        "否": "no",
        "不收回": "no",
    }
)
_GRADE = one_of(get_args(Grade))
POOLS = _table(
    "pools.csv",
    "公海",
    "open pool",
    "pool_id",
    Column("pool", "pool_id", CODE, required=True, names=("代码", "公海")),
    *_NAMES,
    Column("units", "units", LIST, names=("单位", "可领取单位")),
    Column("open_limit", "open_limit", WHOLE, names=("领取上限", "open limit")),
    Column("day_limit", "day_limit", WHOLE, names=("每日领取上限", "day limit")),
    Column("again_days", "again_days", WHOLE, names=("再次领取间隔天数",)),
    Column("owner_days", "owner_days", WHOLE, names=("原负责人间隔天数",)),
    Column("hold_hours", "hold_hours", WHOLE, names=("入池冻结小时",)),
    Column("ladder", "ladder", NUMBERS, names=("提醒阶梯", "收回阶梯")),
    Column("reclaim", "reclaim", RECLAIM, names=("收回", "是否收回")),
    Column(
        "grades",
        "grades",
        Kind(lambda text, zone: tuple(_GRADE.read(one, zone) for one in LIST.read(text, zone)), LIST.write),
        names=("等级",),
    ),
    Column("lines", "lines", LIST, names=("产品线", "product lines")),
    Column("old_days", "old_days", WHOLE, names=("超期工作日",)),
    Column("protected", "protected", WHOLE, names=("保护名额",)),
)

TABLES: Mapping[str, Table] = {
    one.file: one
    for one in (
        UNITS,
        PEOPLE,
        MEMBERS,
        ABSENCES,
        LINES,
        PRODUCTS,
        INDUSTRIES,
        CAMPAIGNS,
        TERRITORIES,
        CHOICES,
        POOLS,
    )
}


@dataclass(frozen=True, slots=True)
class Record:
    """One row as values of the model's fields, and where it stood. Empty cells are left out."""

    line: int
    values: dict[str, Any]


def read_records(
    table: Table, data: bytes, zone: ZoneInfo, *, unique: bool = True
) -> tuple[list[Record], list[Problem]]:
    """Read a file into records, with every problem found; `unique`: a key that repeats is one."""
    try:
        rows = read_table(data, table.file)
    except CompanyError as error:
        return [], list(error.problems)
    if not rows:
        known = ", ".join(column.name for column in table.columns)
        return [], [problem("sheet_empty", table.file, line=1, known=known)]
    columns, problems = _header(table, rows[0])
    if any(column.required and column not in columns for column in table.columns):
        return [], problems
    records = []
    for row in rows[1:]:
        record, wrong = _record(table, columns, row, zone)
        problems += wrong
        if not wrong:
            records.append(record)
    return (records, problems + _repeats(table, records)) if unique else (records, problems)


def record_text(table: Table, values: Mapping[str, Any], zone: ZoneInfo) -> list[str]:
    """Return a row's cells as text, in the order of the table's columns."""
    cells = []
    for column in table.columns:
        value = values.get(column.field)
        cells.append("" if value is None else column.kind.write(value, zone))
    return cells


def key_of(table: Table, values: Mapping[str, Any]) -> str:
    """Return what names a row, such as `sh-sales/wang-fang`."""
    return "/".join(str(values[field]) for field in table.key if field in values)


def _header(table: Table, row: Row) -> tuple[list[Column | None], list[Problem]]:
    by_name = {
        name: column
        for column in reversed(table.columns)
        for name in (*column.names, column.field, column.name)
    }
    problems, columns = [], list[Column | None]()
    for cell in row.cells:
        column = by_name.get(cell.casefold())
        if column is None and cell:
            known = suggest(cell, (one.name for one in table.columns))
            problems.append(
                problem("column_unknown", table.file, line=row.line, column=cell, value=cell, known=known)
            )
        elif column is not None and column in columns:
            problems.append(problem("column_twice", table.file, line=row.line, column=cell, value=cell))
        columns.append(column)
    for column in table.columns:
        if column.required and column not in columns:
            found = ", ".join(cell for cell in row.cells if cell)
            problems.append(
                problem("column_missing", table.file, line=row.line, value=column.name, found=found)
            )
    return columns, problems


def _record(
    table: Table, columns: list[Column | None], row: Row, zone: ZoneInfo
) -> tuple[Record, list[Problem]]:
    values: dict[str, Any] = {}
    problems = []
    if len(row.cells) > len(columns) and any(row.cells[len(columns) :]):
        problems.append(
            problem("cells_extra", table.file, line=row.line, count=len(row.cells), known=len(columns))
        )
    for column, cell in zip(columns, (*row.cells, *[""] * len(columns)), strict=False):
        if column is None:
            continue
        if not cell:
            if column.required:
                problems.append(problem("cell_missing", table.file, line=row.line, column=column.name))
            continue
        try:
            values[column.field] = column.kind.read(cell, zone)
        except CellError as error:
            found = shown(error.values)
            problems.append(Problem(error.code, table.file, "", row.line, column.name, found))
    if "from_us" in values and values.get("to_us") is not None and values["to_us"] <= values["from_us"]:
        dates = {
            column.name: column.kind.write(values[column.field], zone)
            for column in table.columns
            if column.field in ("from_us", "to_us")
        }
        problems.append(Problem("dates_reversed", table.file, "", row.line, "to", shown(dates)))
    return Record(row.line, values), problems


def _repeats(table: Table, records: Iterable[Record]) -> list[Problem]:
    first: dict[str, int] = {}
    problems = []
    for record in records:
        key = key_of(table, record.values)
        if key in first:
            value = "/".join(str(record.values[one]) for one in table.key if one != "from_us")
            problems.append(
                problem("row_twice", table.file, key, line=record.line, value=value, first=first[key])
            )
        first.setdefault(key, record.line)
    return problems
