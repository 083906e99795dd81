"""Mail to the person who has to act: text and HTML in their language, through the company's own relay.

It is marked so that no machine answers it and no door of ours takes it for a lead: `Auto-Submitted`
(RFC 3834), `X-Loop`, and a Message-ID made from the delivery's id, the same at every try.
"""

from __future__ import annotations

import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from schemas.base import Language, Priority
from schemas.outward import Assigned, is_new_lead
from schemas.sinks import HeldBy, ReadSettings
from sinks.net import is_loopback, utc
from sinks.port import Abilities, Answer, Kind, Later, Message, Never, Outside, Recipient, Taken

TIMEOUT_S = 15.0
"""For each step of the dialogue: a relay that greylists or looks up names takes some seconds."""
_SUBJECT_CHARS, _FIELD_CHARS = 60, 2_000
LISTED = 100
"""How many customers one mail lists, each with a link; of more it says how many."""


class Mail(ReadSettings):
    """A relay (smart host) and the address we write from."""

    relay: str = Field(description="Host of the mail server that passes our mail on")
    port: int = Field(587, ge=1, le=65535)
    tls: Literal["starttls", "implicit", "none"] = Field(
        "starttls", description="`implicit` is port 465; `none` only where the way to the relay is safe"
    )
    user: str | None = Field(None, description="Who we log in as; `secret` is the password")
    sender: str = Field(description="Address we write from")
    events: tuple[HeldBy, ...] = ("person",)

    @field_validator("sender")
    @classmethod
    def _is_address(cls, sender: str) -> str:
        if not is_address(sender):
            raise ValueError("write an address such as leadflow@haichuan.example")
        return sender

    @model_validator(mode="after")
    def _is_private(self) -> Mail:
        if self.user and self.tls == "none" and not is_loopback(self.relay):
            raise ValueError("a password needs tls beyond this machine")
        return self


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail and the one it is for."""

    to: str
    mail: EmailMessage


def render(sink: Mail, message: Message) -> Letter | None:
    """Return the mail in the recipient's language; None when there is nobody to write to any more."""
    person, assigned = message.recipient, message.assigned
    if person is None or not is_address(person.email):
        return None
    words = _WORDS[person.language]
    lines = _lines(message, person.language)
    count = sum(one.together for one in message.told)
    mail = addressed(
        sink,
        message.company,
        person,
        words[_kind(message)].format(who=_who(assigned) or words["nobody"], count=count),
        (message.delivery_id, utc(message.at_us)),
    )
    items = [_item(one, message, person.language) for one in message.told[:LISTED]] if message.more else []
    link = message.link or assigned.link
    text = "\n".join([*(f"{name}{words['colon']}{value}" for name, value in lines), ""])
    text += "".join(f"\n{number}. {line}\n{to or ''}\n" for number, (line, to) in enumerate(items, 1))
    more = words["more"].format(count=len(message.told) - LISTED) if len(message.told) > LISTED else ""
    text += f"\n{more}\n" if more else ""
    if link:
        text += f"\n{words['open']}{words['colon']}{link}\n"
    mail.set_content(text, cte="base64")
    listed = _html_list(items, more)
    mail.add_alternative(_html(lines, listed, link, words, person.language), subtype="html", cte="base64")
    return Letter(person.email, mail)


def _kind(message: Message) -> str:
    """Return the wording of the subject: of a lead, of news of a customer, of many."""
    if not message.more:
        if message.assigned.together > 1:
            return "many"
        return "subject" if is_new_lead(message.assigned) else "news"
    if all(is_new_lead(one) and one.together == 1 for one in message.told):
        return "leads"
    return "mixed"


def _item(assigned: Assigned, message: Message, language: Language) -> tuple[str, str | None]:
    """Return a customer of a list in one line, and where they are opened. No text of theirs at length: one that a relay
    takes for spam would have it refuse the others."""
    words, zone = _WORDS[language], ZoneInfo(message.zone)
    if assigned.together > 1:
        parts = [words["many"].format(count=assigned.together)]
    else:
        parts = [_who(assigned) or words["nobody"]]
        if assigned.lead is not None:
            fields = assigned.lead.fields
            shown = (fields.get(name, "") for name in ("phone", "city", "product"))
            parts += [_CHANNELS[language][assigned.lead.channel]]
            parts += [_one_line(one)[:_SUBJECT_CHARS] for one in shown if one]
    if not is_new_lead(assigned):
        parts.append(_WHY[language].get(assigned.why, assigned.why))
    if assigned.task is not None and assigned.together == 1:
        parts.append(f"{words['due']} {_clock(assigned.task.due, zone)}")
    return " · ".join(parts), assigned.link


