"""Where a customer is: by what was said, else the company's name, else the telephone number.

Reads the texts; the names and numbers themselves are in enrich/places.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from enrich.identifiers import identifiers_of
from enrich.phone import LineKind, parse_phone
from enrich.places import (
    LONGEST_ENGLISH,
    Candidates,
    Place,
    Strength,
    by_english,
    by_name,
    by_number,
    letters,
    reach,
    simplified,
)
from schemas.lead import FieldValue
from schemas.resolved import Region


def region_of(fields: tuple[FieldValue, ...]) -> Region | None:
    """Return the region of a lead by its normalised fields, with the basis; None if it cannot be told.

    In this order: a stated region, city or address; a place at the start of the company's name or in brackets
    within; the area code of a landline; the home of a mobile number. Names are short Chinese ones (江苏, 苏州);
    Beijing, Tianjin, Shanghai, Chongqing, Hong Kong and Macau are province and city at once. The city is None
    where only the province is known. A stated country other than China leaves no region.
    """
    texts: dict[str, list[str]] = {}
    for field in fields:
        if field.name in _READ and (text := field.value or field.received):
            texts.setdefault(field.name, []).append(text[:_LONGEST_TEXT])
    countries = texts.get("country", [])
    if any(map(_is_abroad, countries)):
        return None
    stated = [text for name in ("region", "city", "address") for text in texts.get(name, ())] + countries
    if place := _meant(names for text in stated for names in _stated(text)):
        return _region(place, "address")
    for company in texts.get("company", ()):
        if place := _meant(_in_company(company)):
            return _region(place, "company")
    return _by_phone(fields)


_READ = frozenset({"region", "city", "address", "country", "company"})
_LONGEST_TEXT = 200
"""Characters read of a field: a place stands early, and a megabyte must not cost a megabyte of reading."""

_HOME = frozenset(
    """
    cn chn prc hk hkg hongkongsar mo mac macausar tw twn na none null other unknown
    """.split()
)
_HOME_CHINESE = re.compile(r"中国|中华|大陆|香港|澳门|台湾|国内|其他|其它|未知|无$|不详")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_CHINESE_RUN = re.compile(r"[\u4e00-\u9fff]{2,}")
_BRACKETS = re.compile(r"[(（\[【〔]([^()（）\[\]【】〔〕]{2,40})[)）\]】〕]")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*\.?")
_SEGMENT = re.compile(r"[,;/|\n]")

# A street, building or smaller unit that bears the name of a place elsewhere: 南京东路, 中山三路, 朝阳镇.
_STREET = (
    r"[东南西北中]{0,2}[一二三四五六七八九十]{0,2}(?:大道|大街|胡同|路(?![桥通达捷政航])|街(?!道)|巷|弄)"
)
_ELSE_IN_ADDRESS = re.compile(rf"{_STREET}|[东南西北]?道$|大厦|大楼|广场|饭店|宾馆|酒店")
_ELSE_IN_COMPANY = re.compile(_STREET)
_UNIT_IN_ADDRESS = re.compile(r"区(?!域)|[县镇乡村]")
_UNIT_IN_COMPANY = re.compile(r"区(?!域)|县")
_OTHER_WORD = {"中山": ("大学", "医", "公园", "陵", "装"), "大理": ("石",), "河南": ("岸",), "上海": ("滩",)}
_STREET_WORD = frozenset(
    "road rd street st avenue ave lane ln boulevard blvd highway hwy lu jie dadao".split()
)
_HOUSE_WORD = frozenset("plaza square building tower mansion hotel".split())
_DIRECTION = frozenset("east west north south middle central e w n s m nd th dong xi nan bei zhong".split())

# Common words and names of firms: not where a company is, unless with an ending (安康市).
BRANDS = frozenset(
    """
    阿里 兴安 海西 海北 来宾 安康 吉安 安顺 和田 广安 大同 三明 兴平 新泰 德兴 文昌 东兴 福安 瑞安 建德 天长 明光
    高平 兴宁 玉树 海林 富锦 华亭 龙泉 东阳 阳春 永康 永城 长治 平安 北安 安达 安国 兴义 兴仁 仁怀 临海 海安 安陆
    丰城 高安 广德 广水 洪湖 泰兴 兴化 兴城 和龙 龙井 海城 南安 瑞金 瑞丽 瑞昌 福泉 福鼎 常宁 永济 乐平 宁安 中卫
    """.split()
)
_WORD_ENGLISH = frozenset(
    "dali hami aksu altay ankang anshun jian luan taian huaian datong sanming ordos".split()
)
LARGER = frozenset({Place("江苏", "苏州"), Place("福建", "福州")})
"""Meant by Suzhou and Fuzhou where nothing says 宿州 or 抚州: many times as many enquiries come from there."""


def _is_abroad(country: str) -> bool:
    text = simplified(country)
    if _CHINESE.search(text):
        return _HOME_CHINESE.search(text) is None
    plain = letters(text)
    return len(plain) > 1 and "china" not in plain and plain not in _HOME and by_english(plain) is None


def _region(place: Place, basis: Literal["address", "company", "landline", "mobile"]) -> Region:
    return Region(province=place.province, city=place.city, basis=basis)


def _by_phone(fields: tuple[FieldValue, ...]) -> Region | None:
    by_line: dict[LineKind, Place] = {}
    for field in fields:
        if field.name != "phone" or not field.value:
            continue
        place = by_number(field.value)
        if place and not _is_placeholder(field, field.value):
            by_line.setdefault(_line(field.value), place)
    if place := by_line.get("landline"):
        return _region(place, "landline")
    if place := by_line.get("mobile"):
        return _region(place, "mobile")
    return None


def _line(value: str) -> LineKind:
    if value.startswith("+86"):  # only mobiles and Beijing (10) begin with 1
        return "mobile" if value[3] == "1" and value[4] != "0" else "landline"
    phone = parse_phone(value)
    return phone.line if phone else "unknown"


def _is_placeholder(field: FieldValue, e164: str) -> bool:
    """Tell whether nobody can be recognised by the number: 13800138000, 021-88888888.

    Those have few different digits, so that most numbers need not be looked at closely.
    """
    if len(set(e164[3:].partition(";")[0])) > 4:
        return False
    return all(one.trust == "none" for one in identifiers_of((field,)) if one.kind != "landline_name")


def _meant(names: Iterable[Candidates]) -> Place | None:
    """Return the place that a row of names agrees on, the first being the most telling.

    A later name makes it narrower, or is ignored if it lies elsewhere.
    """
    known: Candidates = {}
    for candidates in names:
        known = (_both(known, candidates) or known) if known else candidates
        if len(known) == 1 and (only := next(iter(known))).city:
            return only  # nothing later can make it narrower
    if not known:
        return None
    best = min(known.values())
    places = [place for place, strength in known.items() if strength == best]
    if len(places) == 1:
        return places[0]
    if len({place.province for place in places}) == 1:
        return Place(places[0].province, None)
    return next((place for place in places if place in LARGER and best == Strength.CITY), None)


def _both(known: Candidates, more: Candidates) -> Candidates:
    pairs: Candidates = {}
    for one, strength in known.items():
        for other, weaker in more.items():
            if one.province == other.province and (
                one.city == other.city or one.city is None or other.city is None
            ):
                pairs[Place(one.province, one.city or other.city)] = max(strength, weaker)
    return {place: strength for place, strength in pairs.items() if place.city} or pairs


def _stated(text: str) -> Iterator[Candidates]:
    text = simplified(text)
    if not _CHINESE.search(text):
        for segment in reversed(_SEGMENT.split(text)):  # from the general to the particular, as in Chinese
            yield from reversed(list(_english_names(segment)))
        return
    whole = text.strip()
    for run in _CHINESE_RUN.findall(text):
        weakest = Strength.SHORT_DISTRICT if run == whole else Strength.SHORT_COUNTY
        yield from _chinese_names(run.removeprefix("中华人民共和国").removeprefix("中国"), weakest)


def _in_company(name: str) -> Iterator[Candidates]:
    """Yield the places in brackets, which say where a branch is, then those at the start of the name."""
    name = simplified(name).strip()
    for part in (*_BRACKETS.findall(name), name):
        if _CHINESE.search(part):
            yield from _chinese_names(part, Strength.SHORT_TOWN, company=True)
        else:
            yield from _english_names(part, company=True)


def _chinese_names(text: str, weakest: Strength, *, company: bool = False) -> Iterator[Candidates]:
    """Yield the names that stand one after the other at the start of a text, each as long as can be.

    `weakest` is what may stand first and alone; after a larger place a district needs no ending.
    """
    start = 0
    while start < len(text):
        for end in range(start + reach(text[start : start + 2]), start + 1, -1):
            name = text[start:end]
            candidates = by_name(name)
            if candidates and _stands_alone(name, text[end : end + 6], company=company):
                break
        else:
            return
        limit = Strength.SHORT_DISTRICT if start and not company else weakest
        if not start and end < len(text):
            limit = min(limit, Strength.SHORT_COUNTY)
        kept = {place: strength for place, strength in candidates.items() if strength <= limit}
        if not kept or (company and name in BRANDS):
            return
        yield kept
        start = end


def _stands_alone(name: str, rest: str, *, company: bool) -> bool:
    if name[-1] in "省市区县盟旗" or name.endswith("自治州"):
        return True
    if rest.startswith(_OTHER_WORD.get(name, ())):
        return False
    if (_ELSE_IN_COMPANY if company else _ELSE_IN_ADDRESS).match(rest):
        return False
    unit = (_UNIT_IN_COMPANY if company else _UNIT_IN_ADDRESS).match(rest)
    return unit is None or by_name(rest[:2]) is not None  # 江苏镇江, 宁波镇海


def _english_names(text: str, *, company: bool = False) -> Iterator[Candidates]:
    words = [letters(word) for word in _WORD.findall(text)]
    whole = "".join(words)
    start = 0
    while start < len(words):
        for end in range(min(len(words), start + LONGEST_ENGLISH), start, -1):
            name = "".join(words[start:end])
            candidates = by_english(name)
            word_too = name in _WORD_ENGLISH and (company or name != whole)
            if candidates and not word_too and not _is_street(words[end : end + 2], company=company):
                yield candidates
                start = end
                break
        else:
            if company:
                return
            start += 1


def _is_street(after: list[str], *, company: bool) -> bool:
    if len(after) > 1 and after[0] in _DIRECTION:
        after = after[1:]
    return bool(after) and (after[0] in _STREET_WORD or (not company and after[0] in _HOUSE_WORD))
