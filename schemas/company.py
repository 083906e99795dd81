"""The company as data: who works where, who is away, what is sold, and the rule book in force.

A `Company` is the whole of it at one version, read once and shared by every decision of a batch. The pure
look-ups at the end say what the company's own lists make of a lead: campaign, product line, territory.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Generic, Literal, TypeVar, get_args

from pydantic import Field, field_validator

from schemas.base import Frozen, Language, Micros
from schemas.lead import CampaignHint, FieldName
from schemas.pools import Pool

T = TypeVar("T")
UnitKind = Literal["company", "branch", "department", "team"]
AliasKind = Literal["utm", "click", "tag", "dialled", "list", "heard"]
ALIAS_KINDS: tuple[AliasKind, ...] = get_args(AliasKind)
Matching = Literal["off", "review", "join"]
ChoiceList = Literal["outcome", "return", "no_need", "not_a_lead", "move", "nurture"]
"""The lists to choose from: outcomes of a task, and the reasons for a return, a lost lead, a move."""


class Unit(Frozen):
    """A node of the organisation: company → branch → department → team."""

    unit_id: str
    parent_id: str | None = None
    kind: UnitKind
    name_zh: str
    name_en: str
    manager_id: str | None = None
    language: Language | None = None
    zone: str | None = None
    calendar_id: str | None = None


Role = Literal["representative", "manager", "marketing", "front_desk", "operations", "auditor"]
"""What somebody may see and do on the pages: docs/access.md has it route by route."""


class Person(Frozen):
    """Somebody who can own customers. Who left stays on record with state `left`."""

    person_id: str
    name: str
    name_en: str | None = None
    email: str | None = None
    phone: str | None = None
    extension: str | None = None
    desk_code: str | None = Field(None, description="Two digits, to say who types at a shared PC")
    language: Language = "zh"
    calendar_id: str | None = None
    state: Literal["active", "left"] = "active"
    skills: tuple[str, ...] = Field(
        (), description="What they know best: codes of products, lines, industries, campaigns, or places"
    )
    languages: tuple[Language, ...] = Field((), description="They talk with customers in; empty: any")
    lines: tuple[str, ...] = Field((), description="Product lines they sell; empty: all")
    territories: tuple[str, ...] = Field((), description="Territories they work in; empty: all")
    open_cap: int | None = Field(None, ge=0, description="Open customers from which on they get none by rule")
    day_cap: int | None = Field(
        None, ge=0, description="Leads in one day from which on they get none by rule"
    )
    opening_minutes: int = Field(0, ge=0, description="Nothing new so long after their work begins")
    closing_minutes: int = Field(0, ge=0, description="Nothing new so long before their work ends")
    roles: tuple[Role, ...] = Field(
        (), description="On the pages; empty: manager for who manages a unit, else representative"
    )

    @property
    def is_capped(self) -> bool:
        """Tell whether there is a number from which on they get none by rule."""
        return self.open_cap is not None or self.day_cap is not None


class Member(Frozen):
    """A person's place in a unit, from and to a date, with their share of what the unit receives."""

    unit_id: str
    person_id: str
    from_us: Micros
    to_us: Micros | None = None
    share: int = Field(1, ge=0, description="Weight in the unit's turn; 0 receives nothing new")


class Absence(Frozen):
    """A stretch of time in which a person is away, and who stands in."""

    person_id: str
    from_us: Micros
    to_us: Micros
    stand_in_id: str | None = None


class ProductLine(Frozen):
    """A line of products that leads are routed by, with the words by which people ask for it."""

    line_id: str
    name_zh: str
    name_en: str
    aliases: tuple[str, ...] = ()


class Product(Frozen):
    """One product of a line."""

    product_id: str
    line_id: str
    name_zh: str
    name_en: str
    aliases: tuple[str, ...] = ()


class Industry(Frozen):
    """An industry that customers are in, with the words by which a company's name or message shows it."""

    industry_id: str
    name_zh: str
    name_en: str
    aliases: tuple[str, ...] = ()