def addressed(
    sink: Mail, company: str, person: Recipient, subject: str, stamp: tuple[str, datetime]
) -> EmailMessage:
    """Return a mail with its headers and nothing in it yet. `stamp`: what its Message-ID is made from, and its date."""
    mail = EmailMessage(policy=SMTP)
    made_from, moment = stamp
    domain = sink.sender.rpartition("@")[2]
    mail["From"] = Address(_one_line(company), addr_spec=sink.sender)
    mail["To"] = Address(_one_line(person.name), addr_spec=person.email)
    mail["Subject"] = _one_line(subject)[: _SUBJECT_CHARS * 2]
    mail["Date"] = format_datetime(moment)
    mail["Message-ID"] = f"<{made_from}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["X-Loop"] = sink.sender
    return mail


def is_address(text: str) -> bool:
    """Tell whether a mail can be addressed to a text as it stands: plain ASCII, as every relay takes it."""
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError, HeaderParseError):
        return False
    return bool(address.username and address.domain) and text.isascii() and not any(map(str.isspace, text))


def _lines(message: Message, language: Language) -> list[tuple[str, str]]:
    words, assigned = _WORDS[language], message.assigned
    zone = ZoneInfo(message.zone)
    holder = assigned.holder.name_en if language == "en" else assigned.holder.name
    lines = [(words["holder"], holder)]
    if message.more:
        return lines if len({one.holder.id for one in message.told}) == 1 else []
    if assigned.together > 1:  # of many, none alone: the inbox has them all
        return [
            *lines,
            (words["count"], str(assigned.together)),
            (words["why"], _WHY[language].get(assigned.why, assigned.why)),
        ]
    if assigned.task is not None:
        what = _TASKS[language].get(assigned.task.origin, assigned.task.origin)
        lines.append((words["due"], f"{_clock(assigned.task.due, zone)} ({what})"))
        if assigned.task.priority is not None:
            lines.append((words["priority"], _PRIORITIES[language][assigned.task.priority]))
        if assigned.task.playbook is not None:
            lines.append((words["playbook"], assigned.task.playbook))
    lines.append((words["why"], _WHY[language].get(assigned.why, assigned.why)))
    beside = [one.name_en if language == "en" else one.name for one in assigned.collaborators]
    if beside:
        lines.append((words["beside"], words["comma"].join(beside)))
    if (unit := assigned.claimed_by) is not None:
        name = unit.name_en if language == "en" else unit.name
        lines.append((words["claim"], name if beside else words["decides"].format(unit=name)))
    if assigned.protected_days is not None:
        lines.append((words["protected"], words["days"].format(days=assigned.protected_days)))
    if assigned.lead is not None:
        channel = _CHANNELS[language][assigned.lead.channel]
        lines.append((words["came"], f"{_clock(assigned.lead.accepted, zone)} · {channel}"))
        for name, value in assigned.lead.fields.items():
            if name in _FIELDS[language]:
                shown = value.strip() if name == "message" else _one_line(value)
                lines.append((_FIELDS[language][name], shown[:_FIELD_CHARS]))
    if assigned.ask_for:
        names = (_FIELDS[language] | _MORE_FIELDS[language]).get
        asked = (names(field, field) for field in assigned.ask_for)
        lines.append((words["ask"], words["comma"].join(asked)))
    return lines


def _html_list(items: list[tuple[str, str | None]], more: str) -> str:
    if not items:
        return ""
    shown = (f'<a href="{escape(to)}">{escape(line)}</a>' if to else escape(line) for line, to in items)
    rest = f"<p>{escape(more)}</p>" if more else ""
    return "<ol>" + "".join(f"<li>{one}</li>" for one in shown) + f"</ol>{rest}"


def _html(
    lines: list[tuple[str, str]], listed: str, link: str | None, words: dict[str, str], language: str
) -> str:
    rows = "".join(
        f'<tr><th align="left" valign="top">{escape(name)}</th>'
        f"<td>{escape(value).replace(chr(10), '<br>')}</td></tr>"
        for name, value in lines
    )
    button = f'<p><a href="{escape(link)}">{escape(words["open"])}</a></p>' if link else ""
    return (
        f'<!doctype html><html lang="{language}"><body>'
        f'<table cellpadding="4">{rows}</table>{listed}{button}</body></html>\n'
    )


def _who(assigned: Assigned) -> str:
    fields = assigned.lead.fields if assigned.lead else {}
    parts = (fields.get("full_name"), fields.get("company"))
    return _one_line(" · ".join(part for part in parts if part))[:_SUBJECT_CHARS]


