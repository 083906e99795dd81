"""Mailboxes at a provider, read from a real IMAP server: nothing lost, nothing twice, nothing changed unless asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select

from ingest.email.imap_client import Client, Envelope
from ingest.email.imap_door import DROPS
from ingest.fetch_door import LEAVE_S
from ingest.followed import FetchTrouble
from leadflow.embedded import Embedded, open_files
from schemas.capture import Capture
from store import tables
from store.company import put_company
from tests.support.live import Live
from tests.support.mailserver import PASSWORD, USER, MailServer, enquiry, mail_server
from tests.support.rig import small_company


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    monkeypatch.setenv("SALES_MAIL_PASSWORD", PASSWORD)
    with mail_server() as made:
        yield made


def company(server: MailServer, **imap: Any) -> Any:
    mailbox = {
        "host": "127.0.0.1",
        "port": server.port,
        "tls": "none",
        "user": USER,
        "password_env": "SALES_MAIL_PASSWORD",
        "poll_s": 0.3,
        **imap,
    }
    made = small_company(absences=())
    made.sources["mail"] = {
        "source_id": "mail",
        "channel": "email",
        "format": "email.message",
        "name": "销售邮箱",
        "own_domains": ["haichuan.example"],
        "imap": {key: value for key, value in mailbox.items() if value is not None},
    }
    return made


class Following:
    """A running installation that follows the mailbox."""

    def __init__(self, engine: Embedded) -> None:
        self.engine = engine

    def rows(self, name: str) -> list[dict[str, Any]]:
        table = tables.state.tables[name]
        with self.engine.files.store.read() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def leads(self, count: int, *, within_s: float = 15) -> list[dict[str, Any]]:
        """Wait for so many leads, and a little longer for one too many."""
        wait_until(lambda: len(self.rows("lead")) >= count, within_s)
        time.sleep(0.3)
        found = self.rows("lead")
        assert len(found) == count
        return found

    def begun(self) -> None:
        wait_until(lambda: self.progress() is not None)

    def progress(self) -> dict[str, Any] | None:
        return next(iter(self.engine.door.checkpoints_of("mail").values()), None)

    def capture(self, capture_id: str) -> Capture:
        found = self.engine.files.capture(capture_id)
        assert found is not None
        return found


def wait_until(is_so: Callable[[], bool], within_s: float = 15) -> None:
    give_up = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up, "it did not come to be"
        time.sleep(0.1)


@contextmanager
def following(folder: Path, made: Any) -> Iterator[Following]:
    files = open_files(folder / "data")
    with files.store.write() as connection:
        put_company(connection, made, 0)
    engine = Embedded(files)
    engine.start()
    try:
        yield Following(engine)
    finally:
        engine.stop()


@pytest.mark.parametrize("tls", ["none", "implicit", "starttls"])
def test_a_mail_that_comes_is_a_lead_at_once_and_stays_as_it_is(
    server: MailServer, tmp_path: Path, tls: str
) -> None:
    port = server.tls_port if tls == "implicit" else server.port
    server.deliver(enquiry(1))
    made = company(server, tls=tls, port=port, ca_file=None if tls == "none" else str(server.ca_file))
    with following(tmp_path, made) as here:
        here.begun()
        server.deliver(enquiry(2))
        (lead,) = here.leads(1)
    assert "13900000002" in lead["fields_json"]
    assert server.counts() == (2, 0)
    assert "ID sent: name=leadflow" in server.said()
    assert ("TLS" in server.said()) == (tls != "none")


def test_a_server_that_cannot_tell_is_asked_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALES_MAIL_PASSWORD", PASSWORD)
    with mail_server(idle=False) as server, following(tmp_path, company(server)) as here:
        here.begun()
        server.deliver(enquiry(1))
        here.leads(1)


@pytest.mark.parametrize(("start", "count"), [("new", 0), ("all", 3), ("2026-06-01", 2)])
def test_where_reading_begins(server: MailServer, tmp_path: Path, start: str, count: int) -> None:
    for number, day in enumerate(("2026-05-30", "2026-06-02", "2026-07-01")):
        server.deliver(enquiry(number), at=datetime.fromisoformat(day).replace(tzinfo=UTC))
    with following(tmp_path, company(server, start=start)) as here:
        here.begun()
        here.leads(count)
        server.deliver(enquiry(9))
        here.leads(count + 1)


def test_it_goes_on_where_it_was_after_a_restart(server: MailServer, tmp_path: Path) -> None:
    with following(tmp_path, company(server)) as here:
        here.begun()
        server.deliver(enquiry(1))
        here.leads(1)
    server.deliver(enquiry(2))
    with following(tmp_path, company(server)) as here:
        here.leads(2)


def test_when_the_server_numbers_anew_nothing_comes_twice_and_nothing_old_comes(
    server: MailServer, tmp_path: Path
) -> None:
    server.deliver(enquiry(1), at=datetime.now(UTC) - timedelta(days=9))
    with following(tmp_path, company(server)) as here:
        here.begun()
        server.deliver(enquiry(2))
        server.deliver(enquiry(3, message_id=False))
        here.leads(2)
        before = here.progress()
    server.stop()
    server.number_anew()
    server.start()
    server.deliver(enquiry(4))
    with following(tmp_path, company(server)) as here:
        here.leads(3)
        after = here.progress()
    assert before is not None
    assert after is not None
    assert after["validity"] != before["validity"]


@pytest.mark.parametrize("mode", ["seen", "move"])
def test_mails_are_marked_or_moved_only_when_they_are_durable(
    server: MailServer, tmp_path: Path, mode: str
) -> None:
    for number in range(3):
        server.deliver(enquiry(number))
    made = company(server, start="all", mode=mode, move_to="Taken" if mode == "move" else None)
    with following(tmp_path, made) as here:
        here.leads(3)
        if mode == "seen":
            wait_until(lambda: server.counts() == (3, 3))
        else:
            wait_until(lambda: server.counts() == (0, 0) and server.counts("Taken") == (3, 0))


@pytest.mark.parametrize("point", ["before fsync:2", "fsynced, unanswered:2", "answered:1"])
def test_a_kill_at_any_moment_loses_and_doubles_nothing(
    server: MailServer, tmp_path: Path, point: str
) -> None:
    for number in range(4):
        server.deliver(enquiry(number))
    live = Live(tmp_path / "data", company(server, start="all", mode="move", move_to="Taken"))
    try:
        live.start(statuses=(200, 503), LEADFLOW_CRASH_AT=point, SALES_MAIL_PASSWORD=PASSWORD)
        wait_until(lambda: not live.alive, within_s=40)
        live.start(SALES_MAIL_PASSWORD=PASSWORD)
        wait_until(lambda: live.query("SELECT count(*) FROM lead")[0][0] >= 4, within_s=40)
        wait_until(lambda: server.counts() == (0, 0))
        live.drained()
        assert live.query("SELECT count(*) FROM lead") == [(4,)]
        assert server.counts("Taken") == (4, 0)
        live.stop()
    finally:
        live.kill()


def test_damaged_mails_need_repair_and_what_comes_behind_them_goes_on(
    server: MailServer, tmp_path: Path
) -> None:
    noise = bytes(range(256)) * 40
    server.deliver(noise)
    server.deliver(b"\r\n")
    server.deliver(b"From: x\r\nContent-Type: multipart/mixed; boundary=\"a\"\r\n\r\n--a\r\nContent-Transfer-Encoding: base64\r\n\r\n%%%")  # fmt: skip
    server.deliver(enquiry(5))
    with following(tmp_path, company(server, start="all")) as here:
        wait_until(lambda: any("13900000005" in row["fields_json"] for row in here.rows("lead")))
        wait_until(lambda: len(here.rows("dead")) >= 2)
        letters = here.rows("dead")
        assert {row["code"] for row in letters} <= {"not_a_mail", "empty", "nothing_to_read"}
        raw = [here.capture(row["capture_id"]).body for row in letters]
    # Dovecot sends every line with CRLF and no NUL, as IMAP has it.
    assert any(noise[1:10] in one and noise[14:200] in one for one in raw)


class Grudging(Client):
    """A server that will not give everything: two mails it hangs up on, one it refuses, of one it does not tell the size."""

    hangs_up_on, refuses, knows_not = (2, 5), 3, 4
    asked: list[int]
    moves: bool

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        if any(uid in uids for uid in self.hangs_up_on):
            type(self).asked.append(len(uids))
            raise FetchTrouble("unreachable", "the connection broke off")
        if self.refuses in uids:
            raise FetchTrouble("refused", "FETCH: NO [SERVERBUG]")
        return super().bodies(uids)

    def envelopes(self, uids: Sequence[int]) -> list[Envelope]:
        if self.knows_not in uids:
            raise FetchTrouble("refused", "FETCH: NO [SERVERBUG]")
        return super().envelopes(uids)

    def mark(self, uids: Sequence[int]) -> None:
        if not self.moves:
            raise FetchTrouble("refused", "MOVE: NO no such folder")
        super().mark(uids)


def test_mails_that_the_server_does_not_give_hold_up_none_behind_them(
    server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.email.imap_door.Client", Grudging)
    monkeypatch.setattr("ingest.fetch_door.wait_s", lambda *_: 0.05)
    monkeypatch.setattr(Grudging, "asked", [], raising=False)
    monkeypatch.setattr(Grudging, "moves", False, raising=False)
    for number in range(1, 7):
        server.deliver(enquiry(number))
    with following(tmp_path, company(server, start="all", mode="move", move_to="Taken")) as here:
        found = here.leads(3)
        wait_until(lambda: len(here.rows("dead")) == 3)
        letters = here.rows("dead")
        wait_until(lambda: here.engine.mailboxes.trouble.get("mail") is not None)
        assert here.engine.mailboxes.trouble["mail"].message == "MOVE: NO no such folder"
        monkeypatch.setattr(Grudging, "moves", True)  # somebody has made the folder
        server.deliver(enquiry(8))
        wait_until(lambda: server.counts("Taken")[0] == 7)
        wait_until(lambda: "mail" not in here.engine.mailboxes.trouble)
    given = "".join(row["fields_json"] for row in found)
    assert [n for n in range(1, 7) if f"1390000000{n}" in given] == [1, 4, 6]
    assert {row["code"] for row in letters} == {"empty"}
    assert Grudging.asked[0] > 1, "together at first"
    assert Grudging.asked[1:] == [1] * DROPS * 2, "each so often, and not the first anew for the second"


def test_a_large_mail_that_the_server_refuses_holds_up_none_behind_it(
    server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_client: Client, _uid: int) -> bytes | None:
        raise FetchTrouble("refused", "FETCH: NO [SERVERBUG]")

    monkeypatch.setattr(Client, "beginning", refused)
    server.deliver(enquiry(6) + b"x" * (26 * 1024 * 1024))
    server.deliver(enquiry(7))
    with following(tmp_path, company(server, start="all")) as here:
        assert "13900000007" in here.leads(1)[0]["fields_json"]
        wait_until(lambda: len(here.rows("dead")) == 1)


def test_what_opens_and_cannot_be_read_is_tried_ever_more_patiently_and_told(
    server: MailServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> list[int]:
        raise FetchTrouble("refused", "SEARCH: NO [SERVERBUG]")

    waited: list[int] = []

    def wait_s(_code: str, tried: int, _dice: float) -> float:
        waited.append(tried)
        return 0.05

    monkeypatch.setattr(Client, "newer", refused)
    monkeypatch.setattr("ingest.fetch_door.PATIENCE_US", 0)
    monkeypatch.setattr("ingest.fetch_door.wait_s", wait_s)
    with following(tmp_path, company(server)) as here:
        wait_until(lambda: len(waited) >= 4)
        assert waited[:4] == [1, 2, 3, 4]
        wait_until(lambda: any(row["what"] == "door_failed" for row in here.rows("alarm")))


def test_a_mail_over_the_limit_is_a_lead_of_its_text(server: MailServer, tmp_path: Path) -> None:
    server.deliver(enquiry(6) + b"x" * (26 * 1024 * 1024))
    server.deliver(enquiry(7))
    with following(tmp_path, company(server, start="all")) as here:
        found = here.leads(2)
    (large,) = [one for one in found if "13900000006" in one["fields_json"]]
    assert "cut" in orjson.loads(large["more_json"])["flags"]


def test_a_wrong_password_is_told_and_not_tried_again_and_again(server: MailServer, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong\n")
    made = company(server, password_env=None, password_file=str(secret))
    with following(tmp_path, made) as here:
        wait_until(lambda: "mail" in here.engine.mailboxes.trouble)
        assert here.engine.mailboxes.trouble["mail"].code == "login_refused"
        time.sleep(3)
        assert server.said().count("auth failed") == 1
        secret.write_text(PASSWORD + "\n")
        wait_until(lambda: "mail" not in here.engine.mailboxes.trouble)
        server.deliver(enquiry(8))
        here.leads(1)


@pytest.mark.parametrize(
    ("imap", "code"),
    [
        ({"folder": "Nowhere"}, "folder_missing"),
        ({"password_env": "NOBODY_SET_THIS"}, "password_missing"),
        ({"tls": "implicit", "port": None}, "bad_certificate"),
        ({"port": 1}, "unreachable"),
    ],
)
def test_what_is_wrong_with_a_mailbox_has_a_name(
    server: MailServer, tmp_path: Path, imap: dict[str, Any], code: str
) -> None:
    settings = {**imap, "port": server.tls_port} if imap.get("tls") == "implicit" else imap
    with following(tmp_path, company(server, **settings)) as here:
        wait_until(lambda: "mail" in here.engine.mailboxes.trouble)
        assert here.engine.mailboxes.trouble["mail"].code == code


def test_a_server_that_goes_away_is_found_again(server: MailServer, tmp_path: Path) -> None:
    with following(tmp_path, company(server)) as here:
        here.begun()
        server.stop()
        wait_until(lambda: "mail" in here.engine.mailboxes.trouble)
        server.deliver(enquiry(1))
        server.start()
        here.leads(1)


@pytest.mark.parametrize("idle", [True, False])
def test_a_server_that_falls_silent_holds_up_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, idle: bool
) -> None:
    monkeypatch.setenv("SALES_MAIL_PASSWORD", PASSWORD)
    with mail_server(idle=idle) as server:
        server.deliver(enquiry(1))
        with following(tmp_path, company(server, start="all")) as here:
            here.leads(1)
            with server.silent():
                time.sleep(1)
                told = time.monotonic()
                here.engine.mailboxes.stop()
                assert time.monotonic() - told < LEAVE_S + 2


def test_a_full_mailbox_is_begun_at_its_end_and_read_in_batches(server: MailServer, tmp_path: Path) -> None:
    for number in range(300):
        server.deliver(enquiry(number))
    with following(tmp_path, company(server, start="all")) as here:
        here.leads(300, within_s=60)
        with here.engine.files.doors.read() as connection:
            moments = connection.execute(
                select(func.count(func.distinct(tables.door_log.c.appended_us)))
            ).scalar_one()
    assert moments >= 300 / 50