class Alias(Frozen):
    """One name under which a campaign arrives at a door, as a person wrote it down."""

    kind: AliasKind
    value: str


class Campaign(Frozen):
    """A market campaign, and every name under which its leads come in."""

    campaign_id: str
    name_zh: str
    name_en: str
    aliases: tuple[Alias, ...] = ()

    @field_validator("aliases")
    @classmethod
    def _by_door(cls, aliases: tuple[Alias, ...]) -> tuple[Alias, ...]:
        return tuple(sorted(aliases, key=lambda one: ALIAS_KINDS.index(one.kind)))


class Place(Frozen):
    """A province, or one city of it (省/市)."""

    province: str
    city: str | None = None

    def __str__(self) -> str:
        return f"{self.province}/{self.city}" if self.city else self.province


class Territory(Frozen):
    """A sales territory of the company's own map (大区/片区), and the unit that works it."""

    territory_id: str
    name_zh: str
    name_en: str
    unit_id: str | None = None
    places: tuple[Place, ...] = ()


class Choice(Frozen):
    """One entry of a list that salespeople choose from. `outcome` codes are those of schemas.outcomes."""

    list: ChoiceList
    code: str
    name_zh: str
    name_en: str
    retry_minutes: tuple[int, ...] = Field(
        (), description="After this outcome, try again so much later (working time), one step a time"
    )
    wake_days: tuple[int, ...] = Field(
        (),
        description="Of `nurture`: a cadence; so many days until the customer wakes, the last again and again",
    )


def _listed(which: ChoiceList, *entries: tuple[str, str, str]) -> tuple[Choice, ...]:
    return tuple(Choice(list=which, code=code, name_zh=zh, name_en=en) for code, zh, en in entries)


BUILT_IN_CHOICES: tuple[Choice, ...] = (
    Choice(
        list="outcome",
        code="no_answer",
        name_zh="无人接听",
        name_en="No answer",
        retry_minutes=(60, 240, 480, 1440),
    ),
    *_listed(
        "outcome",
        ("interested", "有意向", "Interested"),
        ("later", "以后再联系", "Later"),
        ("no_need", "无需求", "No need"),
        ("wrong_number", "号码有误", "Wrong number"),
        ("not_a_lead", "不是线索", "Not a lead"),
        ("won", "成交", "Won"),
        ("nurture", "转入培育", "Not now: nurture"),
    ),
    *_listed(
        "return",
        ("other_region", "不属于我的片区", "Not my territory"),
        ("other_product", "不属于我的产品线", "Not my product line"),
        ("no_time", "暂时没有时间", "No time at present"),
        ("language", "语言不通", "Language"),
        ("leaving", "离职交接", "Leaving the company"),
    ),
    *_listed(
        "no_need",
        ("price", "价格过高", "Price"),
        ("competitor", "选了别家", "Chose a competitor"),
        ("no_budget", "没有预算", "No budget"),
        ("only_asking", "只是了解", "Only asking"),
    ),
    *_listed(
        "not_a_lead",
        ("supplier", "供应商推销", "Supplier"),
        ("job", "求职", "Job application"),
        ("service", "售后问题", "Service case"),
        ("nonsense", "无效内容", "Nonsense"),
    ),
    *_listed(
        "move",
        ("workload", "工作量调整", "Workload"),
        ("known_elsewhere", "客户原有联系人", "Known to a colleague"),
        ("territory_changed", "片区调整", "Territory changed"),
    ),
    Choice(
        list="nurture",
        code="no_plan",
        name_zh="暂无采购计划",
        name_en="No plans at present",
        wake_days=(30, 60, 90),
    ),
    Choice(
        list="nurture",
        code="next_budget",
        name_zh="等下一年预算",
        name_en="Next year's budget",
        wake_days=(90,),
    ),
    Choice(
        list="nurture",
        code="contract_runs",
        name_zh="现有合同未到期",
        name_en="A contract elsewhere still runs",
        wake_days=(180,),
    ),
)
"""What a company that has no list of its own chooses from."""