def _one_line(text: str) -> str:
    """Return a text fit for a header or a table cell: controls and line ends become spaces."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _clock(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def send(sink: Mail, letter: Letter | None, _outside: Outside) -> Answer:
    """Hand a sink's mail to its relay, if there is still somebody to write to."""
    return Never("no_address") if letter is None else send_mail(sink, letter)


def send_mail(sink: Mail, letter: Letter) -> Answer:
    """Hand a mail to the relay. 5yz on this mail is for good; everything else comes again."""
    if sink.user and not sink.secret:
        return Later("no_secret")
    try:
        with _connected(sink) as relay:
            relay.send_message(letter.mail, sink.sender, [letter.to])
            return Taken("250")
    except smtplib.SMTPRecipientsRefused as refused:
        return _judge(next(iter(refused.recipients.values()))[0])
    except smtplib.SMTPAuthenticationError as refused:
        return Later("login_refused", str(refused.smtp_code))
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
        return _judge(refused.smtp_code)
    except smtplib.SMTPNotSupportedError:
        return Later("no_starttls")
    except ssl.SSLCertVerificationError:
        return Later("bad_certificate")
    except TimeoutError:
        return Later("timeout")
    except (smtplib.SMTPException, OSError):
        return Later("unreachable")


def _judge(status: int) -> Answer:
    return Never("refused", str(status)) if 500 <= status < 600 else Later("busy", str(status))


def _connected(sink: Mail) -> smtplib.SMTP:
    """Return a session with the relay: greeted, encrypted and logged in as the sink says."""
    if sink.tls == "implicit":
        context = ssl.create_default_context()
        session: smtplib.SMTP = smtplib.SMTP_SSL(sink.relay, sink.port, timeout=TIMEOUT_S, context=context)
    else:
        session = smtplib.SMTP(sink.relay, sink.port, timeout=TIMEOUT_S)
    try:
        if sink.tls == "starttls":
            session.starttls(context=ssl.create_default_context())
        if sink.user and sink.secret:
            session.login(sink.user, sink.secret)
    except BaseException:
        session.close()
        raise
    return session


def probe(sink: Mail, _outside: Outside) -> str:
    """Greet the relay, encrypt and log in; no mail is sent."""
    try:
        with _connected(sink) as relay:
            status, _ = relay.noop()
    except smtplib.SMTPException as error:
        raise OSError(type(error).__name__) from error
    if status != 250:
        raise OSError(f"{sink.relay} answered {status}")
    return f"{sink.relay}:{sink.port} answers"


