"""Somebody's customers go to others: the dry run is what happens, cut off anywhere it goes on, and it is proved."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from leadflow import handover_job
from leadflow.above import may_give_as
from leadflow.handover_brief import briefs, given_to
from leadflow.handover_job import HandOvers, advance, begin_undo, planned, run, spec_of
from sales.apply import publish
from schemas.company import Absence, Company, book_version
from store import acts_job, tables
from store.access import HOUR_US, grant
from store.acts import ActRefused, Command, perform
from store.acts_job import Begin, Job, counts, items, job_id_of, read_job
from store.acts_move import judge, owned_by
from store.acts_undo import what_job_undoes
from store.belongings import belongings
from store.certificates import read_certificate, verify
from store.company import company_version, load_company, put_company
from store.database import Database
from store.views import orphans
from tests.e2e.test_moves import COMPANY, move, owners, to
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, post

LATER = MONDAY_10 + HOUR
LEAVER = "bo"
SINKLESS = COMPANY.model_copy(
    update={
        "sinks": {},
        "units": {**COMPANY.units, "west": COMPANY.units["west"].model_copy(update={"manager_id": LEAVER})},
        "responsible_id": LEAVER,
        "absences": (
            Absence(person_id="wei", from_us=LATER + DAY, to_us=LATER + 3 * DAY, stand_in_id=LEAVER),
        ),
    }
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts_job, "CHUNK", 4)


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Thirty customers of the east team; half of them are the leaver's, who has duties, too."""
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=SINKLESS)
    made.feed(
        [
            post(made=f"m{n}", name=f"客{n}", phone=f"138{n:08d}", region="江苏" if n % 2 else "四川")
            for n in range(30)
        ]
    )
    made.run()
    command = Command("grant", "operator", "token", LEAVER)
    perform(
        made.store, command, grant("token", "s" * 32, 100 * HOUR_US), MONDAY_10, made.files.store_log.append
    )
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def company_of(rig: Rig) -> Company:
    with rig.store.read() as connection:
        return load_company(connection, company_version(connection))


def begin(rig: Rig, *parts: str, leaving: bool = True, until_us: int | None = None, key: str = "h") -> str:
    asked = {"parts": list(parts), "plan_csv": None, "leaving": leaving, "duties_to": "mia"}
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        gives, left = planned(connection, company, LEAVER, asked, LATER)
        assert left == [] or not leaving
        spec = spec_of(connection, company, LEAVER, asked, LATER)
        judged = judge(connection, gives, (company, lambda _holder: True), owner=LEAVER)
    command = Command("hand_over_begin", "operator", key, LEAVER, "she leaves")
    perform(
        rig.store,
        command,
        Begin(judged, spec, until_us, may_give_as("operator")),
        LATER,
        rig.files.store_log.append,
    )
    return job_id_of(command)


def finish(rig: Rig, job_id: str, at_us: int = LATER) -> Job:
    run(rig.store, rig.files.store_log.append, job_id, lambda: at_us, 60)
    rig.run()
    with rig.store.read() as connection:
        return read_job(connection, job_id)


def has(rig: Rig, person_id: str = LEAVER) -> list[Any]:
    company = company_of(rig)
    with rig.store.read() as connection:
        assert orphans(connection, LATER + DAY) == []
        return belongings(connection, company, person_id, LATER)


PARTS = ("province=江苏* => ann", "=> by-rules")


def test_the_dry_run_is_what_happens_and_nothing_is_left(rig: Rig) -> None:
    with rig.store.read() as connection:
        mine = owned_by(connection, LEAVER)
        company = company_of(rig)
        gives, _ = planned(connection, company, LEAVER, {"parts": PARTS, "plan_csv": None}, LATER)
    assert len(mine) > 8
    job = finish(rig, begin(rig, *PARTS))
    assert job.state == "done"
    assert {one.customer_id: one.holder_id for one in gives} == {one: owners(rig)[one] for one in mine}
    assert has(rig) == []
    after = company_of(rig)
    assert after.people[LEAVER].state == "left"
    assert (after.units["west"].manager_id, after.responsible_id) == ("mia", "mia")
    assert after.absences[0].stand_in_id == "mia"
    by_rule = [row for row in rig.rows("decision") if row["code"] == "handed_over" and row["rule_id"]]
    assert by_rule
    for row in rig.rows("task"):
        assert row["holder_id"] == owners(rig)[row["customer_id"]]


