"""Nobody who was erased comes back by what is older than that, through any door; whoever writes anew does, opted out still."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, text

from enrich.golden import golden_of
from ingest.email.parse import message_key
from leadflow.engine import drop_keys_to_erase, erase_again
from leadflow.erasures import check_journal
from schemas.capture import KEPT_FILE, Capture, capture_of
from store import tables
from store.acts import Command, perform
from store.acts_erase import erase_customer, find_erasure, marked
from store.acts_opt_out import find_opt_out, opt_out
from store.company import put_company
from store.database import Database
from store.journal import OptOut, begin_journal, chain_of, read_journal, write_journal
from tests.e2e.test_backup import FORM, leadflow
from tests.e2e.test_calls import MISSED, captured, row
from tests.e2e.test_calls import SOURCE as CALLS
from tests.support.live import Live
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, empty, post, small_company

PHONE, MAIL, NAME = "13812345678", "li.na@daheng.example", "李娜"
ERASED = MONDAY_10 + 10 * MINUTE
LATER = MONDAY_10 + DAY
SOURCES: dict[str, dict[str, Any]] = {
    "pbx": CALLS,
    "sales-mail": {
        "source_id": "sales-mail",
        "channel": "email",
        "format": "email.message",
        "name": "销售邮箱",
        "addresses": ["sales@haichuan.example"],
    },
    "desk": {"source_id": "desk", "channel": "counter", "format": "counter.visit", "name": "前台"},
}


def company_with_all_doors() -> Any:
    company = small_company()
    company.sources.update(SOURCES)
    company.sources["site"].update(consent_version="1", consent_text="同意联系")
    return company


@pytest.fixture
def house(rig: Rig) -> Rig:
    """A rig over either database, with all four doors; somebody came by each of two, and was erased."""
    with rig.store.write() as connection:
        put_company(connection, company_with_all_doors(), 0)
    begin_journal(rig.files.journal, "1")
    feed(rig, post(made="first", name=NAME, phone=PHONE, email=MAIL, consent="yes"))
    erase(rig, ERASED)
    return rig


def feed(rig: Rig, *captures: Capture) -> None:
    rig.feed(captures)
    rig.run()
    rig.fire(max(one.accepted_us for one in captures) + 6 * SECOND)
    drop_keys_to_erase(rig.files)


def erase(rig: Rig, at_us: int) -> None:
    for customer_id in [one["customer_id"] for one in rig.rows("customer") if one["state"] == "open"]:
        command = Command("erase", "ann", f"erase {customer_id}", customer_id)
        with rig.store.read() as connection:
            found = find_erasure(connection, command.act_id, customer_id)
            erasure = marked(connection, found, rig.files.keys.hash_secret, at_us)
        write_journal(rig.files.journal, erasure)
        rig.files.forget_keys(erasure)
        perform(rig.store, command, erase_customer(erasure), at_us, rig.files.store_log.append)


def refuse(rig: Rig, customer_id: str, at_us: int) -> None:
    command = Command("opt_out", "ann", f"out {customer_id} {at_us}", customer_id)
    with rig.store.read() as connection:
        found = find_opt_out(connection, command, ["contact"], rig.files.keys.hash_secret, at_us)
    write_journal(rig.files.journal, found)
    perform(rig.store, command, opt_out(found), at_us, rig.files.store_log.append)


def agreed(rig: Rig) -> list[bool]:
    """Whether each open customer agrees to be contacted; those that were never asked are left out."""
    open_ones = [row["customer_id"] for row in rig.rows("customer") if row["state"] == "open"]
    with rig.store.read() as connection:
        return [one.given for customer in open_ones for one in golden_of(connection, customer)[1]]


def kept_form(at_us: int, **fields: str) -> Capture:
    """A form out of a file, as `leadflow ingest` takes it: nothing says of when it is."""
    found = post(made=f"file {at_us}", at_us=at_us, consent="yes", **fields)
    return found.model_copy(update={"meta": {**found.meta, KEPT_FILE: "yes"}})


def mail(sent_us: int, at_us: int, number: int, sender: str = MAIL) -> Capture:
    date = datetime.fromtimestamp(sent_us / SECOND, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
    body = (
        f"From: Li Na <{sender}>\nDate: {date}\nMessage-ID: <{number}@x>\nSubject: Offer\n\nPlease quote.\n"
    ).encode()
    return capture_of(
        source_id="sales-mail",
        channel="email",
        format="email.message",
        body=body,
        accepted_us=at_us,
        trace_id="0" * 32,
        idem_key=message_key(body),
    )


def visit(at_us: int, accepted_us: int, **fields: Any) -> Capture:
    at = datetime.fromtimestamp(at_us / SECOND, UTC).isoformat()
    return capture_of(
        source_id="desk",
        channel="counter",
        format="counter.visit",
        body=orjson.dumps({"at": at, "visit_no": f"v{at_us}", **fields}),
        accepted_us=accepted_us,
        trace_id="0" * 32,
        idem_key=f"v{at_us}",
        meta={"content_type": "application/json"},
    )


def old_ones() -> dict[str, Capture]:
    """By door: something of the erased person from before the erasure, which was never read until now."""
    return {
        "web": kept_form(LATER, name=NAME, phone=f"+86 {PHONE}"),
        "email": mail(MONDAY_10 - HOUR, LATER, 7),
        "cti": captured(row(5, PHONE, MISSED, at_s=60), 5, LATER),
        "counter": visit(MONDAY_10 - HOUR, LATER, name=NAME, phone=PHONE),
        "waited": post(made="waited", name=NAME, phone=PHONE, consent="yes", at_us=ERASED - SECOND),
    }


def new_ones() -> dict[str, Capture]:
    """The same person, by each door, after the erasure."""
    late = row(6, PHONE, MISSED, at_s=11 * 60)
    return {
        "web": post(made="anew", name=NAME, phone=PHONE, consent="yes", at_us=LATER),
        "email": mail(LATER - MINUTE, LATER, 8),
        "cti": captured(late, 6, LATER),
        "counter": visit(LATER - MINUTE, LATER, name=NAME, phone=PHONE),
        "waited": post(made="also", name=NAME, email=MAIL, consent="yes", at_us=ERASED + SECOND),
    }


@pytest.mark.parametrize("door", list(old_ones()))
def test_what_is_older_than_the_erasure_is_not_taken_and_what_is_newer_is(house: Rig, door: str) -> None:
    feed(house, old_ones()[door])
    assert house.rows("lead") == []
    last = {row["capture_id"]: row for row in house.rows("capture")}[old_ones()[door].capture_id]
    assert (last["result"], last["code"], last["detail_json"]) == ("ignored", "forgotten", None)
    for table in ("part", "lead_capture", "lead_identifier", "match_key"):
        left = [row for row in house.rows(table) if row.get("capture_id") == last["capture_id"]]
        assert left == [], table
    assert house.files.capture(last["capture_id"]) is None, "its key is gone"
    anew = new_ones()[door]
    feed(house, anew)
    (lead,) = house.rows("lead")
    assert lead["capture_id"] == anew.capture_id
    born = {row["customer_id"] for row in house.rows("customer") if row["state"] == "open"}
    assert len(born) == 1, "a new customer"
    feed(house, old_ones()[door].model_copy(update={"idem_key": "again", "capture_id": "cap_again"}))
    assert len(house.rows("lead")) == 1, "what is old stays away from the new customer too"


def test_others_of_before_are_taken_and_a_shared_address_is_no_mark_alone(rig: Rig) -> None:
    with rig.store.write() as connection:
        put_company(connection, company_with_all_doors(), 0)
    shared = "tablet.desk@163.com"
    with rig.store.write() as connection:
        status = {"kind": "email", "value": shared, "status": "shared"}
        connection.execute(insert(tables.identifier_status).values(status))
    feed(rig, post(made="1", name=NAME, email=shared, phone=PHONE, consent="yes"))
    feed(
        rig,
        post(
            made="2", name="王强", email=shared, phone="13900000002", consent="yes", at_us=MONDAY_10 + MINUTE
        ),
    )
    gone = min(rig.rows("customer"), key=lambda one: int(one["born_us"]))["customer_id"]
    command = Command("erase", "ann", "erase", gone)
    with rig.store.read() as connection:
        found = marked(
            connection, find_erasure(connection, command.act_id, gone), rig.files.keys.hash_secret, ERASED
        )
    perform(rig.store, command, erase_customer(found), ERASED, rig.files.store_log.append)
    assert len(rig.rows("lead")) == 1
    feed(rig, kept_form(LATER, name="赵敏", email=shared), kept_form(LATER + 1, name=NAME, email=shared))
    assert len(rig.rows("lead")) == 2, "the other visitor of the tablet, and not the erased one"


def test_a_restored_store_that_never_heard_of_them_knows_them_by_the_journal(
    house: Rig, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The backup is older than the person; its list, calls and mails are read into it again."""
    journal = house.files.journal.read_bytes()
    store: Database | None = None
    if "postgresql" in request.node.name:
        store = house.store
        empty(store)
    (tmp_path / "older").mkdir()
    older = Rig(tmp_path / "older", store, company=company_with_all_doors())
    older.files.journal.write_bytes(journal)
    erase_again(older.files)
    feed(older, *old_ones().values())
    assert older.rows("lead") == []
    assert {row["code"] for row in older.rows("capture") if row["result"] != "part"} == {"forgotten"}
    feed(older, captured(row(9, "13987654321", MISSED), 9, LATER))
    assert len(older.rows("lead")) == 1, "somebody else's call of that day"
    feed(older, new_ones()["web"])
    assert len(older.rows("lead")) == 2
    older.files.doors.close()


