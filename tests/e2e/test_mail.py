"""Mail in by SMTP: durable before 250, one lead a mail, replies join, robots are kept and never leads."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import orjson
import pytest

from tests.support.live import Live
from tests.support.rig import small_company
from tools.servers import free_port

EXAMPLES = Path(__file__).parents[2] / "examples" / "email"


class MailLive(Live):
    """A live process with one mail source."""

    def __init__(self, folder: Path) -> None:
        self.smtp_port = free_port()
        company = small_company()
        company.sources["sales-mail"] = {
            "source_id": "sales-mail",
            "channel": "email",
            "format": "email.message",
            "name": "销售邮箱",
            "addresses": ["sales@haichuan.example"],
            "own_domains": ["haichuan.example"],
        }
        super().__init__(folder, company, LEADFLOW_SMTP_PORT=str(self.smtp_port))

    def send(
        self, mail: bytes | EmailMessage, to: str = "sales@haichuan.example", sender: str = "a@b.cn"
    ) -> None:
        """Send one mail. Raises smtplib's errors with the server's answer."""
        raw = mail if isinstance(mail, bytes) else mail.as_bytes()
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=20) as smtp:
            smtp.sendmail(sender, [to], raw)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailLive]:
    made = MailLive(tmp_path_factory.mktemp("mail"))
    made.start()
    yield made
    made.stop()


def enquiry(number: int, message_id: str, reply_to: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"李娜 <li{number}@daheng-it.cn>"
    mail["To"] = "sales@haichuan.example"
    mail["Subject"] = "询价：3吨叉车"
    mail["Date"] = "Mon, 23 Nov 2026 10:00:00 +0800"
    mail["Message-ID"] = message_id
    if reply_to:
        mail["In-Reply-To"] = reply_to
    mail.set_content(f"请报价 {number}。\n\n李娜\n电话：021-52345678转801\n")
    return mail


def leads(live: Live, capture_filter: str = "1") -> list[tuple[object, ...]]:
    live.drained()
    return live.query(
        f"SELECT lead.lead_id, lead.kind, lead.joined_lead_id FROM lead JOIN capture USING (capture_id) WHERE {capture_filter}"
    )


def test_a_real_mail_becomes_a_task_with_name_phone_and_campaign(live: MailLive) -> None:
    live.send((EXAMPLES / "zh_gb2312_signature.eml").read_bytes(), to="sales+expo2026@haichuan.example")
    live.drained()
    ((fields, more),) = live.query("SELECT fields_json, more_json FROM lead WHERE channel = 'email'")
    assert '"name":"phone"' in str(fields)
    assert '"name":"email"' in str(fields)
    assert "expo2026" in str(more)
    assert live.query("SELECT count(*) FROM task") == [(1,)]


def test_the_same_mail_sent_again_is_one_lead(live: MailLive) -> None:
    before = len(leads(live))
    for _ in range(3):
        live.send(enquiry(1, "<one@daheng-it.cn>"))
    assert len(leads(live)) == before + 1


def test_a_reply_joins_its_thread_and_makes_no_new_customer(live: MailLive) -> None:
    live.send(enquiry(7, "<first@daheng-it.cn>"))
    known = {row[0] for row in leads(live)}
    customers = live.query("SELECT count(*) FROM customer")
    live.send(enquiry(7, "<second@daheng-it.cn>", reply_to="<first@daheng-it.cn>"))
    (reply,) = [row for row in leads(live) if row[0] not in known]
    assert reply[1] == "existing_customer"
    assert reply[2] in known
    assert live.query("SELECT count(*) FROM customer") == customers


def test_an_out_of_office_reply_is_kept_with_the_reason_and_is_no_lead(live: MailLive) -> None:
    before = len(leads(live))
    live.send((EXAMPLES / "auto_submitted.eml").read_bytes())
    assert len(leads(live)) == before
    assert ("ignored", "auto_submitted") in live.query("SELECT result, code FROM capture")


def test_nobody_relays_through_us(live: MailLive) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused, match="550"):
        live.send(enquiry(2, "<relay@x.cn>"), to="somebody@elsewhere.example")


def test_an_oversized_mail_is_refused_with_552_and_the_next_one_is_taken(live: MailLive) -> None:
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        live.send(b"Subject: big\r\n\r\n" + b"x" * (26 * 1024 * 1024))
    assert refused.value.smtp_code == 552
    live.send(enquiry(3, "<after@daheng-it.cn>"))
    assert any(row for row in leads(live))


def test_a_smuggled_second_mail_stays_inside_the_first(live: MailLive) -> None:
    live.drained()
    before = live.query("SELECT count(*) FROM capture")[0][0]
    body = b"Subject: a\r\n\r\nhello\n.\nMAIL FROM:<x@y.cn>\r\nRCPT TO:<sales@haichuan.example>\r\nDATA\r\n"
    with socket.create_connection(("127.0.0.1", live.smtp_port), timeout=10) as raw:
        talk = raw.makefile("rwb")
        talk.readline()
        for line in (b"HELO x", b"MAIL FROM:<a@b.cn>", b"RCPT TO:<sales@haichuan.example>", b"DATA"):
            talk.write(line + b"\r\n")
            talk.flush()
            talk.readline()
        talk.write(body + b"\r\n.\r\n")
        talk.flush()
        assert talk.readline().startswith((b"250", b"5"))
    live.drained()
    assert live.query("SELECT count(*) FROM capture")[0][0] - before <= 1


def test_a_probe_whose_mark_was_folded_onto_the_next_line_is_a_probe(live: MailLive) -> None:
    """A mark of 64 digits makes the line longer than 78, and mail libraries then fold it."""
    mark = orjson.loads((live.folder / "host.lock").read_bytes())["probe_token"].encode()
    live.send(b"X-Leadflow-Probe:\r\n " + mark + b"\r\n" + enquiry(7, "<folded@daheng-it.cn>").as_bytes())
    live.drained()
    assert live.query("SELECT purpose FROM lead ORDER BY accepted_us DESC LIMIT 1") == [("probe",)]
