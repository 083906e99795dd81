"""From one machine to the cluster on real Kafka and PostgreSQL, and back: nothing is lost, repeated or brought back."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from enrich.resolve import resolve
from leadflow.clock import wall_clock_us
from leadflow.cluster import NotReady, cluster_door, open_cluster
from leadflow.embedded import Embedded, open_files
from leadflow.from_cluster import move_back
from leadflow.lock import take_lock
from leadflow.moving import HOSTS_OWN, CannotMove, Moved
from leadflow.operate import VERBS
from leadflow.settings import Settings
from leadflow.to_cluster import move_to_cluster
from schemas.capture import Capture
from schemas.company import Company
from store import tables
from store.acts import Command, perform
from store.acts_dead import replay
from store.breakers import reset
from store.company import put_company
from store.database import Database, open_postgres
from store.relocation import NotHere
from stream.breaker import Policy
from stream.door_log import capture_event
from stream.kafka.message import to_message
from stream.kafka.producer import Sender
from stream.kafka.topics import admin_client
from stream.log import columns_of
from tests.e2e.test_calls import MISSED, SOURCE, row
from tests.support.cluster import PARTS, Site, renew_topics
from tests.support.rig import empty, post, small_company
from tests.support.senders import bad, good

PLACES = {("capture", "part"), ("capture", "off"), ("part", "off"), ("dead", "part"), ("dead", "off")}
"""What names a place in a topic: another one on the other side, where the raw bytes are read by it."""
OWN_ROWS = {("setting", "key", "master_key_mark")}
"""Written by the first process of a cluster."""
FEW = Policy(minimum=5)
KNOWN, ERASED, UNREAD, BROKEN = "13700000001", "13700000002", "13700000003", "13711110004"


@dataclass
class Machine:
    """An installation of one machine that has been at work, and was stopped."""

    folder: Path
    calls: Path
    captures: list[Capture] = field(default_factory=list)

    def work(self, *captures: Capture, company: Company | None = None) -> Embedded:
        """Let it take captures and work them off; the engine is to be closed by `stop`."""
        files = open_files(self.folder)
        if company is not None:
            with files.store.write() as connection:
                put_company(connection, company, 0)
        engine = Embedded(files, policy=FEW)
        engine.door.start()
        self.captures += captures
        engine.door.append(list(captures)).result()
        engine.calls.poll()
        engine.work_off()
        return engine

    @staticmethod
    def stop(engine: Embedded) -> None:
        engine.door.close()
        engine.files.close()


def company(calls: Path, **fair: Any) -> Company:
    """People who are at work at any hour; a form, one that was rebuilt, and a telephone system."""
    day = {"zone": "Asia/Shanghai", "country": "CN", "week": {}}
    day["week"] = {name: ["00:00-24:00"] for name in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    made = small_company(absences=(), calendars={"day": day}, responsible_id="ann")
    made.sources["fair"] = {**made.sources["site"], "source_id": "fair", **fair}
    made.sources["pbx"] = {**SOURCE, "files": [str(calls)], "settle_s": 15}
    return made


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Owned customers, an erased one, letters of two stages, a held source, and a call that is not judged yet."""
    made = Machine(tmp_path / "old", tmp_path / "Master.csv")
    made.calls.write_bytes(row(1, "13812340001", MISSED) + row(1, "13812340001", MISSED, 802))
    now_us = wall_clock_us()
    honest = resolve

    def broken(lead, *known):  # type: ignore[no-untyped-def]
        if lead.first("phone").received[:-1] == BROKEN[:-1]:
            raise ZeroDivisionError
        return honest(lead, *known)

    with monkeypatch.context() as patch:
        patch.setattr("enrich.gateway.resolve", broken)
        engine = made.work(
            *(post(made=f"m{n}", name=f"客户{n}", phone=f"1380001{n:04d}", at_us=now_us) for n in range(120)),
            post(made="known", name="老客户", phone=KNOWN, at_us=now_us),
            post(made="erased", name="忘记我", phone=ERASED, at_us=now_us),
            post(made="unread", wer=UNREAD, at_us=now_us),
            *(post(made=f"broken{n}", name=f"问题{n}", phone=BROKEN[:-1] + n, at_us=now_us) for n in "45"),
            *(bad("fair", n, now_us) for n in range(20)),
            *(good("site", n, now_us) for n in range(30)),
            company=company(made.calls),
        )
    with engine.files.store.read() as connection:
        identifier, member = tables.lead_identifier, tables.membership
        wanted = select(member.c.customer_id).join(identifier, identifier.c.lead_id == member.c.lead_id)
        gone = connection.execute(wanted.where(identifier.c.value.like(f"%{ERASED}"))).scalar_one()
    VERBS["erase"](engine, {"id": gone, "actor": "ann"})
    made.stop(engine)
    return made


