"""Lists brought in: who gets whom, nothing twice, the refused rows as a file, and taking back."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from enrich.findable import words_of
from enrich.taken import MOST, look_up
from ingest.lists.row import ListSource
from ingest.lists.table import open_table
from leadflow.clock import wall_clock_us
from leadflow.export_tables import write_table
from leadflow.imports.errors import error_rows
from leadflow.imports.local import preview_of
from leadflow.imports.pieces import assembled
from leadflow.imports.work import Imports
from leadflow.operate import do_erase
from leadflow.operate_imports import do_import_revert
from leadflow.simulation.run import Run, simulated, told
from leadflow.simulation.store import history
from leadflow.tables_out import as_csv
from router.office import office_of
from schemas.pools import Pool
from schemas.work import Reason
from store.acts import ActRefused
from store.company import company_version, load_company
from store.find import leads_found
from store.imports import advanced, became, read_run, remembered, unread_of
from store.views import balance, orphans
from tests.support.lists import LISTS, Bringing, bringing, company_of_lists
from tests.support.rig import post

CUSTOMERS = (
    "客户名称,联系人,手机,业务员,最后联系,下次跟进\n"
    "大恒,李娜,13900000001,bo,2026-11-01,2099-01-05\n"
    "海天,王芳,13900000002,安,2020-01-01,\n"
    "东方,陈静,13900000003,张三,2019-01-01,\n"
    "宏图,赵云,13900000004,dora,2026-10-01,\n"
    "长虹,孙丽,1.39E+10,bo,2026-10-01,\n"
)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Bringing]:
    with bringing(tmp_path / "data", company_of_lists()) as host:
        yield host


def nobody_is_orphaned(host: Bringing) -> None:
    with host.engine.files.store.read() as connection:
        assert orphans(connection, wall_clock_us()) == []
        assert balance(connection, wall_clock_us()).adds_up


def test_customers_go_to_whom_the_list_names_and_the_old_get_a_dated_step(host: Bringing) -> None:
    host.take(CUSTOMERS, "customers", horizon_days=365, route=False, notify=False)
    assert host.holders() == {
        "李娜": ("open", "person", "bo"),
        "王芳": ("open", "nurture", "no_plan"),
        "陈静": ("open", "nurture", "no_plan"),
        "赵云": ("open", "nurture", "no_plan"),
    }
    (task,) = host.rows("task")
    assert (task["origin"], task["holder_id"]) == ("plan", "bo")
    assert host.rows("ledger") == []
    assert host.rows("delivery") == []
    reasons = [Reason.model_validate_json(row["reason_json"]) for row in host.rows("decision")]
    assert sorted((one.code, one.named or "", one.not_named) for one in reasons) == [
        ("imported", "", "unknown"),
        ("imported", "ann", None),
        ("imported", "bo", None),
        ("imported", "dora", "left"),
    ]
    nobody_is_orphaned(host)


def test_an_old_customer_wakes_with_the_owner_whom_the_list_names(host: Bringing) -> None:
    host.take(CUSTOMERS, "customers", horizon_days=365, route=False, notify=False)
    host.engine.door.append([post(key="again", name="王芳", phone="13900000002")]).result()
    host.engine.work_off()
    assert host.holders()["王芳"] == ("open", "person", "ann")


def test_a_simulation_leaves_what_a_list_placed_where_it_is(host: Bringing) -> None:
    host.take(CUSTOMERS, "customers", horizon_days=365, route=False, notify=False)
    host.engine.door.append([post(key="new", name="新人", phone="13900000099")]).result()
    host.engine.work_off()
    company, now_us = company_of_lists(), wall_clock_us()
    with host.engine.files.store.read() as connection:
        came = history(connection, company, 0, now_us)
        found = told(simulated(Run(office_of(company), 0, now_us, ""), came))
    assert (found["leads"], found["stay"], found["changed"], found["orphans"]) == (5, 4, 0, 0)


def test_leads_are_routed_as_any_other_and_whoever_has_a_customer_keeps_it(host: Bringing) -> None:
    host.take(CUSTOMERS, "customers", route=False, notify=False)
    host.take("name,mobile,owner\n李娜,13900000001,ann\nJane Miller,13900000009,\n")
    held = host.holders()
    assert held["李娜"] == ("open", "person", "bo")
    assert held["Jane Miller"][1] == "person"
    assert [row["kind"] for row in host.rows("ledger")] == ["received"]
    assert sorted(row["origin"] for row in host.rows("task")) == ["first_response", "first_response", "plan"]


def test_a_heap_that_would_share_out_is_refused_and_a_pool_is_not(tmp_path: Path) -> None:
    pool = Pool(pool_id="old", name_zh="老客户", name_en="Old", reclaim="no")
    with bringing(tmp_path / "data", company_of_lists(pools={"old": pool})) as host:
        host.take("name,phone\na,13900000001\n", heap="pool:old", route=False)
        assert host.holders()["a"] == ("open", "pool", "old")
        for heap, code in (
            ("queue:east", "heap_routes"),
            ("pool:none", "unknown_heap"),
            ("x", "unknown_heap"),
        ):
            with pytest.raises(ActRefused) as refused:
                host.begin("name,phone\na,13900000001\n", heap=heap, route=False)
            assert refused.value.code == code


@pytest.mark.parametrize(("notify", "told"), [(True, 1), (False, 0)])
def test_whoever_is_not_to_be_told_is_not(tmp_path: Path, notify: bool, told: int) -> None:
    crm = {"sink_id": "crm", "kind": "faulty", "name": "CRM", "events": ["person"], "purposes": ["real"]}
    with bringing(tmp_path / "data", company_of_lists(sinks={"crm": crm})) as host:
        host.take("name,phone,owner\na,13900000001,bo\n", "customers", route=False, notify=notify)
        assert host.holders()["a"] == ("open", "person", "bo")
        assert len(host.rows("delivery")) == told


def test_a_customer_without_an_owner_goes_to_the_heap_and_its_queue_shares_out(host: Bringing) -> None:
    host.take("company,contact,mobile\n大恒,李娜,13900000001\n", "customers", heap="queue:east")
    codes = {row["code"] for row in host.rows("decision")}
    assert codes <= {"imported", "weighted_turn"}, "in office hours the queue is shared out at once"
    assert "imported" in codes
    timers = [(row["kind"], row["subject_id"]) for row in host.rows("timer")]
    assert ("queue_opens", "east") in timers
    assert host.holders()["李娜"][1:] == ("queue", "east") or host.holders()["李娜"][1] == "person"


def test_dated_steps_are_spread_over_working_days(host: Bringing) -> None:
    lines = "".join(f"c{n},1390000{n:04},2020-01-01\n" for n in range(25))
    host.take(
        "name,mobile,last contact\n" + lines, "customers", horizon_days=30, per_day=2, heap="queue:default"
    )
    days = sorted(row["due_us"] for row in host.rows("timer") if row["kind"] == "nurture_wakes")
    assert len(days) == 25
    assert all(days.count(day) <= 2 for day in set(days))


def test_the_same_file_again_is_the_same_list(host: Bringing) -> None:
    first = host.take(CUSTOMERS, "customers", route=False)
    before = len(host.rows("lead"))
    assert host.take(CUSTOMERS, "customers", route=False) == first
    assert len(host.rows("lead")) == before == 4
    assert len(host.rows("import_run")) == 1


def test_what_was_cut_off_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadflow.imports.work.BATCH", 7)
    rows = "".join(f"c{n},1390000{n:04}\n" for n in range(40))
    folder = tmp_path / "data"
    with bringing(folder, company_of_lists()) as host:
        import_id = host.begin("name,mobile\n" + rows, route=False)
        host.engine.imports.is_live = False
        with host.engine.imports._turn:
            host.engine.imports._advance(import_id)
            reading = host.engine.imports._reading
            assert reading is not None
            batch = [row for row, _ in zip(reading.rows, range(7), strict=False)]
            captures = [reading.capture(row, {}) for row in batch]
            host.engine.door.append(captures).result()  # durable, and killed before it was noted
        host.engine.imports._close()
    with bringing(folder) as host:
        assert host.go_on(import_id)["state"] == "done"
        with host.engine.files.store.read() as connection:
            assert read_run(connection, import_id).taken == 40
            assert became(connection, import_id)["new"] == 40
        assert len(host.rows("customer")) == 40


def errors_of(host: Bringing, import_id: str) -> bytes:
    with host.engine.files.store.read() as connection:
        run = read_run(connection, import_id)
    header, rows = error_rows(host.engine.files, run, ListSource.model_validate(LISTS), "zh")
    return b"".join(as_csv(header, rows))


def test_five_thousand_rows_with_bad_ones_among_them_and_only_those_come_back(host: Bringing) -> None:
    bad = {n for n in range(5_000) if n % 40 == 7}
    lines = (f"公司{n},{'1.39E+10' if n in bad else f'1390{n:07}'},=1+{n}\n" for n in range(5_000))
    import_id = host.take("公司,手机,备注\n" + "".join(lines), "customers", route=False, notify=False)
    with host.engine.files.store.read() as connection:
        run = read_run(connection, import_id)
    assert (run.taken, run.refused, run.total) == (4_875, 125, 5_001)
    written = errors_of(host, import_id)
    rows = list(csv.DictReader(io.StringIO(written.decode("utf-8-sig"))))
    assert len(rows) == 125
    assert rows[0]["leadflow_code"] == "phone_cut"
    assert rows[0]["备注"] == "'=1+7"
    repaired = written.decode("utf-8-sig").replace("1.39E+10", "13911111111", 100)
    again = host.take(repaired, "customers", route=False, notify=False)
    with host.engine.files.store.read() as connection:
        second = read_run(connection, again)
    assert (second.taken, second.refused) == (100, 25)
    assert len(host.rows("dead")) == 0
    notes = orjson.loads(host.rows("lead")[-1]["fields_json"])
    assert [one["received"][0] for one in notes if one["name"] == "message"] == ["="]


def test_a_row_that_comes_back_twice_counts_once(host: Bringing) -> None:
    import_id = host.take(CUSTOMERS, "customers", route=False)
    repaired = errors_of(host, import_id).decode("utf-8-sig").replace("1.39E+10", "13900000005")
    host.take(repaired, "customers", route=False)
    host.take(repaired.replace("长虹", "长虹电器"), "customers", route=False)
    assert len(host.rows("customer")) == 5


def test_what_a_column_is_is_remembered_for_the_senders_next_list(host: Bringing) -> None:
    host.take("甲,乙\n李娜,13900000001\n", said={"甲": "full_name", "乙": "phone"})
    with host.engine.files.store.read() as connection:
        assert remembered(connection, "lists") == {"甲": "full_name", "乙": "phone"}
    host.take("乙,甲\n13900000002,王芳\n")
    assert set(host.holders()) == {"李娜", "王芳"}


def test_a_preview_says_what_then_happens(host: Bringing) -> None:
    host.take("name,mobile\n李娜,13900000001\n", route=False)
    with host.engine.files.store.read() as connection:
        found = preview_of(
            connection,
            io.BytesIO(CUSTOMERS.encode()),
            ("lists", "customers"),
            {"horizon_days": 365, "route": False},
        )
    assert (found.rows, found.new, found.joined, dict(found.refused)) == (5, 3, 1, {"phone_cut": 1})
    assert dict(found.owners) == {"known": 2, "unknown": 1, "left": 1}
    import_id = host.take(CUSTOMERS, "customers", route=False, horizon_days=365)
    with host.engine.files.store.read() as connection:
        told = became(connection, import_id)
    assert (told["new"], told["joined"], told["unknown"], told["left"]) == (3, 1, 1, 1)


def test_a_list_is_taken_back_and_what_went_on_since_stays(host: Bringing) -> None:
    host.take("name,mobile\n李娜,13900000001\n", route=False)
    before = host.holders()["李娜"]
    import_id = host.take(CUSTOMERS, "customers", route=False, notify=False)
    host.engine.door.append([post(key="new", name="王芳", phone="13900000002")]).result()
    host.engine.work_off()
    assert host.revert(import_id)["rows"] == {"out": 3, "moved_on": 1}
    held = host.holders()
    assert held["王芳"][0] == "open"
    assert held["陈静"][0] == held["赵云"][0] == "closed"
    assert before[0] == "open"
    nobody_is_orphaned(host)
    with host.engine.files.store.read() as connection:
        company = load_company(connection, company_version(connection))
        assert look_up(connection, company, "13900000003", "ann") == [], "closed, and by no outcome"
        assert look_up(connection, company, "13900000002", "ann") != []
        found, _ = leads_found(connection, words_of("陈静"), MOST)
        assert found == []
    host.engine.door.append([post(key="newer", name="陈静", phone="13900000003")]).result()
    host.engine.work_off()
    assert len([row for row in host.rows("customer") if row["state"] == "open"]) == 3
    again = host.take(CUSTOMERS, "customers", route=False, notify=False)
    assert again != import_id


def five(host: Bringing) -> tuple[str, Imports]:
    """Return a list of five rows whose captures are durable, and which the stages have not seen."""
    import_id = host.begin("name,mobile\n" + "".join(f"客户{n},139000000{n:02}\n" for n in range(5)))
    lists = Imports(host.engine, is_live=False)
    assert not lists.step(import_id, 5)
    return import_id, lists


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_a_list_taken_back_while_the_stages_lag_leaves_nobody_behind(host: Bringing, stages: int) -> None:
    import_id, _ = five(host)
    for stage in host.engine.hosts[:stages]:
        while stage.run_once():
            pass
    asked = {"id": import_id, "actor": "operator", "reason": "wrong list"}
    answer = do_import_revert(host.engine, asked, seconds=0.2)
    assert answer["more"], "they are waited for"
    host.engine.work_off()
    host.revert(import_id)
    assert {row["state"] for row in host.rows("customer")} == {"closed"}
    assert {row["state"] for row in host.rows("task")} == {"cancelled"}
    assert [row["reverted"] for row in host.rows("import_row")] == ["out"] * 5


def test_a_batch_under_way_while_its_list_is_taken_back_is_taken_back_too(
    host: Bringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = host.begin("name,mobile\n" + "".join(f"客户{n},139000000{n:02}\n" for n in range(5)))

    append = host.engine.door.append

    def late(captures: Any, *more: Any) -> Any:
        durable = append(captures, *more)
        durable.result()
        answer = do_import_revert(host.engine, {"id": import_id, "actor": "operator", "reason": "wrong"})
        assert not answer["more"], "nothing was noted yet, so there is nothing to be taken back"
        return durable

    monkeypatch.setattr(host.engine.door, "append", late)
    Imports(host.engine, is_live=False).step(import_id, 5)
    host.engine.work_off()
    (run,) = host.rows("import_run")
    assert run["state"] == "reverting", "it goes on by itself"
    host.revert(import_id)
    assert {row["state"] for row in host.rows("customer")} == {"closed"}
    assert [row["reverted"] for row in host.rows("import_row")] == ["out"] * 5
    assert host.rows("import_run")[0]["state"] == "reverted"


def test_what_another_process_notes_once_more_leaves_a_list_that_was_taken_back(host: Bringing) -> None:
    import_id = host.begin("name,mobile\n" + "".join(f"客户{n},139000000{n:02}\n" for n in range(5)))
    with host.engine.files.store.read() as connection:
        run = read_run(connection, import_id)
    host.go_on(import_id)
    host.revert(import_id)
    noted = [
        {name: row[name] for name in ("import_id", "number", "capture_id", "code")}
        for row in host.rows("import_row")
    ]
    before = host.rows("import_run"), host.rows("import_row")
    with host.engine.files.store.write() as connection:
        assert not advanced(connection, run, noted, 6, {})
    assert (host.rows("import_run"), host.rows("import_row")) == before


def test_an_error_that_passes_does_not_end_the_taking_of_lists(
    host: Bringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (host.begin(f"name,mobile\n客户{n},1390000000{n}\n") for n in range(2))
    tried = []

    def broken(*given: Any) -> Any:
        tried.append(1)
        if len(tried) < 3:
            raise ConnectionError("the brokers are away")
        return assembled(*given)

    monkeypatch.setattr("leadflow.imports.work.assembled", broken)
    monkeypatch.setattr("leadflow.imports.work.EVERY_S", 0.05)
    lists = Imports(host.engine, is_live=True)
    lists.start()
    try:
        give_up = time.monotonic() + 30
        while {row["state"] for row in host.rows("import_run")} != {"done"}:
            assert time.monotonic() < give_up
            host.engine.work_off()
            time.sleep(0.05)
    finally:
        lists.stop()
    assert {first, second} == {row["import_id"] for row in host.rows("import_row")}


def test_rows_that_other_processes_have_not_read_are_counted(host: Bringing) -> None:
    import_id, _ = five(host)

    def unread() -> int:
        with host.engine.files.store.read() as connection:
            return unread_of(connection, read_run(connection, import_id), 3)

    assert unread() == 3, "so many are looked at"
    host.engine.work_off()
    assert unread() == 0


def test_a_list_that_is_too_old_or_without_a_reason_is_not_taken_back(host: Bringing) -> None:
    import_id = host.take(CUSTOMERS, "customers", route=False)
    with pytest.raises(ActRefused) as refused:
        do_import_revert(host.engine, {"id": import_id, "actor": "operator"})
    assert refused.value.code == "reason_missing"


def test_whoever_is_erased_takes_the_file_with_them(host: Bringing) -> None:
    import_id = host.take(CUSTOMERS, "customers", route=False)
    erased = host.rows("customer")[0]["customer_id"]
    do_erase(host.engine, {"id": erased, "actor": "operator"})
    with pytest.raises(Exception, match="kept no longer"):
        errors_of(host, import_id)


def test_a_cost_needs_its_currency_and_a_known_campaign(host: Bringing) -> None:
    with pytest.raises(ActRefused) as refused:
        host.begin(CUSTOMERS, "customers", cost_minor=1)
    assert refused.value.code == "no_currency"
    with pytest.raises(ActRefused) as refused:
        host.begin(CUSTOMERS, "customers", campaign="none")
    assert refused.value.code == "unknown_campaign"
    import_id = host.take(CUSTOMERS, "customers", campaign="fair", cost_minor=120_050, currency="cny")
    with host.engine.files.store.read() as connection:
        run = read_run(connection, import_id)
    assert (run.campaign_id, run.cost_minor, run.currency) == ("fair", 120_050, "CNY")


def test_a_list_that_cannot_be_read_stops_with_a_code(host: Bringing) -> None:
    import_id = host.take("no,header,here\n1,2,3\n", "customers")
    with host.engine.files.store.read() as connection:
        run = read_run(connection, import_id)
    assert (run.state, run.code) == ("stopped", "no_header")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize("what", ["customers", "leads"])
def test_our_own_export_comes_in_unchanged(host: Bringing, tmp_path: Path, what: str, suffix: str) -> None:
    rows = (
        "客户名称,联系人,手机,手机2,邮箱,业务员,建档时间,最后联系,下次跟进,备注,客户状态,邮编\n"
        "大恒,李娜,'13900000001,021-6234 5678,li.na@daheng.example,bo,2020-02-03,2026-11-01,2099-01-05,=1+1,成交,0100\n"
        'Smith & Co,Jane Miller,+49 30 901820,,,ann,,2026-10-02 08:30:00,,"a, ""b""\nc",,\n'
    )
    host.take(rows, "customers", route=False)
    host.engine.door.append([post(key="k", name="王芳", phone="139 0000 0007", message="@SUM")]).result()
    host.engine.work_off()
    files = [tmp_path / f"{number}{suffix}" for number in (1, 2)]
    with host.engine.files.store.read() as connection:
        assert write_table(connection, what, files[0]) == (3 if what == "customers" else 1)
    with bringing(tmp_path / "other", company_of_lists()) as other:
        other.take(files[0].read_bytes(), what, route=False)
        with other.engine.files.store.read() as connection:
            write_table(connection, what, files[1])
    first, second = (
        sorted(row.cells for row in open_table(io.BytesIO(file.read_bytes())).rows) for file in files
    )
    assert first == second
    if suffix == ".csv":
        assert b"\n=1+1" not in files[0].read_bytes()
        assert files[0].read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_list_that_stopped_is_begun_again_with_what_was_said_since(host: Bringing) -> None:
    text = "甲,乙\n李娜,13900000001\n"
    stopped = host.take(text)
    assert host.rows("import_run")[0]["state"] == "stopped"
    assert host.take(text, said={"甲": "full_name", "乙": "phone"}) == stopped
    (run,) = host.rows("import_run")
    assert (run["state"], run["code"], run["taken"]) == ("done", None, 1)
