"""What an operator does on the command line, beside a running host and without one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest

from leadflow.embedded import open_files
from store.company import put_company
from tests.support.live import Live
from tests.support.receiver import SECRET, Receiver, crm
from tests.support.rig import small_company

PHONE = "13812345678"
NAME = "欧阳静怡"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


SINKS = {
    "book": {"sink_id": "book", "kind": "faulty", "name": "book"},
    "nobody": {
        "sink_id": "nobody",
        "kind": "webhook",
        "name": "nobody",
        "url": "http://127.0.0.1:1/",
        "secret": SECRET,
    },
}
"""One that writes down what it took, and one where nobody ever is."""


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path / "data")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def telling(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path / "data", small_company(sinks=SINKS))
    made.start()
    yield made
    made.stop()


def leadflow(folder: Path, *arguments: str, code: int = 0) -> str:
    """Run the command line on a data folder and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "leadflow.cli", *arguments],
        env={**os.environ, "LEADFLOW_DATA": str(folder)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


def test_a_broken_form_is_repaired_into_a_task(live: Live, tmp_path: Path) -> None:
    live.post("/in/web/site", b"wer=13812345678", FORM)
    live.drained()
    listed = leadflow(live.folder, "dead", "list")
    dead_id = listed.split("\t")[0]
    assert "no_known_field" in listed
    shown = leadflow(live.folder, "dead", "show", dead_id)
    assert "Map the site's field names" in shown
    assert "wer=13812345678" in shown
    mended = tmp_path / "mended"
    mended.write_bytes(
        leadflow(live.folder, "dead", "show", dead_id, "--raw").replace("wer", "phone").encode()
    )
    assert "repaired as cap_" in leadflow(live.folder, "dead", "repair", dead_id, str(mended))
    live.drained()
    assert live.query("SELECT count(*) FROM task") == [(1,)]
    assert live.query("SELECT state FROM dead") == [("repaired",)]
    assert live.query("SELECT count(*) FROM capture WHERE parent_id IS NOT NULL") == [(1,)]
    assert "repaired already" in leadflow(live.folder, "dead", "repair", dead_id, str(mended), code=2)
    ((customer,),) = live.query("SELECT customer_id FROM customer")
    assert "2 captures" in leadflow(live.folder, "erase", str(customer)), "the refused bytes go as well"
    assert "raw bytes: gone" in leadflow(live.folder, "dead", "show", dead_id)


def test_the_same_works_without_a_running_host(live: Live) -> None:
    live.post("/in/web/site", b"wer=13812345678", FORM)
    live.drained()
    live.stop()
    dead_id = leadflow(live.folder, "dead", "list").split("\t")[0]
    assert "replayed" in leadflow(live.folder, "dead", "replay", dead_id)
    assert live.query("SELECT attempt, state FROM dead ORDER BY attempt") == [(1, "replayed"), (2, "open")]


def test_exports_are_json_lines_with_the_channel(live: Live) -> None:
    live.post("/in/web/site", f"name={quote(NAME)}&phone={PHONE}".encode(), FORM)
    live.drained()
    (lead,) = [orjson.loads(line) for line in leadflow(live.folder, "export", "leads").splitlines()]
    assert (lead["channel"], lead["full_name"], lead["phone"]) == ("web", NAME, "+86" + PHONE)
    for what in ("customers", "assignments", "tasks"):
        (row,) = [orjson.loads(line) for line in leadflow(live.folder, "export", what).splitlines()]
        assert row["customer_id"] == lead["customer_id"]
    assert "0 without owner" in leadflow(live.folder, "orphans")
    assert "one of: leads" in leadflow(live.folder, "export", "everything", code=2)


def test_a_task_made_from_a_mail_is_explained_back_to_its_raw_bytes(live: Live) -> None:
    live.stop()
    company = small_company()
    company.sources["mail"] = {
        "source_id": "mail",
        "channel": "email",
        "format": "email.message",
        "name": "邮箱",
    }
    files = open_files(live.folder)
    with files.store.write() as connection:
        put_company(connection, company, 0)
    files.close()
    mail = Path(__file__).parents[2] / "examples" / "email" / "zh_gb2312_signature.eml"
    leadflow(live.folder, "ingest", "--source", "mail", str(mail))
    ((task_id,),) = live.query("SELECT task_id FROM task")
    story = leadflow(live.folder, "explain", str(task_id))
    for step in ("RECEIVED", "READ", "RECOGNISED", "DECIDED", "TASK", "RAW BYTES"):
        assert step in story
    assert "header:From" in story
    assert "everything" in story, "the rule that held is named"
    assert "Subject:" in story, "the raw bytes are shown"
    assert "Nothing is on record" in leadflow(live.folder, "explain", "task_unknown", code=2)


def test_the_doctor_sends_a_probe_that_arrives_and_shows_nowhere(live: Live) -> None:
    found = leadflow(live.folder, "doctor")
    assert "web door of site: a probe reached its end" in found
    assert "FAIL" not in found
    assert leadflow(live.folder, "export", "leads") == ""
    assert live.get("/api/tally")[1]["received"] == 0
    assert live.query("SELECT count(*) FROM ledger") == [(0,)]
    assert live.query("SELECT count(*) FROM binding") == [(0,)]
    assert "0 without owner" in leadflow(live.folder, "orphans")


def test_the_doctor_names_the_fix_when_nothing_runs(live: Live) -> None:
    live.stop()
    assert "fix: start it: leadflow run" in leadflow(live.folder, "doctor", code=1)


def test_a_stranger_cannot_mark_a_lead_as_a_probe(live: Live) -> None:
    live.post("/in/web/site", b"name=a&phone=13812345678", {**FORM, "X-Leadflow-Probe": "0" * 32})
    live.drained()
    assert live.query("SELECT purpose FROM lead") == [("real",)]


def test_a_second_host_on_the_same_folder_is_refused(live: Live) -> None:
    assert "Stop it first" in leadflow(live.folder, "run", code=2)


def test_after_an_erasure_no_file_and_no_restored_copy_holds_the_number(
    telling: Live, tmp_path: Path
) -> None:
    live = telling
    live.post("/in/web/site", f"name={quote(NAME)}&phone={PHONE}&message={quote(NAME)}".encode(), FORM)
    live.post("/in/web/site", b"name=other&phone=13987654321", FORM)
    live.drained()
    (customer, task_id) = live.query(
        "SELECT task.customer_id, task_id FROM task JOIN lead USING (lead_id) WHERE fields_json LIKE '%13812345678%'"
    )[0]
    json = {"Content-Type": "application/json"}
    live.post(f"/api/tasks/{task_id}/take", b'{"actor": "ann"}', json)  # refused where somebody has it
    note = orjson.dumps({"actor": "ann", "code": "interested", "note": f"{NAME} {PHONE}"})
    assert live.post(f"/api/tasks/{task_id}/outcome", note, json)[0] == 200
    until(lambda: live.query("SELECT count(*) FROM delivery WHERE attempt > 0 OR state = 'sent'") >= [(3,)])
    live.stop()
    assert holding(live.folder), "the number is there before, or this test proves nothing"
    backup = tmp_path / "restored"
    shutil.copytree(live.folder, backup)
    live.start()

    leadflow(live.folder, "erase", str(customer))
    assert holding(live.folder) == []
    assert live.query("SELECT count(*) FROM task WHERE state = 'open'") == [(1,)], "nobody else is touched"
    assert "0 without owner" in leadflow(live.folder, "orphans")
    unsent = f"SELECT DISTINCT state FROM delivery WHERE customer_id = '{customer}' ORDER BY state"
    assert live.query(unsent) == [("dropped",), ("sent",)]
    live.stop()
    assert holding(live.folder) == []

    shutil.copy(tmp_path / "data.erasures", tmp_path / "restored.erasures")
    restored = Live.__new__(Live)
    restored.__dict__.update(live.__dict__, folder=backup)
    restored.start()
    restored.stop()
    assert holding(backup) == [], "a restored backup is erased anew before it does anything"


def holding(folder: Path) -> list[str]:
    """Return the files in which the person can still be read, in any encoding it may have been written in."""
    needles = [text.encode(code) for text in (PHONE, NAME) for code in ("utf-8", "utf-16-le", "gb18030")]
    needles += [quote(NAME).encode(), orjson.dumps(NAME)[1:-1]]
    return [
        str(file)
        for file in folder.rglob("*")
        if file.is_file() and any(n in file.read_bytes() for n in needles)
    ]


def test_what_went_out_is_shown_exported_explained_and_examined(tmp_path: Path) -> None:
    receiver = Receiver(answer=lambda _id, _times: 410)
    receiver.open()
    nobody = crm(receiver, sink_id="nobody", name="备用", url="http://127.0.0.1:1/")
    live = Live(tmp_path / "data", small_company(sinks={"crm": crm(receiver), "nobody": nobody}))
    live.start()
    try:
        live.post("/in/web/site", f"name={quote(NAME)}&phone={PHONE}".encode(), FORM)
        live.drained()
        until(lambda: leadflow(live.folder, "dead", "list") != "")
        assert live.get("/readyz")[0] == 200, "a destination that is away is no trouble of ours"
        dead_id, stage, code, _ = leadflow(live.folder, "dead", "list").split("\t")
        assert (stage, code) == ("deliver", "gone")
        assert "switch the sink off" in leadflow(live.folder, "dead", "show", dead_id)
        rows = {row["sink"]: row for row in map(orjson.loads, exported(live, "deliveries"))}
        assert (rows["crm"]["state"], rows["crm"]["code"], rows["crm"]["answer"]) == ("failed", "gone", "410")
        assert (rows["nobody"]["state"], rows["nobody"]["code"]) == ("waiting", "unreachable")
        story = leadflow(live.folder, "explain", rows["crm"]["delivery_id"])
        assert "DELIVERY" in story
        assert "gone · 410" in story
        shown = live.get(f"/story/{rows['crm']['lead_id']}?lang=zh")[1]
        assert "备用" in shown
        assert "无法连接对方。" in shown
        found = leadflow(live.folder, "doctor", code=1)
        assert "ok    webhook sink crm: 127.0.0.1" in found
        assert "FAIL  webhook sink nobody: " in found
        receiver.answer = lambda _id, _times: 204
        assert "replayed" in leadflow(live.folder, "dead", "replay", dead_id)
        until(lambda: bool(receiver.taken))
        assert [one.webhook_id for one in receiver.taken] == [rows["crm"]["delivery_id"]]
    finally:
        live.stop()
        receiver.close()


def exported(live: Live, what: str) -> list[str]:
    return leadflow(live.folder, "export", what).splitlines()


def until(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    give_up = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < give_up
        time.sleep(0.1)
