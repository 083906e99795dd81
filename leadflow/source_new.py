"""A new source: its section in the company's files, and what is to be set on the other side. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from schemas.base import Language

Kind = Literal["form", "webhook", "web-to-lead", "mailbox", "calls", "queue", "call-table", "counter", "list"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_FORMATS: Mapping[Kind, tuple[str, str]] = {
    "form": ("web", "web.form"),
    "webhook": ("web", "web.mapped"),
    "web-to-lead": ("web", "web.mapped"),
    "mailbox": ("email", "email.message"),
    "calls": ("cti", "cti.asterisk"),
    "queue": ("cti", "cti.queue_log"),
    "call-table": ("cti", "cti.cdr_table"),
    "counter": ("counter", "counter.visit"),
    "list": ("list", "list.row"),
}
ASKED: Mapping[Kind, tuple[str, ...]] = {
    "webhook": ("preset",),
    "web-to-lead": ("oid", "host"),
    "mailbox": ("host", "user"),
    "calls": ("file", "number"),
    "queue": ("file",),
    "call-table": ("url", "number"),
}
"""What is asked for beside id and name."""
QUESTIONS: Mapping[str, tuple[str, str, str]] = {
    "preset": ("Sender: feiyu, baidu, tencent or form-service", "发送方：feiyu、baidu、tencent 或 form-service", "form-service"),
    "oid": ("Value of `oid` in the form", "表单中 oid 的值", ""),
    "host": ("Host (of the mailbox: such as imap.163.com; of the site: such as www.haichuan.example)", "主机（邮箱如 imap.163.com；网站如 www.haichuan.example）", ""),
    "user": ("Mailbox, such as sales@haichuan.example", "邮箱账号，如 sales@haichuan.example", ""),
    "file": ("File to follow (empty: a shipper sends it)", "要跟踪的文件（留空：由另一台机器发送）", ""),
    "number": ("Public number with area code, such as 02155550101", "对外号码（含区号），如 02155550101", ""),
    "url": ("Database, such as mysql+pymysql://leadflow@127.0.0.1/asteriskcdrdb", "数据库，如 mysql+pymysql://leadflow@127.0.0.1/asteriskcdrdb", ""),
}  # fmt: skip
"""Each question in English and Chinese, and its default."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants: kind, id, name, and the answers."""

    kind: Kind
    source_id: str
    name: str
    answers: Mapping[str, str]
    secret: str
    """A new one, for the kinds that need it."""


def section_of(wanted: Wanted, zone: str, language: Language) -> dict[str, Any]:
    """Return the section `[sources.ID]`; what is empty is left out."""
    channel, format_ = _FORMATS[wanted.kind]
    answers = wanted.answers
    made: dict[str, Any] = {
        "channel": channel,
        "format": format_,
        "name": wanted.name,
        "zone": zone,
        "language": language,
    }
    if wanted.kind == "webhook":
        made |= {"preset": answers["preset"], "secret": wanted.secret}
    elif wanted.kind == "web-to-lead":
        made |= {
            "preset": "salesforce-web-to-lead",
            "oid": answers["oid"],
            "hosts": [answers["host"]] if answers.get("host") else [],
        }
    elif wanted.kind == "mailbox":
        made["imap"] = {
            "host": answers["host"],
            "user": answers["user"],
            "password_env": variable_of(wanted.source_id),
        }
        if "@" in answers["user"]:
            made["own_addresses"] = [answers["user"]]
    elif wanted.kind in ("calls", "queue"):
        made |= {"files": [answers["file"]]} if answers.get("file") else {"secret": wanted.secret}
    elif wanted.kind == "call-table":
        made |= {"url": answers["url"], "password_env": variable_of(wanted.source_id)}
    if wanted.kind == "queue" and answers.get("cdr_source"):
        made["cdr_source"] = answers["cdr_source"]
    if answers.get("number"):
        made["own_numbers"] = [answers["number"]]
    return {key: value for key, value in made.items() if value not in ("", [])}