def test_nothing_readable_is_left_of_them(house: Rig, tmp_path: Path) -> None:
    feed(house, *old_ones().values())
    house.files.empty_deleted()
    told = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    told["tables"] = str(
        [house.rows(name) for name in ("lead", "part", "erased", "capture", "dead")]
    ).encode()
    found = [
        (name, plain)
        for name, content in told.items()
        for plain in (PHONE, MAIL, NAME, "Li Na")
        if plain.encode() in content
    ]
    assert found == []


def test_whoever_opted_out_stays_so_when_erased_and_imported_again_until_they_agree_anew(rig: Rig) -> None:
    with rig.store.write() as connection:
        put_company(connection, company_with_all_doors(), 0)
    feed(rig, post(made="1", name=NAME, phone=PHONE, consent="yes"))
    assert agreed(rig) == [True]
    (customer,) = rig.rows("customer")
    refuse(rig, customer["customer_id"], MONDAY_10 + MINUTE)
    assert agreed(rig) == [False]
    feed(rig, visit(MONDAY_10 + 5 * MINUTE, MONDAY_10 + 5 * MINUTE, name=NAME, phone=PHONE))
    assert agreed(rig) == [False], "that they came says nothing of it"
    erase(rig, ERASED)
    assert rig.rows("lead_opt_out") == []
    feed(rig, visit(LATER, LATER, name=NAME, phone=PHONE))
    assert agreed(rig) == [False], "a new customer, opted out from the first moment on"
    feed(rig, kept_form(LATER + MINUTE, name="李 娜", phone="13700000009"))
    feed(rig, post(made="2", name=NAME, phone=PHONE, consent="yes", at_us=LATER + HOUR))
    assert agreed(rig)[0] is True, "they agreed to a newer text themselves"


