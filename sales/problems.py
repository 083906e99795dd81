"""What can be wrong with a company's files: each with its place and its fix, in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from schemas.base import Language

_SHOWN = 60
"""Characters of a wrong value that a message repeats; a pasted file must not fill the screen."""
_LISTED = 8
"""Known values that a message lists before it says there are more."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong. `key` is the row's own name (`wang-fang`, `calendars.day`), `line` its line or row."""

    code: str
    file: str
    key: str = ""
    line: int | None = None
    column: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    severity: Literal["error", "warning"] = "error"

    def message(self, language: Language) -> str:
        """Say what is wrong."""
        return TEXTS[self.code][language][0].format_map(dict(self.values))

    def fix(self, language: Language) -> str:
        """Say what to do about it."""
        return TEXTS[self.code][language][1].format_map(dict(self.values))

    def place(self, language: Language) -> str:
        """Say where it is: file, line (or row, or the row's name) and column."""
        if language == "zh":
            where = f" 第 {self.line} 行" if self.line else f" {self.key}" if self.key else ""
            return self.file + where + (f"，{self.column} 列" if self.column else "")
        where = f", line {self.line}" if self.line else f", {self.key}" if self.key else ""
        return self.file + where + (f", column {self.column}" if self.column else "")

    def text(self, language: Language) -> str:
        """Return place, message and fix as one line."""
        colon, stop = ("：", "；") if language == "zh" else (": ", "; ")
        return f"{self.place(language)}{colon}{self.message(language)}{stop}{self.fix(language)}"


class CompanyError(ValueError):
    """The files cannot be used; `problems` lists everything that is wrong, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.text("en") for problem in self.problems))


def problem(
    code: str,
    file: str,
    key: str = "",
    *,
    line: int | None = None,
    column: str | None = None,
    severity: Literal["error", "warning"] = "error",
    **values: object,
) -> Problem:
    """Return a problem; `values` fill its texts, cut to what fits a line."""
    return Problem(code, file, key, line, column, shown(values), severity)


def shown(values: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    """Return the values of a problem's texts, each cut to what fits a line."""
    return tuple((name, shorten(value)) for name, value in values.items())


def suggest(wanted: str, known: Iterable[str]) -> str:
    """Return what is close to a wrong value, else the first few of what there is."""
    names = sorted(known)
    close = get_close_matches(wanted, names, n=3, cutoff=0.6)
    if close:
        return ", ".join(close)
    return ", ".join(names[:_LISTED]) + (" …" if len(names) > _LISTED else "") if names else "–"


def shorten(value: object) -> str:
    """Return a value for a message, cut to what fits a line."""
    text = str(value)
    return text if len(text) <= 4 * _SHOWN else text[: 4 * _SHOWN - 1] + "…"