@pytest.fixture
def settings(tmp_path: Path, brokers: str, database_url: str) -> Settings:
    renew_topics(admin_client(brokers), PARTS)
    return Settings(data=tmp_path / "one", kafka=brokers, database_url=database_url, partitions=PARTS)


def moved(machine: Machine, settings: Settings) -> Moved:
    return move_to_cluster(machine.folder, settings, now_us=wall_clock_us(), told=lambda _name, _count: None)


def rows_of(store: Database) -> dict[str, list[dict[str, Any]]]:
    """Return every table but what is each host's own, without places."""
    with store.read() as connection:
        return {
            table.name: [
                {name: value for name, value in found.items() if (table.name, name) not in PLACES}
                for found in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
                if not any((table.name, name, value) in OWN_ROWS for name, value in found.items())
            ]
            for table in tables.state.sorted_tables
            if table.name not in HOSTS_OWN
        }


def bodies(files: Any, store: Database) -> dict[str, bytes | None]:
    """Return the raw bytes of everything that was ever seen, read by the places that the tables name."""
    with store.read() as connection:
        seen = set(connection.execute(select(tables.capture.c.capture_id)).scalars())
        seen |= set(connection.execute(select(tables.dead.c.capture_id)).scalars()) - {None}
    found = {one: files.capture(one) for one in seen}
    return {one: capture and capture.body for one, capture in found.items()}


@pytest.fixture
def before(machine: Machine) -> tuple[dict[str, list[dict[str, Any]]], dict[str, bytes | None]]:
    """What the installation held before it moved."""
    files = open_files(machine.folder)
    held = rows_of(files.store), bodies(files, files.store)
    files.close()
    return held


def test_every_row_and_all_raw_bytes_arrive(machine: Machine, settings: Settings, before: Any) -> None:
    done = moved(machine, settings)
    assert done.tables is not None
    assert (done.tables["lead"].rows, done.tables["dead"].rows) == (151, 23)
    cluster = open_cluster(settings)
    assert rows_of(cluster.store) == before[0]
    assert bodies(cluster, cluster.store) == before[1]
    cluster.close()
    with pytest.raises(NotHere):
        open_files(machine.folder)
    assert moved(machine, settings).tables is None


def die_at(what: Callable[..., object], folder: Path, settings: Settings, name: str) -> None:
    """Move, in a process of its own, and die by SIGKILL once the first of this table or topic went, or at a function."""

    def told(under_way: str, _so_far: int) -> None:
        if under_way == name:
            os.kill(os.getpid(), signal.SIGKILL)

    def reached(*_arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    patch = pytest.MonkeyPatch()
    patch.setattr("leadflow.to_cluster.FORWARD_AT_ONCE", 50)  # several batches
    if "." in name:
        patch.setattr(name, reached)
    what(folder, settings, now_us=wall_clock_us(), told=told)


def killed(what: Callable[..., object], folder: Path, settings: Settings, name: str) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_at, args=(what, folder, settings, name))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, name


def test_killed_anywhere_it_goes_on_and_nobody_works_on_half_of_it(
    machine: Machine, settings: Settings, before: Any
) -> None:
    old_is_closed = "leadflow.to_cluster.keep_key_mark"
    for name in ("captures", "lead", old_is_closed):
        killed(move_to_cluster, machine.folder, settings, name)
        with pytest.raises(NotReady, match="leadflow migrate"):
            open_cluster(settings)
    with pytest.raises(NotHere):
        open_files(machine.folder)
    assert moved(machine, settings).tables is not None
    cluster = open_cluster(settings)
    assert rows_of(cluster.store) == before[0]
    assert bodies(cluster, cluster.store) == before[1]
    ends = [cluster.reader.head(place).end for place in cluster.reader.places(["captures"])]
    cluster.close()
    assert sum(ends) == len(machine.captures) + 2, "none was sent twice"


