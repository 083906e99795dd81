"""What can be wrong with a calendar as people write it: each with its key and its fix, in both languages."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from pydantic_core import ErrorDetails, PydanticCustomError

Language = Literal["zh", "en"]

_SHOWN = 60
"""Characters of a wrong value that a message repeats; a pasted file must not fill the screen."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a calendar. `key` is the place, such as `week.mon.0`."""

    code: str
    key: str
    values: tuple[tuple[str, str], ...] = ()

    def message(self, language: Language) -> str:
        """Say what is wrong."""
        return _TEXTS[self.code][language][0].format_map(dict(self.values))

    def fix(self, language: Language) -> str:
        """Say what to write instead."""
        return _TEXTS[self.code][language][1].format_map(dict(self.values))

    def line(self, language: Language) -> str:
        """Return key, message and fix as one line."""
        colon, stop = ("：", "；") if language == "zh" else (": ", "; ")
        return f"{self.key}{colon}{self.message(language)}{stop}{self.fix(language)}"


class CalendarError(ValueError):
    """The calendar cannot be read; `problems` lists everything that is wrong with it, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(problem.line("en") for problem in problems))
        self.problems = problems


def fault(code: str, key: str | None = None, **values: object) -> PydanticCustomError:
    """Return the error to raise from a validator; `key` only where the place is not the validated field."""
    shown: dict[str, object] = {name: shorten(value) for name, value in values.items()}
    if key is not None:
        shown["key"] = key
    message, fix = _TEXTS[code]["en"]
    return PydanticCustomError("calendar_fault", f"{message}; {fix}", shown | {"code": code})


def problem_of(error: ErrorDetails, known_keys: dict[tuple[str, ...], tuple[str, ...]]) -> Problem:
    """Translate one of pydantic's error records; `known_keys` are the keys allowed at each path."""
    path = tuple(str(part) for part in error["loc"])
    context = {name: str(value) for name, value in error.get("ctx", {}).items()}
    if "code" in context and context["code"] in _TEXTS:
        code = context.pop("code")
        inner = context.pop("key", None)
        key = ".".join((*path, inner)) if inner else ".".join(path)
        return Problem(code, key or "calendar", tuple(sorted(context.items())))
    kind, value = error["type"], shorten(error["input"])
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        allowed = known_keys.get(path[:-1], ())
        close = get_close_matches(path[-1].lower(), allowed, n=1, cutoff=0.5)
        return Problem("key_unknown", ".".join(path), (("known", ", ".join(close or allowed)),))
    if kind == "missing":
        return Problem("key_missing", ".".join(path))
    code = next((code for start, code in _CODES if kind.startswith(start)), "wrong_type")
    return Problem(code, ".".join(path) or "calendar", (("detail", error["msg"]), ("value", value)))


def shorten(value: object) -> str:
    """Return `value` for a message: strings quoted, cut to what fits a line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


_CODES = (
    ("bool", "bool_form"),
    ("tuple", "list_form"),
    ("dataclass", "table_form"),
    ("string", "text_form"),
    ("int", "number_form"),
)
"""How pydantic's error types begin, and what they are called here."""

