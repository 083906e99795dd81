"""Random rule books and leads, as a company with branches and product lines has them; nothing of it is real."""

from __future__ import annotations

import csv
import io
from random import Random

PROVINCES = (
    "北京 天津 河北 山西 内蒙古 辽宁 吉林 黑龙江 上海 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 广西 海南 "
    "重庆 四川 贵州 云南 西藏 陕西 甘肃 青海 宁夏 新疆 台湾 香港 澳门"
).split()
CHANNELS = ("web", "email", "cti", "counter")
_WORDS: dict[str, tuple[str, ...]] = {
    "channel": CHANNELS,
    "source": tuple(f"site-{number}" for number in range(12)),
    "campaign": tuple(f"campaign-{number}" for number in range(60)),
    "product_line": tuple(f"line-{number}" for number in range(10)),
    "industry": tuple(f"industry-{number}" for number in range(22)),
    "province": tuple(PROVINCES),
    "language": ("zh", "en"),
    "new_customer": ("yes", "no"),
}
_NUMBERS = ("score", "junk")
COLUMNS = (*_WORDS, *_NUMBERS)
_SAID = {
    "channel": 0.3, "source": 0.4, "campaign": 0.3, "product_line": 1, "industry": 0.5, "province": 1,
    "language": 0.2, "new_customer": 0.2, "score": 0.4, "junk": 0.2,
}  # fmt: skip
"""How often a rule says something of a column: always what and where, so that rules far down are met, too."""


def random_book(random: Random, rules: int) -> str:
    """Return the CSV of a rule book; its last rule takes what no other does, as that of any company."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["rule", *COLUMNS, "then_team"])
    for number in range(rules - 1):
        cells = [_cell(random, column) if random.random() < _SAID[column] else "" for column in COLUMNS]
        writer.writerow([f"rule-{number}", *cells, f"team-{random.randrange(40)}"])
    writer.writerow(["rest", *("" for _ in COLUMNS), "team-0"])
    return out.getvalue()


def random_facts(random: Random) -> dict[str, str]:
    """Return the facts of a lead; one in ten of each is unknown, but for the numbers."""
    said = {column: random.choice(words) if random.random() < 0.9 else "" for column, words in _WORDS.items()}
    return {**said, **{column: str(random.randrange(101)) for column in _NUMBERS}}


def _cell(random: Random, column: str) -> str:
    if column in _NUMBERS:
        low = random.randrange(80)
        return random.choice(
            (f">= {low}", f"< {100 - low}", f"[{low}..{low + 20}]", f"not([{low}..{low + 20}])")
        )
    words = _WORDS[column]
    some = random.sample(words, min(len(words) - 1, random.choice((1, 1, 1, 2, 3))))
    form = random.random()
    if column == "province" and form < 0.5:
        return ", ".join(f"{one}*" for one in some)
    if _SAID[column] == 1:
        return ", ".join(some)
    if form > 0.95:
        return random.choice(("null", "not(null)"))
    return f"not({', '.join(some)})" if form > 0.9 else ", ".join(some)
