"""What the columns of a list are: by the names they have in Chinese and English, or as a person said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Literal, get_args

from ingest.lists.table import ListRefused, Row
from ingest.web.form import FIELD_OF
from schemas.lead import FieldName

Extra = Literal[
    "owner", "since", "last_contact", "last_order", "stage", "next", "date", "campaign", "list_row", "ignore"
]
Target = FieldName | Extra
TARGETS: tuple[str, ...] = (*get_args(FieldName), *get_args(Extra))
"""What a column may be read as."""

HEADER_WITHIN = 30
"""Titles, notes and empty lines above the header; what comes later is data."""

_MORE: Mapping[Target, str] = {
    "full_name": "联系人姓名 客户姓名 客户联系人 联系人名称 person contactperson fullname contactname 称谓姓名 访客 访客姓名 attendee visitor",
    "company": "客户 客户名称 客户全称 公司全称 所属公司 工作单位 展商 单位全称 account accountname customer customername firm employer companyname",
    "job_title": "职称 岗位 jobtitle role function",
    "phone": "手机1 手机2 手机号1 手机号2 电话1 电话2 移动电话 座机 固话 固定电话 办公电话 公司电话 单位电话 联系方式 手机联系方式 联系手机 "
    "mobilephone mobileno mobilenumber cellphone phoneno phonenumber telno telephonenumber landline officephone workphone businessphone phone1 phone2 微信手机号",
    "email": "email1 email2 email地址 邮件地址 电子邮件地址 邮箱地址 emailaddress e-mailaddress workemail businessemail",
    "address": "公司地址 通讯地址 联系地址 收货地址 街道 streetaddress mailingaddress",
    "city": "所在城市 地市 城市名 town",
    "region": "省市 所在省 所属省份 所在省份 省/市 区域 stateprovince",
    "postcode": "邮政编码 zipcode postalcode",
    "country": "国家/地区 countryregion",
    "website": "公司网址 官网 web",
    "tax_id": "纳税人识别号 社会信用代码 税务登记号 信用代码 taxno taxnumber vatnumber vatid",
    "product": "产品名称 感兴趣的产品 意向车型 购买产品 需求产品 意向产品线 productofinterest products",
    "industry": "所属行业 行业类别 sector branch",
    "subject": "主题 标题 subject",
    "message": "跟进记录 跟进内容 备注信息 说明 描述 沟通记录 历史记录 需求描述 客户需求 留言内容 备注1 notes remark remarks history requirements",
    "heard_of_us": "来源 客户来源 线索来源 渠道来源 leadsource source",
    "owner": "负责人 业务员 销售 销售员 销售代表 所属销售 归属人 跟进人 客户经理 归属销售 负责销售 业务负责人 接待人 "
    "owner salesperson salesrep representative rep accountowner accountmanager assignedto leadowner ownercode owneremail 负责人工号 负责人邮箱",
    "since": "创建时间 建档时间 建档日期 创建日期 成为客户时间 合作开始 首次合作 首次联系 首次成交 录入时间 since created createddate createdat customersince firstcontact",
    "last_contact": "最后联系 最近联系 最后跟进 最近跟进 上次联系 最后联系时间 最近联系时间 最后跟进时间 最近跟进时间 最后联系日期 最近联系日期 跟进时间 上次跟进时间 "
    "lastcontact lastcontacted lastactivity lastactivitydate lasttouch lastcontactdate",
    "last_order": "最后下单 最近下单 最近订单 上次订单 最近成交 最后成交 最近成交时间 最后成交时间 最后下单时间 最近下单时间 成交时间 成交日期 最后订单 "
    "lastorder lastorderdate lastpurchase lastpurchasedate",
    "stage": "阶段 状态 客户状态 客户阶段 跟进状态 跟进阶段 客户级别 客户等级 stage status leadstatus accountstatus",
    "next": "下次联系 下次跟进 下次联系时间 下次跟进时间 下次跟进日期 下次联系日期 计划联系 计划时间 nextcontact nextdate nextstep nextaction followup followupdate nextfollowup nextactivity",
    "date": "时间 日期 提交时间 提交日期 登记时间 线索时间 表单时间 填写时间 来访时间 扫码时间 date datetime time submitted submittedat submissiontime leadtime scannedat",
    "campaign": "活动 市场活动 活动名称 推广计划 计划名称 广告计划 展会 展会名称 campaign campaignname event eventname",
    "list_row": "leadflow_row",
    "ignore": "序号 编号 行号 no. no # id leadflow_code leadflow_hint leadid customerid",
}  # fmt: skip


def column_key(header: str) -> str:
    """Return the form in which a column's name is compared: width, case, spaces and signs around it do not count."""
    text = unicodedata.normalize("NFKC", header).casefold()
    return _SIGNS.sub("", _BRACKETS.sub("", text)) or text.strip()


