"""Whatever comes in, the door answers clearly or keeps it for repair, and the lead behind it goes on at once."""

from __future__ import annotations

import http.client
import itertools
import resource
import smtplib
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import orjson
import pytest

from ingest.email.door import MAX_MAIL_BYTES
from ingest.web.body import MAX_BODY, SLOW_BODY_S
from ingest.web.form import MAX_FIELD_CHARS
from leadflow.demo.run import demo_company
from leadflow.embedded import read_files
from tests.support.live import Live
from tools.servers import free_port

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
SECRET = "of the test"
HTML = "<script>alert(1)</script><b>x"
AT_ONCE_S = 5.0


@dataclass
class Doors:
    """A running Leadflow with the demo company's sources, and the ways to knock at its doors."""

    live: Live
    smtp_port: int
    numbers: Iterator[int]

    def form(self, body: bytes, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        return self.live.post("/in/web/site", body, headers or FORM)

    def fields(self, **fields: str) -> tuple[int, Any]:
        return self.form(urlencode(fields).encode())

    def mail(self, raw: bytes, to: str = "sales@haichuan.example") -> tuple[int, str]:
        with smtplib.SMTP("127.0.0.1", self.smtp_port, timeout=20) as smtp:
            smtp.ehlo()
            smtp.mail("a@kunde.example")
            code, said = smtp.rcpt(to)
            if code == 250:
                code, said = smtp.data(raw)
        return code, said.decode()

    def row(self, row: bytes, place: int) -> tuple[int, Any]:
        line = {"key": f"k{place}", "file": "m.csv", "offset": place, "row": b64encode(row).decode()}
        headers = {"Content-Type": "application/x-ndjson", "Authorization": f"Bearer {SECRET}"}
        return self.live.post("/in/cti/pbx", orjson.dumps(line), headers)

    def visit(self, **visit: Any) -> tuple[int, Any]:
        body = orjson.dumps({"visit_no": f"visit-{next(self.numbers)}", **visit})
        return self.live.post("/in/counter/front-desk", body, JSON)

    def goes_on(self) -> float:
        """Send a good lead and return how long it took to become a task."""
        phone = f"137{next(self.numbers):08d}"
        begun = time.monotonic()
        status, answer = self.fields(name="后面的客户", phone=phone)
        assert status == 202, answer
        while not self.tasks_of(answer["receipt"]):
            assert time.monotonic() - begun < AT_ONCE_S, "the lead behind waited"
            time.sleep(0.02)
        return time.monotonic() - begun

    def tasks_of(self, receipt: str) -> list[tuple[Any, ...]]:
        return self.live.query(
            "SELECT task_id FROM task JOIN lead_capture USING (lead_id) "
            f"WHERE lead_capture.capture_id = '{receipt}'"
        )

    def settled(self, receipt: str) -> dict[str, Any]:
        """Return what the stages made of a capture: `lead` (fields), or `dead` (code, hint), or `ignored`."""
        self.live.drained()
        dead = self.live.query(f"SELECT code, hint FROM dead WHERE capture_id = '{receipt}'")
        if dead:
            return {"dead": dead[0][0], "hint": dead[0][1]}
        leads = self.live.query(
            f"SELECT fields_json FROM lead JOIN lead_capture USING (lead_id) WHERE lead_capture.capture_id = '{receipt}'"
        )
        if not leads:
            return {"ignored": self.live.query(f"SELECT code FROM capture WHERE capture_id = '{receipt}'")}
        return {"lead": {one["name"]: one for one in orjson.loads(leads[0][0])}}

    def raw(self, receipt: str) -> bytes:
        files = read_files(self.live.folder)
        try:
            capture = files.capture(receipt)
        finally:
            files.close()
        assert capture is not None
        return capture.body


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    smtp_port = free_port()
    made = demo_company()
    made.sources["pbx"] |= {"files": [], "secret": SECRET}
    live = Live(tmp_path_factory.mktemp("bad") / "data", made, LEADFLOW_SMTP_PORT=str(smtp_port))
    # As on many machines: a process begins with few files, and may ask for more.
    live.start(wrapper=("bash", "-c", 'ulimit -Sn 512 && exec "$@"', "bash"))
    yield Doors(live, smtp_port, itertools.count(1))
    live.stop()


# --- web ----------------------------------------------------------------------------------------------


def test_a_wrong_charset_is_read_all_the_same(doors: Doors) -> None:
    body = b"name=" + quote_from_bytes("张建国".encode("gb18030")).encode() + b"&phone=13811110001"
    status, answer = doors.form(body, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    assert status == 202
    assert doors.settled(answer["receipt"])["lead"]["full_name"]["received"] == "张建国"
    doors.goes_on()


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b'{"name": "Cut off, "phone"', JSON, 400, "bad_json"),
        (b"x" * (MAX_BODY + 1), FORM, 413, "too_large"),
        (b"a=1&" * 300, FORM, 400, "too_many_fields"),
        (b"\xff\xfe", {"Content-Type": "application/octet-stream"}, 400, "unsupported_type"),
    ],
)
def test_what_cannot_be_a_form_is_refused_with_code_and_hint(
    doors: Doors, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answered, answer = doors.form(body, headers)
    assert (answered, answer["code"]) == (status, code)
    assert answer["hint"]
    doors.goes_on()


def test_a_form_that_broke_off_waits_for_repair(doors: Doors) -> None:
    status, answer = doors.form(b"--b\r\nbroken", {"Content-Type": "multipart/form-data; boundary=b"})
    assert status == 202
    found = doors.settled(answer["receipt"])
    assert found["dead"] in ("bad_multipart", "no_known_field")
    assert found["hint"]
    assert doors.raw(answer["receipt"]) == b"--b\r\nbroken"
    doors.goes_on()


def test_an_unknown_source_is_told(doors: Doors) -> None:
    status, answer = doors.live.post("/in/web/nobody", b"name=x", FORM)
    assert (status, answer["code"]) == (404, "unknown_source")


def test_a_field_of_a_megabyte_is_cut_in_the_lead_and_whole_in_the_capture(doors: Doors) -> None:
    body = urlencode({"phone": "13811110002", "message": "长" * ((MAX_BODY - 100) // 9)}).encode()
    status, answer = doors.form(body)
    assert status == 202
    lead = doors.settled(answer["receipt"])["lead"]
    assert len(lead["message"]["received"]) == MAX_FIELD_CHARS
    assert doors.raw(answer["receipt"]) == body
    doors.goes_on()


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\x00b", "phone": "13811110003"},
        {"name": "=cmd|' /C calc'!A0", "phone": "13811110004", "message": "+1+1"},
        {"name": "\u202eevil\u202c", "phone": "13811110005", "message": "\x1b[2J"},
    ],
)
def test_signs_that_break_databases_sheets_and_terminals_are_just_text(
    doors: Doors, fields: dict[str, str]
) -> None:
    status, answer = doors.fields(**fields)
    assert status == 202
    lead = doors.settled(answer["receipt"])["lead"]
    assert lead["phone"]["value"] == "+86" + fields["phone"]
    assert doors.tasks_of(answer["receipt"])
    assert doors.raw(answer["receipt"]) == urlencode(fields).encode()
    doors.goes_on()


def test_a_lone_surrogate_in_json_is_no_fault_of_ours(doors: Doors) -> None:
    status, answer = doors.form(b'{"name": "\\ud800", "phone": "13811110006"}', JSON)
    if status == 202:
        assert doors.tasks_of(answer["receipt"]) or "dead" in doors.settled(answer["receipt"])
    else:
        assert (status, answer["code"]) == (400, "bad_json")
    doors.goes_on()


def test_html_in_every_field_is_shown_as_text_on_every_page(doors: Doors) -> None:
    names = ("name", "company", "message", "email", "product", "address", "phone2", HTML)
    status, answer = doors.fields(phone="13811110007", **dict.fromkeys(names, HTML))
    assert status == 202
    doors.settled(answer["receipt"])
    ((holder,),) = doors.live.query(
        "SELECT task.holder_id FROM task JOIN lead_capture USING (lead_id) "
        f"WHERE lead_capture.capture_id = '{answer['receipt']}'"
    )
    for page in ("/", f"/story/{answer['trace_id']}", f"/inbox/{holder}", "/needs-repair"):
        status, html = doors.live.get(page)
        assert status == 200
        assert "<script>alert" not in html
        assert "<b>x" not in html
    doors.goes_on()


def test_a_number_that_a_spreadsheet_ate_joins_nobody(doors: Doors) -> None:
    receipts = [doors.fields(name=name, phone="1.38E+10")[1]["receipt"] for name in ("甲", "乙")]
    doors.live.drained()
    customers = doors.live.query(
        "SELECT DISTINCT customer_id FROM membership JOIN lead_capture USING (lead_id) "
        f"WHERE capture_id IN ('{receipts[0]}', '{receipts[1]}')"
    )
    assert len(customers) == 2
    lead = doors.settled(receipts[0])["lead"]
    assert (lead["phone"]["received"], lead["phone"].get("value")) == ("1.38E+10", None)
    doors.goes_on()


def test_the_same_request_100_times_in_parallel_is_one_lead_and_one_receipt(doors: Doors) -> None:
    body = urlencode({"name": "百次", "phone": "13811110008"}).encode()
    headers = {**FORM, "Idempotency-Key": "a hundred times"}
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: doors.form(body, headers), range(100)))
    assert {status for status, _ in answers} == {202}
    assert len({answer["receipt"] for _, answer in answers}) == 1
    doors.live.drained()
    assert len(doors.tasks_of(answers[0][1]["receipt"])) == 1
    assert doors.live.query(
        "SELECT count(*) FROM lead_identifier WHERE value = '+8613811110008' AND kind = 'mobile'"
    ) == [(1,)]


