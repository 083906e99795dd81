"""The places of China by name and by telephone number, from the files in enrich/data.

Names lead to candidates, since many places share one; which of them is meant is decided in enrich/region.py.
"""

from __future__ import annotations

import re
import sys
import zlib
from array import array
from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import NamedTuple


class Strength(IntEnum):
    """How plainly a name stands for a place; the smaller, the plainer."""

    PROVINCE = 0
    CITY = 1
    COUNTY = 2
    """With its ending: 昆山市, 海淀区, 嘉善县."""
    SHORT_TOWN = 3
    """A county-level city without its ending: 昆山."""
    SHORT_COUNTY = 4
    SHORT_DISTRICT = 5
    """浦东, 朝阳: needs a province or city beside it, unless it is all that was said."""


class Place(NamedTuple):
    """A province (city None), or a city at prefecture level or directly under its province."""

    province: str
    city: str | None


Candidates = dict[Place, Strength]
"""The places that a name can mean."""

LONGEST_ENGLISH = 3
"""Words of the longest English name, such as Da Hinggan Ling."""

_TRADITIONAL = str.maketrans(
    "萬東豐臨麗義烏樂鄉雲亞侖倫餘蘭關興內岡軍農涼鳳則別勢區華衛廈縣雙臺後呂吳員鹹園圍國圖聖壇壢壩壯復頭婁學寧寶賓壽"
    "將爾嶼崗島巖嶺嶽峽巒峯廣莊慶庫廟開張彌歸彥懷恆揚撫鬥無晉樸來楊棗樹棲橋橫畢漢滄瀘澤濟濃溫灣滿濱濰潛煙愛獅瑪瓊鹽"
    "盤離紅納線紹結綏維綿綠羅肅腳節蕪蘆蘇荊榮蓮鶯營薩觀許貝貢貴賀資贛車邊遼達遷邁運遠連鄭鄲裏欽鐵銅銀錫鑼錦鎮長門間"
    "陽隴陝隨霧頂順頗風饒館馬駐魚魯鮮鳥雞鴨鶴鷹麥黃齊龍龜",
    "万东丰临丽义乌乐乡云亚仑伦余兰关兴内冈军农凉凤则别势区华卫厦县双台后吕吴员咸园围国图圣坛坜坝壮复头娄学宁宝宾寿"
    "将尔屿岗岛岩岭岳峡峦峰广庄庆库庙开张弥归彦怀恒扬抚斗无晋朴来杨枣树栖桥横毕汉沧泸泽济浓温湾满滨潍潜烟爱狮玛琼盐"
    "盘离红纳线绍结绥维绵绿罗肃脚节芜芦苏荆荣莲莺营萨观许贝贡贵贺资赣车边辽达迁迈运远连郑郸里钦铁铜银锡锣锦镇长门间"
    "阳陇陕随雾顶顺颇风饶馆马驻鱼鲁鲜鸟鸡鸭鹤鹰麦黄齐龙龟",
)
_NOT_LETTER = re.compile(r"[^a-z]+")
_PEOPLES = re.compile(r"(?:[\u4e00-\u9fff]{1,3}族)+自治[县旗]$")
_FIRST_BLOCK = 1_300_000

# The name is that of a smaller and of a larger place, and the smaller is what people more often mean (朝阳区 of
# Beijing), or it is a common word: it counts only beside its province.
_WEAK = frozenset("朝阳 合作 东方 永安 大安 新民 安宁 新星 双河 白杨 定安".split())


_ALSO = {
    "内蒙古": ("内蒙", "内蒙古省"),
    "广西": ("广西省",),
    "宁夏": ("宁夏省",),
    "新疆": ("新疆省",),
    "西藏": ("西藏省",),
}
"""What people write for a province that is not called so."""


def simplified(text: str) -> str:
    """Return the text with those traditional characters simplified that occur in names of places."""
    return text.translate(_TRADITIONAL)


def by_name(name: str) -> Candidates | None:
    """Return what a name in simplified Chinese can mean, with or without its ending; None if it is none."""
    return _chinese().get(name)


def reach(start: str) -> int:
    """Return the length of the longest Chinese name with these first two characters, 0 if there is none."""
    return _reaches().get(start, 0)


def by_english(name: str) -> Candidates | None:
    """Return what an English name of a province or city can mean, given by its `letters`; None if it is none."""
    return _english().get(name)


def letters(text: str) -> str:
    """Return the letters a to z of a text in lower case, ü as u."""
    return _NOT_LETTER.sub("", text.casefold().replace("ü", "u"))