def _industry(industry_id: str, name_zh: str, name_en: str, words: str) -> Industry:
    return Industry(industry_id=industry_id, name_zh=name_zh, name_en=name_en, aliases=tuple(words.split()))


BUILT_IN_INDUSTRIES: tuple[Industry, ...] = (
    _industry("food", "食品饮料", "Food and drink", "食品 饮料 粮油 乳业 乳品 酒业 酿酒 啤酒 调味品 肉业 foods beverage beverages dairy brewery"),
    _industry("farming", "农林牧渔", "Farming", "农业 种业 牧业 养殖 饲料 林业 渔业 水产 farming farms agriculture agricultural"),
    _industry("chemistry", "化工", "Chemicals", "化学 涂料 塑料 橡胶 化纤 石化 chemical plastics rubber petrochemical"),
    _industry("pharma", "医药", "Pharmaceuticals", "药业 制药 生物制药 药房 中药 pharma pharmaceutical pharmacy"),
    _industry("health", "医疗", "Health care", "医院 诊所 医疗器械 口腔 hospital clinic medical healthcare"),
    _industry("metal", "金属制品", "Metals", "钢铁 钢材 铝业 铜业 五金 冶金 铸造 steel metals foundry aluminium"),
    _industry("machinery", "机械设备", "Machinery", "机械 机电 重工 装备 机床 自动化设备 数控 machinery machines equipment"),
    _industry("electronics", "电子电气", "Electronics", "电子 电气 电器 半导体 光电 芯片 集成电路 electronics electronic semiconductor electric"),
    _industry("automotive", "汽车", "Automotive", "汽车零部件 车业 汽配 新能源汽车 automotive automobile autoparts"),
    _industry("textile", "纺织服装", "Textiles", "纺织 服装 服饰 印染 针织 鞋业 textile textiles garment apparel"),
    _industry("paper", "造纸印刷包装", "Paper and packaging", "造纸 纸业 印刷 包装 paper printing packaging"),
    _industry("furniture", "家具建材", "Furniture and building materials", "家具 家居 建材 陶瓷 水泥 玻璃 门窗 furniture ceramics cement"),
    _industry("building", "建筑工程", "Construction", "建筑 建设 工程 装饰 土木 construction builders"),
    _industry("energy", "能源", "Energy", "电力 能源 光伏 风电 煤业 煤矿 石油 燃气 energy solar power mining"),
    _industry("logistics", "物流仓储", "Logistics", "物流 仓储 货运 快递 供应链 运输 港务 logistics warehousing freight shipping"),
    _industry("trade", "批发零售", "Wholesale and retail", "贸易 商贸 进出口 百货 超市 零售 批发 trading wholesale retail supermarket"),
    _industry("it", "信息技术", "Information technology", "软件 信息技术 网络科技 互联网 云计算 大数据 software internet"),
    _industry("education", "教育", "Education", "学校 大学 学院 中学 小学 幼儿园 培训 university school college education"),
    _industry("finance", "金融", "Finance", "银行 保险 证券 基金 担保 bank insurance securities"),
    _industry("catering", "餐饮酒店", "Hotels and restaurants", "餐饮 酒店 宾馆 饭店 餐厅 hotel hotels restaurant catering"),
    _industry("property", "房地产", "Property", "地产 房产 物业 置业 realty property"),
    _industry("public", "政府与公用事业", "Public sector", "政府 管委会 研究院 研究所 水务 government council ministry"),
)  # fmt: skip
"""What a company without a list of its own tells apart, after the sections of GB/T 4754-2017."""


