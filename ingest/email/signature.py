"""The block under a mail's words: who writes, as what, for whom, and how to reach them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.email.fields import Found
from ingest.email.phones import find_phones
from schemas.lead import FieldName

_LOOK_BACK = 25
"""Lines from the end in which a sign-off may stand."""

_LINE_CHARS = 400
_BLOCK = 12
"""Longest signature, in lines that are not empty."""

_END_OF_SENTENCE = ("。", "！", "？", "!", "?", "：", ",", "，")
_DELIMITER = re.compile(r"^\s*(?:--|—{1,4}|–{2,4}|[-_=*]{3,80})\s*$")
_SIGN_OFF = re.compile(
    r"^\s*(?:(?:best|kind|warm|many)?\s*(?:regards|wishes|thanks)|thanks(?: (?:and|&) (?:best )?regards)?|thank you"
    r"|sincerely(?: yours)?|yours (?:sincerely|faithfully|truly)|cheers|br|此致\s*敬礼|此致|敬礼|祝好|祝商祺|顺颂商祺"
    r"|顺祝商祺|商祺|谢谢|谢谢您|多谢|感谢|盼复|敬上|謝謝|順頌商祺)\s*[!！,，.。~～]*\s*$",
    re.IGNORECASE,
)
_COMPANY = re.compile(
    r"[\w（）()·&\-. ]{0,60}?(?:有限责任公司|股份有限公司|有限公司|股份公司|集团公司|集团|公司|事务所|研究院|研究所"
    r"|制造厂|机械厂|工厂|商行|经营部)(?:[\w（）()]{0,20}(?:分公司|办事处))?"
    r"|[A-Z][\w&.,'\- ()]{1,80}?,?\s?\b(?:Co\.?,? ?Ltd|Company Limited|Limited|Ltd|Inc|LLC|LLP|PLC|Corp(?:oration)?|GmbH"
    r"|AG|S\.?A\.?|B\.?V\.?|Pty|Pte\.? Ltd|Group)\b\.?"
)
_TITLE = re.compile(
    r"(?![^\n]{0,20}[我您你请要需的])[\w（）()&/·\- ]{0,15}(?:经理|总监|主管|主任|工程师|采购|采购员|总裁|董事|董事长|部长"
    r"|课长|科长|专员|助理|厂长|秘书|主席|店长|经办人?|工程師|經理|採購)"
    r"|(?=.{0,60}\b(?:manager|director|engineer|officer|head of|president|buyer|purchas\w{1,8}|procurement|sourcing"
    r"|supervisor|assistant|specialist|executive|founder|owner|partner|consultant|coordinator|c[eftom]o)\b)"
    r"[A-Z][\w&,/.'\-() ]{1,58}",
    re.IGNORECASE,
)
_CHINESE_NAME = re.compile(r"[\u4e00-\u9fff]{2,4}(?:·[\u4e00-\u9fff]{1,8})?")
_LATIN_NAME = re.compile(r"(?:[A-ZÀ-Þ][\w'’.-]{0,20} ){0,3}[A-ZÀ-Þ][\w'’.-]{1,20}(?: \([\w ]{1,20}\))?")
_NO_NAME = re.compile(r"\d{5}|@|https?:|[。！？!?]|您好|你好|谢谢|請問|请问")
"""Lines of numbers, of addresses, and of running text hold neither a name nor a title."""

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}", re.ASCII)
_WEBSITE = re.compile(
    r"(?<![\w@.])(?:https?://|www\.)[\w.-]{3,100}(?:/[\w./-]{0,100})?", re.ASCII | re.IGNORECASE
)
_LABELLED: tuple[tuple[FieldName, re.Pattern[str]], ...] = (
    (
        "company",
        re.compile(r"^\s*(?:公司|公司名称|单位|公司名稱|company)\s*[:：]\s*(.{2,200})", re.IGNORECASE),
    ),
    ("job_title", re.compile(r"^\s*(?:职务|职位|職稱|title|position)\s*[:：]\s*(.{2,100})", re.IGNORECASE)),
    (
        "address",
        re.compile(
            r"^\s*(?:地\s*址|公司地址|办公地址|add(?:ress)?|a)\s*(?:[:：]|\.\s?[:：]?)\s*(.{4,300})",
            re.IGNORECASE,
        ),
    ),
)


def split_signature(text: str) -> tuple[str, str]:
    """Split a text into what is said and the signature under a sign-off or a line such as `-- `.

    Without such a line nothing is split off: better a name too many in the message than a wish lost.
    """
    lines = text.split("\n")
    for index in range(len(lines) - 1, max(len(lines) - _LOOK_BACK, -1), -1):
        delimiter = _DELIMITER.match(lines[index]) is not None
        if not delimiter and _SIGN_OFF.match(lines[index]) is None:
            continue
        below = [line for line in lines[index + 1 :] if line.strip()]
        if below and len(below) <= _BLOCK:
            return "\n".join(lines[: index if delimiter else index + 1]).rstrip(), "\n".join(below)
    return text, ""


def last_block(text: str) -> str:
    """Return the last paragraphs of short lines if they look like a signature: for mails without a sign-off."""
    block: list[str] = []
    for line in reversed(text.split("\n")):
        if len(line) > 90 or len(block) == _BLOCK or line.rstrip().endswith(_END_OF_SENTENCE):
            break
        if line.strip():
            block.insert(0, line)
        elif _telling(block):
            break
    return "\n".join(block) if len(block) <= _BLOCK and _telling(block) else ""


def signature_fields(block: str) -> Iterator[Found]:
    """Yield what a signature says, all with the origin `signature`."""
    lines = [line.strip(" \t|*")[:_LINE_CHARS] for line in block.split("\n") if line.strip()][:_BLOCK]
    for index, line in enumerate(lines):
        labelled = [(name, found[1]) for name, pattern in _LABELLED if (found := pattern.match(line))]
        for name, value in labelled:
            yield Found(name, value, "signature")
        if not labelled:
            yield from _plain_line(line, may_be_name=index < 2)
        for phone in find_phones(line):
            yield Found("phone", phone.received, "signature")
        for email in _EMAIL.findall(line):
            yield Found("email", email, "signature")
        for website in _WEBSITE.findall(line):
            yield Found("website", website, "signature")


def _plain_line(line: str, *, may_be_name: bool) -> Iterator[Found]:
    """Read a line such as `张三 | 采购经理 | 苏州…有限公司`, or one of these alone."""
    if _NO_NAME.search(line):
        return
    for part in re.split(r"\s*[|｜/／•]\s*|\s{2,}|\t|(?<=[\u4e00-\u9fff])[ ,，](?=[\u4e00-\u9fff])", line):
        piece = part.strip(" ,，;；")
        if company := _COMPANY.fullmatch(piece):
            yield Found("company", company[0].strip(" ,，"), "signature")
        elif _TITLE.fullmatch(piece):
            yield Found("job_title", piece, "signature")
        elif may_be_name and (_CHINESE_NAME.fullmatch(piece) or _LATIN_NAME.fullmatch(piece)):
            yield Found("full_name", piece, "signature")
            may_be_name = False


def is_company(text: str) -> bool:
    """Say whether a text is a company's name by its ending, such as `有限公司` or `Co., Ltd`."""
    return len(text) <= 200 and _COMPANY.fullmatch(text.strip()) is not None


def _telling(block: list[str]) -> bool:
    said = {found.name for found in signature_fields("\n".join(block))}
    return len(said & {"phone", "company", "job_title"}) >= 2
