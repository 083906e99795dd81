"""Key-value mails: what a form mailer or an orderly person writes as `姓名：张三` or `Name: …`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from ingest.email.fields import Found
from schemas.lead import FieldName

_SYNONYMS: dict[FieldName, str] = {
    "full_name": "姓名 您的姓名 联系人 联系人姓名 称呼 您的称呼 客户姓名 姓名全称 聯絡人 name|full name|your name|contact name"
    "|contact person|customer name|contact",
    "given_name": "名字 名 first name|firstname|given name",
    "family_name": "姓 姓氏 last name|lastname|surname|family name",
    "salutation": "尊称 salutation",
    "company": "公司 公司名称 您的公司 单位 单位名称 企业名称 企业 客户公司 公司名稱 company|company name|organization"
    "|organisation|your company|business name|firm",
    "job_title": "职务 职位 职称 岗位 job title|position|your position|title|role",
    "phone": "电话 手机 手机号 手机号码 联系电话 电话号码 联系方式 您的电话 移动电话 座机 固定电话 固话 電話 手機 phone"
    "|phone number|telephone|tel|mobile|mobile number|mobile phone|cell|cell phone|cellphone|contact number|your phone"
    "|whatsapp|contact no",
    "email": "邮箱 电子邮箱 电子邮件 邮件 邮箱地址 您的邮箱 信箱 電子郵件 email|e-mail|email address|e-mail address"
    "|your email|mail",
    "address": "地址 联系地址 详细地址 公司地址 通讯地址 address|street address|company address|street",
    "city": "城市 所在城市 市 city|town",
    "region": "省份 省 地区 所在地区 所在省份 省市 region|state|province|state/province",
    "postcode": "邮编 邮政编码 zip|zip code|postcode|postal code",
    "country": "国家 国家/地区 country|country/region",
    "website": "网址 网站 公司网址 website|web site|url|homepage",
    "tax_id": "税号 纳税人识别号 统一社会信用代码 tax id|vat number|vat id",
    "product": "产品 产品名称 意向产品 咨询产品 产品型号 型号 感兴趣的产品 询价产品 产品意向 product|product name|products"
    "|product interest|product of interest|interested in|model",
    "industry": "行业 所属行业 industry|sector",
    "subject": "主题 标题 subject",
    "message": "留言 留言内容 内容 咨询内容 需求 需求描述 您的需求 备注 说明 问题 询价内容 信息 message|message body|your message"
    "|comments|comment|enquiry|inquiry|question|requirements|requirement|notes|remarks|details|description",
    "heard_of_us": "来源 从何得知 您从哪里了解到我们 了解渠道 如何得知我们 how did you hear about us|how did you hear of us"
    "|how did you find us|source",
}


def _normal(label: str) -> str:
    """Return a label as the table knows it: no width, case, decoration or `(required)`."""
    plain = unicodedata.normalize("NFKC", label).casefold()
    plain = re.sub(r"[(\[](?:必填|选填|required|optional|\*)[)\]]", "", plain)
    plain = plain.strip(" \t*#•·-【】[]<>()_\"'").replace("_", " ")
    return re.sub(r"(?<=[\u4e00-\u9fff])\s+(?=[\u4e00-\u9fff])", "", " ".join(plain.split()))


def _table() -> dict[str, FieldName]:
    table: dict[str, FieldName] = {}
    for name, words in _SYNONYMS.items():
        chinese = [word for word in words.split() if not word[0].isascii()]
        english = re.sub("|".join(sorted(map(re.escape, chinese), key=len, reverse=True)), "", words)
        for label in [*chinese, *english.split("|")]:
            if label.strip():
                table[_normal(label)] = name
    return table


_TABLE = _table()
_PERSONAL: set[FieldName] = {"full_name", "given_name", "family_name", "company"}
_TOPICAL: set[FieldName] = {"message", "product"}
_REACHING: set[FieldName] = {"phone", "email"}
_LINE = re.compile(r"^[\s>*•·\-【\[]{0,10}([^:：\t\n]{1,60}?)[\s】\]*]{0,10}(?:[:：]|\t)[ \t*]*(.*)$")
_ZH_LABELS = "|".join(sorted((word for word in _TABLE if not word.isascii()), key=len, reverse=True))
_EN_LABELS = "|".join(sorted((re.escape(word) for word in _TABLE if word.isascii()), key=len, reverse=True))
_NEXT_LABEL = re.compile(
    rf"(?:(?<=\s)|(?<=[,，;；、|/]))(?P<zh>{_ZH_LABELS})\s?[:：]\s?"
    rf"|(?:(?<=\s\s)|(?<=[\t,;|])|(?<=[,;|]\s))(?P<en>{_EN_LABELS})\s?[:：]\s?",
    re.IGNORECASE,
)
_DELIMITER = re.compile(r"^\s*(?:--|[-_=*—]{3,})\s*$")


def form_fields(
    text: str, own_labels: Mapping[str, FieldName], *, keep_unknown: bool = False
) -> tuple[Found, ...]:
    """Return what a key-value mail says, each with the origin `body:<label as received>`.

    Empty if the text is no form: it is one if it names two different fields, of which one is a person, a
    company, a product or a wish. `own_labels` are the source's own labels and win over the built-in ones;
    with `keep_unknown` a label that neither knows becomes `other`.
    """
    table = {**_TABLE, **{_normal(label): name for label, name in own_labels.items()}}
    found = tuple(_read(text, table, keep_unknown))
    names = {item.name for item in found if item.name != "other"}
    is_form = len(names) >= 2 and bool(names & (_PERSONAL | _TOPICAL))
    return found if is_form else ()


def reaches_someone(found: tuple[Found, ...]) -> bool:
    """Say whether the fields of a form name a way to reach the person: a phone or an address."""
    return any(item.name in _REACHING for item in found)


def without_footer(found: tuple[Found, ...]) -> tuple[Found, ...]:
    """Leave out what repeats a field below the message: the numbers in the signature of whoever typed it in."""
    end = next((index + 1 for index, item in enumerate(found) if item.name == "message"), len(found))
    above = {item.name for item in found[:end]}
    return (*found[:end], *(item for item in found[end:] if item.name not in above))


def _read(text: str, table: Mapping[str, FieldName], keep_unknown: bool) -> Iterator[Found]:
    open_label = ""
    open_name: FieldName | None = None
    lines: list[str] = []
    for line in [*text.split("\n"), "--"]:
        pairs = list(_pairs(line, table, keep_unknown and open_name != "message"))
        if not pairs and _DELIMITER.match(line) is None:
            if open_name == "message" or (open_name and not any(lines)):
                lines.append(line.strip())
            continue
        if open_name and "\n".join(lines).strip():
            yield Found(open_name, "\n".join(lines), f"body:{open_label}", _other(open_name, open_label))
        open_name = None
        for label, name, value in pairs[:-1]:
            yield Found(name, value, f"body:{label}", _other(name, label))
        if pairs:
            open_label, open_name, value = pairs[-1]
            lines = [value]


def _pairs(
    line: str, table: Mapping[str, FieldName], keep_unknown: bool
) -> Iterator[tuple[str, FieldName, str]]:
    """Yield (label, field, value) of a line; several labels may share it."""
    found = _LINE.match(line[:4_000])
    if found is None:
        return
    label, rest = found[1].strip(), found[2]
    name = _lookup(label, table)
    if (
        name is None
        and keep_unknown
        and len(label) <= 40
        and not label.lower().startswith(("http", "mailto"))
    ):
        name = "other"
    if name is None:
        return
    while name != "message" and (following := _NEXT_LABEL.search(rest)):
        yield label, name, rest[: following.start()].strip(" \t,，;；、|/")
        label = following["zh"] or following["en"]
        name = table.get(_normal(label), "other")
        rest = rest[following.end() :]
    yield label, name, rest.strip()


def _lookup(label: str, table: Mapping[str, FieldName]) -> FieldName | None:
    whole = _normal(label)
    if whole in table:
        return table[whole]
    pieces = re.split(r"[/()|]|(?<=[\u4e00-\u9fff])\s+(?=[a-z])|(?<=[a-z])\s+(?=[\u4e00-\u9fff])", whole)
    known = [table[piece.strip()] for piece in pieces if piece.strip() in table]
    return known[0] if known and len(pieces) <= 3 else None


def _other(name: FieldName, label: str) -> str | None:
    return label if name == "other" else None
