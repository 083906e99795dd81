"""A rule as a sentence in Chinese or English, made from the same tree that decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from router.besides import Besides, IfOwned
from router.book import Rule
from router.strategies import strategy_named
from schemas.base import Language
from schemas.company import Company
from schemas.facts import SCORED_FACTS
from schemas.moves import AutoRule
from schemas.unary import Exactly, Starts, UnaryTest, Within, scalar_text

FACT_WORDS: Mapping[str, tuple[str, str]] = {
    "channel": ("the channel", "渠道"),
    "source": ("the source", "来源"),
    "campaign": ("the campaign", "市场活动"),
    "product_line": ("the product line", "产品线"),
    "product": ("the product", "产品"),
    "industry": ("the industry", "行业"),
    "territory": ("the territory", "片区"),
    "province": ("the province", "省份"),
    "city": ("the city", "城市"),
    "customer_kind": ("the kind of customer", "客户类型"),
    "language": ("the language", "语言"),
    "junk": ("the junk score", "疑似无效分"),
    "message_length": ("the length of the message", "留言字数"),
    "came_on": ("the day it came", "到达日期"),
    "score": ("the score", "评分"),
    "grade": ("the grade", "等级"),
    "kind": ("the kind of customer", "客户类型"),
    "leads": ("the number of leads", "线索数"),
    "days_silent": ("the number of days without a lead", "无新线索天数"),
    "holder": ("the owner", "负责人"),
    "complete": ("the share of known fields", "资料完整度"),
    "owner_team": ("the owner's team", "负责人所在团队"),
    "owner_department": ("the owner's department", "负责人所在部门"),
    "late_minutes": ("the number of working minutes a task is late", "待办超时工作分钟"),
    "idle_days": ("the number of working days without a touch", "未跟进工作日"),
    "over_cap": ("the number of customers above the owner's cap", "超出负责人上限的客户数"),
    "outcome": ("the last outcome", "最近一次结果"),
}
"""What a rule or an automatic move may ask about, but for what is yes or no; in English and Chinese."""
_YES_NO: Mapping[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "call_missed": (("it is a missed call", "是漏接来电"), ("it is no missed call", "不是漏接来电")),
    "new_customer": (("the customer is new", "是新客户"), ("the customer is known", "是老客户")),
    "has_name": (("a name was given", "留了姓名"), ("no name was given", "未留姓名")),
    "has_company": (("a company was given", "留了公司"), ("no company was given", "未留公司")),
    "has_phone": (("a telephone was given", "留了电话"), ("no telephone was given", "未留电话")),
    "has_email": (("a mail address was given", "留了邮箱"), ("no mail address was given", "未留邮箱")),
}
"""By fact: said of yes, and of no; each in English and Chinese."""


def sentence(rule: Rule, language: Language, company: Company | None = None) -> str:
    """Return a rule as one sentence; with a company, in the names that it uses."""
    names = _Names(company, language)
    conditions = [_condition(column, test, names) for column, _, test in rule.row.tests]
    then = _results(rule, names)
    if language == "zh":
        return (f"如果{'，且'.join(conditions)}，则" if conditions else "其余线索") + "，".join(then) + "。"
    joined = f"If {' and '.join(conditions)}, it " if conditions else "Whatever is left "
    return joined + ", ".join(then) + "."


def move_sentence(rule: AutoRule, language: Language, company: Company | None = None) -> str:
    """Return an automatic move as one sentence; with a company, in the names that it uses."""
    names = _Names(company, language)
    conditions = [_condition(column, test, names) for column, _, test in rule.row.tests]
    target = names.of("then_collaborators", rule.target)
    if language == "zh":
        return f"当{'，且'.join(conditions)}时，改派给 {target}。"
    return f"When {' and '.join(conditions)}, it moves to {target}."


class _Names:
    """The names that a company has for its codes, in one language."""

    def __init__(self, company: Company | None, language: Language) -> None:
        self.language: Language = language
        self._by_column: dict[str, Mapping[str, str]] = {}
        if company is None:
            return
        of = "name_zh" if language == "zh" else "name_en"
        units = {key: getattr(one, of) for key, one in company.units.items()}
        self._by_column = {
            "then_pool": {key: getattr(one, of) for key, one in company.pools.items()},
            "then_collaborators": {
                **{
                    key: one.name if language == "zh" else one.name_en or one.name
                    for key, one in company.people.items()
                },
                **units,
            },
            **dict.fromkeys(("owner_team", "owner_department"), units),
            "then_team": units,
            "product_line": {key: getattr(one, of) for key, one in company.lines.items()},
            "product": {key: getattr(one, of) for key, one in company.products.items()},
            "campaign": {key: getattr(one, of) for key, one in company.campaigns.items()},
            "territory": {key: getattr(one, of) for key, one in company.territories.items()},
            "industry": {one.industry_id: getattr(one, of) for one in company.industries_of()},
            "source": {key: str(one["name"]) for key, one in company.sources.items()},
        }

    def of(self, column: str, value: str) -> str:
        return self._by_column.get(column, {}).get(value, value)

    def tell(self, en: str, zh: str) -> str:
        return zh if self.language == "zh" else en


def _condition(column: str, test: UnaryTest, names: _Names) -> str:
    if (said := _YES_NO.get(column)) and len(test.items) == 1 and isinstance(test.items[0], Exactly):
        value = test.items[0].value
        if value:
            return names.tell(*said[(value == "no") is not test.negated])
    subject = names.tell(*FACT_WORDS.get(column, said[0] if said else (column, column)))
    exact = [item.value for item in test.items if isinstance(item, Exactly)]
    starts = [item.prefix for item in test.items if isinstance(item, Starts)]
    within = [item for item in test.items if isinstance(item, Within)]
    phrases = []
    if known := [names.of(column, value) for value in exact if value]:
        phrases.append(_is(known, test.negated, names))
    if starts:
        phrases.append(_starts(starts, test.negated, names))
    is_day = SCORED_FACTS.get(column) == "date"
    phrases += (_lies(item, is_day, test.negated, names) for item in within)
    if "" in exact:
        phrases.append(names.tell("is known", "已知") if test.negated else names.tell("is unknown", "未知"))
    joint = names.tell(" and ", "且") if test.negated else names.tell(" or ", "或")
    return subject + names.tell(" ", "") + joint.join(phrases)


def _is(values: Sequence[str], negated: bool, names: _Names) -> str:
    if names.language == "zh":
        return f"{'不是' if negated else '是'} {_either(values, ' 或 ', '、')}"
    if negated and len(values) > 1:
        return f"is neither {_either(values, ' nor ', ', ')}"
    return f"is {'not ' if negated else ''}{_either(values, ' or ', ', ')}"


def _starts(prefixes: Sequence[str], negated: bool, names: _Names) -> str:
    if names.language == "zh":
        return f"{'不' if negated else ''}以 {_either(prefixes, ' 或 ', '、')} 开头"
    verb = "does not start with" if negated else "starts with"
    return f"{verb} {_either(prefixes, ' or ', ', ')}"


def _lies(item: Within, is_day: bool, negated: bool, names: _Names) -> str:
    low, high = scalar_text(item.low), scalar_text(item.high)
    if item.low == item.high:
        return names.tell(f"is {'not ' if negated else ''}{low}", f"{'不' if negated else ''}是 {low}")
    if item.low is not None and item.high is not None:
        en, zh = f"from {low} to {high}", f"在 {low} 到 {high} 之间"
        without = [bound for bound, with_it in ((low, item.with_low), (high, item.with_high)) if not with_it]
        if without:
            en += f" ({_either(without, ' and ', ', ')} excluded)"
            zh += f"（不含 {_either(without, ' 和 ', '、')}）"
        return names.tell(f"is {'not ' if negated else ''}{en}", f"{'不' if negated else ''}{zh}")
    form = (item.low is not None, item.with_low and item.with_high, is_day)
    en, zh = _ONE_SIDED[form]
    bound = low or high
    if negated:
        return names.tell(f"is not {en} {bound}", f"不符合“{zh} {bound}”")
    return names.tell(f"is {en} {bound}", f"{zh} {bound}")


_ONE_SIDED: Mapping[tuple[bool, bool, bool], tuple[str, str]] = {
    (True, True, False): ("at least", "不小于"),
    (True, False, False): ("over", "大于"),
    (False, True, False): ("at most", "不大于"),
    (False, False, False): ("below", "小于"),
    (True, True, True): ("on or after", "不早于"),
    (True, False, True): ("after", "晚于"),
    (False, True, True): ("on or before", "不晚于"),
    (False, False, True): ("before", "早于"),
}
"""Whether it is a lower bound, belongs to it, and is a day: in English and Chinese."""


def _either(values: Sequence[str], last: str, between: str) -> str:
    return last.join(filter(None, (between.join(values[:-1]), values[-1])))


def _results(rule: Rule, names: _Names) -> Iterable[str]:
    team = names.of("then_team", rule.team)
    to = names.tell(f"to {team}", f"分给 {team}")
    if rule.pool:
        pool = names.of("then_pool", rule.pool)
        to = names.tell(f"to the open pool {pool}", f"放入公海 {pool}")
    if rule.goes_on:
        yield names.tell(f"goes on in table {rule.goes_on}", f"转到规则表 {rule.goes_on} 继续")
        if rule.goes_to:
            yield names.tell(f"and {to} if no rule there takes it", f"那里没有规则接收时{to}")
    else:
        yield names.tell(f"goes {to}", to)
    if rule.strategy:
        if (minutes := strategy_named(rule.strategy).call_minutes) is None:
            yield names.tell(f"shared out by {rule.strategy}", f"按 {rule.strategy} 方式分配")
        else:
            yield names.tell(
                f"to whoever takes it first within {minutes} minutes, then by turn",
                f"{minutes} 分钟内先接单者得，过时按顺序分配",
            )
    if rule.respond_within_minutes is not None:
        minutes = rule.respond_within_minutes
        yield names.tell(
            f"with the first response within {minutes} working minutes", f"{minutes} 个工作分钟内首次响应"
        )
    yield from _besides(rule.besides, names)


def _besides(besides: Besides, names: _Names) -> Iterable[str]:
    """Yield what else follows, a part each."""
    if besides.priority is not None:
        zh = {"high": "高", "normal": "普通", "low": "低"}[besides.priority]
        yield names.tell(f"with {besides.priority} priority", f"优先级{zh}")
    if besides.playbook is not None:
        yield names.tell(f"by playbook {besides.playbook}", f"按方案 {besides.playbook} 跟进")
    if besides.protect_days is not None:
        days = besides.protect_days
        yield names.tell(f"protected for {days} days", f"保护 {days} 天")
    if besides.collaborators:
        who = [names.of("then_collaborators", one) for one in besides.collaborators]
        yield names.tell(f"with {_either(who, ' and ', ', ')} working on it, too", f"由{'、'.join(who)}协作")
    if besides.if_owned is not None:
        yield names.tell(*_IF_OWNED[besides.if_owned])


_IF_OWNED: Mapping[IfOwned, tuple[str, str]] = {
    "collaborate": (
        "and works on it, too, if another department has the customer",
        "如客户已由其他部门负责则协作",
    ),
    "ask": (
        "and a manager decides if another department has the customer",
        "如客户已由其他部门负责则由主管裁定",
    ),
}
"""What becomes of a customer that somebody of another department has: in English and Chinese."""