_TEXTS: dict[str, dict[Language, tuple[str, str]]] = {
    "zone_unknown": {
        "en": ("{value} is no IANA time zone", "write one such as Asia/Shanghai"),
        "zh": ("{value} 不是 IANA 时区", "请写成 Asia/Shanghai 这样的名称"),
    },
    "country_unknown": {
        "en": (
            "{value} is no country that has holiday data",
            "write two capital letters such as CN, HK or DE",
        ),
        "zh": ("没有 {value} 的节假日数据", "请写两个大写字母的国家或地区代码，如 CN、HK、DE"),
    },
    "subdivision_unknown": {
        "en": ("{country} has no part called {value}", "write one of: {known}"),
        "zh": ("{country} 没有名为 {value} 的地区", "可用的代码：{known}"),
    },
    "subdivision_alone": {
        "en": ("a subdivision needs its country", "add country, such as country = DE"),
        "zh": ("只写了地区，没有国家", "请加上 country，例如 country = DE"),
    },
    "pattern_missing": {
        "en": ("no working hours are given", 'add week, such as week = {{mon: ["09:00-18:00"]}}, or rota'),
        "zh": ("没有工作时间", '请加上 week，例如 week = {{mon: ["09:00-18:00"]}}，或加上 rota'),
    },
    "pattern_twice": {
        "en": ("both week and rota are given", "keep one of them"),
        "zh": ("同时写了 week 和 rota", "请只保留一个"),
    },
    "rota_empty": {
        "en": ("the rota has no days", "list the shifts of each day of the cycle, a day off as []"),
        "zh": ("轮班表没有任何一天", "请逐天列出班次，休息日写 []"),
    },
    "shift_form": {
        "en": (
            "{value} is no shift",
            "write start and end as HH:MM-HH:MM, such as 09:00-18:00 or 22:00-06:00",
        ),
        "zh": ("{value} 不是班次", "请写成“开始-结束”，如 09:00-18:00 或 22:00-06:00"),
    },
    "shift_empty": {
        "en": ("the shift {value} ends when it starts", "for the whole day write 00:00-24:00"),
        "zh": ("班次 {value} 的开始与结束相同", "全天请写 00:00-24:00"),
    },
    "list_form": {
        "en": ("{value} is no list", "put it in brackets, separated by commas"),
        "zh": ("{value} 不是列表", "请放在方括号里，用逗号分隔"),
    },
    "date_form": {
        "en": ("{value} is no date", "write YYYY-MM-DD, such as 2026-02-14"),
        "zh": ("{value} 不是日期", "请写成 年-月-日，如 2026-02-14"),
    },
    "days_form": {
        "en": (
            "{value} is no date or range of dates",
            "write 2026-02-14, or 2026-02-10/2026-02-23 for a range",
        ),
        "zh": ("{value} 不是日期或日期段", "请写 2026-02-14；一段写 2026-02-10/2026-02-23"),
    },
    "leave_form": {
        "en": (
            "{value} is no leave",
            "write 2026-05-06, 2026-05-06/2026-05-08, or with hours 2026-05-06T13:00/2026-05-06T18:00",
        ),
        "zh": (
            "{value} 不是请假时间",
            "请写 2026-05-06、2026-05-06/2026-05-08，或带时间 2026-05-06T13:00/2026-05-06T18:00",
        ),
    },
    "range_reversed": {
        "en": ("{value} ends before it starts", "swap the two sides of the /"),
        "zh": ("{value} 的结束早于开始", "请把 / 两边对调"),
    },
    "open_and_closed": {
        "en": ("{value} is both open and closed", "remove it from one of the two lists"),
        "zh": ("{value} 同时在 open 和 closed 里", "请从其中一个删去"),
    },
    "no_usual_hours": {
        "en": (
            "{value} is open, but no weekday has hours to take over",
            'give its own, such as ["09:00-18:00"]',
        ),
        "zh": ("{value} 设为上班，但没有可沿用的工作时间", '请写明当天的时间，如 ["09:00-18:00"]'),
    },
    "bool_form": {
        "en": ("{value} is neither true nor false", "write true or false, without quotes"),
        "zh": ("{value} 不是 true 或 false", "请写 true 或 false，不加引号"),
    },
    "key_unknown": {
        "en": ("there is no such key", "known here: {known}"),
        "zh": ("没有这个键", "此处可用：{known}"),
    },
    "key_missing": {
        "en": ("this key is missing", "add it"),
        "zh": ("缺少这个键", "请补上"),
    },
    "table_form": {
        "en": ("{value} is no table of keys and values", "write it as {{key: value}}"),
        "zh": ("{value} 不是键值表", "请写成 {{键: 值}}"),
    },
    "text_form": {
        "en": ("{value} is no text", "put it in quotes"),
        "zh": ("{value} 不是文本", "请加上引号"),
    },
    "number_form": {
        "en": ("{value} is no whole number", "write digits only, without quotes, such as 2027"),
        "zh": ("{value} 不是整数", "请只写数字，不加引号，如 2027"),
    },
    "wrong_type": {
        "en": ("{value} does not fit", "the reader says: {detail}"),
        "zh": ("{value} 不合要求", "读取时的说明：{detail}"),
    },
}
