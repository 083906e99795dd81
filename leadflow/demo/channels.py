"""What the demo sends by mail, telephone and at the front desk: pure, each the same for the same slot."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, formataddr
from random import Random

import orjson

from leadflow.demo.cast import Prospect, message

MAILBOX = "sales@haichuan.example"
SWITCHBOARD = "02110506600"
CAMPAIGN_LINES = ("02110506611", "02110506622")


def mail_of(rng: Random, who: Prospect, key: str, now: datetime, plain: bool = False) -> EmailMessage:
    """Return a mail: mostly an enquiry with a signature, unless `plain` now and then an out-of-office reply or a bounce."""
    mail = EmailMessage()
    address = who.email or f"kehu{who.number}@mail.example"
    mail["Message-ID"] = f"<{key}@demo.example>"
    mail["Date"] = format_datetime(now)
    mail["To"] = MAILBOX
    draw = 1.0 if plain else rng.random()
    if draw < 0.06:
        mail["From"] = "MAILER-DAEMON@mail.example"
        mail["Subject"] = "Undelivered Mail Returned to Sender"
        mail["Auto-Submitted"] = "auto-replied"
        mail.set_content("The following address failed: <nobody@mail.example>\n")
        return mail
    mail["From"] = formataddr((who.name, address))
    if draw < 0.14:
        mail["Subject"] = "自动回复：外出" if who.language == "zh" else "Automatic reply: out of office"
        mail["Auto-Submitted"] = "auto-replied"
        mail.set_content("I am away until Monday. / 本周外出，周一回复。\n")
        return mail
    text = message(rng, who.line, who.language)
    mail["Subject"] = ("询价：" if who.language == "zh" else "Enquiry: ") + text[:24]
    signature = (
        who.name,
        who.company,
        ("电话：" if who.language == "zh" else "Tel: ") + who.phone if who.phone else "",
    )
    charset = "gb18030" if who.language == "zh" and rng.random() < 0.4 else "utf-8"
    mail.set_content(
        text + "\n\n--\n" + "\n".join(line for line in signature if line) + "\n", charset=charset
    )
    return mail


def call_rows(rng: Random, who: Prospect, slot: int, now: datetime) -> bytes:
    """Return the rows that Asterisk's cdr_csv writes for one call, in the switchboard's local time.

    Six of ten calls are answered; a missed one has a row for every extension that rang. One in twelve callers
    withholds the number.
    """
    caller = "anonymous" if rng.random() < 0.08 else who.phone or "anonymous"
    dialled = rng.choice((SWITCHBOARD, SWITCHBOARD, *CAMPAIGN_LINES))
    answered, rings = rng.random() < 0.6, rng.randint(1, 3)
    out, start = io.StringIO(), now - timedelta(seconds=40)
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for ring in range(rings):
        last = answered and ring == rings - 1
        begin = start + timedelta(seconds=10 * ring)
        end = begin + timedelta(seconds=25 if last else 10)
        agent = f"PJSIP/{rng.choice((8101, 8102, 8103))}-{slot % 10**8:08d}"
        writer.writerow(
            [
                "", caller, dialled, "from-trunk", f'"" <{caller}>', f"PJSIP/ct-trunk-{slot % 10**8:08d}", agent,
                "Dial", f"{agent},10", f"{begin:%Y-%m-%d %H:%M:%S}", f"{begin:%Y-%m-%d %H:%M:%S}" if last else "",
                f"{end:%Y-%m-%d %H:%M:%S}", int((end - begin).total_seconds()), 25 if last else 0,
                "ANSWERED" if last else "NO ANSWER", "DOCUMENTATION", f"{int(start.timestamp())}.{slot % 10**6}", "",
            ]
        )  # fmt: skip
    return out.getvalue().encode()


def visit_of(rng: Random, who: Prospect, key: str) -> bytes:
    """Return what reception types: sometimes no more than that somebody is there."""
    visit: dict[str, object] = {"visit_no": f"demo-{key}", "taken_by": "02", "type": "walk_in"}
    if rng.random() < 0.15:
        visit |= {"anonymous": True, "note": "看样机，未留联系方式"}
    else:
        visit |= {
            "name": who.name,
            "phone": who.phone,
            "company": who.company,
            "note": message(rng, who.line, "zh"),
            "heard_of_us": rng.choice(("朋友介绍", "展会", "路过", "抖音")),
        }
    return orjson.dumps({name: value for name, value in visit.items() if value})
