"""Invented customers: the same number is always the same person.

No real person can be meant: mobile numbers begin with 154, which no operator has, landlines with a digit that no
local number begins with, and addresses end in `.example` or begin with `demo-`.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from schemas.base import Language

Line = Literal["forklift", "pallet", "agv"]


@dataclass(frozen=True, slots=True)
class Prospect:
    """Somebody who asks, and the firm they ask for; empty where they would not say."""

    number: int
    name: str
    phone: str
    email: str
    company: str
    province: str
    city: str
    language: Language
    line: Line


def dice(*parts: str | int) -> Random:
    """Return the random numbers that belong to `parts`: the same every time."""
    return Random("/".join(map(str, parts)))  # noqa: S311  # nothing secret is drawn


def prospect(seed: str, number: int) -> Prospect:
    """Invent the prospect with this number."""
    rng = dice(seed, "prospect", number)
    line: Line = rng.choices(("forklift", "pallet", "agv"), (52, 36, 12))[0]
    if rng.random() < 0.11:
        return _abroad(rng, number, line)
    province, city, area = _place(rng)
    name = _name(rng)
    brand, kind = rng.choice(_BRANDS), rng.choice(_KINDS)
    company = f"{city}{brand}{kind}有限公司" if rng.random() < 0.72 else ""
    domain = f"{_slug(number)}.example"
    phone = f"154{number % 100_000_000:08d}"
    if company and rng.random() < 0.12:
        phone = f"{area}-1{number % 10_000_000:07d}" + (
            f"转{rng.randint(800, 899)}" if rng.random() < 0.6 else ""
        )
    email = ""
    if company and rng.random() < 0.35:
        email = f"{rng.choice(_BOXES)}{number % 97}@{domain}"
    elif rng.random() < 0.25:
        email = f"demo-{number:05d}@{rng.choice(('qq.com', '163.com', '126.com'))}"
    return Prospect(number, name, phone, email, company, province, city, "zh", line)


def colleague(seed: str, first: Prospect, number: int) -> Prospect:
    """Invent a colleague of somebody: another person behind the same switchboard, in the same firm."""
    rng = dice(seed, "colleague", first.number, number)
    base = first.phone.partition("转")[0]
    phone = f"{base}转{900 + number}" if "-" in base else f"154{50_000_000 + first.number * 7 + number:08d}"
    local = f"{rng.choice(_BOXES)}.{number}"
    email = f"{local}@{first.email.partition('@')[2]}" if first.email.endswith(".example") else ""
    return Prospect(
        first.number, _name(rng), phone, email, first.company, first.province, first.city, "zh", first.line
    )


def namesake(seed: str, number: int) -> Prospect:
    """Invent a firm that has its name in common with others, in another city and with nothing else in common."""
    rng = dice(seed, "namesake", number)
    province, city, _ = _place(rng)
    phone = f"154{70_000_000 + number:08d}"
    return Prospect(number, _name(rng), phone, "", rng.choice(_SAME_NAMES), province, city, "zh", "forklift")


def message(rng: Random, line: Line, language: Language) -> str:
    """Return what somebody asks for."""
    text = rng.choice(_MESSAGES[language][line])
    return text.format(n=rng.randint(1, 12), t=rng.choice(("1.5", "2", "3", "3.5", "5")), m=rng.randint(3, 9))


def again(rng: Random, language: Language) -> str:
    """Return what somebody writes the second time."""
    return rng.choice(_AGAIN[language])


def _abroad(rng: Random, number: int, line: Line) -> Prospect:
    given, family = rng.choice(_GIVEN_EN), rng.choice(_FAMILY_EN)
    firm = f"{family if rng.random() < 0.4 else rng.choice(_FIRM_EN)} {rng.choice(_KIND_EN)}"
    domain = f"{_slug(number)}.example"
    email = f"{given.lower()}.{family.lower()}@{domain}"
    return Prospect(number, f"{given} {family}", "", email, firm, "", rng.choice(_CITY_EN), "en", line)


def _name(rng: Random) -> str:
    return rng.choice(_FAMILY) + "".join(rng.sample(_GIVEN, rng.choice((1, 2, 2))))


def _place(rng: Random) -> tuple[str, str, str]:
    weights = [place[3] for place in _PLACES]
    province, city, area, _ = rng.choices(_PLACES, weights)[0]
    return province, city, area


def _slug(number: int) -> str:
    return f"{_SYLLABLES[number % 31]}{_SYLLABLES[number // 31 % 31]}-{number}"


_SAME_NAMES = ("新华物资贸易有限公司", "恒通物流有限公司", "宏达机械设备有限公司")
_FAMILY = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂华建国志文斌辉鹏飞宇晨欣怡佳琪浩然子轩梦婷雪梅春燕海波晓东"
)
_BRANDS = "恒泰 鼎盛 华宇 信达 博远 金桥 宏图 天成 瑞丰 联创 中科 永兴 顺达 远航 嘉禾 东方 万通 百川 创新 佳友".split()
_KINDS = "物流 仓储 供应链管理 精密机械 食品 医药 电子科技 汽车零部件 包装材料 纺织 化工 建材 冷链 家具 电商 新能源".split()
_BOXES = "buyer caigou wuliu admin lee wang chen zhang office2 cangku".split()
_SYLLABLES = (
    "an bo chu da en fang guang hai jin kai lan ming nan ou ping qing rui sen tai wan xin yi zhong "
    "hong sheng yuan tong li he mei feng"
).split()
_PLACES = (
    ("上海市", "上海", "021", 14),
    ("江苏省", "苏州", "0512", 9),
    ("江苏省", "南京", "025", 6),
    ("江苏省", "无锡", "0510", 5),
    ("浙江省", "杭州", "0571", 7),
    ("浙江省", "宁波", "0574", 6),
    ("浙江", "嘉兴", "0573", 3),
    ("安徽省", "合肥", "0551", 4),
    ("广东省", "广州", "020", 7),
    ("广东省", "深圳", "0755", 8),
    ("广东", "佛山", "0757", 5),
    ("广东省", "东莞", "0769", 5),
    ("福建省", "厦门", "0592", 3),
    ("广西壮族自治区", "南宁", "0771", 2),
    ("北京市", "北京", "010", 7),
    ("天津市", "天津", "022", 4),
    ("河北省", "石家庄", "0311", 3),
    ("山东省", "青岛", "0532", 5),
    ("山东省", "济南", "0531", 3),
    ("辽宁省", "沈阳", "024", 3),
    ("四川省", "成都", "028", 6),
    ("重庆市", "重庆", "023", 4),
    ("陕西省", "西安", "029", 4),
    ("云南省", "昆明", "0871", 2),
    ("新疆维吾尔自治区", "乌鲁木齐", "0991", 1),
    ("湖北省", "武汉", "027", 6),
    ("湖南省", "长沙", "0731", 4),
    ("河南省", "郑州", "0371", 4),
    ("江西省", "南昌", "0791", 2),
)
"""Province as people write it, city, area code, and how often it comes."""
_GIVEN_EN = (
    "Anna Ben Carlos Diana Erik Fatima George Hannah Ivan Julia Kenji Laura Miguel Nadia Oscar Priya".split()
)
_FAMILY_EN = (
    "Andersen Baker Costa Dubois Eriksen Fischer Garcia Hansen Ivanov Jensen Keller Lopez Meyer Novak".split()
)
_FIRM_EN = "Northgate Baltic Harbour Summit Alpine Meridian Pacific Orion Sterling Delta".split()
_KIND_EN = ("Logistics", "Warehousing", "Foods", "Industrial Supply", "Distribution", "Freight", "Packaging")
_CITY_EN = (
    "Hamburg Rotterdam Manchester Valencia Gdansk Toronto Chicago Melbourne Dubai Singapore Bangkok".split()
)
_MESSAGES: dict[Language, dict[Line, tuple[str, ...]]] = {
    "zh": {
        "forklift": (
            "想买 {n} 台 {t} 吨电动叉车，室内使用，请报价。",
            "{t}吨叉车多少钱？含税含运费。",
            "我们仓库要换 {n} 台柴油叉车，能以旧换新吗？",
            "需要前移式叉车，举升高度 {m} 米，窄通道。",
            "咨询锂电叉车，每天两班，续航够不够？",
            "请寄叉车样本和价格表。",
        ),
        "pallet": (
            "要 {n} 台电动搬运车，载重 {t} 吨。",
            "手动地牛 {n} 台，什么时候能发货？",
            "步行式堆垛车，举升 {m} 米，请联系我。",
            "CBD15 现货有吗？",
            "仓库里用的托盘车，想先试用。",
        ),
        "agv": (
            "想了解无人叉车，仓库约 {n}000 平方米，{m} 条线路。",
            "立体库改造，需要 AGV 方案和预算。",
            "产线配送，{n} 台潜伏式机器人，请安排现场勘查。",
        ),
    },
    "en": {
        "forklift": (
            "Please quote for {n} electric forklifts, {t} t, CIF.",
            "We need a lithium counterbalance forklift, lift height {m} m.",
            "Are you looking for dealers for your diesel forklifts?",
        ),
        "pallet": (
            "Price for {n} hand pallet trucks and {m} stackers, please.",
            "Do you deliver electric pallet trucks with a CE certificate?",
        ),
        "agv": (
            "We plan warehouse automation with {n} AGVs. Can we have a call?",
            "Driverless forklift for pallets of {t} t: what is the lead time?",
        ),
    },
}
_AGAIN: dict[Language, tuple[str, ...]] = {
    "zh": (
        "上次咨询过，现在预算批下来了，请再报一次价。",
        "还没有收到报价，请尽快联系。",
        "另外还需要两台备用电池。",
        "我们要追加数量，请更新报价。",
    ),
    "en": (
        "We asked some time ago; the budget is approved now. Please quote again.",
        "No answer so far. Please get in touch.",
        "We also need two spare batteries.",
    ),
}
