"""Random kills while all four channels send, every message twice: each lead once, whichever way it came."""

from __future__ import annotations

import random
import smtplib
import threading
import time
from collections import Counter
from email.message import EmailMessage
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlencode

import orjson

from tests.e2e.test_calls import MISSED, SOURCE, row
from tests.support.live import Live
from tests.support.rig import small_company
from tools.servers import free_port

EACH = 80
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class FourChannels:
    """Four senders that repeat until they are answered, and count what they were promised."""

    def __init__(self, folder: Path) -> None:
        self.smtp_port = free_port()
        self.calls = folder / "Master.csv"
        self.promised: Counter[str] = Counter()
        company = small_company(absences=())
        company.sources["mail"] = {
            "source_id": "mail",
            "channel": "email",
            "format": "email.message",
            "name": "邮箱",
            "addresses": ["sales@haichuan.example"],
        }
        company.sources["pbx"] = {**SOURCE, "files": [str(self.calls)]}
        company.sources["desk"] = {
            "source_id": "desk",
            "channel": "counter",
            "format": "counter.visit",
            "name": "前台",
        }
        self.live = Live(
            folder / "data", company, LEADFLOW_SMTP_PORT=str(self.smtp_port), LEADFLOW_WAL_LIMIT_BYTES="65536"
        )

    def web(self, number: int) -> None:
        body = urlencode({"name": "网页客户", "phone": f"1501000{number:04d}", "message": "叉车"}).encode()
        self._post("/in/web/site", body, {**FORM, "Idempotency-Key": f"web-{number}"}, (202,))

    def counter(self, number: int) -> None:
        visit = {"visit_no": f"visit-{number:06d}", "name": "访客", "phone": f"1502000{number:04d}"}
        self._post("/in/counter/desk", orjson.dumps(visit), {"Content-Type": "application/json"}, (200, 202))

    def email(self, number: int) -> None:
        mail = EmailMessage()
        mail["From"] = f"kehu@firma{number}.example"
        mail["To"] = "sales@haichuan.example"
        mail["Subject"] = "询价"
        mail["Message-ID"] = f"<{number}@mail.example>"
        mail.set_content("请报叉车价格。\n")
        while True:
            try:
                with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=10) as smtp:
                    smtp.send_message(mail)
                return
            except (OSError, smtplib.SMTPException):
                time.sleep(0.02)

    def cti(self, number: int) -> None:
        """The file is the promise: what stands in it must become a lead."""
        with self.calls.open("ab") as file:
            file.write(row(1_000 + number, f"1503000{number:04d}", MISSED))
            file.write(row(1_000 + number, f"1503000{number:04d}", MISSED, 802))

    def run(self) -> None:
        """Send everything; each channel in its own thread, each message twice but for the file's."""

        def channel(name: str, times: int) -> None:
            for number in range(EACH):
                for _ in range(times):
                    getattr(self, name)(number)
                self.promised[name] += 1

        threads = [
            threading.Thread(target=channel, args=(name, times))
            for name, times in (("web", 2), ("counter", 2), ("email", 2), ("cti", 1))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _post(self, path: str, body: bytes, headers: dict[str, str], good: tuple[int, ...]) -> None:
        while True:
            try:
                if self.live.post(path, body, headers)[0] in good:
                    return
            except (OSError, HTTPException):
                pass
            time.sleep(0.02)


def test_every_promised_lead_of_every_channel_is_there_once(tmp_path: Path) -> None:
    channels = FourChannels(tmp_path)
    live = channels.live
    live.start()
    sender = threading.Thread(target=channels.run)
    sender.start()
    dice = random.Random(2)
    while sender.is_alive():
        sender.join(0.4 + dice.random() * 0.8)
        if live.starts < 6:
            live.kill()
            live.start()
    channels.calls.rename(channels.calls.with_suffix(".csv.1"))
    live.kill()
    live.start()
    give_up = time.monotonic() + 40
    leads = "SELECT channel, count(*) FROM lead GROUP BY channel ORDER BY channel"
    while dict(live.query(leads)) != dict(channels.promised) and time.monotonic() < give_up:
        time.sleep(0.2)
    live.drained()
    live.stop()
    assert (
        dict(live.query(leads))
        == dict(channels.promised)
        == dict.fromkeys(("cti", "counter", "email", "web"), EACH)
    )
    assert live.query("SELECT count(*) FROM task") == [(4 * EACH,)]
    assert live.query("SELECT count(*) FROM task WHERE origin = 'call_back'") == [(EACH,)]
    assert live.query("SELECT count(*) FROM holding WHERE to_us IS NULL") == [(4 * EACH,)]
    assert live.query("SELECT count(*) FROM dead") == [(0,)]
    assert live.integrity() == ["ok", "ok"]
    assert live.starts >= 4