TEXTS: dict[str, dict[Language, tuple[str, str]]] = {
    "no_folder": {
        "en": ("this is neither a folder nor a zip file of one", "name the folder that company.toml is in"),
        "zh": ("既不是文件夹，也不是文件夹的 zip 压缩包", "请指定 company.toml 所在的文件夹"),
    },
    "code_taken": {
        "en": ("{value} is the code of a unit or person already", "give the pool another code"),
        "zh": ("{value} 已是单位或人员的代码", "请为公海另取代码"),
    },
    "ladder_form": {
        "en": (
            "{value} is no ladder: it has three steps, each later than the one before",
            "write working days such as 3; 5; 7, or reclaim = no for none",
        ),
        "zh": (
            "{value} 不是有效的阶梯：须为三个递增的工作日数",
            "请写成 3; 5; 7；不需要时将 reclaim 填为 no",
        ),
    },
    "owner_days_short": {
        "en": (
            "whoever had it last would wait {value} days, less than the {first} of others who had it",
            "the previous owner waits longest: write {first} or more, or leave it empty",
        ),
        "zh": (
            "最后的负责人只等 {value} 天，少于其他曾负责人的 {first} 天",
            "最后的负责人应等得最久：请填 {first} 以上，或留空",
        ),
    },
    "book_twice": {
        "en": ("the rule book stands both here and in {value}", "keep one of them"),
        "zh": ("分配规则同时写在此文件和 {value} 中", "请只保留一处"),
    },
    "sheet_name": {
        "en": ("the sheet {value} cannot serve as a table's name", "use small letters, digits, - and _"),
        "zh": ("工作表名 {value} 不能作为规则表名", "请使用小写字母、数字、- 和 _"),
    },
    "cell_formula": {
        "en": ("this cell is a formula", "paste its value instead (paste special, values)"),
        "zh": ("此单元格是公式", "请改为数值或文字（选择性粘贴，数值）"),
    },
    "cells_merged": {
        "en": ("these cells are merged", "unmerge them and fill in each row"),
        "zh": ("这些单元格被合并", "请取消合并，并逐行填写"),
    },
    "rule_unreachable": {
        "en": ("nothing reaches rule {rule}: {by} above takes all that it would", "move it up, or remove it"),
        "zh": ("规则 {rule} 永远轮不到：上面的 {by} 已全部接走", "请上移该规则，或删去"),
    },
    "rule_same": {
        "en": ("rule {rule} has the same conditions as {by} above", "remove one of them"),
        "zh": ("规则 {rule} 与上面的 {by} 条件相同", "请删去其一"),
    },
    "rule_gap": {
        "en": ("no rule takes a lead with {lead}", "add a rule, or a last one without conditions"),
        "zh": ("没有规则接收这样的线索：{lead}", "请补一条规则，或在末尾加一条无条件的规则"),
    },
    "rule_overlap": {
        "en": (
            "rules {rule} and {by} both fit a lead with {lead}; the upper one counts",
            "see that this is meant",
        ),
        "zh": ("规则 {rule} 与 {by} 都符合这样的线索：{lead}；以上面的为准", "请确认确实如此"),
    },
    "rule_undecided": {
        "en": ("whether rule {rule} is ever reached was not decided: too many cases", "look at it yourself"),
        "zh": ("未能判断规则 {rule} 是否轮得到：情形过多", "请人工查看"),
    },
    "table_undecided": {
        "en": (
            "gaps and what nothing reaches were not looked for: too many cases",
            "split it into several tables",
        ),
        "zh": ("未检查遗漏和永远轮不到的规则：情形过多", "请拆成几张表"),
    },
    "table_unused": {
        "en": ("no rule sends a lead to this table", "name it in a column then_table, or remove it"),
        "zh": ("没有规则转到这张表", "请在 then_table 列中写明，或删去该表"),
    },
    "file_missing": {
        "en": ("this file is missing", "add it; `leadflow company` writes one to start from"),
        "zh": ("缺少这个文件", "请补上；`leadflow company` 可导出一份作为起点"),
    },
    "file_unknown": {
        "en": ("no such table is known", "rename it; known: {known}"),
        "zh": ("没有这个名称的表", "请改名；可用：{known}"),
    },
    "bad_charset": {
        "en": ("neither UTF-8 nor GB18030", "save it as UTF-8 (in Excel: CSV UTF-8)"),
        "zh": ("编码既不是 UTF-8 也不是 GB18030", "请另存为 UTF-8（Excel 中选“CSV UTF-8”）"),
    },
    "bad_sheet": {
        "en": ("this cannot be read as a spreadsheet", "save it as .xlsx or as CSV UTF-8"),
        "zh": ("无法作为表格读取", "请另存为 .xlsx 或 CSV UTF-8"),
    },
    "sheet_empty": {
        "en": ("there is no header row", "write the column names into the first row: {known}"),
        "zh": ("没有表头", "请在第一行写列名：{known}"),
    },
    "toml_syntax": {
        "en": ("this is no TOML: {detail}", "correct that line"),
        "zh": ("不是有效的 TOML：{detail}", "请更正这一行"),
    },
    "key_unknown": {
        "en": ("there is no key {value}", "known here: {known}"),
        "zh": ("没有 {value} 这个键", "此处可用：{known}"),
    },
    "key_missing": {
        "en": ("the key {value} is missing", "add it"),
        "zh": ("缺少键 {value}", "请补上"),
    },
    "key_form": {
        "en": ("{value} does not fit", "write {known}"),
        "zh": ("{value} 不合要求", "请写 {known_zh}"),
    },
    "column_missing": {
        "en": ("the column {value} is missing", "add it to the header; found: {found}"),
        "zh": ("缺少 {value} 列", "请在表头补上；现有：{found}"),
    },
    "column_unknown": {
        "en": ("there is no column {value}", "known here: {known}"),
        "zh": ("没有 {value} 这一列", "此处可用：{known}"),
    },
    "column_twice": {
        "en": ("the column {value} stands twice", "keep one of them"),
        "zh": ("{value} 列出现了两次", "请只保留一列"),
    },
    "cells_extra": {
        "en": ("the row has {count} cells, the header {known}", "put cells that hold a comma in quotes"),
        "zh": ("这一行有 {count} 格，表头有 {known} 格", "含逗号的格请加引号"),
    },
    "cell_missing": {
        "en": ("this cell must not be empty", "fill it in"),
        "zh": ("此格不能为空", "请填写"),
    },
    "row_twice": {
        "en": ("{value} stands already in line {first}", "remove one, or give it another name"),
        "zh": ("{value} 已出现在第 {first} 行", "请删去其一，或改用其他名称"),
    },
    "row_disagrees": {
        "en": ("{value} differs from line {first}, which is about the same person", "make the two agree"),
        "zh": ("{value} 与第 {first} 行不一致，两行说的是同一人", "请改成一致"),
    },
    "name_ambiguous": {
        "en": ("several people are called {value}: {known}", "write the code of the one that is meant"),
        "zh": ("有多人名叫 {value}：{known}", "请写明工号"),
    },
    "code_form": {
        "en": (
            "{value} cannot serve as a code",
            "use small letters, digits, - and _, such as sh-sales (at most 40 characters)",
        ),
        "zh": ("{value} 不能作为代码", "请用小写字母、数字、- 和 _，如 sh-sales（最多 40 个字符）"),
    },
    "not_one_of": {
        "en": ("{value} is not known here", "write one of: {known}"),
        "zh": ("此处没有 {value}", "请写其中之一：{known}"),
    },
    "number_form": {
        "en": ("{value} is no whole number", "write digits only, 0 or more"),
        "zh": ("{value} 不是整数", "请只写数字，不小于 0"),
    },
    "number_damaged": {
        "en": (
            "{value} lost digits in a spreadsheet",
            "format the column as text and type the number again",
        ),
        "zh": ("{value} 在表格软件中丢失了数字", "请将该列设为文本格式并重新输入"),
    },
    "desk_code_form": {
        "en": ("{value} is no two-digit code", "write two digits, such as 07"),
        "zh": ("{value} 不是两位数字", "请写两位数字，如 07"),
    },
    "date_form": {
        "en": ("{value} is no date", "write YYYY-MM-DD, such as 2026-02-14, or 2026-02-14T13:00"),
        "zh": ("{value} 不是日期", "请写 年-月-日，如 2026-02-14，或 2026-02-14T13:00"),
    },
    "dates_reversed": {
        "en": ("it ends ({to}) before it starts ({from})", "swap the two dates"),
        "zh": ("结束（{to}）早于开始（{from}）", "请对调两个日期"),
    },
    "alias_twice": {
        "en": ("{value} already belongs to {first}", "give each name to one campaign only"),
        "zh": ("{value} 已属于 {first}", "一个名称只能属于一个市场活动"),
    },
    "place_twice": {
        "en": ("{value} already belongs to {first}", "give each place to one territory only"),
        "zh": ("{value} 已属于 {first}", "一个地方只能属于一个片区"),
    },
    "place_form": {
        "en": ("{value} is no place", "write a province, or province/city, such as 浙江/宁波"),
        "zh": ("{value} 不是地名", "请写省份，或 省/市，如 浙江/宁波"),
    },
    "ref_unknown": {
        "en": ("there is no {what} {value}", "write one of: {known}"),
        "zh": ("没有 {value} 这个{what_zh}", "请写其中之一：{known}"),
    },
    "person_left": {
        "en": ("{value} has left", "name somebody who works here"),
        "zh": ("{value} 已离职", "请改为在职人员"),
    },
    "own_stand_in": {
        "en": ("{value} cannot stand in for themselves", "name a colleague, or leave the cell empty"),
        "zh": ("{value} 不能代管自己", "请写一位同事，或留空"),
    },
    "stand_in_away": {
        "en": ("the stand-in {value} is away in the same time", "name somebody who is there"),
        "zh": ("代管人 {value} 同期也请假", "请改写一位届时不请假的同事"),
    },
    "unit_circle": {
        "en": ("it lies inside itself: {value}", "name another parent"),
        "zh": ("上下级成环：{value}", "请改写上级单位"),
    },
    "team_empty": {
        "en": (
            "nobody active receives leads here, and rule {value} sends some",
            "add a person with a share of 1 or more to members.csv, or change the rule",
        ),
        "zh": (
            "规则 {value} 会分来线索，但这里没有在职且参与轮转的人",
            "请在 members.csv 中加入份额不小于 1 的人员，或修改规则",
        ),
    },
    "team_idle": {
        "en": (
            "the team has no active person",
            "add somebody to members.csv, or remove the team",
        ),
        "zh": ("这个团队没有在职人员", "请在 members.csv 中加人，或删去该团队"),
    },
    "no_responsible": {
        "en": (
            "nobody answers for the default queue",
            'name an active person, such as responsible = "wang-fang"',
        ),
        "zh": ("默认待分配没有负责人", '请指定一位在职人员，如 responsible = "wang-fang"'),
    },
    "member_overlap": {
        "en": ("{value} is in this unit twice at the same time", "end one membership before the next begins"),
        "zh": ("{value} 同时两次属于该单位", "请让前一段先结束"),
    },
    "member_left": {
        "en": (
            "{value} has left but still belongs here",
            "write the last day into the column to",
        ),
        "zh": ("{value} 已离职但仍在此单位", "请在 to 列写上最后一天"),
    },
    "desk_code_twice": {
        "en": ("the two-digit code {value} is also {first}'s", "give everybody their own"),
        "zh": ("两位代码 {value} 与 {first} 重复", "请为每人分配不同的代码"),
    },
    "email_twice": {
        "en": ("the address {value} is also {first}'s", "give everybody their own"),
        "zh": ("邮箱 {value} 与 {first} 重复", "请为每人填写各自的邮箱"),
    },
    "calendar": {
        "en": ("{detail}", "{fix}"),
        "zh": ("{detail_zh}", "{fix_zh}"),
    },
    "source": {
        "en": ("{value}: {detail}", "correct it"),
        "zh": ("{value}：{detail}", "请更正"),
    },
    "format_unknown": {
        "en": (
            "this version reads no format {value}",
            "write one of: {known}; or switch the source off: enabled = false",
        ),
        "zh": ("本版本不支持格式 {value}", "请写其中之一：{known}；或停用：enabled = false"),
    },
    "kind_unknown": {
        "en": (
            "this version has no sink of kind {value}",
            "write one of: {known}; or switch the sink off: enabled = false",
        ),
        "zh": ("本版本没有 {value} 这种推送渠道", "请写其中之一：{known}；或停用：enabled = false"),
    },
    "table": {
        "en": ("{detail}", "correct that row"),
        "zh": ("{detail_zh}", "请更正该行"),
    },
    "place_unmapped": {
        "en": ("no territory has {value}", "add it to the column places, or leave it to the default queue"),
        "zh": ("没有片区包含 {value}", "请写入 places 列，否则会进入默认待分配"),
    },
    "retry_of_another": {
        "en": ("only no_answer is tried again by itself", "leave the cell empty"),
        "zh": ("只有 no_answer 会自动重试", "请留空"),
    },
    "cadence_days": {
        "en": (
            "a cadence (list nurture) has days until the customer wakes, of 1 or more, and no other list has",
            "write them as in 30; 60; 90, or leave the cell empty",
        ),
        "zh": ("培育节奏（列表 nurture）须写唤醒天数（不小于 1），其他列表不写", "请写成 30; 60; 90，或留空"),
    },
}