def test_the_cluster_goes_on_where_the_machine_stopped_and_back_again(
    machine: Machine, settings: Settings, tmp_path: Path
) -> None:
    told = leadflow(settings, "migrate", str(machine.folder))
    assert "lead\t151\t" in told
    assert "the same on both sides" in told
    assert "此前已迁移完成" in leadflow(settings, "migrate", str(machine.folder), LC_ALL="zh_CN.UTF-8")
    alone = settings.model_copy(update={"data": machine.folder})
    assert "此数据已迁出" in leadflow(alone, "run", code=2, LC_ALL="zh_CN.UTF-8")
    site = Site(tmp_path, str(settings.kafka), str(settings.database_url), moved=True)
    try:
        works_on(site, machine)
        trim(site)
        rows, raw = rows_of(site.cluster.store), bodies(site.cluster, site.cluster.store)
    finally:
        site.close()

    folder = tmp_path / "back"
    placed, cluster_is_closed = "leadflow.from_cluster.mark_gone", "leadflow.from_cluster._open"
    for name in ("lead", placed, cluster_is_closed):
        killed(move_back, folder, settings, name)
        if folder.exists():
            with pytest.raises(NotHere):
                open_files(folder)
    with pytest.raises(NotReady):
        open_cluster(settings)
    leadflow(settings, "migrate", "--back", str(folder))
    files = open_files(folder)
    now = rows_of(files.store)
    wanted_by_a_letter = [one for one in now.pop("log") if one not in rows["log"]]
    assert [one["topic"] for one in wanted_by_a_letter] == ["leads"]
    assert now == {name: found for name, found in rows.items() if name != "log"}
    assert bodies(files, files.store) == raw
    files.close()
    goes_on(Machine(folder, machine.calls), raw)


def leadflow(settings: Settings, *arguments: str, code: int = 0, **more: str) -> str:
    """Run the command line of the cluster's machine and return what it printed."""
    variables = {
        "LEADFLOW_DATA": str(settings.data),
        "LEADFLOW_KAFKA": str(settings.kafka),
        "LEADFLOW_DATABASE_URL": str(settings.database_url),
    }
    command = [sys.executable, "-m", "leadflow.cli", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **variables, **more}, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def trim(site: Site) -> None:
    """Forget what was forwarded, as after three days."""
    with site.cluster.store.write() as connection:
        connection.execute(delete(tables.log).where(tables.log.c.topic == "leads"))
        heads = update(tables.topic_head).where(tables.topic_head.c.topic == "leads")
        connection.execute(heads.values(start_off=tables.topic_head.c.next_off))


def works_on(site: Site, machine: Machine) -> None:
    """Let the cluster do everything that was left to do, and something new."""
    owner = site.ask(_OWNER_OF.format(KNOWN))
    tasks = site.count("task")
    door = site.door()
    site.part("timers", "timers")
    worker = site.workers(LEADFLOW_BREAKER_MINIMUM="5")
    site.accept(
        door, [post(made="again", name="老客户", phone=KNOWN, message="又来了", at_us=wall_clock_us())]
    )
    site.wait(lambda: site.ask(_LEADS_OF.format(KNOWN)) == [(2,)], "the known customer's new lead")
    assert site.ask(_OWNER_OF.format(KNOWN)) == owner
    # the letters, from their raw bytes, after the sources were mapped
    with site.cluster.store.write() as connection:
        mapped = company(machine.calls, fields={"sj": "phone"})
        mapped.sources["site"]["fields"] = {"wer": "phone"}
        put_company(connection, mapped, 0)
    later = site.ask("SELECT dead_id FROM dead WHERE stage = 'resolve' ORDER BY dead_id")[0]
    opened = site.ask("SELECT dead_id FROM dead WHERE state = 'open' ORDER BY 1")
    for number, (dead_id,) in enumerate(one for one in opened if one != later):
        command = Command("replay", "ann", f"replay-{number}", dead_id)
        perform(site.cluster.store, command, replay(), wall_clock_us(), site.cluster.store_log.append)
    command = Command("reset_breaker", "ann", "reset", "fair")
    perform(site.cluster.store, command, reset(), wall_clock_us(), site.cluster.store_log.append)
    site.wait(lambda: site.ask(_LEADS_OF.format(UNREAD)) == [(1,)], "the lead of the letter of parse")
    site.wait(lambda: site.ask(_OWNED.format(BROKEN[:-1] + "_")) == [(1,)], "the lead of a letter of resolve")
    site.wait(lambda: site.count("breaker") == 0, "what was held")
    assert site.ask("SELECT dead_id FROM dead WHERE state <> 'replayed'") == [later]
    # the call: its timer fires here, once; and one more row of its file
    with machine.calls.open("ab") as file:
        file.write(row(2, "13812340002", MISSED))
    site.part("doors", "doors", LEADFLOW_DATA=str(site.settings.data))
    calls = "SELECT count(*) FROM task WHERE origin = 'call_back'"
    site.wait(lambda: site.ask(calls) == [(1,)], "the call that was not judged yet")
    site.wait(
        lambda: site.ask("SELECT count(*) FROM capture WHERE source_id = 'pbx'") == [(3,)], "the new row"
    )
    assert site.ask(f"SELECT count(*) FROM binding WHERE value LIKE '%{ERASED}'") == [(0,)]
    whole = tasks + 1 + 2 + 20 + 1  # again; the two letters; the fair's; the call
    site.wait(lambda: site.count("task") >= whole, "every task")
    assert site.count("task") == whole
    assert site.ask("SELECT count(*) FROM timer WHERE fired_us IS NULL") == [(1,)], "the second call's"
    handed_over_again = r'^leadflow_stage_events_total\{stage="parse",way="repeat"\} (\S+)$'
    assert re.findall(handed_over_again, worker.metrics(), re.M) == ["0.0"]


