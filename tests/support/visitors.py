"""Whoever comes to the doors of a running process: by the web form, and by mail."""

from __future__ import annotations

import http.client
import smtplib
from urllib.parse import urlencode

import orjson

from schemas.company import Company
from tests.support.rig import small_company

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MAIL = {
    "source_id": "mail",
    "channel": "email",
    "format": "email.message",
    "name": "邮箱",
    "addresses": ["sales@haichuan.example"],
}


def company_with_mail() -> Company:
    """The small company, with a mailbox beside its form."""
    company = small_company()
    company.sources["mail"] = MAIL
    return company


def posted(port: int, number: int) -> tuple[int, str | None]:
    """Post a form; return the answer's status and receipt."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = urlencode({"name": f"客户{number}", "phone": f"138{number:08d}"}).encode()
        connection.request("POST", "/in/web/site", body, {**FORM, "Idempotency-Key": f"post-{number}"})
        answer = connection.getresponse()
        return answer.status, orjson.loads(answer.read()).get("receipt")
    finally:
        connection.close()


def mailed(port: int) -> int:
    """Send a mail, and return the reply to its data."""
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as smtp:
        smtp.ehlo()
        smtp.mail("wang@firma.example")
        smtp.rcpt("sales@haichuan.example")
        return smtp.data(
            "From: wang@firma.example\r\nMessage-ID: <1@firma.example>\r\n\r\n请报叉车价格。\r\n".encode()
        )[0]
