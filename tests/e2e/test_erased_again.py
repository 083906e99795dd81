"""What was erased does not come back when it is read or sent again; whoever comes anew is a new lead."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from ingest.email.parse import message_key
from leadflow.engine import drop_keys_to_erase, erase_again
from schemas.capture import Capture, capture_of
from store.acts import Command, perform
from store.acts_erase import erase_customer, find_erasure, marked
from store.company import put_company
from store.journal import read_journal, write_journal
from tests.e2e.test_backup import FORM, backup, leadflow
from tests.e2e.test_calls import MISSED, captured, row
from tests.e2e.test_calls import SOURCE as CALLS
from tests.support.live import Live
from tests.support.rig import MINUTE, MONDAY_10, SECOND, Rig, post, small_company

PHONE, OTHER = "13812345678", "13987654321"
MAIL = {
    "source_id": "sales-mail",
    "channel": "email",
    "format": "email.message",
    "name": "销售邮箱",
    "addresses": ["sales@haichuan.example"],
}


@pytest.fixture
def desk(tmp_path: Path, rig: Rig) -> Rig:
    """A rig over either database, with calls and mail beside the form."""
    company = small_company()
    company.sources.update({"pbx": CALLS, "sales-mail": MAIL})
    with rig.store.write() as connection:
        put_company(connection, company, 0)
    return rig


def erase(desk: Rig, customer_id: str) -> None:
    command = Command("erase", "ann", f"erase {customer_id}", customer_id)
    with desk.store.read() as connection:
        found = find_erasure(connection, command.act_id, customer_id)
        erasure = marked(connection, found, desk.files.keys.hash_secret, MONDAY_10)
    write_journal(desk.files.journal, erasure)
    desk.files.forget_keys(erasure)
    perform(desk.store, command, erase_customer(erasure), MONDAY_10, desk.files.store_log.append)


def erase_only(desk: Rig) -> None:
    (customer,) = desk.rows("customer")
    erase(desk, customer["customer_id"])


def feed(desk: Rig, *captures: Capture) -> None:
    desk.feed(captures)
    desk.run()
    desk.fire(max(one.accepted_us for one in captures) + 6 * SECOND)
    drop_keys_to_erase(desk.files)


def raw(desk: Rig) -> list[str]:
    """Return the captures whose raw bytes can still be opened."""
    with desk.files.doors.read() as connection:
        return list(connection.execute(text("SELECT capture_id FROM pii_key ORDER BY 1")).scalars())


def mail(
    body: str, *, message_id: str | None = "<1@daheng.example>", by: str = "mx1", at_us: int = MONDAY_10
) -> Capture:
    name = f"Message-ID: {message_id}\n" if message_id else ""
    content = (
        f"Received: from {by}\nFrom: Li Na <li.na@daheng.example>\nSubject: Pallet truck\n{name}\n{body}\n"
    ).encode()
    return capture_of(
        source_id="sales-mail",
        channel="email",
        format="email.message",
        body=content,
        accepted_us=at_us,
        trace_id="0" * 32,
        idem_key=message_key(content),
        made_key=f"{by}{at_us}",
    )


def test_a_call_that_is_read_again_stays_erased_and_the_next_one_is_a_lead(desk: Rig) -> None:
    feed(desk, captured(row(1, PHONE, MISSED), 1))
    erase_only(desk)
    later = MONDAY_10 + MINUTE
    feed(desk, captured(row(1, PHONE, MISSED), 900, later))  # the file was moved, or read from its beginning
    assert desk.rows("lead") == []
    assert raw(desk) == []
    anew = captured(row(2, PHONE, MISSED, at_s=60), 901, later)
    feed(desk, anew)
    assert len(desk.rows("lead")) == 1
    assert raw(desk) == [anew.capture_id]


@pytest.mark.parametrize("message_id", ["<1@daheng.example>", None])
def test_a_mail_that_is_sent_again_on_any_way_stays_erased(desk: Rig, message_id: str | None) -> None:
    feed(desk, mail("Li Na, 139 0000 0001", message_id=message_id))
    erase_only(desk)
    way = "mx2" if message_id else "mx1"  # without an id of its own it is known by its bytes
    feed(desk, mail("Li Na, 139 0000 0001", message_id=message_id, by=way, at_us=MONDAY_10 + MINUTE))
    assert desk.rows("lead") == []
    assert raw(desk) == []
    feed(desk, mail("Li Na again", message_id="<2@daheng.example>", at_us=MONDAY_10 + MINUTE))
    assert len(desk.rows("lead")) == 1


def test_a_form_that_is_sent_again_stays_erased_and_one_typed_anew_is_a_new_customer(desk: Rig) -> None:
    feed(desk, post(key="form-1", name="张伟", phone=PHONE))
    (before,) = desk.rows("customer")
    erase_only(desk)
    feed(desk, post(key="form-1", name="张伟", phone=PHONE, at_us=MONDAY_10 + MINUTE))
    assert desk.rows("lead") == []
    assert raw(desk) == []
    feed(desk, post(key="form-1", name="张伟", phone=PHONE, wish="again", at_us=MONDAY_10 + MINUTE))
    feed(desk, post(made="no key", name="张伟", phone=PHONE, at_us=MONDAY_10 + 2 * MINUTE))
    leads = {one["lead_id"] for one in desk.rows("lead")}
    of_leads = {one["customer_id"] for one in desk.rows("membership") if one["lead_id"] in leads}
    assert len(leads) == 2
    assert len(of_leads - {before["customer_id"]}) == len(of_leads) == 1, "and not the one that was erased"


def test_a_restored_store_that_never_knew_them_learns_it_from_the_journal(desk: Rig, tmp_path: Path) -> None:
    call = captured(row(1, PHONE, MISSED), 1)
    feed(desk, call, mail("Li Na, 139 0000 0001"))
    for customer in desk.rows("customer"):
        erase(desk, customer["customer_id"])
    assert len(read_journal(desk.files.journal)) == 2
    (tmp_path / "older").mkdir()
    company = small_company()
    company.sources.update({"pbx": CALLS, "sales-mail": MAIL})
    older = Rig(tmp_path / "older", company=company)
    shutil.copy(desk.files.journal, older.files.journal)
    erase_again(older.files)
    later = MONDAY_10 + MINUTE
    again = captured(row(1, PHONE, MISSED), 1, later)
    feed(
        older,
        again,
        mail("Li Na, 139 0000 0001", by="mx2", at_us=later),
        captured(row(2, OTHER, MISSED), 2, later),
    )
    found = {one["capture_id"]: (one["result"], one["code"]) for one in older.rows("capture")}
    assert found[again.capture_id] == ("ignored", "forgotten")
    assert sorted(found.values()) == [("ignored", "forgotten"), ("ignored", "forgotten"), ("lead", None)]
    assert len(older.rows("lead")) == len(raw(older)) == 1
    assert older.rows("key_to_erase") == []
    feed(older, again, again)
    assert len(raw(older)) == 1, "a retry of it leaves no key either"
    older.close()


def test_a_call_file_read_again_after_a_restore_brings_back_all_but_the_erased(tmp_path: Path) -> None:
    """The whole way: backup, calls, an erasure, the disk is lost, the backup is put back, the file is read again."""
    records = tmp_path / "Master.csv"
    records.write_bytes(row(1, "13700000001", MISSED))
    company = small_company()
    company.sources["pbx"] = {**CALLS, "files": [str(records)]}
    live = Live(tmp_path / "data", company)
    live.start()
    try:
        until(lambda: count(live, "lead") == 1)
        made = backup(live.folder, "--with-key")
        with records.open("ab") as file:
            file.write(row(2, PHONE, MISSED) + row(3, OTHER, MISSED))
        until(lambda: count(live, "lead") == 3)
        ((customer,),) = live.query(
            f"SELECT customer_id FROM membership JOIN lead USING (lead_id) WHERE fields_json LIKE '%{PHONE}%'"
        )
        leadflow(live.folder, "erase", str(customer))
        live.stop()
        shutil.rmtree(live.folder)
        leadflow(live.folder, "restore", str(made))
        live.start()
        until(
            lambda: (
                count(live, "lead") == 2 and count(live, "key_to_erase") == 0 and count(live, "capture") == 3
            )
        )
        live.post("/in/web/site", f"name=li&phone={PHONE}".encode(), FORM)
        until(lambda: count(live, "lead") == 3)
        leads = live.query("SELECT channel FROM lead WHERE fields_json LIKE '%13812345678%'")
        assert leads == [("web",)], "of their own will, and only so"
        assert live.query("SELECT result, code FROM capture WHERE code = 'forgotten'") == [
            ("ignored", "forgotten")
        ]
        assert live.query("SELECT count(*) FROM doors.pii_key") == [(3,)], "two calls and the form"
        story = leadflow(
            live.folder,
            "explain",
            live.query("SELECT capture_id FROM capture WHERE code = 'forgotten'")[0][0],
        )
        assert PHONE not in story
    finally:
        live.stop()


def count(live: Live, table: str) -> int:
    return int(live.query(f"SELECT count(*) FROM {table}")[0][0])


def until(holds: Callable[[], bool], timeout_s: float = 60) -> None:
    give_up = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > give_up:
            raise TimeoutError
        time.sleep(0.1)