def test_killed_between_any_two_steps_it_goes_on_and_ends_the_same(rig: Rig) -> None:
    job_id = begin(rig, *PARTS)
    steps = 0
    while advance(rig.store, rig.files.store_log.append, job_id, LATER):
        steps += 1
        before = rig.rows("holding")
        command = acts_job.next_chunk(replace(read_of(rig, job_id), next_item=0))
        assert not perform(rig.store, command, acts_job.give_chunk, LATER, rig.files.store_log.append), (
            "a step that was done is not done again, whoever tries"
        )
        assert rig.rows("holding") == before
    assert steps >= 3
    assert read_of(rig, job_id).state == "done"
    given = [row for row in rig.rows("decision") if row["code"] == "handed_over"]
    assert len(given) == len({row["subject_id"] for row in given})
    assert has(rig) == []


class _Killed(Exception):
    pass


@pytest.mark.parametrize("after", range(6))
def test_killed_inside_a_step_nothing_of_it_is_there(
    rig: Rig, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = begin(rig, *PARTS)
    times = 0

    def dying(*given: Any) -> object:
        nonlocal times
        times += 1
        if times == after + 1:
            raise _Killed
        return rig.files.store_log.append(*given)

    try:
        run(rig.store, dying, job_id, lambda: LATER, 60)
    except _Killed:
        assert read_of(rig, job_id).state == "running"
    monkeypatch.setattr(handover_job, "EVERY_S", 0.0)
    host = HandOvers(rig.store, rig.files.store_log.append)
    while host.turn(LATER):
        pass
    assert read_of(rig, job_id).state == "done"
    rig.run()
    assert has(rig) == []


def read_of(rig: Rig, job_id: str) -> Job:
    with rig.store.read() as connection:
        return read_job(connection, job_id)


def test_what_comes_while_it_runs_goes_too(rig: Rig) -> None:
    job_id = begin(rig, *PARTS)
    advance(rig.store, rig.files.store_log.append, job_id, LATER)
    other = next(one for one, holder in owners(rig).items() if holder not in (LEAVER, "ann"))
    move(rig, to(LEAVER, [other]), actor="operator")
    job = finish(rig, job_id)
    assert job.state == "done"
    assert owners(rig)[other] != LEAVER
    assert has(rig) == []


def test_whoever_leaves_meanwhile_gets_nothing_and_the_leaver_stays_until_it_is_put_right(rig: Rig) -> None:
    job_id = begin(rig, "=> ann")
    advance(rig.store, rig.files.store_log.append, job_id, LATER)
    with rig.store.write() as connection:
        connection.execute(
            update(tables.person).where(tables.person.c.person_id == "ann").values(state="left")
        )
        connection.exec_driver_sql("UPDATE config_version SET version = version + 1")
    with pytest.raises(ActRefused) as refused:
        finish(rig, job_id)
    assert refused.value.code == "left_over"
    assert company_of(rig).people[LEAVER].state == "active"
    with rig.store.read() as connection:
        assert counts(connection, job_id)["left", "holder_gone"] > 0


def test_a_mention_in_the_rule_book_keeps_the_certificate_back(rig: Rig) -> None:
    book = f"rule,campaign,then_team\nhers,{LEAVER},east\neverything,,east\n"
    with rig.store.write() as connection:
        company = load_company(connection, company_version(connection))
        put_company(
            connection,
            company.model_copy(update={"book_csv": book, "book_version": book_version(book)}),
            LATER,
        )
    job_id = begin(rig, *PARTS)
    with pytest.raises(ActRefused, match="rule_book hers"):
        finish(rig, job_id)
    with rig.store.write() as connection:
        company = load_company(connection, company_version(connection))
        plain = "rule,then_team\neverything,east\n"
        put_company(
            connection,
            company.model_copy(update={"book_csv": plain, "book_version": book_version(plain)}),
            LATER + 1,
        )
    assert finish(rig, job_id, LATER + 2).state == "done"


def test_the_certificate_is_verified_and_says_what_changed_since(rig: Rig) -> None:
    job_id = begin(rig, *PARTS)
    finish(rig, job_id)
    with rig.store.read() as connection:
        one = read_certificate(connection, job_id)
        found = verify(connection, one, LATER)
    assert (found.wrong, found.changed, found.now_has) == ((), (), ())
    kinds = {kind for kind, _, _ in one.body["objects"]}
    assert kinds == {"customer", "task", "access", "unit_manager", "stand_in", "responsible"}
    customer = next(object_id for kind, object_id, _ in one.body["objects"] if kind == "customer")
    other = "ann" if owners(rig)[customer] == "chen" else "chen"
    move(rig, to(other, [customer]), actor="operator", at_us=LATER + 5)
    with rig.store.read() as connection:
        later = verify(connection, one, LATER + 6)
        forged = replace(one, body={**one.body, "objects": one.body["objects"][1:]})
        assert verify(connection, forged, LATER).wrong == ("digest", "not_ours")
    assert not later.wrong
    assert {row[0] for row in later.changed} == {"customer", "task"}


def test_a_certificate_that_was_changed_in_the_store_breaks_the_chain(rig: Rig) -> None:
    first = begin(rig, "province=江苏* => ann", leaving=False, key="a")
    assert finish(rig, first).state == "done"
    second = begin(rig, "=> ann", leaving=True, key="b")
    assert finish(rig, second).state == "done"
    with rig.store.read() as connection:
        one, two = read_certificate(connection, first), read_certificate(connection, second)
        assert two.before == one.digest
        assert verify(connection, two, LATER).wrong == ()
    with rig.store.write() as connection:
        table = tables.certificate
        connection.execute(update(table).where(table.c.number == 1).values(body_json='{"objects":[]}'))
    with rig.store.read() as connection:
        assert verify(connection, two, LATER).wrong == ("chain",)


def test_undone_everything_is_theirs_again_but_what_went_on(rig: Rig) -> None:
    before, company = owners(rig), company_of(rig)
    job_id = begin(rig, *PARTS)
    finish(rig, job_id)
    given = [one for one, holder in before.items() if holder == LEAVER]
    move(rig, to("wei", given[:1]), actor="operator", at_us=LATER + 5)
    with rig.store.read() as connection:
        sent, left, back, ended = what_job_undoes(connection, job_id)
    assert (sent, left, back, ended) == ([], [(given[0], "moved_on")], len(given) - 1, 1)
    begin_undo(rig.store, rig.files.store_log.append, read_of(rig, job_id), "operator", LATER + 6)
    assert finish(rig, job_id, LATER + 7).state == "undone"
    assert owners(rig) == {**before, given[0]: "wei"}
    after = company_of(rig)
    assert after.people == company.people
    assert (after.units, after.members, after.absences, after.responsible_id) == (
        company.units,
        company.members,
        company.absences,
        company.responsible_id,
    )
    with pytest.raises(ActRefused) as refused:
        begin_undo(rig.store, rig.files.store_log.append, read_of(rig, job_id), "operator", LATER + 8)
    assert refused.value.code == "undone_already"


@pytest.mark.parametrize("seed", range(4))
def test_undoing_gives_back_exactly_what_nobody_touched(rig: Rig, seed: int) -> None:
    dice, before = random.Random(seed), owners(rig)
    job_id = begin(rig, dice.choice(PARTS), "=> ann:2, chen", leaving=False)
    for _ in range(dice.randint(0, 3)):
        advance(rig.store, rig.files.store_log.append, job_id, LATER)
    finish(rig, job_id)
    middle, touched = owners(rig), {}
    for number, one in enumerate(dice.sample(sorted(middle), 6)):
        if middle[one] != "wei":
            move(rig, to("wei", [one]), actor="operator", key=f"t{number}", at_us=LATER + 9)
            touched[one] = "wei"
    begin_undo(rig.store, rig.files.store_log.append, read_of(rig, job_id), "operator", LATER + 10)
    finish(rig, job_id, LATER + 11)
    assert owners(rig) == before | touched
    assert all(row["holder_id"] == owners(rig)[row["customer_id"]] for row in rig.rows("task"))


def test_a_stand_in_gives_back_by_itself(rig: Rig) -> None:
    before = owners(rig)
    job_id = begin(rig, "=> ann", leaving=False, until_us=LATER + DAY)
    assert finish(rig, job_id).state == "covering"
    assert LEAVER not in owners(rig).values()
    host = HandOvers(rig.store, rig.files.store_log.append)
    assert host.turn(LATER + DAY - 1) == 0
    host = HandOvers(rig.store, rig.files.store_log.append)
    while host.turn(LATER + DAY):
        pass
    rig.run()
    assert read_of(rig, job_id).state == "returned"
    assert owners(rig) == before
    assert company_of(rig).people[LEAVER].state == "active"


def test_an_undo_that_begins_while_the_last_step_is_under_way_is_not_overwritten(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = set(owned_by_leaver(rig))
    job_id = begin(rig, "=> ann", leaving=False)
    append = rig.files.store_log.append

    def begun_meanwhile(*_: Any) -> list[Any]:
        with rig.store.read() as connection:
            job = read_job(connection, job_id)
        begin_undo(rig.store, append, job, "operator", LATER)
        return []

    while any(row["state"] == "open" for row in rig.rows("job_item")):
        advance(rig.store, append, job_id, LATER)
    monkeypatch.setattr("leadflow.handover_job._came_meanwhile", begun_meanwhile)
    advance(rig.store, append, job_id, LATER)
    assert rig.rows("certificate") == []
    assert finish(rig, job_id).state == "undone"
    assert set(owned_by_leaver(rig)) == owned


def owned_by_leaver(rig: Rig) -> list[str]:
    with rig.store.read() as connection:
        return owned_by(connection, LEAVER)


def test_one_hand_over_at_a_time_and_a_reason_for_it(rig: Rig) -> None:
    begin(rig, "=> ann", key="first")
    with pytest.raises(ActRefused) as refused:
        begin(rig, "=> ann", key="second")
    assert refused.value.code == "job_under_way"


@pytest.mark.parametrize(("language", "word"), [("en", "next step"), ("zh", "下一步")])
def test_the_receiver_gets_a_brief_in_their_language(rig: Rig, language: Any, word: str) -> None:
    job_id = begin(rig, *PARTS)
    finish(rig, job_id)
    company = company_of(rig)
    with rig.store.read() as connection:
        mine = given_to(connection, [job_id], "ann")
        assert mine == [row["customer_id"] for row in items(connection, job_id) if row["holder_id"] == "ann"]
        told = list(briefs(connection, company, mine, language, LATER))
    assert len(told) == len(mine)
    assert all(word in one and "客" in one and "138" in one for one in told)


def test_whoever_is_marked_as_left_leaves_no_customer_without_a_queue(rig: Rig) -> None:
    company = company_of(rig)
    gone = company.model_copy(
        update={
            "people": {**company.people, LEAVER: company.people[LEAVER].model_copy(update={"state": "left"})}
        }
    )
    nowhere = gone.model_copy(
        update={
            "default_queue": "none",
            "members": tuple(one for one in gone.members if one.person_id != LEAVER),
        }
    )
    elsewhere = nowhere.model_copy(
        update={"units": {key: one for key, one in nowhere.units.items() if key != "east"}, "members": ()}
    )
    with pytest.raises(ActRefused) as refused:
        apply_company(rig, elsewhere, "a")
    assert refused.value.code == "would_orphan"
    apply_company(rig, gone, "b")
    rig.run()
    assert has(rig) != []
    assert LEAVER not in owners(rig).values()


def apply_company(rig: Rig, company: Company, key: str) -> None:
    command = Command("publish", "operator", key, "company")
    perform(rig.store, command, publish(company), LATER, rig.files.store_log.append)
