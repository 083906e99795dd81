"""Lists on PostgreSQL: taken, corrected, judged and taken back by the same statements as on SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from leadflow.clock import new_id, wall_clock_us
from leadflow.embedded import Embedded
from store.acts import ActRefused, Command, perform
from store.company import CompanyCache
from store.database import Database
from store.effects import Effect
from store.imports import Begin, became, codes_of, drop_old_files, left_of, read_run, throw_away
from store.views import orphans
from stream.door_log import DoorLog
from tests.support.lists import Bringing, company_of_lists
from tests.support.rig import DAY, Rig

LIST = (
    "company,contact,mobile,owner,last contact\n"
    "Daheng,Li Na,13900000001,bo,2026-11-01\n"
    "Haitian,Wang Fang,13900000002,ann,2020-01-01\n"
    "Haitian,Wang Fang,13900000002,ann,2020-01-01\n"
    "Dongfang,Chen Jing,1.39E+10,,\n"
)


@pytest.fixture
def host(clean_postgres: Database, tmp_path: Path) -> Iterator[Bringing]:
    rig = Rig(tmp_path, clean_postgres, company_of_lists())
    files = rig.files
    door = DoorLog(files.doors, files.door_log, files.keys, clock=wall_clock_us, new_id=new_id)
    door.start()
    companies = CompanyCache()

    def sources() -> dict[str, dict[str, Any]]:
        with files.store.read() as connection:
            return companies.get(connection).sources

    engine = SimpleNamespace(
        files=files, door=door, companies=companies, sources=sources, backlogs=list, work_off=rig.run
    )
    yield Bringing(cast(Embedded, engine))
    door.close()
    files.doors.close()


def test_a_list_on_postgres_is_taken_told_of_and_taken_back(host: Bringing) -> None:
    import_id = host.take(LIST, "customers", route=False, notify=False, horizon_days=365)
    assert host.take(LIST, "customers", route=False, notify=False, horizon_days=365) == import_id
    store = host.engine.files.store
    with store.read() as connection:
        run = read_run(connection, import_id)
        told = became(connection, import_id)
        assert (run.state, run.taken, run.refused) == ("done", 3, 1)
        assert (told["new"], told["joined"], told["waiting"]) == (2, 1, 0)
        assert codes_of(connection, import_id) == {"phone_cut": 1}
        assert orphans(connection, wall_clock_us()) == []
    assert host.holders() == {"Li Na": ("open", "person", "bo"), "Wang Fang": ("open", "nurture", "no_plan")}
    assert host.revert(import_id)["rows"] == {"out": 3}
    with store.read() as connection:
        assert left_of(connection, import_id) == {"out": 3}
        assert orphans(connection, wall_clock_us()) == []
    assert {state for state, _, _ in host.holders().values()} == {"closed"}
    again = host.take(LIST, "customers", route=False, notify=False)
    assert again != import_id
    assert [row["state"] for row in host.rows("customer")].count("open") == 2


def test_files_of_old_lists_are_given_up_and_their_rows_stay(host: Bringing) -> None:
    host.take(LIST, "customers", route=False)
    store = host.engine.files.store
    with store.write() as connection:
        assert drop_old_files(connection, wall_clock_us()) == 0
        assert drop_old_files(connection, wall_clock_us() + 31 * DAY) == 1
    assert len(host.rows("key_to_erase")) == 1
    assert len(host.rows("lead")) == 3


def test_a_draft_that_is_being_begun_is_not_thrown_away_at_the_same_moment(host: Bringing) -> None:
    files = host.engine.files
    row = {"source_id": "lists", "kind": "leads", "name": "x", "digest": "d", "bytes": 1, "spec_json": "{}"}
    draft, running = (Begin({**row, "state": state}, [], {}) for state in ("draft", "running"))
    under_way, asked = Event(), Event()

    def slowly(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        effects = running(connection, command, now_us)
        under_way.set()
        assert asked.wait(5)
        return effects

    def do(key: str, plan: Any) -> bool:
        command = Command("import_list", "operator", key, "imp_x")
        return perform(files.store, command, plan, wall_clock_us(), files.store_log.append)

    do("draft", draft)
    with ThreadPoolExecutor(2) as pool:
        begun = pool.submit(do, "begin", slowly)
        assert under_way.wait(5)
        thrown = pool.submit(do, "away", throw_away)
        with pytest.raises(TimeoutError):
            thrown.result(0.3)
        asked.set()
        assert begun.result(5)
        with pytest.raises(ActRefused, match="begun already"):
            thrown.result(5)
    with files.store.read() as connection:
        assert read_run(connection, "imp_x").state == "running"