# --- mail ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(
            b"From: a@kunde.example\r\nTo: sales@haichuan.example\r\nSubject: Anfrage\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=lost\r\n\r\nplain words, no boundary anywhere\r\n",
            id="boundary missing",
        ),
        pytest.param(
            b"From: a@kunde.example\r\nSubject: =?utf-8?B?!!!?=\r\nContent-Transfer-Encoding: base64\r\n"
            b"Content-Type: text/plain; charset=no-such-charset\r\n\r\n%%%not base64%%%\r\n",
            id="broken base64, unknown charset",
        ),
        pytest.param(b"no header at all\r\n", id="no header"),
        pytest.param(b"\x00\xff\xfe\r\n\r\n\x00\r\n", id="binary"),
        pytest.param(
            b"From: a@kunde.example\r\nDate: Fri, 31 Dec 2199 23:59:59 +0000\r\nSubject: x\r\n\r\nBitte Angebot\r\n",
            id="dated in the future",
        ),
    ],
)
def test_damaged_mail_is_durable_and_ends_as_lead_or_for_repair(doors: Doors, raw: bytes) -> None:
    code, said = doors.mail(raw)
    assert code == 250, said
    receipt = said.split()[-1]
    found = doors.settled(receipt)
    assert "lead" in found or found.get("hint") or found.get("ignored")
    assert doors.raw(receipt).strip() == raw.strip()
    assert found.get("dead") != "bug"
    doors.goes_on()