class Company(Frozen):
    """Everything that decisions need of the company, at one version."""

    version: int
    name: str = "Leadflow"
    zone: str = "Asia/Shanghai"
    language: Language = "zh"
    default_queue: str = Field("default", description="Unit id of the queue of last resort")
    responsible_id: str | None = Field(None, description="Who answers for the default queue")
    first_response_minutes: int = 30
    undo_hours: int = Field(72, description="For so long moves and hand-overs can be undone as one")
    units: dict[str, Unit] = Field(default_factory=dict)
    people: dict[str, Person] = Field(default_factory=dict)
    members: tuple[Member, ...] = ()
    absences: tuple[Absence, ...] = ()
    lines: dict[str, ProductLine] = Field(default_factory=dict)
    products: dict[str, Product] = Field(default_factory=dict)
    industries: dict[str, Industry] = Field(
        default_factory=dict, description="The company's own; see `industries_of`"
    )
    score_csv: str | None = Field(None, description="The company's own table of points; see schemas.score")
    segments_csv: str | None = Field(None, description="Customer segments; see schemas.segments")
    moves_csv: str | None = Field(None, description="Automatic moves; see schemas.moves")
    auto_rest_days: int = Field(
        30, ge=1, description="So long no automatic move gives a customer back to whoever had it"
    )
    auto_moves_most: int = Field(2, ge=1, description="Automatic moves of one customer within that time")
    matching: Matching = Field(
        "join",
        description="What the match model may do: nothing, ask a person, or join by itself what is sure",
    )
    grades: tuple[int, int, int] = Field((70, 40, 15), description="Least points for grade A, B and C")
    required: tuple[FieldName, ...] = Field(
        ("full_name", "phone", "company", "city", "product"),
        description="What should be known of every customer; gaps are questions for the next contact",
    )
    campaigns: dict[str, Campaign] = Field(default_factory=dict)
    territories: dict[str, Territory] = Field(default_factory=dict)
    choices: tuple[Choice, ...] = Field((), description="The company's own lists; see `choices_of`")
    pools: dict[str, Pool] = Field(default_factory=dict, description="Open pools, in the order of their file")
    calendars: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Sources that are switched on"
    )
    sources_off: dict[str, dict[str, Any]] = Field(default_factory=dict)
    sinks: dict[str, dict[str, Any]] = Field(default_factory=dict, description="Sinks that are switched on")
    sinks_off: dict[str, dict[str, Any]] = Field(default_factory=dict)
    book_version: str | None = None
    book_csv: str | None = Field(None, description="The first table of the rule book; see router.book")
    book_tables: dict[str, str] = Field(
        default_factory=dict, description="Its further tables, as CSV by name"
    )
    book_examples: str | None = Field(None, description="Its pinned examples, as CSV; see router.examples")

    @property
    def is_demo(self) -> bool:
        """Tell whether this is an invented company: a source of it brings invented leads."""
        return any(source.get("purpose") == "demo" for source in self.sources.values())

    @field_validator("members")
    @classmethod
    def _in_order(cls, members: tuple[Member, ...]) -> tuple[Member, ...]:
        return tuple(sorted(members, key=lambda one: (one.unit_id, one.person_id, one.from_us)))

    @field_validator("absences")
    @classmethod
    def _by_time(cls, absences: tuple[Absence, ...]) -> tuple[Absence, ...]:
        return tuple(sorted(absences, key=lambda one: (one.person_id, one.from_us)))

    @field_validator("choices")
    @classmethod
    def _by_list(cls, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
        return tuple(sorted(choices, key=lambda one: get_args(ChoiceList).index(one.list)))

    def industries_of(self) -> tuple[Industry, ...]:
        """Return the industries to tell apart: the company's own, else the built-in ones."""
        return tuple(self.industries.values()) or BUILT_IN_INDUSTRIES

    def choices_of(self, which: ChoiceList) -> tuple[Choice, ...]:
        """Return a list to choose from, in its order: the company's own, else the built-in one."""
        own = tuple(one for one in self.choices if one.list == which)
        return own or tuple(one for one in BUILT_IN_CHOICES if one.list == which)


# --- what the company's lists make of a lead ----------------------------------------------------------

_TOLD_BEST: tuple[AliasKind, ...] = ("tag", "list", "dialled", "utm", "click", "heard")
"""Which hint is believed when several name campaigns: what a machine stated before what people remember."""

_MAX_TEXT = 20_000
_MAX_ALIAS = 80


def campaign_for(
    company: Company, hints: Iterable[CampaignHint], source_id: str
) -> tuple[str | None, tuple[CampaignHint, ...]]:
    """Return the campaign that a lead's hints name (else its source's own), and the hints nobody knows.

    An unknown hint comes back fit to be stored and counted: normalised, cut, a click id without its number,
    and what a person wrote in free text without long digits.
    """
    index = _index(company)
    found: dict[str, str] = {}
    unknown: dict[tuple[str, str], CampaignHint] = {}
    for hint in hints:
        key = alias_key(hint.kind, hint.value)
        if not key:
            continue
        campaign_id = index.campaigns.get((hint.kind, key))
        if campaign_id is not None:
            found.setdefault(hint.kind, campaign_id)
        else:
            value = _DIGITS.sub("…", key) if hint.kind == "heard" else key
            unknown.setdefault((hint.kind, value), CampaignHint(kind=hint.kind, value=value[:_MAX_ALIAS]))
    told = next((found[kind] for kind in _TOLD_BEST if kind in found), None)
    if told is None:
        told = (company.sources.get(source_id) or company.sources_off.get(source_id) or {}).get("campaign")
    return told, tuple(unknown.values())


def asked_for(company: Company, text: str) -> tuple[str | None, str | None]:
    """Return the product line and the product that a text asks for: the longest of all names found in it.

    Latin names count as whole words, Chinese ones wherever they stand. Of two equally long the first. A line
    that is named as such leaves the product open.
    """
    words = _index(company).products
    return words.longest(text) or (None, None)


def stood_in_for(company: Company, person_id: str, at_us: int) -> frozenset[str]:
    """Return those who work here and are away at a moment while this person stands in for them."""
    return frozenset(
        one.person_id
        for one in company.absences
        if one.stand_in_id == person_id
        and one.from_us <= at_us < one.to_us
        and one.person_id in company.people
        and company.people[one.person_id].state == "active"
    )


def person_called(company: Company, text: str) -> str | None:
    """Return who is meant by a code, a mail address, a telephone number or a name that only one person has; None for nobody.

    Whoever has left is found, too: by their code and address, and by name when nobody else is called so.
    """
    return _index(company).people.get(_plain(text))


def industry_for(company: Company, texts: Iterable[str]) -> str | None:
    """Return the industry that the first of these texts shows which shows any, by its longest name found."""
    words = _index(company).industries
    return next((found for text in texts if (found := words.longest(text)) is not None), None)


def territory_for(company: Company, province: str | None, city: str | None) -> Territory | None:
    """Return the territory of a place by the company's own map: the city's own entry, else the province's."""
    if not province:
        return None
    places = _index(company).places
    whole = place_key(province)
    return (places.get((whole, place_key(city))) if city else None) or places.get((whole, ""))


def book_version(text: str, more: Mapping[str, str] | None = None) -> str:
    """Return the version of a rule book of one table, and of `more` by name: 12 hex characters of its digest.

    Its examples do not count: they say what it should do, and change nothing that it does.
    """
    digest = blake2b(text.encode(), digest_size=6)
    for name, table in sorted((more or {}).items()):
        digest.update(f"\0{name}\0{table}".encode())
    return digest.hexdigest()


def alias_key(kind: str, value: str) -> str:
    """Return the form in which an alias is compared: case, width and spaces do not count.

    A dialled number is its digits without country code and leading zeros; a click id is its name alone
    (`gclid`), since every click has another number.
    """
    text = _plain(value)
    if kind == "dialled":
        digits = _NO_DIGIT.sub("", text).removeprefix("00")
        return (digits.removeprefix("86") if len(digits) >= 12 else digits).lstrip("0")
    return text.partition("=")[0].strip() if kind == "click" else text


def place_key(name: str) -> str:
    """Return the form in which a province or city is compared: 江苏省 = 江苏, 广西壮族自治区 = 广西."""
    text = _plain(name)
    return _PLACE_ENDING.sub("", text) or text


def _plain(text: str) -> str:
    return _SPACES.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


_SPACES = re.compile(r"\s+")
_NO_DIGIT = re.compile(r"\D+")
_DIGITS = re.compile(r"\d[\d\s-]{3,}\d")
_PLACE_ENDING = re.compile(
    r"(?<=..)(?:特别行政区|(?:壮族|回族|维吾尔)?自治区|省|市|地区|盟|(?:[^\s]{1,3}族)*自治州|\s+(?:province|city))$"
)


@dataclass(frozen=True, slots=True)
class _Words(Generic[T]):
    """Names to be found in texts, each with what it stands for."""

    pattern: re.Pattern[str] | None
    meaning: dict[str, T]

    def longest(self, text: str) -> T | None:
        """Return what the longest name in a text stands for, of two equally long the first; None without any."""
        if self.pattern is None:
            return None
        best = ""
        for match in self.pattern.finditer(_plain(text[:_MAX_TEXT])):
            if len(match[0]) > len(best):
                best = match[0]
        return self.meaning[best] if best else None


@dataclass(frozen=True, slots=True)
class _Index:
    company: Company
    campaigns: dict[tuple[str, str], str]
    products: _Words[tuple[str, str | None]]
    industries: _Words[str]
    places: dict[tuple[str, str], Territory]
    people: dict[str, str]


_last: list[_Index] = []
"""The index of the company asked about last. A batch asks about one company thousands of times."""


def _index(company: Company) -> _Index:
    for index in _last:
        if index.company is company:
            return index
    made = _made_index(company)
    _last[:] = [made]
    return made


def _made_index(company: Company) -> _Index:
    lines = [(one, (one.line_id, None)) for one in company.lines.values()]
    products = [(one, (one.line_id, one.product_id)) for one in company.products.values()]
    return _Index(
        company=company,
        campaigns={
            (alias.kind, alias_key(alias.kind, alias.value)): campaign.campaign_id
            for campaign in company.campaigns.values()
            for alias in campaign.aliases
        },
        products=_words([*lines, *products]),
        industries=_words((one, one.industry_id) for one in company.industries_of()),
        places={
            (place_key(place.province), place_key(place.city) if place.city else ""): territory
            for territory in company.territories.values()
            for place in territory.places
        },
        people=_people(company),
    )


def _people(company: Company) -> dict[str, str]:
    """Return person ids by what people are called; a name that two have means neither of them."""
    sure: dict[str, str] = {}
    called: dict[str, set[str]] = {}
    for one in sorted(company.people.values(), key=lambda each: each.state):
        sure.setdefault(_plain(one.person_id), one.person_id)
        for address in filter(None, (one.email, one.phone)):
            sure.setdefault(_plain(address), one.person_id)
        here = one.state == "active"
        for name in filter(None, (one.name, one.name_en)):
            if here or _plain(name) not in called:
                called.setdefault(_plain(name), set()).add(one.person_id)
    return {name: next(iter(who)) for name, who in called.items() if len(who) == 1} | sure


def _words(named: Iterable[tuple[ProductLine | Product | Industry, T]]) -> _Words[T]:
    meaning: dict[str, T] = {}
    for one, stands_for in named:
        for name in (one.name_zh, one.name_en, *one.aliases):
            meaning.setdefault(_plain(name), stands_for)
    meaning.pop("", None)
    # The longest alternative stands first, so that 电动搬运车 is not taken for 搬运车.
    words = [_word(name) for name in sorted(meaning, key=lambda name: (-len(name), name))]
    return _Words(re.compile("|".join(words)) if words else None, meaning)


def _word(name: str) -> str:
    before = r"(?<![a-z0-9])" if name[0].isascii() else ""
    after = r"(?![a-z0-9])" if name[-1].isascii() else ""
    return before + re.escape(name) + after