def test_what_was_agreed_before_and_comes_out_of_a_file_later_does_not_agree_anew(rig: Rig) -> None:
    with rig.store.write() as connection:
        put_company(connection, company_with_all_doors(), 0)
    feed(rig, visit(MONDAY_10, MONDAY_10, name=NAME, phone=PHONE))
    refuse(rig, rig.rows("customer")[0]["customer_id"], MONDAY_10 + MINUTE)
    feed(rig, kept_form(LATER, name=NAME, phone=PHONE))
    assert agreed(rig) == [False]


def test_the_journal_is_a_chain_that_shows_what_was_changed_or_cut(tmp_path: Path) -> None:
    journal = tmp_path / "erasures"
    begin_journal(journal, "1")
    for number in range(3):
        write_journal(
            journal,
            OptOut(
                act_id=f"act_{number}", at_us=1, customer="cus_1", leads=(), purposes=("contact",), marks=()
            ),
        )
    whole = journal.read_bytes()
    assert chain_of(journal).broken_at is None
    end = chain_of(journal).digests[-1]
    lines = whole.split(b"\n")
    journal.write_bytes(b"\n".join([lines[0], lines[1], *lines[3:]]))
    assert chain_of(journal).broken_at == 3, "a line was taken out"
    journal.write_bytes(whole.replace(b"cus_1", b"cus_2", 1))
    assert chain_of(journal).broken_at == 3, "the line after the one that was changed"
    journal.write_bytes(b"\n".join(lines[:3]) + b"\n")
    cut = chain_of(journal)
    assert cut.broken_at is None
    assert end not in cut.digests, "what was cut off the end shows by a digest that was written down"
    journal.write_bytes(whole + b'{"after":"cut off by a power fail')
    write_journal(
        journal,
        OptOut(act_id="act_9", at_us=1, customer="cus_1", leads=(), purposes=("contact",), marks=()),
    )
    assert chain_of(journal).broken_at is None, "a line that was cut off was never acted upon"
    assert [one.act_id for one in read_journal(journal)] == ["act_0", "act_1", "act_2", "act_9"]