def wanted_of(section: Mapping[str, Any]) -> Wanted | None:
    """Return what somebody wanted who has this section by now, to say again what the other side needs; None of a list."""
    kind = next((kind for kind, (_, format_) in _FORMATS.items() if format_ == section["format"]), None)
    if kind is None:
        return None
    if section.get("preset") == "salesforce-web-to-lead":
        kind = "web-to-lead"
    return Wanted(kind, section["source_id"], section["name"], {}, "")


def variable_of(source_id: str) -> str:
    """Return the name of the variable that holds a source's password."""
    return f"{source_id.upper().replace('-', '_')}_PASSWORD"


def advice(wanted: Wanted, section: Mapping[str, Any], url: str, language: Language) -> list[str]:
    """Return what is to be done on the other side, with the exact address, line or setting."""
    url, key = url.rstrip("/"), wanted.source_id
    variable = variable_of(key)
    file = section.get(
        "files",
        ["/var/log/asterisk/cdr-csv/Master.csv" if wanted.kind == "calls" else "/var/log/asterisk/queue_log"],
    )[0]
    shipper = (
        f"python3 leadflow-shipper --url {url}/in/cti/{key} --token-file /etc/leadflow.token "
        f"--state /var/lib/leadflow-{key}.json {file}"
    )
    zh = language == "zh"
    here = "files" in section
    texts: Mapping[Kind, list[str]] = {
        "form": [
            f"{'表单页面' if zh else 'The form'}: {url}/f/{key}",
            f"{'嵌入自己网站的 HTML' if zh else 'As HTML for your own page'}: {url}/f/{key}/html",
            f"{'已有表单的 action' if zh else 'Or the action of a form you have'}: <form method=\"post\" action=\"{url}/in/web/{key}\">",
        ],
        "webhook": [
            f"{'推送地址（填入对方后台，方法 POST）' if zh else 'Address for the sender (POST)'}: {url}/in/web/{key}?token={section.get('secret', '')}",
            "先用对方的示例试读：" if zh else "Try the sender's own example first:",
            f"  leadflow source try FILE --source {key}",
        ],
        "web-to-lead": [
            "只改表单的 action：" if zh else "In the form, change only the action:",
            f'  <form method="POST" action="{url}/servlet/servlet.WebToLead?encoding=UTF-8">',
        ],
        "mailbox": [
            f"密码写入 /etc/leadflow.env（163、126、QQ 用授权码），然后重启：{variable}=…" if zh
            else f"Put the password into /etc/leadflow.env (163, 126, QQ: the authorisation code), and restart: {variable}=…",
            "在邮箱设置中开启 IMAP。" if zh else "Switch IMAP on in the mailbox's settings.",
        ],
        "calls": [
            "cdr.conf: [general] unanswered=yes; [csv] loguniqueid=yes, newcdrcolumns=yes",
            *([] if here else [("在总机上运行：" if zh else "On the switchboard:"), f"  {shipper}", f"  /etc/leadflow.token: {section.get('secret', '')}"]),
        ],
        "queue": [
            "logger.conf: [general] queue_log = yes",
            "拨号方案：" if zh else "In the dial plan:",
            "  same => n,Queue(sales,t,,,120)",
            *([] if here else [("在总机上运行：" if zh else "On the switchboard:"), f"  {shipper}", f"  /etc/leadflow.token: {section.get('secret', '')}"]),
        ],
        "call-table": [
            "在总机的数据库中：" if zh else "In the switchboard's database:",
            "  CREATE USER 'leadflow'@'%' IDENTIFIED BY '…'; GRANT SELECT ON asteriskcdrdb.cdr TO 'leadflow'@'%';",
            f"{'密码写入' if zh else 'The password goes into'} /etc/leadflow.env: {variable}=…",
        ],
        "counter": [f"{'前台页面' if zh else 'The desk'}: {url}/counter/{key}"],
        "list": [
            f"{'上传页面' if zh else 'To be brought on'}: {url}/import",
            f"  leadflow import preview FILE --source {key}",
        ],
    }  # fmt: skip
    return texts[wanted.kind]