def by_number(e164: str) -> Place | None:
    """Return where a Chinese number was given out, mobile or landline; None if that is not known.

    People keep their mobile number when they move, and an area code can serve several cities: then the city
    is None.
    """
    if not e164.startswith("+86"):
        return next((place for prefix, place in _ABROAD.items() if e164.startswith(prefix)), None)
    if e164[3:4] == "1" and e164[4:5] != "0":
        return _by_mobile(e164[3:10])
    codes = _landlines()
    return next((codes[e164[3:end]] for end in range(9, 4, -1) if e164[3:end] in codes), None)


_ABROAD = {"+852": Place("香港", "香港"), "+853": Place("澳门", "澳门"), "+886": Place("台湾", None)}


def _by_mobile(block: str) -> Place | None:
    number = int(block) - _FIRST_BLOCK if len(block) == 7 else -1
    homes, places = _mobiles()
    if not 0 <= number < len(homes) or not homes[number]:
        return None
    return places[homes[number] - 1]


def _read(name: str) -> bytes:
    return files("enrich").joinpath("data", name).read_bytes()


def _rows(name: str) -> Iterator[list[str]]:
    return (line.split("\t") for line in _read(name).decode().splitlines())


@cache
def _chinese() -> dict[str, Candidates]:
    names: dict[str, Candidates] = {}

    def add(name: str, place: Place, strength: Strength) -> None:
        if len(name) < 2:
            return
        if name in _WEAK and strength != Strength.PROVINCE:
            strength = Strength.SHORT_DISTRICT
        known = names.setdefault(name, {})
        known[place] = min(known.get(place, strength), strength)

    for province, whole, _, city, full, _, counties in _rows("places.tsv"):
        for name in (province, whole, *_ALSO.get(province, ())):
            add(name, Place(province, city if city == province != "吉林" else None), Strength.PROVINCE)
        place = Place(province, city)
        if not (city == province and full == whole):
            add(city, place, Strength.CITY)
            add(full, place, Strength.CITY)
            if full.endswith("自治州"):
                add(city + "州", place, Strength.CITY)
        for county in counties.split():
            # Districts of Taiwan share their names with many on the mainland (金山区), and are named there
            # with their city.
            add(county, place, Strength.SHORT_DISTRICT if province == "台湾" else Strength.COUNTY)
            add(*_short(county, place))
    return names


@cache
def _reaches() -> dict[str, int]:
    reaches: dict[str, int] = {}
    for name in _chinese():
        reaches[name[:2]] = max(len(name), reaches.get(name[:2], 0))
    return reaches


_SHORT = {
    "市": Strength.SHORT_TOWN,
    "县": Strength.SHORT_COUNTY,
    "旗": Strength.SHORT_COUNTY,
    "区": Strength.SHORT_DISTRICT,
}


def _short(county: str, place: Place) -> tuple[str, Place, Strength]:
    name = _PEOPLES.sub("", county)
    if name == county:
        name = county.removesuffix("新区") if county.endswith("新区") else county[:-1]
    return name, place, _SHORT.get(county[-1], Strength.SHORT_DISTRICT)


@cache
def _english() -> dict[str, Candidates]:
    names: dict[str, Candidates] = {}
    for province, whole, above, city, full, own, _ in _rows("places.tsv"):
        alone = city == province and full == whole
        for name in above.split(","):
            names.setdefault(letters(name), {})[Place(province, city if alone else None)] = Strength.PROVINCE
        for name in own.split(",") if own and not alone else ():
            names.setdefault(letters(name), {}).setdefault(Place(province, city), Strength.CITY)
    names["chaoyang"] = dict.fromkeys(names["chaoyang"], Strength.SHORT_DISTRICT)  # as 朝阳 in _WEAK
    return names


@cache
def _landlines() -> dict[str, Place]:
    return {code: Place(province, city or None) for code, province, city in _rows("landlines.tsv")}


@cache
def _mobiles() -> tuple[array[int], tuple[Place, ...]]:
    plain = zlib.decompress(_read("mobiles.bin"))
    half = len(plain) // 2
    pairs = bytearray(len(plain))
    pairs[0::2], pairs[1::2] = plain[:half], plain[half:]
    homes = array("H", bytes(pairs))
    if sys.byteorder == "big":
        homes.byteswap()
    return homes, tuple(Place(row[0], row[3]) for row in _rows("places.tsv"))