_WORDS: dict[Language, dict[str, str]] = {
    "zh": {
        "subject": "新线索：{who}",
        "news": "客户动态：{who}",
        "many": "{count} 个客户变更了负责人",
        "leads": "{count} 条新线索",
        "mixed": "{count} 个客户有新动态",
        "more": "另有 {count} 个，请在待办中查看。",
        "count": "客户数",
        "nobody": "未留姓名",
        "holder": "负责人",
        "due": "首次响应时限",
        "why": "分配原因",
        "priority": "优先级",
        "playbook": "跟进方案",
        "beside": "协作人",
        "claim": "另有部门或人员要求该客户",
        "decides": "{unit}（由主管裁定）",
        "protected": "保护期",
        "days": "{days} 天",
        "came": "接入",
        "ask": "请询问",
        "comma": "、",
        "open": "打开待办",
        "colon": "：",
    },
    "en": {
        "subject": "New lead: {who}",
        "news": "From your customer: {who}",
        "many": "{count} customers have another owner",
        "leads": "{count} new leads",
        "mixed": "News of {count} customers",
        "more": "{count} more are in the inbox.",
        "count": "Customers",
        "nobody": "no name given",
        "holder": "Owner",
        "due": "Due",
        "why": "Why",
        "priority": "Priority",
        "playbook": "Playbook",
        "beside": "Works on it, too",
        "claim": "Also claimed by",
        "decides": "{unit} (a manager decides)",
        "protected": "Protected",
        "days": "{days} days",
        "came": "Came in",
        "ask": "Ask for",
        "comma": ", ",
        "open": "Open the inbox",
        "colon": ": ",
    },
}
_TASKS: dict[Language, dict[str, str]] = {
    "zh": {"first_response": "首次响应", "call_back": "回电", "plan": "计划跟进", "care": "客户维系"},
    "en": {
        "first_response": "first response",
        "call_back": "call back",
        "plan": "planned step",
        "care": "customer care",
    },
}
_PRIORITIES: dict[Language, dict[Priority, str]] = {
    "zh": {"high": "高", "normal": "普通", "low": "低"},
    "en": {"high": "high", "normal": "normal", "low": "low"},
}
_CHANNELS: dict[Language, dict[str, str]] = {
    "zh": {"web": "网页", "email": "邮件", "cti": "来电", "counter": "前台", "list": "名单"},
    "en": {"web": "Web", "email": "Email", "cti": "Calls", "counter": "Front desk", "list": "List"},
}
_WHY: dict[Language, dict[str, str]] = {
    "zh": {
        "sticky_owner": "客户已有负责人",
        "weighted_turn": "按顺序轮到",
        "least_loaded": "跟进中的客户最少",
        "least_recent": "等待最久",
        "best_match": "最熟悉该业务",
        "fixed": "规则指定",
        "call_now": "立即致电：先接单者得",
        "waiting": "暂无人可接，进入待分配",
        "default_queue": "无规则匹配，进入默认待分配",
        "pooled": "放入公海",
        "claimed": "已接单",
        "released": "放回公海",
        "reminded": "多个工作日未跟进，请尽快联系",
        "copied": "多个工作日未跟进，已告知主管",
        "offered": "长期未跟进，请主管改派",
        "reclaimed": "长期未跟进，已收回公海",
        "moved": "改派",
        "moved_back": "改派已撤销",
        "handed_over": "移交",
        "returned": "被退回",
        "owner_left": "原负责人离职，已移交",
        "nurtured": "已转入培育",
        "woken": "培育到期，重新跟进",
        "merged": "两个客户合并为一个",
        "parted": "误合并的客户已拆分，各归原来的分配",
        "registered": "报备",
        "claim_decided": "主管裁定",
        "auto_moved": "按规则自动改派",
        "imported": "名单导入",
        "list_reverted": "名单已撤回",
    },
    "en": {
        "sticky_owner": "the customer has this owner already",
        "weighted_turn": "given by turn",
        "least_loaded": "fewest open customers",
        "least_recent": "waited longest",
        "best_match": "knows it best",
        "fixed": "named by the rule",
        "call_now": "call now: the first to take it gets it",
        "waiting": "nobody can take it now, so it waits",
        "default_queue": "no rule takes it, so it is in the default queue",
        "pooled": "put into an open pool",
        "claimed": "taken",
        "released": "released into an open pool",
        "reminded": "nothing was done for working days; please get in touch",
        "copied": "nothing was done for working days; the manager is told",
        "offered": "nothing was done for long; the manager should give it to somebody else",
        "reclaimed": "nothing was done for long; it is in the open pool again",
        "moved": "moved",
        "moved_back": "a move was undone",
        "handed_over": "handed over",
        "returned": "returned",
        "owner_left": "its owner has left",
        "nurtured": "put aside until a date",
        "woken": "it had been put aside until now",
        "merged": "two customers were found to be one",
        "registered": "registered",
        "claim_decided": "a manager decided",
        "auto_moved": "moved by a rule",
        "imported": "came with a list",
        "list_reverted": "the list was taken back",
        "parted": "one customer was found to be two; each went back to whom its own leads were given",
    },
}
_FIELDS: dict[Language, dict[str, str]] = {
    "zh": {
        "full_name": "姓名",
        "company": "公司",
        "phone": "电话",
        "email": "邮箱",
        "region": "省份",
        "city": "城市",
        "product": "产品",
        "subject": "主题",
        "message": "留言",
    },
    "en": {
        "full_name": "Name",
        "company": "Company",
        "phone": "Phone",
        "email": "Email",
        "region": "Province",
        "city": "City",
        "product": "Product",
        "subject": "Subject",
        "message": "Message",
    },
}
_MORE_FIELDS: dict[Language, dict[str, str]] = {
    "zh": {
        "given_name": "名",
        "family_name": "姓",
        "salutation": "称谓",
        "job_title": "职务",
        "address": "地址",
        "postcode": "邮编",
        "country": "国家",
        "website": "网址",
        "tax_id": "税号",
        "industry": "行业",
        "heard_of_us": "了解渠道",
        "other": "其他",
    },
    "en": {
        "given_name": "Given name",
        "family_name": "Family name",
        "salutation": "Salutation",
        "job_title": "Job title",
        "address": "Address",
        "postcode": "Postcode",
        "country": "Country",
        "website": "Website",
        "tax_id": "Tax number",
        "industry": "Industry",
        "heard_of_us": "Heard of us through",
        "other": "Other",
    },
}
"""Of a lead these are not shown; they may have to be asked."""

MAIL = Kind(
    settings=Mail,
    abilities=Abilities(to_people=True, side_by_side=4, lists=LISTED),
    render=render,
    send=send,
    probe=probe,
)