def goes_on(machine: Machine, raw: dict[str, bytes | None]) -> None:
    """Let the machine, back in a new folder, go on where the cluster stopped."""
    with machine.calls.open("ab") as file:
        file.write(row(3, "13812340003", MISSED))
    engine = machine.work(
        post(made="third", name="老客户", phone=KNOWN, message="第三次", at_us=wall_clock_us()),
        post(made="again", name="老客户", phone=KNOWN, message="又来了", at_us=wall_clock_us()),
    )
    try:
        now = rows_of(engine.files.store)
        assert sum(one["source_id"] == "pbx" for one in now["capture"]) == 4
        assert len(now["capture"]) == len(raw) + 2, (
            "the third post and the new row; the retry is the same capture"
        )
        found = sum(one["value"].endswith(KNOWN) for one in now["lead_identifier"])
        assert found == 3
        (letter,) = [one for one in now["dead"] if one["state"] != "replayed"]
        VERBS["replay"](engine, {"id": letter["dead_id"], "actor": "ann"})
        engine.work_off()
        then = rows_of(engine.files.store)
        assert {one["state"] for one in then["dead"]} == {"replayed"}
        assert len(then["task"]) == len(now["task"]) + 1
    finally:
        machine.stop(engine)


_LEADS_OF = "SELECT count(DISTINCT lead_id) FROM lead_identifier WHERE value LIKE '%{}'"
_OWNED = "SELECT count(*) FROM binding WHERE value LIKE '%{}' AND to_us IS NULL"
_OWNER_OF = """
SELECT holder_id, holding.from_us FROM holding JOIN membership USING (customer_id) JOIN lead_identifier USING (lead_id)
WHERE value LIKE '%{}' AND role = 'owner' AND holding.to_us IS NULL AND membership.to_us IS NULL GROUP BY 1, 2
"""


def test_nobody_may_be_at_work_on_either_side(machine: Machine, settings: Settings) -> None:
    with pytest.raises(CannotMove, match="folder of its own"):
        moved(machine, settings.model_copy(update={"data": machine.folder}))
    with closing(take_lock(machine.folder)), pytest.raises(CannotMove, match="Stop it first"):
        moved(machine, settings)
    with closing(open_postgres(str(settings.database_url), name="leadflow stages")) as database:
        with database.write() as connection:
            put_company(connection, small_company(), 0)
        with pytest.raises(CannotMove, match="leadflow stages"):
            moved(machine, settings)


def test_an_old_folder_is_no_spool(machine: Machine, settings: Settings) -> None:
    cluster = open_cluster(settings.model_copy(update={"data": machine.folder}))
    with closing(cluster), pytest.raises(NotReady, match="leadflow migrate"):
        cluster_door(cluster)


def test_what_was_begun_before_the_installation_worked_on_is_refused(
    machine: Machine, settings: Settings
) -> None:
    killed(move_to_cluster, machine.folder, settings, "decision")
    machine.stop(machine.work(post(made="since", phone=KNOWN, at_us=wall_clock_us())))
    with pytest.raises(CannotMove, match="worked on since"):
        moved(machine, settings)


def test_nothing_is_written_over(machine: Machine, settings: Settings, tmp_path: Path) -> None:
    sender = Sender(str(settings.kafka), "somebody-else")
    event = capture_event(machine.captures[0], "key")
    sender.send([to_message("captures", columns_of(event), b"as a door sends it, without a sequence")])
    sender.close()
    with pytest.raises(CannotMove, match="topic captures"):
        moved(machine, settings)

    emptied(settings)
    renew_topics(admin_client(str(settings.kafka)), PARTS)
    other = Machine(tmp_path / "other", tmp_path / "none.csv")
    other.stop(other.work(post(made="other", phone="13811112222"), company=company(other.calls)))
    with pytest.raises(CannotMove, match="another master key"):
        moved(other, settings)
    moved(other, settings.model_copy(update={"data": tmp_path / "two"}))
    with pytest.raises(CannotMove, match="something else in the database"):
        moved(machine, settings)
    with pytest.raises(CannotMove, match="something in"):
        move_back(machine.folder, settings, now_us=wall_clock_us(), told=lambda _name, _count: None)
    emptied(settings)
    with pytest.raises(CannotMove, match="topic captures"):
        moved(machine, settings)


def emptied(settings: Settings) -> None:
    with closing(open_postgres(str(settings.database_url))) as database:
        empty(database)
