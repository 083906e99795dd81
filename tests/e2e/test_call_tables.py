"""Call records in a table, read from a real MariaDB (and SQLite, PostgreSQL), and queues beside them: one call is one lead."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import create_engine, select, text

from leadflow.embedded import Embedded, open_files
from store import tables
from store.company import put_company
from store.database import Database
from tests.support.mariadb import CDR, PASSWORD, MariaDb, mariadb
from tests.support.rig import small_company

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDb]:
    with mariadb() as made:
        yield made


@pytest.fixture
def pbx(server: MariaDb, monkeypatch: pytest.MonkeyPatch) -> MariaDb:
    monkeypatch.setenv("PBX_PASSWORD", PASSWORD)
    server.fresh()
    return server


def source(url: str, **settings: Any) -> dict[str, Any]:
    base = {
        "source_id": "pbx",
        "channel": "cti",
        "format": "cti.cdr_table",
        "name": "总机",
        "url": url,
        "password_env": "PBX_PASSWORD",
        "own_numbers": ["02155550101"],
        "trunks": ["trunk"],
        "settle_s": 0.3,
        "poll_s": 0.2,
        "start_at": "all",
        **settings,
    }
    return {key: value for key, value in base.items() if value is not None}


def row(number: int, *, ago_s: float = 60, answered: bool = False, **columns: Any) -> dict[str, Any]:
    start = datetime.now(SHANGHAI).replace(microsecond=0, tzinfo=None) - timedelta(seconds=ago_s)
    phone = f"139{number:08d}"
    return {
        "calldate": start,
        "clid": f'"{phone}" <{phone}>',
        "src": phone,
        "dst": "02155550101",
        "dcontext": "from-trunk",
        "channel": f"PJSIP/trunk-{number:08x}",
        "dstchannel": "PJSIP/801-00000002" if answered else "",
        "lastapp": "Dial",
        "duration": 30,
        "billsec": 20 if answered else 0,
        "disposition": "ANSWERED" if answered else "NO ANSWER",
        "uniqueid": f"{int(start.replace(tzinfo=SHANGHAI).timestamp())}.{number}",
        "did": "02155550101",
        **columns,
    }


def write(pbx: MariaDb, *rows: dict[str, Any]) -> None:
    for one in rows:
        names, marks = ", ".join(one), ", ".join(f"%({name})s" for name in one)
        pbx.do(f"INSERT INTO cdr ({names}) VALUES ({marks})", values=one)


class Here:
    def __init__(self, engine: Embedded) -> None:
        self.engine = engine

    def rows(self, name: str) -> list[dict[str, Any]]:
        with self.engine.files.store.read() as connection:
            return [dict(one) for one in connection.execute(select(tables.state.tables[name])).mappings()]

    def leads(self, count: int) -> list[dict[str, Any]]:
        try:
            wait_until(lambda: len(self.rows("lead")) >= count)
        except AssertionError:
            raise AssertionError(f"{self.engine.call_tables.trouble} {self.rows('dead')}") from None
        time.sleep(0.6)
        found = self.rows("lead")
        assert len(found) == count
        return found

    def begun(self) -> None:
        wait_until(lambda: bool(self.engine.door.checkpoints_of("pbx")))


def wait_until(is_so: Callable[[], bool], within_s: float = 20) -> None:
    give_up = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up, "it did not come to be"
        time.sleep(0.05)


@contextmanager
def running(folder: Path, *sources: dict[str, Any]) -> Iterator[Here]:
    files = open_files(folder / "data")
    made = small_company(absences=())
    made.sources.update({one["source_id"]: one for one in sources})
    with files.store.write() as connection:
        put_company(connection, made, 0)
    engine = Embedded(files)
    engine.start()
    try:
        yield Here(engine)
    finally:
        engine.stop()


def test_calls_of_the_table_are_leads_once_also_after_a_restart(pbx: MariaDb, tmp_path: Path) -> None:
    write(pbx, row(1), row(2, answered=True))
    with running(tmp_path, source(pbx.url)) as here:
        here.leads(2)
        write(pbx, row(3, ago_s=1))
        here.leads(3)
    write(pbx, row(4, ago_s=1))
    with running(tmp_path, source(pbx.url)) as here:
        found = here.leads(4)
        tasks = here.rows("task")
    assert all("139" in one["fields_json"] for one in found)
    assert sorted(one["origin"] for one in tasks if one["origin"] == "call_back") or tasks


def test_a_row_that_comes_late_is_found_within_the_overlap(pbx: MariaDb, tmp_path: Path) -> None:
    write(pbx, row(1, ago_s=5))
    with running(tmp_path, source(pbx.url, overlap_s=3_600)) as here:
        here.leads(1)
        write(pbx, row(2, ago_s=1_800))  # it began half an hour ago, and ended now
        here.leads(2)
        write(pbx, row(3, ago_s=7_200))
        here.leads(2)


def test_rows_of_one_call_are_one_lead(pbx: MariaDb, tmp_path: Path) -> None:
    first = row(1)
    write(pbx, first, {**first, "dstchannel": "PJSIP/801-1"}, {**first, "dstchannel": "PJSIP/802-1"})
    with running(tmp_path, source(pbx.url)) as here:
        here.leads(1)
        wait_until(lambda: len(here.rows("part")) == 3)


def test_new_begins_with_the_calls_from_now_on(pbx: MariaDb, tmp_path: Path) -> None:
    write(pbx, row(1))
    with running(tmp_path, source(pbx.url, start_at="new")) as here:
        here.begun()
        time.sleep(1.1)
        write(pbx, row(2, ago_s=0))
        (lead,) = here.leads(1)
    assert "13900000002" in lead["fields_json"]


def test_a_clock_that_was_ahead_for_once_hides_nothing(pbx: MariaDb, tmp_path: Path) -> None:
    write(pbx, row(1, ago_s=-9 * 365 * 86_400))
    with running(tmp_path, source(pbx.url)) as here:
        here.leads(1)
        write(pbx, row(2, ago_s=1))
        here.leads(2)


def test_damaged_rows_need_repair_and_the_others_go_on(pbx: MariaDb, tmp_path: Path) -> None:
    pbx.do("SET GLOBAL sql_mode=''", "ALTER TABLE cdr MODIFY duration varchar(10)")
    write(pbx, row(1, duration="?"), row(2), row(3, src="1.39E+10"))
    with running(tmp_path, source(pbx.url)) as here:
        wait_until(lambda: len(here.rows("dead")) >= 1)
        assert "bad_value" in {one["code"] for one in here.rows("dead")}
        wait_until(lambda: any("13900000002" in one["fields_json"] for one in here.rows("lead")))


def test_nothing_can_be_written_to_the_table(pbx: MariaDb, tmp_path: Path) -> None:
    from ingest.cti.cdr_table import CdrTable
    from ingest.cti.table_door import engine_of

    pbx.do("GRANT ALL ON asteriskcdrdb.* TO 'leadflow'@'127.0.0.1'")
    engine = engine_of(CdrTable.model_validate(source(pbx.url)))
    with engine.connect() as connection, pytest.raises(Exception, match="READ ONLY"):
        connection.execute(text("DELETE FROM cdr"))
    engine.dispose()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"table": "nowhere"}, "table_missing"),
        ({"password_env": "NOBODY_SET_THIS"}, "password_missing"),
        ({"password_env": "PATH"}, "login_refused"),
        ({"url": "mysql+pymysql://leadflow@127.0.0.1:1/asteriskcdrdb"}, "unreachable"),
    ],
)
def test_what_is_wrong_with_a_table_has_a_name(
    pbx: MariaDb, tmp_path: Path, settings: dict[str, Any], code: str
) -> None:
    with running(tmp_path, source(**{"url": pbx.url, **settings})) as here:
        wait_until(lambda: "pbx" in here.engine.call_tables.trouble)
        assert here.engine.call_tables.trouble["pbx"].code == code


def test_a_server_that_goes_away_is_found_again(pbx: MariaDb, tmp_path: Path) -> None:
    with running(tmp_path, source(pbx.url)) as here:
        here.begun()
        pbx.stop()
        wait_until(lambda: "pbx" in here.engine.call_tables.trouble)
        pbx.start()
        write(pbx, row(1, ago_s=1))
        here.leads(1)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_other_databases_too(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    if kind == "sqlite":
        url = f"sqlite:///{tmp_path}/cdr.db"
        there = create_engine(url)
    else:
        database: Database = request.getfixturevalue("clean_postgres")
        whole = database.engine.url
        there = create_engine(whole)
        url = whole._replace(password=None).render_as_string()
        if whole.password:
            request.getfixturevalue("monkeypatch").setenv("PBX_PASSWORD", str(whole.password))
    columns = CDR.partition("(\n")[2].partition("  KEY")[0].rstrip(" ,\n").replace("int(11)", "integer")
    columns = columns.replace("datetime", "timestamp").replace(" DEFAULT '0000-00-00 00:00:00'", "")
    one = row(1)
    with there.begin() as connection:
        connection.execute(text("DROP TABLE IF EXISTS cdr"))
        connection.execute(text(f"CREATE TABLE cdr ({columns})"))
        connection.execute(
            text(f"INSERT INTO cdr ({', '.join(one)}) VALUES ({', '.join(':' + name for name in one)})"), one
        )
    password = "PBX_PASSWORD" if kind == "postgresql" and whole.password else None
    with running(tmp_path, source(url, password_env=password)) as here:
        (lead,) = here.leads(1)
    with there.begin() as connection:  # others look at what tables this database has
        connection.execute(text("DROP TABLE cdr"))
    there.dispose()
    assert "13900000001" in lead["fields_json"]


def test_a_queue_and_the_call_records_of_a_table_are_one_call(pbx: MariaDb, tmp_path: Path) -> None:
    log = tmp_path / "queue_log"
    log.write_text("")
    queue = {
        "source_id": "queue",
        "channel": "cti",
        "format": "cti.queue_log",
        "name": "热线",
        "files": [str(log)],
        "cdr_source": "pbx",
        "settle_s": 3,  # both doors have come to it by then, however busy the machine is
    }
    one = row(1, lastapp="Queue", disposition="ANSWERED", billsec=30)
    second = int(time.time())
    with running(tmp_path, source(pbx.url), queue) as here:
        here.begun()
        with log.open("a") as file:
            file.write(f"{second - 45}|{one['uniqueid']}|sales|NONE|ENTERQUEUE||13900000001|1\n")
            file.write(f"{second}|{one['uniqueid']}|sales|NONE|ABANDON|1|1|45\n")
        write(pbx, one)
        (lead,) = here.leads(1)
        (task,) = here.rows("task")
    assert '"answered":false' in lead["more_json"].replace(" ", "")
    assert task["origin"] in ("call_back", "first_response")