def test_the_proof_finds_what_is_left(house: Rig) -> None:
    checked = check_journal(house.files)
    assert list(checked.faults(language_is_zh=False)) == []
    (one,) = checked.entries
    assert one.is_erasure
    with house.store.write() as connection:
        table = "INSERT INTO lead_identifier (lead_id, kind, value, trust) VALUES (:lead, 'mobile', 'x', 'trusted')"
        (entry,) = read_journal(house.files.journal)
        connection.execute(text(table), {"lead": entry.leads[0]})
    (fault,) = check_journal(house.files).faults(language_is_zh=False)
    assert "lead_identifier" in fault


def test_the_commands_on_a_running_installation(tmp_path: Path) -> None:
    live = Live(tmp_path / "data", company_with_all_doors())
    live.start()
    try:
        live.post("/in/web/site", f"name=li&phone={PHONE}&consent=yes".encode(), FORM)
        live.drained()
        ((customer,),) = live.query("SELECT customer_id FROM customer")
        assert "1 leads" in leadflow(live.folder, "withdraw", str(customer))
        leadflow(live.folder, "erase", str(customer))
        told = leadflow(live.folder, "erasures")
        assert "whole: 2 entries" in told
        end = told.strip().rsplit(" ", 1)[1]
        file = tmp_path / "old.txt"
        file.write_bytes(f"name=li&phone={PHONE}&consent=yes".encode())
        leadflow(live.folder, "ingest", "--source", "site", str(file))
        live.drained()
        assert live.query("SELECT count(*) FROM capture WHERE code = 'forgotten'") == [(1,)]
        assert live.query("SELECT count(*) FROM lead") == [(0,)]
        assert "end of the chain" in leadflow(live.folder, "erasures", "--since", end)
        assert "not in the chain" in leadflow(live.folder, "erasures", "--since", "00", code=1)
    finally:
        live.stop()
