"""What the stories of the demo's first page send: real requests through the doors of the running demo (see console.stories)."""

from __future__ import annotations

import base64
import csv
import io
import smtplib
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
import structlog

from console.stories_cast import LEAVER, Name, broken_body, mail_of, phone_of
from leadflow.clock import new_id
from leadflow.demo.channels import MAILBOX, SWITCHBOARD
from leadflow.demo.feed import Doors
from leadflow.engine import Engine
from leadflow.handover_job import planned
from leadflow.operate import do_repair
from leadflow.operate_moves import do_hand_back, do_hand_over
from store.company import company_version, load_company

FORM = "application/x-www-form-urlencoded"
PAUSE_S = 1.5
"""Between two doors of one story, so that people see one after the other."""
TRIES, AGAIN_S = 5, 1.0
TIMEOUT_S = 5.0
_ZONE = ZoneInfo("Asia/Shanghai")
_HANDED = {
    "parts": ["=> by-rules"],
    "plan_csv": None,
    "leaving": True,
    "duties_to": "zhao-gang",
}

log = structlog.get_logger()


@dataclass(frozen=True)
class DemoStories:
    """Sends over the network, as strangers do; hands over and repairs as the command line does."""

    doors: Doors
    engine: Engine

    def send(self, story: Name, run: int) -> None:
        """Send what a story begins with, in a thread of its own."""
        work = {
            "four_doors": self._four_doors,
            "two_departments": self._two_departments,
            "broken_row": self._broken_row,
        }[story]
        threading.Thread(target=self._kept_trying, args=(work, run), name="story", daemon=True).start()

    def repair(self, dead_id: str, run: int) -> None:
        """Send the right fields for a refused form, as `leadflow dead repair` does."""
        body = base64.b64encode(urlencode(_form(phone_of("broken_row", run), "陈静")).encode()).decode()
        do_repair(self.engine, {"id": dead_id, "body": body, "actor": "operator", "key": f"story {dead_id}"})

    def plan(self) -> list[tuple[str, int]]:
        """Return who would get how many of the leaver's customers, the most first."""
        now_us = time.time_ns() // 1_000
        with self.engine.files.store.read() as connection:
            company = load_company(connection, company_version(connection))
            gives, _ = planned(connection, company, LEAVER, _HANDED, now_us)
        found: dict[str, int] = {}
        for one in gives:
            found[one.holder_id] = found.get(one.holder_id, 0) + 1
        return sorted(found.items(), key=lambda item: (-item[1], item[0]))

    def hand_over(self) -> str:
        """Hand the leaver's customers over; return the job."""
        asked: dict[str, Any] = {
            "id": LEAVER,
            "actor": "zhao-gang",
            "reason": "离职 / resigned",
            "key": new_id(),
        }
        answer = do_hand_over(self.engine, {**_HANDED, **asked, "until_us": None})
        while answer["more"]:
            answer = do_hand_over(self.engine, {**_HANDED, **asked, "until_us": None})
        return str(answer["job_id"])

    def hand_back(self, job_id: str) -> None:
        """Undo the hand-over."""
        asked = {"id": job_id, "actor": "zhao-gang", "reason": "撤回离职 / stays", "key": new_id()}
        while do_hand_back(self.engine, asked)["more"]:
            pass

    def _kept_trying(self, work: Any, run: int) -> None:
        for _ in range(TRIES):
            try:
                work(run)
            except OSError as error:
                log.warning("demo_story_failed", error=type(error).__name__)
                time.sleep(AGAIN_S)
            else:
                return

    def _four_doors(self, run: int) -> None:
        phone = phone_of("four_doors", run)
        self._post(
            "/in/web/site", FORM, urlencode(_form(phone, "王芳", mail_of(run))).encode(), f"story-{run}"
        )
        time.sleep(PAUSE_S)
        self._mail(run)
        time.sleep(PAUSE_S)
        self._missed_call(phone, run)
        time.sleep(PAUSE_S)
        visit = {"visit_no": f"story-{run:08d}", "name": "王芳", "phone": phone, "note": "来展厅看样机"}
        self._post("/in/counter/front-desk", "application/json", orjson.dumps(visit), None)

    def _two_departments(self, run: int) -> None:
        """Send one customer to two departments at the same moment."""
        phone = phone_of("two_departments", run)
        form = urlencode({**_form(phone, "刘洋"), "region": "北京", "city": "北京"}).encode()
        visit = {"visit_no": f"story-b{run:08d}", "name": "刘洋", "phone": phone, "note": "出差顺路来看叉车"}
        with ThreadPoolExecutor(2) as both:
            first = both.submit(self._post, "/in/web/site", FORM, form, f"story-b-{run}")
            second = both.submit(
                self._post, "/in/counter/front-desk", "application/json", orjson.dumps(visit), None
            )
            first.result()
            second.result()

    def _broken_row(self, run: int) -> None:
        """Send a form whose fields were renamed by a redesign of the site."""
        self._post("/in/web/landing", FORM, broken_body(run), f"story-{run}")

    def _post(self, path: str, kind: str, body: bytes, key: str | None) -> None:
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(self.doors.http + path, data=body, headers=headers)  # noqa: S310  # our own address
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            pass

    def _mail(self, run: int) -> None:
        if self.doors.smtp is None:
            return
        mail = EmailMessage()
        mail["Message-ID"] = f"<story-{run}@demo.example>"
        mail["Date"] = format_datetime(datetime.now(_ZONE))
        mail["From"] = formataddr(("王芳", mail_of(run)))
        mail["To"] = MAILBOX
        mail["Subject"] = "询价：电动叉车"
        mail.set_content("您好，昨天在官网提交过询价，请把报价单发到这个邮箱。\n\n--\n王芳\n")
        with smtplib.SMTP(*self.doors.smtp, timeout=TIMEOUT_S) as smtp:
            smtp.sendmail("bounces@mail.example", [MAILBOX], mail.as_bytes(policy=SMTP))

    def _missed_call(self, phone: str, run: int) -> None:
        if self.doors.calls is None:
            return
        begin = datetime.now(_ZONE) - timedelta(seconds=20)
        stamp, end = f"{begin:%Y-%m-%d %H:%M:%S}", f"{begin + timedelta(seconds=12):%Y-%m-%d %H:%M:%S}"
        trunk, agent = f"PJSIP/ct-trunk-{run:08d}", f"PJSIP/8101-{run:08d}"
        out = io.StringIO()
        csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
            ["", phone, SWITCHBOARD, "from-trunk", f'"" <{phone}>', trunk, agent, "Dial", "8101,10", stamp, "",
             end, 12, 0, "NO ANSWER", "DOCUMENTATION", f"{int(begin.timestamp())}.{900_000 + run % 90_000}", ""]
        )  # fmt: skip
        self.doors.calls.parent.mkdir(parents=True, exist_ok=True)
        with self.doors.calls.open("a", encoding="utf-8") as file:
            file.write(out.getvalue())


def _form(phone: str, name: str, email: str = "") -> dict[str, str]:
    fields = {
        "name": name,
        "phone": f"{phone[:3]} {phone[3:7]} {phone[7:]}",
        "email": email,
        "company": "苏州恒远精密机械有限公司" if email else "",
        "region": "江苏",
        "city": "苏州",
        "message": "需要两台三吨电动叉车，请报价",
        "consent": "on",
    }
    return {key: value for key, value in fields.items() if value}