_BRACKETS = re.compile(r"\([^)]*\)|\[[^]]*\]")
_SIGNS = re.compile(r"[\s*:_\-.'\"\ufeff]+")


def _known() -> dict[str, Target]:
    found: dict[str, Target] = {}
    for name, field in FIELD_OF.items():
        found[column_key(name)] = field
    for target, names in _MORE.items():
        for name in names.split():
            found[column_key(name)] = target
    for name in TARGETS:
        found.setdefault(column_key(name), name)  # type: ignore[arg-type]
    return found


_KNOWN = _known()


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a list: its row, its columns' names (each once), and what is read from each; None for what nobody knows."""

    number: int
    names: tuple[str, ...]
    targets: tuple[Target | None, ...]

    @property
    def place(self) -> int | None:
        """Return which column says where a row stood in the list that it was refused from; None if none does."""
        return self.targets.index("list_row") if "list_row" in self.targets else None

    @property
    def mapping(self) -> dict[str, str]:
        """By name of the column what it is read as; what nobody knows is kept as it is, under its own name."""
        return {name: target or "other" for name, target in zip(self.names, self.targets, strict=True)}


def find_header(rows: Sequence[Row], said: Mapping[str, str]) -> Header:
    """Return the header among the first rows: of those that name most columns, the first. Raises ListRefused.

    `said`: by column_key, what a person said that a column is.
    """
    best: Header | None = None
    for row in rows[:HEADER_WITHIN]:
        header = _header(row, said)
        if _worth(header) > (0 if best is None else _worth(best)):
            best = header
    if best is None:
        raise ListRefused(
            "no_header",
            "No row names its columns.",
            "Write a first row such as name, phone, company, or say what a column is: --map 'COLUMN=phone'.",
            "没有找到表头；请加一行表头（如：姓名、手机、公司），或用 --map '列名=phone' 指定。",
        )
    return best


def unknown_header(rows: Sequence[Row]) -> Header | None:
    """Return what is most likely the header where nobody knows any column; None if every row is empty.

    The first row with more than half as many cells as the fullest: a title above a table fills one.
    """
    filled = [sum(map(bool, row.cells)) for row in rows[:HEADER_WITHIN]]
    enough = max(filled, default=0)
    found = next(
        (row for row, count in zip(rows, filled, strict=False) if count and 2 * count > enough), None
    )
    return None if found is None else _header(found, {})


def _worth(header: Header) -> int:
    named = [one for one in header.targets if one not in (None, "ignore")]
    reachable = any(one in ("phone", "email", "company", "full_name", "tax_id") for one in named)
    return len(named) if reachable else 0


def _header(row: Row, said: Mapping[str, str]) -> Header:
    names: list[str] = []
    for at, cell in enumerate(row.cells):
        name = cell or f"#{at + 1}"
        names.append(name if name not in names else f"{name} ({at + 1})")
    targets = tuple([_target(cell, said) for cell in row.cells])
    return Header(row.number, tuple(names), targets)


def _target(cell: str, said: Mapping[str, str]) -> Target | None:
    key = column_key(cell)
    if not key:
        return None
    told = said.get(key)
    return told if told in TARGETS else _KNOWN.get(key)  # type: ignore[return-value]


def read_said(pairs: Sequence[str]) -> dict[str, str]:
    """Return what a person said of columns, as `COLUMN=TARGET` each, by column_key. Raises ListRefused."""
    said: dict[str, str] = {}
    for pair in pairs:
        name, sign, target = pair.rpartition("=")
        if not sign or not name.strip() or target.strip() not in TARGETS:
            raise ListRefused(
                "bad_mapping",
                f"{pair[:80]!r} says of no column what it is.",
                f"Write COLUMN=TARGET; targets are {', '.join(TARGETS)}.",
                f"请写成 列名=字段；字段有：{'、'.join(TARGETS)}。",
            )
        said[column_key(name)] = target.strip()
    return said


@lru_cache(maxsize=64)
def targets_of(names: tuple[str, ...]) -> tuple[Target, ...]:
    """Return what columns of these names are read as when nobody says otherwise."""
    return tuple(_KNOWN.get(column_key(name)) or "other" for name in names)


def after_header(first: Sequence[Row], rest: Iterator[Row], header: Header) -> Iterator[Row]:
    """Return the rows below the header, of those read to find it and of the others."""
    return chain((row for row in first if row.number > header.number), rest)