def test_a_mail_too_large_and_one_for_nobody_are_refused(doors: Doors) -> None:
    assert doors.mail(b"Subject: x\r\n\r\n" + (b"x" * 998 + b"\r\n") * (MAX_MAIL_BYTES // 999))[0] == 552
    assert doors.mail(b"Subject: x\r\n\r\nx", to="nobody@haichuan.example")[0] == 550
    doors.goes_on()


# --- calls and front desk -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "is_dead"),
    [
        (b'"","13811110009","02110506600","from-tr\n', True),
        (b"\x00\xff\xfe\n", True),
        (
            b'"","13811110010","02110506600","from-trunk","13811110010","PJSIP/ct-trunk-1","","Dial","",'
            b'"2199-01-01 10:00:00","","2199-01-01 10:00:12",12,0,"NO ANSWER","DOCUMENTATION","7258118400.1",""\n',
            False,
        ),
    ],
)
def test_truncated_rows_wait_for_repair_with_their_bytes(doors: Doors, row: bytes, is_dead: bool) -> None:
    place = next(doors.numbers)
    status, answer = doors.row(row, place)
    assert (status, answer) == (202, {"accepted": 1})
    doors.live.drained()
    ((receipt,),) = doors.live.query(
        "SELECT capture_id FROM capture WHERE source_id = 'pbx' ORDER BY accepted_us DESC, capture_id DESC LIMIT 1"
    )
    found = doors.settled(receipt)
    assert bool(found.get("dead")) is is_dead
    if is_dead:
        assert found["dead"] != "bug"
        assert found["hint"]
    assert doors.raw(receipt) == row
    doors.goes_on()


def test_a_visit_with_everything_wrong_is_told_field_by_field(doors: Doors) -> None:
    status, answer = doors.visit(name="", phone="", note=HTML)
    assert status == 422
    assert answer["hint"]
    status, answer = doors.visit(name="\x00=cmd()" + HTML, phone="1.38E+10", occurred="2199-01-01T00:00:00Z")
    assert status in (202, 422)
    doors.goes_on()


# --- many and slow ------------------------------------------------------------------------------------


def test_slow_senders_hold_up_nobody_and_are_let_go(doors: Doors) -> None:
    slow = []
    for _ in range(50):
        connection = socket.create_connection(("127.0.0.1", doors.live.port))
        connection.sendall(
            b"POST /in/web/site HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            b"Content-Length: 1000\r\n\r\nname="
        )
        slow.append(connection)
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.5):
            for connection in slow:
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

    trickler = threading.Thread(target=trickle)
    trickler.start()
    try:
        assert doors.goes_on() < AT_ONCE_S
        slow[0].settimeout(SLOW_BODY_S + 10)
        assert b" 408 " in slow[0].recv(1_000).split(b"\r\n")[0]
    finally:
        stop.set()
        trickler.join()
        for connection in slow:
            connection.close()


def test_2000_connections_leave_room_for_the_next(doors: Doors) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1], limits[1]))
    held = []
    try:
        for _ in range(2_000):
            connection = socket.create_connection(("127.0.0.1", doors.live.port), timeout=20)
            connection.sendall(b"POST /in/web/site HTTP/1.1\r\nHost: x\r\n")
            held.append(connection)
        assert doors.goes_on() < AT_ONCE_S
        last = held[-1]
        body = urlencode({"phone": "13811110011"}).encode()
        last.sendall(
            b"Content-Type: application/x-www-form-urlencoded\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        last.settimeout(20)
        answer = http.client.HTTPResponse(last)
        answer.begin()
        assert answer.status == 202, "and whoever was slow is served when they are done"
    finally:
        for connection in held:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
