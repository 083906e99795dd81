"""The word lists of the match model: what is a surname, a title, a legal form, and what says nothing by itself."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nicknames import NickNamer

COMPOUND_SURNAMES = frozenset(
    """
    欧阳 上官 司马 诸葛 东方 独孤 南宫 夏侯 皇甫 尉迟 公孙 慕容 令狐 司徒 长孙 宇文 轩辕 端木 百里 呼延 东郭 南门 西门
    濮阳 淳于 单于 太史 申屠 公羊 赫连 钟离 宗政 闻人 澹台 公冶 仲孙 鲜于 司空 司寇 第五 拓跋 完颜 万俟 左丘 贺兰 范姜
    """.split()
)

SURNAME_VARIANTS = {
    "萧": "肖",
    "阎": "闫",
    "傅": "付",
    "戴": "代",
    "邱": "丘",
    "蓝": "兰",
    "於": "于",
    "沉": "沈",
    "锺": "钟",
}
"""A surname as some registers write it, and the commoner writing: the simplifications of 1977 stayed in many."""

SURNAME_READINGS = {
    "单": "shan", "曾": "zeng", "仇": "qiu", "解": "xie", "查": "zha", "任": "ren", "盖": "ge", "朴": "piao",
    "区": "ou", "尉迟": "yuchi", "万俟": "moqi", "翟": "zhai", "乐": "yue", "种": "chong", "缪": "miao", "覃": "qin",
    "洗": "xian", "繁": "po", "折": "she", "黑": "he", "葛": "ge", "华": "hua", "秘": "bi", "员": "yun", "燕": "yan",
    "单于": "chanyu", "澹台": "tantai", "长孙": "zhangsun", "令狐": "linghu", "贾": "jia", "柏": "bai", "召": "shao",
}  # fmt: skip
"""Surnames that are read otherwise than the same character elsewhere."""

TITLES = frozenset(
    """
    mr mrs ms miss mister madam sir dr prof professor herr frau hr fr dipl ing mag dott sig sra
    phd md mba esq monsieur madame mme mlle señor señora
    """.split()
)

GENERATIONS = frozenset({"jr", "sr", "junior", "senior", "ii", "iii", "iv"})
"""What tells a father from a son of the same name."""

LEGAL_FORMS = frozenset(
    """
    co company companies corp corporation inc incorporated ltd limited llc llp lp plc pllc pc
    gmbh mbh ag kg kgaa ohg gbr ug ek ev se eg sa sas sarl sasu eurl sci snc spa srl sl slu sc
    nv bv cv vof cvba bvba sprl ab aktiebolag as asa aps oy oyj kk kabushiki kaisha yk gk pty pte sdn bhd
    sp zoo spzoo sro as doo dd ooo oao zao pao jsc ojsc cjsc ltda me eireli kft rt zrt nyrt aktiengesellschaft
    gesellschaft beschraenkter haftung mit beschränkter und the of and et
    """.split()
)
"""Words that name a legal form (zh in `CHINESE_LEGAL_FORMS`), or only join."""

CHINESE_LEGAL_FORMS = (
    "股份有限责任公司", "有限责任公司", "股份有限公司", "集团有限公司", "控股有限公司", "有限公司", "有限合伙企业", "有限合伙",
    "合伙企业", "个人独资企业", "股份公司", "总公司", "集团公司", "公司", "集团", "控股", "株式会社", "事务所", "普通合伙", "特殊普通合伙",
)  # fmt: skip
BRANCH_ENDINGS = (
    "分公司",
    "办事处",
    "分店",
    "分行",
    "支行",
    "分院",
    "分校",
    "营业部",
    "营业厅",
    "经营部",
    "门店",
    "分厂",
    "分部",
    "代表处",
    "事业部",
)

INSTITUTIONS = (
    "大学", "学院", "学校", "中学", "小学", "幼儿园", "医院", "卫生院", "银行", "信用社", "委员会", "人民政府", "政府", "法院",
    "检察院", "公安局", "税务局", "管理局", "局", "图书馆", "博物馆", "电视台", "报社", "机场", "供电公司", "自来水公司",
)  # fmt: skip
"""What a place has one of: there the place is the name (北京大学) and not where the company is."""

NO_COMPANY = frozenset(
    """
    个体 个体户 个体工商户 个体经营 个体经营者 个人 私人 家庭 家庭用户 自由职业 自由职业者 学生 无业 待业 退休 无单位 无公司 没有公司
    没有单位 暂无公司 单位 公司
    """.split()
) | {"self employed", "self-employed", "freelance", "freelancer", "private", "private person", "individual", "student",
     "retired", "unemployed", "home", "personal", "n/a", "no company", "company", "my company"}  # fmt: skip
"""What people write who buy for no company."""

GENERIC_CHINESE = (
    "计算机系统", "计算机科技", "计算机技术", "计算机网络", "计算机",
    "信息技术", "网络科技", "网络技术", "信息科技", "电子商务", "电子科技", "生物科技", "智能科技", "科技发展", "文化传媒", "国际贸易",
    "进出口", "供应链管理", "企业管理", "投资管理", "商务咨询", "管理咨询", "房地产开发", "物业管理", "人力资源", "机械设备", "自动化设备",
    "装饰工程", "建筑工程", "环保科技", "医疗器械", "汽车销售", "软件", "科技", "技术", "信息", "网络", "电子", "商务", "贸易", "商贸",
    "实业", "发展", "工业", "工贸", "制造", "设备", "机械", "机电", "电气", "电器", "仪器", "仪表", "自动化", "智能", "材料", "新材料",
    "化工", "医药", "药业", "生物", "医疗", "器械", "食品", "餐饮", "酒店", "农业", "服饰", "服装", "纺织", "家具", "家居", "装饰",
    "建材", "建筑", "建设", "工程", "置业", "房地产", "地产", "物业", "投资", "资产", "资本", "金融", "保险", "证券", "基金", "管理",
    "咨询", "顾问", "服务", "策划", "广告", "文化", "传媒", "传播", "影视", "教育", "培训", "体育", "旅游", "旅行社", "物流", "运输",
    "货运", "供应链", "国际", "中国", "全国", "汽车", "能源", "新能源", "电力", "环保", "环境", "通信", "通讯", "数码", "数据",
    "系统", "控制", "五金", "塑料", "包装", "印刷", "印务", "日用品", "百货", "超市", "销售", "经营", "开发", "研究院", "研究所",
    "设计院", "设计", "中心", "厂", "店", "部", "工作室", "企业", "产业", "股份", "集团", "控股", "商行", "商店", "经销",
)  # fmt: skip
"""What many companies share of their names: it joins nothing. Taken off the end, the longest first."""

GENERIC_LATIN = frozenset(
    """
    technology technologies technical tech techno info information informatics infotech system systems solution
    solutions service services software digital data network networks net online web internet computer computers
    computing electronics electronic electric electrical engineering international intl global worldwide group
    groupe gruppe holding holdings trading trade traders import export industry industries industrial industrie
    manufacturing mfg products product production equipment machinery machine machines materials chemical chemicals
    pharma pharmaceutical pharmaceuticals medical health healthcare bio biotech biotechnology sciences science
    research development consulting consultants consultancy management marketing media design studio studios
    enterprise enterprises business ventures partners associates agency capital investment investments finance
    financial insurance real estate property properties construction building builders logistics transport
    transportation shipping supply chain energy power automotive auto motors food foods restaurant hotel travel
    education training institute center centre university college association foundation new general national
    american european asia asian pacific china chinese deutsche deutschland germany france usa uk us america
    europe north south east west central first united
    """.split()
)

FREE_LOCAL = frozenset(
    """
    a b c aa abc admin contact hello hi info mail me my name none null office root sales service support team test user
    web webmaster
    """.split()
)
"""What stands before the @ with so many people that it recognises nobody."""

ROAD_WORDS = {
    "road": "rd", "street": "st", "avenue": "ave", "lane": "ln", "boulevard": "blvd", "drive": "dr", "court": "ct",
    "place": "pl", "square": "sq", "building": "bldg", "floor": "fl", "suite": "ste", "apartment": "apt", "north": "n",
    "south": "s", "east": "e", "west": "w", "highway": "hwy", "straße": "str", "strasse": "str", "terrace": "tce",
    "crescent": "cres", "close": "cl", "circuit": "cct", "parade": "pde", "saint": "st", "mount": "mt",
}  # fmt: skip


@cache
def _nicknames() -> NickNamer:
    from nicknames import NickNamer

    return NickNamer()


def full_forms(given: str) -> tuple[str, ...]:
    """Return the names that a given name can be short for, and itself: bob → bert, bob, bobby, robert."""
    return tuple(sorted({given, *_nicknames().canonicals_of(given)}))


@cache
def _known_given_names() -> frozenset[str]:
    names = _nicknames()
    return frozenset(names.nickname_lookup) | frozenset(names.canonical_lookup)


def is_given_name(word: str) -> bool:
    """Tell whether a word is a given name by itself: Mark and Mary are two, and no slip of each other."""
    return word in _known_given_names()
